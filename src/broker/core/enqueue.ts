// Owns the one way into queues: a whole record goes into the log, and an entry for it into each queue of its route.
// Never finds the queues, and never decides what a publisher is told.

import type { Chunk } from '../../message/chunk.ts';
import { FLAG_PERSISTENT, recordFlags } from '../../message/record.ts';
import type { MessageSink } from '../queue/ports.ts';
import { PUSH_STORED } from '../queue/push-flags.ts';
import type { Steps } from '../turn/slices.ts';
import type { BrokerCore } from './core.ts';

/** A route to so many queues takes a part of a millisecond at least: see `enqueueWide`. */
export const WIDE_ROUTE = 256;

/** Queues of a wide route between two moments at which others may have their turn. */
const QUEUES_PER_STEP = 128;

/** What `enqueue` returns: a bit where a queue keeps the message on disk, and this for each queue that was too full for it. */
export const ENQUEUED_STORED = 1;
const ENQUEUED_REFUSED = 2;

/** How many queues were too full for a message, by what `enqueue` returned. */
export function refusalsIn(outcome: number): number {
  return outcome >> 1;
}

/** Which messages some queues together keep on disk: none, those whose publisher wants them to last, or all. */
export type Keep = typeof KEEP_NONE | typeof KEEP_PERSISTENT | typeof KEEP_ALL;
export const KEEP_NONE = 0;
const KEEP_PERSISTENT = 1;
export const KEEP_ALL = 2;

/** What these queues keep. */
export function keepOf(queues: readonly MessageSink[]): Keep {
  let keep: Keep = KEEP_NONE;
  for (const { durable, keepsAll } of queues) {
    if (keepsAll) return KEEP_ALL;
    if (durable) keep = KEEP_PERSISTENT;
  }
  return keep;
}

/** What has come of a message that goes to very many queues. */
export interface WideOutcome {
  /** Whether a queue keeps it on disk. */
  stored: boolean;
  /** Whether a queue was too full for it. */
  refused: boolean;
}

/**
 * Puts a message into queues, of which there is one at least; where there may be WIDE_ROUTE and more, see below. Its record lies in
 * `chunk` from `start` to `end`, its head written. `keep` is what `keepOf` says of the queues; `flags` is
 * what they are told of the message (PUSH_PRIORITY, PUSH_EXPIRES). Returns ENQUEUED_STORED and refusals, see above.
 *
 * All that may be refused has been asked: it is called within a section of the line of change.
 */
export function enqueue(
  core: BrokerCore,
  chunk: Chunk,
  start: number,
  end: number,
  bodyBytes: number,
  queues: readonly MessageSink[],
  keep: Keep,
  flags: number,
): number {
  const persistent = (recordFlags(chunk.bytes, start) & FLAG_PERSISTENT) !== 0;
  const stored = keep === KEEP_ALL || (keep === KEEP_PERSISTENT && persistent);
  const position = core.log.place(chunk, start, end, stored);
  core.log.placed.addRefs(queues.length, bodyBytes);
  const told = stored ? flags | PUSH_STORED : flags;
  let outcome = stored ? ENQUEUED_STORED : 0;
  for (let i = 0; i < queues.length; i++) {
    const queue = queues[i] as MessageSink;
    const own = persistent || queue.keepsAll ? told : flags;
    if (!queue.push(position, bodyBytes, own)) outcome += ENQUEUED_REFUSED;
  }
  return outcome;
}

/**
 * The same for very many queues: the log has the message at once, and holds it for all of them; the steps that are
 * returned put it into one after the other, and note in `outcome` what comes of it. They are for one batch, so
 * that on disk it is in all queues or in none. Queues that are deleted meanwhile are left out.
 */
export function enqueueWide(
  core: BrokerCore,
  chunk: Chunk,
  start: number,
  end: number,
  bodyBytes: number,
  queues: readonly MessageSink[],
  keep: Keep,
  flags: number,
  outcome: WideOutcome,
): Steps {
  const persistent = (recordFlags(chunk.bytes, start) & FLAG_PERSISTENT) !== 0;
  const stored = keep === KEEP_ALL || (keep === KEEP_PERSISTENT && persistent);
  const position = core.log.place(chunk, start, end, stored);
  core.log.placed.addRefs(queues.length, bodyBytes);
  if (stored) outcome.stored = true;
  const told = stored ? flags | PUSH_STORED : flags;
  return pushing(core, queues, position, bodyBytes, told, persistent, outcome);
}

function* pushing(
  { log, line }: BrokerCore,
  queues: readonly MessageSink[],
  position: number,
  bodyBytes: number,
  told: number,
  persistent: boolean,
  outcome: WideOutcome,
): Steps {
  for (let from = 0; from < queues.length; from += QUEUES_PER_STEP) {
    if (from > 0) yield;
    const end = Math.min(queues.length, from + QUEUES_PER_STEP);
    line.begin();
    for (let i = from; i < end; i++) {
      const queue = queues[i] as MessageSink;
      if (queue.deleted) log.unref(log.segmentOf(position), bodyBytes);
      else {
        const own = persistent || queue.keepsAll ? told : told & ~PUSH_STORED;
        if (!queue.push(position, bodyBytes, own)) outcome.refused = true;
      }
    }
    line.end();
  }
}
