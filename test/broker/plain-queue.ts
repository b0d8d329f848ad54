// Owns telling queues from streams in tests. Never makes one.

import type { Queue } from '../../src/broker/queue/queue.ts';
import type { Stream } from '../../src/broker/queue/stream/stream.ts';
import type { AnyQueue } from '../../src/broker/queue/types/create-queue.ts';

/** A queue that is no stream; throws for one that is. */
export function plain(queue: AnyQueue): Queue {
  if (queue.isStream) throw new Error(`${queue.name} is a stream`);
  return queue;
}

/** Those of some queues that are no streams. */
export function plainQueues(queues: Iterable<AnyQueue>): Queue[] {
  return [...queues].filter((queue): queue is Queue => !queue.isStream);
}

/** Those of some queues that are streams. */
export function streamsAmong(queues: Iterable<AnyQueue>): Stream[] {
  return [...queues].filter((queue): queue is Stream => queue.isStream);
}
