// Owns how a channel publishes one message to very many queues: step by step. Never finds them.

import type { BrokerCore } from '../../broker/core/core.ts';
import type { Queue } from '../../broker/queue/queue.ts';
import { pushingAll } from '../../broker/republish/pushing.ts';
import type { Steps } from '../../broker/turn/slices.ts';

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
  core: BrokerCore,
  channel: WideChannel,
  queues: readonly Queue[],
  position: number,
  bodyBytes: number,
  traits: number,
  then: (refused: boolean) => void,
): void {
  const outcome = { refused: false };
  const steps = pushingAll(core, queues, position, bodyBytes, traits, outcome);
  channel.act(steps, () => then(outcome.refused), true);
  // Many in a chunk, each of them short, are long as well.
  if (core.slices.spent) channel.rest();
}
