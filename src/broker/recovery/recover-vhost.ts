// Owns reading one vhost back from the store. What cannot be read or made is set aside, row by row, and
// the rest goes on. Never deletes anything.

import { TABLE_DEFINITIONS } from '../../store/tables.ts';
import type { BrokerCore } from '../core/core.ts';
import { Exchange } from '../exchange/exchange.ts';
import { finish, type Steps } from '../turn/slices.ts';
import type { DefinitionRows, StoredBinding, StoredQueue } from '../vhost/topology-rows.ts';
import type { Vhost } from '../vhost/vhost.ts';

/** What is needed of the broker. */
interface RecoveringBroker {
  readonly core: BrokerCore;
  readonly definitionRows: DefinitionRows;
}

/** Reads what is in a vhost back: the durable exchanges, queues and bindings, with their messages, and schedules. */
export function recoverVhost(broker: RecoveringBroker, vhost: Vhost): void {
  finish(recoveringVhost(broker, vhost));
  vhost.schedules.recover();
}

/** The same step by step, but for the schedules: nothing must act in it meanwhile. */
export function* recoveringVhost(broker: RecoveringBroker, vhost: Vhost): Steps {
  const { definitionRows: rows } = broker;
  const { setAsideRows } = broker.core;
  vhost.policies.recover();
  vhost.parameters.recover();
  for (const { key, value } of rows.exchanges(vhost.name)) {
    broker.core.queueIds.reserve(value.keysId);
    attempt(broker, key, () => {
      const exchange = new Exchange(value, vhost);
      exchange.keysId = value.keysId;
      vhost.exchanges.set(value.name, exchange);
    });
  }
  for (const exchange of vhost.exchanges.values()) {
    vhost.policies.applyToExchange(exchange);
    exchange.duplicates?.recover();
    yield;
  }
  const ids = new Set<number>();
  for (const { key, value } of rows.queues(vhost.name)) {
    broker.core.queueIds.reserve(value.id);
    attempt(broker, key, () => {
      if (ids.has(value.id)) throw new Error(`its id ${value.id} is that of another queue`);
      ids.add(value.id);
      recoverQueue(vhost, value);
    });
    yield;
  }
  for (const { kind, name, error } of [...setAsideRows.list(vhost.name)]) {
    if (kind === 'queue') vhost.standIn(name, error);
  }
  for (const { key, value } of rows.bindings(vhost.name)) {
    attempt(broker, key, () => recoverBinding(vhost, value));
    yield;
  }
}

function recoverQueue(vhost: Vhost, stored: StoredQueue): void {
  const queue = vhost.addQueue(stored.id, { ...stored, durable: true, owner: null });
  queue.paused = stored.paused;
  queue.recover();
}

function recoverBinding(vhost: Vhost, stored: StoredBinding): void {
  const { source, destination, toExchange, bindingKey } = stored;
  const from = vhost.exchanges.get(source);
  const to = toExchange ? vhost.exchanges.get(destination) : vhost.queues.get(destination);
  if (from === undefined) throw new Error(`there is no exchange '${source}'`);
  if (to === undefined) {
    throw new Error(`there is no ${toExchange ? 'exchange' : 'queue'} '${destination}'`);
  }
  vhost.bindings.add(from, to, bindingKey, stored.arguments);
}

/** Runs what makes one thing of a row; the row is set aside when that fails. */
function attempt(broker: RecoveringBroker, key: Buffer, make: () => void): void {
  try {
    make();
  } catch (error) {
    broker.core.setAsideRows.add(TABLE_DEFINITIONS, key, error);
  }
}
