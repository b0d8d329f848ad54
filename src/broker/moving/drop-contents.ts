// Owns letting go of all that is in a vhost which lives elsewhere now. The vhost itself stays, with its permissions. Never
// decides that it goes.

import type { Broker } from '../broker.ts';
import { ArrivalSweep } from '../core/arrivals.ts';
import { Exchange } from '../exchange/exchange.ts';
import { PREDECLARED_EXCHANGES } from '../exchange/predeclared.ts';
import type { Steps } from '../turn/slices.ts';
import { contentsGoing, inBatches } from '../vhost/deletions.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { act, requireRunning } from './act.ts';

/**
 * Drops queues, exchanges, bindings, policies, parameters, schedules and what is set aside of a vhost, in steps, so that
 * others are served meanwhile; it has the predeclared exchanges alone then. Nothing must act in it, and it has no connections.
 * Resolves once that is durable. Where the broker ends before, the next start finds what is left, and this can be called
 * again: where nothing is left, it changes nothing. Rejects with a StoreError where the broker stops meanwhile.
 */
export async function dropContents(broker: Broker, vhost: Vhost): Promise<void> {
  const { core } = broker;
  vhost.schedules.stop();
  await act(core, inBatches(core, everything(broker, vhost)));
  await core.untilDurable();
  requireRunning(core);
}

function* everything(broker: Broker, vhost: Vhost): Steps {
  const { core, definitionRows, policyRows } = broker;
  const { name, exchanges } = vhost;
  const unreadable = [...core.setAsideRows.list(name)];
  if (unreadable.some(({ kind }) => kind === 'queue')) yield* rowsGoing(broker, vhost);
  yield* contentsGoing(definitionRows, vhost);
  for (const message of [...core.setAside.list(name)]) {
    core.setAside.drop(message);
    yield;
  }
  for (const each of unreadable) core.setAsideRows.drop(each);
  // Rows that were not durable as the others were looked for.
  definitionRows.removeVhost(name);
  policyRows.removeVhost(name);
  for (const each of PREDECLARED_EXCHANGES) exchanges.set(each.name, new Exchange(each, vhost));
  vhost.router.topologyChanged();
}

/** Queues that cannot be read have rows of which nothing in memory knows. */
function* rowsGoing({ core, definitionRows }: Broker, { name, queues }: Vhost): Steps {
  for (const { value } of definitionRows.queues(name)) {
    const { id } = value;
    if (queues.get(value.name)?.id === id) continue;
    core.sweep(new ArrivalSweep(core.store, { first: id, end: id + 1 }, () => false));
    yield;
  }
}
