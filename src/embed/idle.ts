// Owns telling whether the queues of a broker are settled, and waiting for that. Never touches them.

import type { AnyQueue } from '../broker/queue/types/create-queue.ts';
import type { Server } from '../server/server.ts';
import { systemClock } from '../util/clock.ts';
import { checkIdle } from './check-options.ts';
import { requireQueue, requireVhost } from './names.ts';
import type { IdleOptions } from './options.ts';
import { realTime, turnsOver } from './turns.ts';

/** How long is waited unless told otherwise. */
export const TIMEOUT_MS = 5000;
/** How long to wait before looking again, while something is not settled. */
const LOOK_MS = 1;
/**
 * Nothing may have moved for so many looks, a turn apart: what a client of this process has written is
 * read by then, and what it writes in answer as well.
 */
const QUIET_LOOKS = 5;
/** So many queues are named in the error of a wait that took too long. */
const NAMED_MAX = 10;

/** Which queues are looked at, and which of them wait for something. */
type Look = (queue: AnyQueue) => boolean;

/** A stream keeps its messages: it is at work where some of its readers are. */
const holdsMessages: Look = (queue) => {
  if (queue.isStream) return queue.busy;
  return queue.readyCount + queue.unackedCount + queue.delayedCount > 0;
};
/** Messages that no consumer takes rest, such as those that wait for their TTL. */
const isAtWork: Look = (queue) => {
  if (queue.isStream) return queue.busy;
  const { readyCount, unackedCount, consumers, paused } = queue;
  return unackedCount > 0 || (readyCount > 0 && !paused && consumers.some(({ ready }) => ready));
};

/** Resolves when all is settled; see BrokerOptions. Rejects as soon as `isClosed` says that the broker is. */
export async function untilIdle(
  server: Server,
  isClosed: () => boolean,
  options: IdleOptions = {},
): Promise<void> {
  checkIdleNames(server, 'idle', options);
  await untilStill(server, isClosed, 'idle', options, holdsMessages);
}

/** The same, but messages that no consumer waits for may stay where they are. */
export async function untilQuiet(
  server: Server,
  isClosed: () => boolean,
  call: string,
  options: IdleOptions,
): Promise<void> {
  await untilStill(server, isClosed, call, options, isAtWork);
}

/** Throws a ConfigError for options that cannot be meant, and for queues and vhosts that are not there. */
export function checkIdleNames(server: Server, call: string, options: IdleOptions): void {
  checkIdle(call, options);
  const { queues, vhost = '/' } = options;
  requireVhost(server.broker, `${call}: vhost`, vhost);
  for (const name of queues ?? []) requireQueue(server.broker, `${call}: queues`, name, vhost);
}

/** Whether no queue that the options mean has a message. */
export function isEmpty(server: Server, options: IdleOptions): boolean {
  return unsettledOf(server, options, holdsMessages).length === 0;
}

async function untilStill(
  server: Server,
  isClosed: () => boolean,
  call: string,
  options: IdleOptions,
  look: Look,
): Promise<void> {
  const { timeoutMs = TIMEOUT_MS } = options;
  const endMs = systemClock.monotonicMs() + timeoutMs;
  let octets = -1;
  let quiet = 0;
  while (quiet < QUIET_LOOKS) {
    if (isClosed()) throw new Error(`${call}: the broker is closed`);
    const unsettled = unsettledOf(server, options, look);
    const now = octetsOf(server);
    const moved = now !== octets;
    const first = octets < 0;
    octets = now;
    const rests = unsettled.length === 0 && atRest(server);
    quiet = rests && !moved ? quiet + 1 : 0;
    // A client that never rests, as one that polls, is not waited for without an end either.
    const busy = !rests || (moved && !first);
    if (busy && systemClock.monotonicMs() >= endMs) throw tooLong(call, timeoutMs, unsettled);
    // While consumers work, the wait for them does not take the processor from them.
    if (rests) await turnsOver(1);
    else await realTime(LOOK_MS);
  }
}

interface Unsettled {
  readonly vhost: string;
  readonly queue: AnyQueue;
}

function unsettledOf(
  server: Server,
  { queues, vhost: only = '/' }: IdleOptions,
  look: Look,
): Unsettled[] {
  const found: Unsettled[] = [];
  for (const { name: vhost, queues: all } of server.broker.vhosts.values()) {
    if (queues !== undefined && vhost !== only) continue;
    for (const queue of all.values()) {
      if (queues !== undefined && !queues.includes(queue.name)) continue;
      if (look(queue)) found.push({ vhost, queue });
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

function tooLong(call: string, timeoutMs: number, unsettled: readonly Unsettled[]): Error {
  const names = unsettled.slice(0, NAMED_MAX).map(({ vhost, queue }) => {
    const { readyCount, unackedCount, delayedCount, consumers } = queue;
    const place = vhost === '/' ? '' : ` of vhost '${vhost}'`;
    const waiting = delayedCount === 0 ? '' : `, ${delayedCount} that wait for their time`;
    return (
      `queue '${queue.name}'${place} has ${readyCount} ready and ${unackedCount} unacked messages` +
      `${waiting}, and ${consumers.length} consumers`
    );
  });
  const more = unsettled.length - names.length;
  if (more > 0) names.push(`and ${more} more queues`);
  const what =
    names.length === 0
      ? 'something is still being sent or stored, or waits for the commit of a transaction, or a client polls'
      : names.join('; ');
  return new Error(
    `${call}: not idle after ${timeoutMs} ms: ${what}. Name the queues that are to be settled, as in ` +
      "{ queues: ['jobs'] }, or allow more time with timeoutMs",
  );
}
