// Owns what is added up over the queues of a vhost, or all queues and channels of a broker, step by step. Never keeps a
// sum.

import type { Walk } from '../../util/rows.ts';
import type { Broker } from '../broker.ts';
import { QueueLatency } from '../queue/latency.ts';
import { DEFAULT_TYPE, QUEUE_TYPES } from '../queue/types/registry.ts';
import { MessageCounts } from '../stats/counts.ts';
import type { Vhost } from '../vhost/vhost.ts';
import { AT_MAIN, type VhostPlace } from '../vhost-place.ts';
import { tallyOf } from './queues/any-queue.ts';

/*
 * The fields have RabbitMQ's names, as its HTTP API and `rabbitmqctl list_*` show them: that is what
 * tools look for.
 */

/** A vhost with what lies in it. */
export interface VhostView {
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly default_queue_type: string;
  readonly tracing: boolean;
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
  readonly messages_delayed: number;
  /** Where in a cluster it is. */
  readonly place: VhostPlace;
}

/** A vhost with what its queues add up to. */
export function* viewVhost(vhost: Vhost): Walk<VhostView> {
  let [ready, unacked, delayed] = [0, 0, 0];
  for (const queue of vhost.queues.values()) {
    ready += queue.readyCount;
    unacked += queue.unackedCount;
    delayed += queue.delayedCount;
    yield null;
  }
  const { name, description, tags, defaultQueueType, tracing } = vhost.snapshot();
  const { place = AT_MAIN } = vhost.metadata;
  return {
    name,
    description,
    tags,
    default_queue_type: defaultQueueType ?? vhost.nodeQueueType ?? DEFAULT_TYPE.name,
    tracing,
    messages: ready + unacked,
    messages_ready: ready,
    messages_unacknowledged: unacked,
    messages_delayed: delayed,
    place,
  };
}

/** What there is in some vhosts. */
export interface VhostSums {
  readonly consumers: number;
  readonly exchanges: number;
  readonly queues: number;
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
  /** Those that wait for their time; `messages` is without them. */
  readonly messages_delayed: number;
}

/** Counts that are added up, and how many of them have published anything. */
export interface CountSums {
  readonly counts: MessageCounts;
  readonly publishers: number;
}

export function* sumOfVhosts(vhosts: Iterable<Vhost | null>): Walk<VhostSums> {
  let [queues, exchanges, consumers, ready, unacked, delayed] = [0, 0, 0, 0, 0, 0];
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
      delayed += queue.delayedCount;
      yield null;
    }
  }
  const messages = { messages: ready + unacked, messages_ready: ready };
  return {
    ...{ consumers, exchanges, queues, ...messages, messages_unacknowledged: unacked },
    messages_delayed: delayed,
  };
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

/** Adds what the queues of these vhosts lost, and what was late. */
export function* addLosses(sum: MessageCounts, vhosts: Iterable<Vhost>): Walk<void> {
  for (const vhost of vhosts) {
    yield null;
    for (const { counts } of vhost.queues.values()) {
      sum.addLosses(counts);
      yield null;
    }
  }
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

/** The counts of queues, added up by their type; those that are deleted included. */
export function* sumByType({ vhosts, core }: Broker): Walk<ReadonlyMap<string, MessageCounts>> {
  const sums = new Map<string, MessageCounts>();
  for (const type of QUEUE_TYPES.keys()) {
    const sum = new MessageCounts();
    const gone = core.counts.goneQueues.get(type);
    if (gone !== undefined) sum.add(gone);
    sums.set(type, sum);
  }
  for (const vhost of vhosts.values()) {
    yield null;
    for (const each of [vhost.queues.values(), vhost.replies.all()]) {
      for (const queue of each) {
        sums.get(queue.type.name)?.add(tallyOf(queue));
        yield null;
      }
    }
  }
  return sums;
}
