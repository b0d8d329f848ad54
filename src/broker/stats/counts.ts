// Owns the counts of what happened to messages: kept as plain numbers where it happens, and read by
// tools. Never computes rates: rates.ts does, outside the data path.

import type { Clock } from '../../util/clock.ts';
import { Histogram } from '../../util/histogram.ts';

/** What happened to the messages of a queue, a channel, or all of a broker, since each began. */
export class MessageCounts {
  /** Published by a channel, or put into a queue. */
  published = 0;
  /** Publishes confirmed by the broker. */
  confirmed = 0;
  /** Publishes that no queue took: sent back, or dropped. */
  returned = 0;
  dropped = 0;
  /** Sent to consumers that ack, and to those that do not. */
  delivered = 0;
  deliveredNoAck = 0;
  /** The same for basic.get, and how often there was nothing. */
  got = 0;
  gotNoAck = 0;
  getEmpty = 0;
  /** Those of all deliveries that had been delivered before. */
  redelivered = 0;
  acked = 0;

  /** Counts a message that basic.get found. */
  countGet({ redelivered }: { readonly redelivered: boolean }, noAck: boolean): void {
    if (noAck) this.gotNoAck += 1;
    else this.got += 1;
    if (redelivered) this.redelivered += 1;
  }

  /** Adds those of another to these. */
  add(other: MessageCounts): void {
    for (const field of COUNT_FIELDS) this[field] += other[field];
  }
}

/** What is counted. */
export type CountField = {
  [Name in keyof MessageCounts]: MessageCounts[Name] extends number ? Name : never;
}[keyof MessageCounts];

/** What one count means to the tools that show it. */
interface CountTraits {
  /** RabbitMQ's name for it. */
  readonly name: string;
  /** Whether it counts deliveries, of any kind. */
  readonly delivery?: true;
  /** Whether channels alone have it: messages of a queue are confirmed, returned and dropped by channels. */
  readonly ofChannels?: true;
}

/** All counts, in the order in which they are shown. A field without a row does not compile. */
export const COUNT_TRAITS: Readonly<Record<CountField, CountTraits>> = {
  published: { name: 'publish' },
  confirmed: { name: 'confirm', ofChannels: true },
  returned: { name: 'return_unroutable', ofChannels: true },
  dropped: { name: 'drop_unroutable', ofChannels: true },
  delivered: { name: 'deliver', delivery: true },
  deliveredNoAck: { name: 'deliver_no_ack', delivery: true },
  got: { name: 'get', delivery: true },
  gotNoAck: { name: 'get_no_ack', delivery: true },
  getEmpty: { name: 'get_empty' },
  redelivered: { name: 'redeliver' },
  acked: { name: 'ack' },
};

export const COUNT_FIELDS = Object.keys(COUNT_TRAITS) as readonly CountField[];

/** What has come and gone in a broker since it started. */
export class BrokerCounts {
  /** Messages of channels that are closed. */
  readonly closed = new MessageCounts();
  connectionsOpened = 0;
  connectionsClosed = 0;
  channelsOpened = 0;
  channelsClosed = 0;
  queuesDeclared = 0;
  queuesCreated = 0;
  queuesDeleted = 0;
  /** Messages dead-lettered, by their reason. */
  readonly deadLettered = { rejected: 0, expired: 0, maxlen: 0, delivery_limit: 0 };
  /** How long commits took, in eighths of a millisecond, and how much they wrote, in KiB. */
  readonly commitEighths = new Histogram();
  readonly commitKib = new Histogram();

  /** Counts a batch that is durable; returns how many bytes all up to it have. */
  committed({ bytes, size, ms }: SealedBatch, clock: Clock): number {
    if (size > 0) {
      this.commitEighths.add((clock.monotonicMs() - ms) * 8);
      this.commitKib.add(size / 1024);
    }
    return bytes;
  }
}

/** A batch that is under way to the disk. */
export interface SealedBatch {
  readonly batch: number;
  /** What it holds, and what all up to it hold together. */
  readonly size: number;
  readonly bytes: number;
  /** When it was sealed, by the monotonic clock. */
  readonly ms: number;
}
