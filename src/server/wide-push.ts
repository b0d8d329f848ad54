// Owns giving one message to very many queues, step by step. Never finds them.

import type { Broker } from '../broker/broker.ts';
import type { Steps } from '../broker/core/slices.ts';
import type { Queue } from '../broker/queue/queue.ts';

/** Queues between two moments at which others may have their turn. */
const QUEUES_PER_STEP = 128;

/** A route to so many queues takes a part of a millisecond at least. */
export const WIDE_ROUTE = 256;

/** What a wide push needs of its channel. */
export interface WideChannel {
  /** Does a long act in slices, and then `then`; what is published behind it waits. */
  act(steps: Steps, then: () => void, whole: boolean): void;
  /** Lets others have their turn before it publishes more. */
  rest(): void;
}

/**
 * Pushes a message to the queues of a wide route, and then calls `then` with whether one refused it. Whatever
 * the channel publishes next waits, and so does the batch: on disk it is in all queues or in none. The
 * message's segment holds it for all of them already.
 */
export function pushWide(
  broker: Broker,
  channel: WideChannel,
  queues: readonly Queue[],
  position: number,
  bodyBytes: number,
  traits: number,
  then: (refused: boolean) => void,
): void {
  const outcome = { refused: false };
  const steps = pushingAll(broker, queues, position, bodyBytes, traits, outcome);
  channel.act(steps, () => then(outcome.refused), true);
  // Many in a chunk, each of them short, are long as well.
  if (broker.slices.spent) channel.rest();
}

/**
 * Pushes a message that the log holds for all of its queues, and notes in `outcome` whether one refused it. Queues
 * that are deleted meanwhile are left out.
 */
export function* pushingAll(
  { log, line }: Broker,
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
