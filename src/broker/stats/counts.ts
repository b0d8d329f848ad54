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
  /** Died in a queue (expired, rejected, too many, returned too often): in another queue now as a dead letter, or gone. */
  deadLettered = 0;
  droppedDead = 0;
  /** Publishes and dead letters that a full queue refused: they were never in it. */
  refused = 0;
  /** Deliveries that stayed unacked for longer than they may, and acks of those that were taken back. */
  leasesExpired = 0;
  lateAcks = 0;
  /** Messages that came to a queue and were duplicates of earlier ones. */
  duplicates = 0;

  /** Counts a message that basic.get found. */
  countGet({ redelivered }: { readonly redelivered: boolean }, noAck: boolean): void {
    if (noAck) this.gotNoAck += 1;
    else this.got += 1;
    if (redelivered) this.redelivered += 1;
  }

  /** Adds what queues alone count: it is counted by them for their vhost and the broker. */
  addLosses(of: MessageCounts): void {
    const { deadLettered, droppedDead, refused, leasesExpired, lateAcks } = of;
    this.deadLettered += deadLettered;
    this.droppedDead += droppedDead;
    this.refused += refused;
    this.leasesExpired += leasesExpired;
    this.lateAcks += lateAcks;
    this.duplicates += of.duplicates;
  }

  /** What some of these fields come to. */
  sumOf(fields: readonly CountField[]): number {
    let sum = 0;
    for (const field of fields) sum += this[field];
    return sum;
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
  /** Whether channels alone have it, or queues alone: messages are confirmed by channels, and die in queues. */
  readonly of?: 'channels' | 'queues';
}

/** All counts, in the order in which they are shown. A field without a row does not compile. */
export const COUNT_TRAITS: Readonly<Record<CountField, CountTraits>> = {
  published: { name: 'publish' },
  confirmed: { name: 'confirm', of: 'channels' },
  returned: { name: 'return_unroutable', of: 'channels' },
  dropped: { name: 'drop_unroutable', of: 'channels' },
  delivered: { name: 'deliver', delivery: true },
  deliveredNoAck: { name: 'deliver_no_ack', delivery: true },
  got: { name: 'get', delivery: true },
  gotNoAck: { name: 'get_no_ack', delivery: true },
  getEmpty: { name: 'get_empty' },
  redelivered: { name: 'redeliver' },
  acked: { name: 'ack' },
  deadLettered: { name: 'dead_lettered', of: 'queues' },
  droppedDead: { name: 'dropped', of: 'queues' },
  refused: { name: 'refused', of: 'queues' },
  leasesExpired: { name: 'leases_expired', of: 'queues' },
  lateAcks: { name: 'late_acks', of: 'queues' },
  // LavinMQ's name.
  duplicates: { name: 'dedup', of: 'queues' },
};

export const COUNT_FIELDS = Object.keys(COUNT_TRAITS) as readonly CountField[];

/** What channels and connections have done, and what died in queues. */
export class Traffic {
  readonly messages = new MessageCounts();
  /** Bytes of connections. */
  received = 0;
  sent = 0;

  add(other: Traffic): void {
    this.messages.add(other.messages);
    this.addBytes(other);
  }

  /** Adds what a connection received and sent. */
  addBytes({ received, sent }: { readonly received: number; readonly sent: number }): void {
    this.received += received;
    this.sent += sent;
  }
}

/** Why messages die, in the words of `x-death`. */
export const DEATH_REASONS = ['maxlen', 'expired', 'rejected', 'delivery_limit'] as const;

/** Why a message died. */
export type DeathReason = (typeof DEATH_REASONS)[number];

/** What a queue does with its dead messages, in RabbitMQ's words: there is no exchange for them, or how sure their way is. */
const STRATEGIES = ['disabled', 'at_most_once', 'at_least_once'] as const;

/** What a queue does with its dead messages. */
export type DeadLetterStrategy = (typeof STRATEGIES)[number];

const REASONS = DEATH_REASONS.length;

/** The place of a reason among the counts. Written out, since this is asked for each message that dies. */
function placeOf(reason: DeathReason): number {
  if (reason === 'maxlen') return 0;
  if (reason === 'expired') return 1;
  return reason === 'rejected' ? 2 : 3;
}

/** How the messages of all queues of one type died: by what their queue does with dead ones, and the reason. */
export class DeathCounts {
  /** Those of the strategy at-least-once that are in another queue now. */
  confirmed = 0;
  private readonly counted = new Float64Array(STRATEGIES.length * REASONS);

  /** Counts one; `kept`: it is in another queue now. */
  count(strategy: DeadLetterStrategy, reason: DeathReason, kept: boolean): void {
    const at = STRATEGIES.indexOf(strategy) * REASONS + placeOf(reason);
    this.counted[at] = (this.counted[at] as number) + 1;
    if (kept && strategy === 'at_least_once') this.confirmed += 1;
  }

  of(strategy: DeadLetterStrategy, reason: DeathReason): number {
    return this.counted[STRATEGIES.indexOf(strategy) * REASONS + placeOf(reason)] as number;
  }
}

/** How messages died, by the type of the queue. */
export class Deaths {
  private readonly types = new Map<string, DeathCounts>();

  /** The counts of a type, always the same: each queue keeps those of its type. */
  ofType(type: string): DeathCounts {
    let counts = this.types.get(type);
    if (counts === undefined) {
      counts = new DeathCounts();
      this.types.set(type, counts);
    }
    return counts;
  }
}

/** Messages that died, by their reasons: gone, or in another queue now. */
export type DeathsView = {
  readonly [Reason in DeathReason]: { readonly dropped: number; readonly dead_lettered: number };
};

/** How the messages of one queue died: by the reason, and by whether they are in another queue now. */
export class QueueDeaths {
  private readonly ofType: DeathCounts;
  /** Those that are gone by their reasons, and behind them those that are in another queue; null: none died. */
  private counted: Float64Array | null = null;

  constructor(ofType: DeathCounts) {
    this.ofType = ofType;
  }

  /** Counts one, also among those of its type. */
  count(strategy: DeadLetterStrategy, reason: DeathReason, kept: boolean): void {
    this.ofType.count(strategy, reason, kept);
    this.counted ??= new Float64Array(2 * REASONS);
    const at = (kept ? REASONS : 0) + placeOf(reason);
    this.counted[at] = (this.counted[at] as number) + 1;
  }

  /** Whether any died. */
  get any(): boolean {
    return this.counted !== null;
  }

  /** The counts for tools. */
  view(): DeathsView {
    const counted = this.counted ?? new Float64Array(2 * REASONS);
    const rows = DEATH_REASONS.map((reason, at) => {
      return [reason, { dropped: counted[at], dead_lettered: counted[at + REASONS] }];
    });
    return Object.fromEntries(rows) as DeathsView;
  }
}

/** A queue as its deaths are counted. */
interface CountedQueue {
  readonly counts: MessageCounts;
  readonly deaths: QueueDeaths;
}

/**
 * Counts a message that died in a queue, by what the queue does with dead ones; `kept`: another queue has it now. Nothing
 * of the vhost or the broker is looked at: what they come to is added up when it is read.
 */
export function countDeath(
  { counts, deaths }: CountedQueue,
  reason: DeathReason,
  strategy: DeadLetterStrategy,
  kept: boolean,
): void {
  if (kept) counts.deadLettered += 1;
  else counts.droppedDead += 1;
  deaths.count(strategy, reason, kept);
}

/** How often users tried to log in. */
class LoginCounts {
  succeeded = 0;
  failed = 0;

  count(succeeded: boolean): void {
    if (succeeded) this.succeeded += 1;
    else this.failed += 1;
  }
}

/** What has come and gone in a broker since it started. */
export class BrokerCounts {
  /** By the protocol, in RabbitMQ's words. */
  readonly logins = { amqp091: new LoginCounts(), http: new LoginCounts() };
  /** Messages of queues that are deleted, by the type of the queue. */
  readonly goneQueues = new Map<string, MessageCounts>();
  /** That of channels, connections and queues that are gone. */
  readonly closed = new Traffic();
  connectionsOpened = 0;
  connectionsClosed = 0;
  channelsOpened = 0;
  channelsClosed = 0;
  queuesDeclared = 0;
  queuesCreated = 0;
  queuesDeleted = 0;
  readonly deaths = new Deaths();
  /** How long commits took, in eighths of a millisecond, and how much they wrote, in KiB. */
  readonly commitEighths = new Histogram();
  readonly commitKib = new Histogram();

  /** A queue is deleted: its messages count on as those of its type, and what died in it as the broker's. */
  queueGone(type: string, counts: MessageCounts): void {
    const sum = this.goneQueues.get(type) ?? new MessageCounts();
    this.goneQueues.set(type, sum);
    sum.add(counts);
    this.closed.messages.addLosses(counts);
  }

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
