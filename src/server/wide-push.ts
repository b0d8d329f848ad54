// Owns giving one message to very many queues, step by step. Never finds them.

import type { Broker } from '../broker/broker.ts';
import type { Steps } from '../broker/core/slices.ts';
import type { Queue } from '../broker/queue/queue.ts';
import type { MessageLog } from '../message/log.ts';

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
  const steps = pushingAll(broker.log, queues, position, bodyBytes, traits, outcome);
  channel.act(steps, () => then(outcome.refused), true);
  // Many in a chunk, each of them short, are long as well.
  if (broker.slices.spent) channel.rest();
}

/** Queues that are deleted meanwhile are left out. */
function* pushingAll(
  log: MessageLog,
  queues: readonly Queue[],
  position: number,
  bodyBytes: number,
  traits: number,
  outcome: { refused: boolean },
): Steps {
  for (let i = 0; i < queues.length; i++) {
    const queue = queues[i] as Queue;
    if (queue.deleted) log.unref(log.segmentOf(position), bodyBytes);
    else if (!queue.push(position, bodyBytes, traits)) outcome.refused = true;
    if (i % QUEUES_PER_STEP === QUEUES_PER_STEP - 1) yield;
  }
}
