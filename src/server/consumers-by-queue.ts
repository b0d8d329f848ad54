// Owns the order in which the consumers of a channel end: those of one queue together, since a search among
// its consumers for each of thousands would take seconds. Never ends one.

import type { Consumer } from '../broker/queue/consumer.ts';
import type { Queue } from '../broker/queue/queue.ts';

/** Consumers, put together by their queues. */
export function consumersByQueue(consumers: Iterable<Consumer>): Map<Queue, Consumer[]> {
  const byQueue = new Map<Queue, Consumer[]>();
  for (const consumer of consumers) {
    const same = byQueue.get(consumer.queue);
    if (same === undefined) byQueue.set(consumer.queue, [consumer]);
    else same.push(consumer);
  }
  return byQueue;
}
