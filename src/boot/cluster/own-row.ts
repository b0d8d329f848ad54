// Owns what a node of a cluster tells the others of itself, made of what it does now. Never tells it.

import { hostname } from 'node:os';
import type { LogLook } from '../../cluster/log-look.ts';
import type { NodeRow } from '../../cluster/node-row.ts';
import type { Standby } from '../../cluster/standby.ts';
import type { Settings } from '../../config/settings.ts';
import { readVersion } from '../../config/version.ts';
import type { ListenAddress } from '../../server/listen/listener.ts';
import type { Term } from './term.ts';

/** What the node knows of itself whatever it does. */
type OwnFacts = Pick<
  NodeRow,
  'role' | 'epoch' | 'last' | 'peers' | 'snapshots' | 'upMs' | 'timeMs' | 'usage'
>;

/** What it does now. */
interface Doing {
  readonly standby: Standby | null;
  readonly term: Term | null;
  readonly look: LogLook;
}

/** The row of a node. */
export function ownRow(settings: Settings, facts: OwnFacts, doing: Doing): NodeRow {
  const { standby, term, look } = doing;
  // A leader has all that counts, though its tables may take a while.
  const reached = term?.log.place.seq ?? standby?.follower.reached ?? 0;
  const { clusterNode, clusterAdvertise } = settings;
  const amqp = term?.broker?.addresses.find(({ key }) => key.startsWith('listeners.'));
  return {
    ...facts,
    node: clusterNode as string,
    group: settings.clusterGroup,
    name: settings.nodeName,
    version: readVersion(),
    reached,
    applied: term?.log.appliedSeq ?? standby?.follower.applied.seq ?? 0,
    lagMs: look.lagMs(reached),
    ignored: standby?.follower.ignored ?? 0,
    amqp: clusterAdvertise ?? (amqp === undefined ? null : reachable(amqp)),
  };
}

/** Where clients on other machines may reach a listener, as far as it can be known here. */
function reachable({ host, port }: ListenAddress): string {
  if (host === '0.0.0.0' || host === '::') return `${hostname()}:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
