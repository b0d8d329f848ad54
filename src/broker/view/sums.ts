// Owns what is added up over all queues and channels of a broker, step by step. Never keeps a sum.

import type { Walk } from '../../util/rows.ts';
import { QueueLatency } from '../queue/latency.ts';
import type { MessageCounts } from '../stats/counts.ts';
import type { Vhost } from '../vhost/vhost.ts';

/** What there is in some vhosts. */
export interface VhostSums {
  readonly consumers: number;
  readonly exchanges: number;
  readonly queues: number;
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
}

/** Counts that are added up, and how many of them have published anything. */
export interface CountSums {
  readonly counts: MessageCounts;
  readonly publishers: number;
}

export function* sumOfVhosts(vhosts: Iterable<Vhost | null>): Walk<VhostSums> {
  let [queues, exchanges, consumers, ready, unacked] = [0, 0, 0, 0, 0];
  for (const vhost of vhosts) {
    yield null;
    if (vhost === null) continue;
    exchanges += vhost.exchanges.size;
    for (const queue of vhost.queues.values()) {
      queue.catchUp();
      queues += 1;
      consumers += queue.consumers.length;
      ready += queue.readyCount;
      unacked += queue.unackedCount;
      yield null;
    }
  }
  const messages = { messages: ready + unacked, messages_ready: ready };
  return { consumers, exchanges, queues, ...messages, messages_unacknowledged: unacked };
}

export function* sumOfCounts(sum: MessageCounts, each: Iterable<MessageCounts>): Walk<CountSums> {
  let publishers = 0;
  for (const counts of each) {
    sum.add(counts);
    if (counts.published > 0) publishers += 1;
    yield null;
  }
  return { counts: sum, publishers };
}

export function* sumOfLatencies(vhosts: Iterable<Vhost>): Walk<QueueLatency> {
  const sum = new QueueLatency();
  for (const vhost of vhosts) {
    yield null;
    for (const { latency } of vhost.queues.values()) {
      if (latency !== null) sum.add(latency);
      yield null;
    }
  }
  return sum;
}
