// Owns what is said of names of queues, vhosts, exchanges and users that are not there. Never makes anything.

import type { Broker } from '../broker/broker.ts';
import type { AnyQueue } from '../broker/queue/types/create-queue.ts';
import type { Vhost } from '../broker/vhost/vhost.ts';
import { ConfigError } from '../config/config-error.ts';
import { suggest } from '../config/suggest.ts';

/** So many names are listed where none is near. */
const LISTED_MAX = 10;

/** The vhost of that name; throws a ConfigError that names the nearest one. */
export function requireVhost(broker: Broker, call: string, name: string): Vhost {
  const vhost = broker.vhosts.get(name);
  if (vhost === undefined) throw unknown(call, 'vhost', name, [...broker.vhosts.keys()]);
  return vhost;
}

/** The queue of that name in a vhost; throws as `requireVhost` does. */
export function requireQueue(broker: Broker, call: string, name: string, vhost: string): AnyQueue {
  const { queues } = requireVhost(broker, call, vhost);
  const queue = queues.get(name);
  if (queue === undefined) {
    throw unknown(call, `queue in vhost '${vhost}'`, name, [...queues.keys()]);
  }
  return queue;
}

/** Throws unless some vhost has a queue of that name. */
export function requireAnyQueue({ vhosts }: Broker, call: string, name: string): void {
  const all = [...vhosts.values()].map(({ queues }) => queues);
  if (all.some((queues) => queues.has(name))) return;
  throw unknown(call, 'queue', name, namesIn(all));
}

/** Throws unless some vhost has an exchange of that name; '' is the default one. */
export function requireAnyExchange({ vhosts }: Broker, call: string, name: string): void {
  const all = [...vhosts.values()].map(({ exchanges }) => exchanges);
  if (all.some((exchanges) => exchanges.has(name))) return;
  throw unknown(call, 'exchange', name, namesIn(all));
}

/** Throws unless there is a user of that name. */
export function requireUser({ access }: Broker, call: string, name: string): void {
  if (access.user(name) !== null) return;
  const names = access.users().map((user) => user.name);
  throw unknown(call, 'user', name, names);
}

function namesIn(all: readonly ReadonlyMap<string, unknown>[]): string[] {
  return [...new Set(all.flatMap((each) => [...each.keys()]))].filter((name) => name !== '');
}

function unknown(call: string, kind: string, name: string, names: readonly string[]): ConfigError {
  const nearest = suggest(name, names);
  return new ConfigError(call, `there is no ${kind} named '${name}'`, wayOut(nearest, names));
}

function wayOut(nearest: string | null, names: readonly string[]): string {
  if (nearest !== null) return `did you mean '${nearest}'?`;
  if (names.length === 0) return 'there is none yet: declare it first';
  const listed = names.slice(0, LISTED_MAX).map((each) => `'${each}'`);
  const more = names.length - listed.length;
  return `there are ${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
