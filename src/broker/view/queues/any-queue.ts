// Owns which rows tools see of a queue, by its class. Never makes one: rows.ts does for queues, stream-rows.ts for streams.

import type { Walk } from '../../../util/rows.ts';
import type { Broker } from '../../broker.ts';
import type { AnyQueue } from '../../queue/types/create-queue.ts';
import type { MessageCounts } from '../../stats/counts.ts';
import { type Rates, valuesOf } from '../../stats/rates.ts';
import type { Vhost } from '../../vhost/vhost.ts';
import {
  detailOfQueue,
  headTimestamp,
  oldestMessageMs,
  type QueueDetail,
  type QueueRow,
  type Reach,
  rowOfQueue,
  tallyOfQueue,
} from '../rows.ts';
import { detailOfStream, oldestInStreamMs, rowOfStream } from './stream-rows.ts';

/** A queue or a stream with its statistics. */
export function rowOf(vhost: Vhost, queue: AnyQueue, rates: Rates): QueueRow {
  return queue.isStream ? rowOfStream(vhost, queue, rates) : rowOfQueue(vhost, queue, rates);
}

/** The same with what is shown of one that is looked at by itself. */
export function detailOf(broker: Broker, vhost: Vhost, queue: AnyQueue): QueueDetail {
  return queue.isStream
    ? detailOfStream(broker, vhost, queue)
    : detailOfQueue(broker, vhost, queue);
}

/** How old the message is that goes out next, or the first one of a stream, ms; null: there is none, or it is damaged. */
export function oldestMs(broker: Broker, queue: AnyQueue): number | null {
  return queue.isStream ? oldestInStreamMs(broker, queue) : oldestMessageMs(broker, queue);
}

/** See `headTimestamp`; of streams none is told. */
export function headTimestampOf(
  broker: Broker,
  queue: AnyQueue,
  within?: Reach,
): number | bigint | null {
  return queue.isStream ? null : headTimestamp(broker, queue, within);
}

/** What happened to the messages of a queue, as of now; always the same object. */
export function tallyOf(queue: AnyQueue): MessageCounts {
  return queue.isStream ? queue.counts : tallyOfQueue(queue);
}

/** Messages that are ready, and unacked. */
export function levelsOfQueue(queue: AnyQueue): readonly [ready: number, unacked: number] {
  if (queue.isStream) return [queue.readyCount, queue.unackedCount];
  return [queue.messages.readyCount, queue.messages.unackedCount];
}

/** Takes a sample of all that has rates; the caller goes on when it has time. */
export function* sample(
  broker: Broker,
  traffic: Iterable<{ readonly key: object; readonly values: readonly number[] }>,
  nowMs: number,
): Walk<void> {
  const { rates } = broker;
  for (const { key, values } of traffic) {
    rates.take(key, values, nowMs);
    yield null;
  }
  for (const vhost of broker.vhosts.values()) {
    for (const queue of vhost.queues.values()) {
      const counts = tallyOf(queue);
      const [ready, unacked] = levelsOfQueue(queue);
      rates.take(counts, valuesOf(counts), nowMs);
      const levels = queue.isStream ? [ready, ready, unacked] : [ready + unacked, ready, unacked];
      rates.take(queue.isStream ? queue.entries : queue.messages, levels, nowMs);
      yield null;
    }
    for (const exchange of vhost.exchanges.values()) {
      const { publishedIn, publishedOut, duplicatesIn } = exchange;
      rates.take(exchange, [publishedIn, publishedOut, duplicatesIn], nowMs);
      yield null;
    }
  }
}
