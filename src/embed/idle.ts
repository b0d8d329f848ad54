// Owns telling whether the queues of a broker are settled, and waiting for that. Never touches them.

import type { Queue } from '../broker/queue/queue.ts';
import type { Server } from '../server/server.ts';
import { systemClock } from '../util/clock.ts';
import { checkIdle } from './check-options.ts';
import type { IdleOptions } from './options.ts';
import { realTime, turnsOver } from './turns.ts';

const TIMEOUT_MS = 5000;
/** How long to wait before looking again, while something is not settled. */
const LOOK_MS = 1;
/**
 * Nothing may have moved for so many looks, a turn apart: what a client of this process has written is
 * read by then, and what it writes in answer as well.
 */
const QUIET_LOOKS = 5;
/** So many queues are named in the error of a wait that took too long. */
const NAMED_MAX = 10;

/** Resolves when all is settled; see BrokerOptions. Rejects as soon as `isClosed` says that the broker is. */
export async function untilIdle(
  server: Server,
  isClosed: () => boolean,
  options: IdleOptions = {},
): Promise<void> {
  checkIdle(options);
  const { timeoutMs = TIMEOUT_MS } = options;
  const endMs = systemClock.monotonicMs() + timeoutMs;
  let octets = -1;
  let quiet = 0;
  while (quiet < QUIET_LOOKS) {
    if (isClosed()) throw new Error('idle: the broker is closed');
    const unsettled = unsettledOf(server, options);
    const now = octetsOf(server);
    const moved = now !== octets;
    const first = octets < 0;
    octets = now;
    const rests = unsettled.length === 0 && atRest(server);
    quiet = rests && !moved ? quiet + 1 : 0;
    // A client that never rests, as one that polls, is not waited for without an end either.
    const busy = !rests || (moved && !first);
    if (busy && systemClock.monotonicMs() >= endMs) throw tooLong(timeoutMs, unsettled);
    // While consumers work, the wait for them does not take the processor from them.
    if (rests) await turnsOver(1);
    else await realTime(LOOK_MS);
  }
}

interface Unsettled {
  readonly vhost: string;
  readonly queue: Queue;
}

function unsettledOf(server: Server, { queues, vhost: only = '/' }: IdleOptions): Unsettled[] {
  const found: Unsettled[] = [];
  for (const { name: vhost, queues: all } of server.broker.vhosts.values()) {
    if (queues !== undefined && vhost !== only) continue;
    for (const queue of all.values()) {
      if (queues !== undefined && !queues.includes(queue.name)) continue;
      if (queue.readyCount + queue.unackedCount > 0) found.push({ vhost, queue });
    }
  }
  return found;
}

/** Whether no message is half there or waits for a commit, and no confirm, answer or delivery to be sent. */
function atRest(server: Server): boolean {
  for (const { paused, facts, channels } of server.openConnections) {
    if (paused || facts.unsent > 0) return false;
    for (const { confirmsListed, publisher, transaction } of channels.all()) {
      if (confirmsListed || publisher.assembly.underWay) return false;
      if (transaction !== null && transaction.publishes.length > 0) return false;
    }
  }
  return true;
}

function octetsOf(server: Server): number {
  let octets = 0;
  for (const connection of server.openConnections)
    octets += connection.facts.received + connection.facts.sent;
  return octets;
}

function tooLong(timeoutMs: number, unsettled: readonly Unsettled[]): Error {
  const names = unsettled.slice(0, NAMED_MAX).map(({ vhost, queue }) => {
    const { readyCount, unackedCount, consumers } = queue;
    const place = vhost === '/' ? '' : ` of vhost '${vhost}'`;
    return (
      `queue '${queue.name}'${place} has ${readyCount} ready and ${unackedCount} unacked messages, ` +
      `and ${consumers.length} consumers`
    );
  });
  const more = unsettled.length - names.length;
  if (more > 0) names.push(`and ${more} more queues`);
  const what =
    names.length === 0
      ? 'something is still being sent or stored, or waits for the commit of a transaction, or a client polls'
      : names.join('; ');
  return new Error(
    `not idle after ${timeoutMs} ms: ${what}. Name the queues that are to be settled, as in ` +
      "idle({ queues: ['jobs'] }), or allow more time with timeoutMs",
  );
}
