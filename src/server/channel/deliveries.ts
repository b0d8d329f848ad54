// Owns the deliveries of one channel until they are settled: acked, rejected, requeued, or kept for the
// commit of a transaction. Never delivers.

import { AmqpError } from '../../amqp/errors.ts';
import type { ConsumerSource } from '../../broker/queue/consumer.ts';
import type { SharedCredit } from '../../broker/queue/waiting-line.ts';
import type { MessageCounts } from '../../broker/stats/counts.ts';
import type { ChangeLine } from '../../broker/turn/change-line.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import {
  type CommitOutcome,
  SETTLE_ACK,
  SETTLE_REJECT,
  SETTLE_REQUEUE,
  type Transaction,
} from './transaction.ts';
import { Unacked } from './unacked.ts';

/** So many deliveries are settled in one go. */
const TAGS_AT_ONCE = 1024;
/** Of more, so many between two moments at which others may have their turn. */
const TAGS_PER_STEP = 64;

/** What settling needs of its channel. */
export interface SettlingChannel {
  readonly counts: MessageCounts;
  /** What waits for tx.commit, or null unless the channel is in transaction mode. */
  readonly transaction: Transaction | null;
  readonly credit: SharedCredit;
  /** Does a long act in slices; what the peer sends behind it waits. */
  act(steps: Steps): void;
}

/** How many deliveries that were taken back are remembered; the oldest are forgotten first. */
const TAKEN_BACK_MAX = 10_000;

/** What one channel has delivered and not settled. */
export class Deliveries {
  readonly unacked = new Unacked();
  /** Deliveries taken back after their timeout: settling one of them means nothing any more. */
  private readonly takenBack = new Set<number>();
  private readonly channel: SettlingChannel;
  private readonly line: ChangeLine;
  private readonly settleEach = (tag: number): void => this.settleOne(tag);

  constructor(channel: SettlingChannel, line: ChangeLine) {
    this.channel = channel;
    this.line = line;
  }

  /** Acks one delivery, or all up to it; tag 0 with `multiple` means all. */
  ack(tag: number, multiple: boolean): void {
    const { transaction } = this.channel;
    if (!this.checkTag(tag, multiple)) return;
    if (transaction !== null) {
      this.settleLater(transaction, tag, multiple, SETTLE_ACK);
      return;
    }
    if (!multiple) {
      this.settleOne(tag);
      return;
    }
    const last = tag === 0 ? Infinity : tag;
    if (this.unacked.countUpTo(last) <= TAGS_AT_ONCE) {
      this.unacked.forEachUpTo(last, this.settleEach);
    } else {
      this.channel.act(this.each(tag, this.settleEach));
    }
  }

  /** Rejects one delivery or all up to it: back to the queue, or dead-lettered. */
  reject(tag: number, multiple: boolean, requeue: boolean): void {
    const { transaction } = this.channel;
    if (!this.checkTag(tag, multiple)) return;
    if (transaction !== null) {
      this.settleLater(transaction, tag, multiple, requeue ? SETTLE_REQUEUE : SETTLE_REJECT);
      return;
    }
    if (!multiple) {
      this.rejectOne(tag, requeue);
      return;
    }
    // A dead letter may make a full queue deliver at once, to this channel as well.
    this.channel.act(this.each(tag, (each) => this.rejectOne(each, requeue)));
  }

  /** Puts everything that is not settled, nor to be settled by a commit, back into its queue. */
  requeueAll(): Steps {
    const { transaction } = this.channel;
    return this.each(0, (tag) => {
      if (transaction === null || !transaction.settles(tag)) this.requeueOne(tag);
    });
  }

  /** Visits the tags that are outstanding now, up to one or all (0); each may settle any of them. */
  private *each(upTo: number, visit: (tag: number) => void): Steps {
    const last = upTo === 0 ? this.unacked.next - 1 : upTo;
    let after = 0;
    for (;;) {
      const tags = this.unacked.tagsBetween(after, last, TAGS_PER_STEP);
      if (tags.length === 0) return;
      for (const tag of tags) if (this.unacked.queueOf(tag) !== null) visit(tag);
      after = tags.at(-1) as number;
      yield;
    }
  }

  /** Settles what a transaction kept, step by step; notes whether the disk has to know of it. */
  *settleAll(tags: readonly number[], ways: readonly number[], outcome: CommitOutcome): Steps {
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i] as number;
      if (i % TAGS_PER_STEP === TAGS_PER_STEP - 1) yield;
      // The channel may have been closed in between.
      if (this.unacked.queueOf(tag) === null) continue;
      if (this.unacked.queueOf(tag)?.durable === true) outcome.stored = true;
      if (ways[i] === SETTLE_ACK) this.settleOne(tag);
      else if (ways[i] === SETTLE_REQUEUE) this.requeueOne(tag);
      else this.deadLetterOne(tag);
    }
  }

  /** Whether the peer has not settled a delivery yet, be it for a commit to come. */
  owes(tag: number): boolean {
    return this.unacked.queueOf(tag) !== null && this.channel.transaction?.settles(tag) !== true;
  }

  /** Takes a delivery back that was not settled in time: its message goes out again. */
  takeBack(tag: number): void {
    this.requeueOne(tag);
    this.takenBack.add(tag);
    if (this.takenBack.size <= TAKEN_BACK_MAX) return;
    for (const oldest of this.takenBack) {
      this.takenBack.delete(oldest);
      return;
    }
  }

  /** Throws for a tag that is not outstanding; returns whether there is anything to settle. */
  private checkTag(tag: number, multiple: boolean): boolean {
    if (multiple && tag === 0) return true;
    if (this.owes(tag)) return true;
    // All before a delivery that was taken back may still be settled with it.
    if (this.takenBack.delete(tag)) return multiple;
    throw new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`, {
      reason: 'unknown-delivery',
    });
  }

  private settleLater(transaction: Transaction, tag: number, multiple: boolean, way: number): void {
    if (!multiple) {
      transaction.settle(tag, way);
      return;
    }
    const last = tag === 0 ? this.unacked.next - 1 : tag;
    this.channel.act(this.keeping(transaction, last, way));
  }

  private *keeping(transaction: Transaction, last: number, way: number): Steps {
    for (;;) {
      const from = transaction.settlesAllUpTo;
      const tags = this.unacked.tagsBetween(from, last, TAGS_PER_STEP);
      // A commit or the end of the channel may have come first.
      if (this.channel.transaction !== transaction) return;
      for (const each of tags) if (!transaction.settles(each)) transaction.settle(each, way);
      transaction.settlesAllUpTo = Math.max(from, tags.at(-1) ?? last);
      if (tags.length < TAGS_PER_STEP) return;
      yield;
    }
  }

  private settleOne(tag: number): void {
    const queue = this.unacked.queueOf(tag) as ConsumerSource;
    this.line.begin();
    this.channel.counts.acked += 1;
    if (!queue.deleted) queue.settle(this.unacked.seqOf(tag));
    this.release(tag);
    this.line.end();
  }

  private rejectOne(tag: number, requeue: boolean): void {
    if (requeue) this.requeueOne(tag);
    else this.deadLetterOne(tag);
  }

  private deadLetterOne(tag: number): void {
    const queue = this.unacked.queueOf(tag) as ConsumerSource;
    this.line.begin();
    if (!queue.deleted) queue.reject(this.unacked.seqOf(tag));
    this.release(tag);
    this.line.end();
  }

  private requeueOne(tag: number): void {
    const queue = this.unacked.queueOf(tag) as ConsumerSource;
    this.line.begin();
    if (!queue.deleted) queue.requeue(this.unacked.seqOf(tag));
    this.release(tag);
    this.line.end();
  }

  /** Takes a delivery off the list and gives its credit back. */
  private release(tag: number): void {
    const { channel } = this;
    const consumer = this.unacked.consumerOf(tag);
    this.unacked.remove(tag);
    if (consumer === null) return;
    consumer.unacked -= 1;
    channel.credit.giveBack();
    consumer.queue.wake();
  }
}

/**
 * Sets how many deliveries the consumers of a channel may have unacked together: what its client asks
 * for, 0 standing for any number, and no more than the setting `unacked_max_per_channel` allows.
 */
export function shareCredit(channel: CreditedChannel, wanted: number): void {
  const { unackedMaxPerChannel } = channel.connection.settings;
  const most = Math.min(wanted === 0 ? Infinity : wanted, unackedMaxPerChannel);
  channel.credit.setLimit(most === Infinity ? 0 : most);
}

interface CreditedChannel {
  readonly connection: { readonly settings: { readonly unackedMaxPerChannel: number } };
  readonly credit: SharedCredit;
}
