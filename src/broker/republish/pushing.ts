// Owns giving one message to very many queues, step by step. Never finds them, nor places the message in the log.

import type { BrokerCore } from '../core/core.ts';
import type { Queue } from '../queue/queue.ts';
import type { Steps } from '../turn/slices.ts';

/** Queues between two moments at which others may have their turn. */
const QUEUES_PER_STEP = 128;

/** A route to so many queues takes a part of a millisecond at least. */
export const WIDE_ROUTE = 256;

/**
 * Pushes a message that the log holds for all of its queues, and notes in `outcome` whether one refused it. Queues
 * that are deleted meanwhile are left out.
 */
export function* pushingAll(
  { log, line }: BrokerCore,
  queues: readonly Queue[],
  position: number,
  bodyBytes: number,
  traits: number,
  outcome: { refused: boolean },
): Steps {
  for (let from = 0; from < queues.length; from += QUEUES_PER_STEP) {
    if (from > 0) yield;
    const end = Math.min(queues.length, from + QUEUES_PER_STEP);
    line.begin();
    for (let i = from; i < end; i++) {
      const queue = queues[i] as Queue;
      if (queue.deleted) log.unref(log.segmentOf(position), bodyBytes);
      else if (!queue.push(position, bodyBytes, traits)) outcome.refused = true;
    }
    line.end();
  }
}
