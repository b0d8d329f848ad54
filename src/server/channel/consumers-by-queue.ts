// Owns the groups in which the consumers of a channel end: those of one queue together, since a search among
// its consumers for each of thousands would take seconds. Never ends one.

import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';

/** So many consumers at most are a group: one step of an act. */
const GROUP_MAX = 128;

/** Consumers in groups, each with the queue that they are of. */
export function* consumersByQueue(
  consumers: Iterable<Consumer>,
): Iterable<readonly [ConsumerSource, readonly Consumer[]]> {
  const byQueue = new Map<ConsumerSource, Consumer[]>();
  for (const consumer of consumers) {
    const same = byQueue.get(consumer.queue);
    if (same === undefined) byQueue.set(consumer.queue, [consumer]);
    else same.push(consumer);
  }
  for (const [queue, all] of byQueue) {
    for (let at = 0; at < all.length; at += GROUP_MAX) yield [queue, all.slice(at, at + GROUP_MAX)];
  }
}
