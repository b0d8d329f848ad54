// Owns the deliveries of one channel until they are settled: acked, rejected, requeued, or kept for the
// commit of a transaction. Never delivers.

import { AmqpError } from '../../amqp/errors.ts';
import type { Consumer } from '../../broker/queue/consumer.ts';
import type { SharedCredit } from '../../broker/queue/waiting-line.ts';
import type { MessageCounts } from '../../broker/stats/counts.ts';
import type { ChangeLine } from '../../broker/turn/change-line.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { AckedDeliveries } from './publish/publisher-channel.ts';
import {
  type CommitOutcome,
  SETTLE_ACK,
  SETTLE_FAIL,
  SETTLE_REJECT,
  SETTLE_REQUEUE,
  type SettleWay,
  type Transaction,
} from './publish/transaction.ts';
import { TakenBack } from './taken-back.ts';
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

const NO_TAGS: ReadonlySet<number> = new Set();

/** What one channel has delivered and not settled. */
export class Deliveries implements AckedDeliveries {
  readonly unacked = new Unacked();
  /** Deliveries taken back after their timeout: settling one of them means nothing to its message any more. */
  readonly takenBack = new TakenBack((consumer) => this.release(consumer));
  /** What an act under way is going to settle: nothing else does, the end of the channel neither. */
  private promised = NO_TAGS;
  /** Whether the channel has ended. */
  private ended = false;
  private readonly channel: SettlingChannel;
  private readonly line: ChangeLine;
  private readonly settleEach = (tag: number): void => {
    this.settleOne(tag);
  };

  constructor(channel: SettlingChannel, line: ChangeLine) {
    this.channel = channel;
    this.line = line;
  }

  /** Acks one delivery, or all up to it; tag 0 with `multiple` means all. */
  ack(tag: number, multiple: boolean): void {
    const { transaction } = this.channel;
    if (!multiple && transaction === null) {
      if (!this.settleOne(tag)) this.forgiven(tag);
      return;
    }
    if (!this.checkTag(tag, multiple)) return;
    if (transaction !== null) {
      this.settleLater(transaction, tag, multiple, SETTLE_ACK);
      return;
    }
    const last = tag === 0 ? Infinity : tag;
    if (this.unacked.countUpTo(last) <= TAGS_AT_ONCE) {
      this.unacked.forEachUpTo(last, this.settleEach);
    } else {
      this.channel.act(this.each(tag, this.settleEach));
    }
  }

  /** Rejects one delivery or all up to it: back to the queue, as returned or as failed, or dead-lettered. */
  reject(tag: number, multiple: boolean, way: SettleWay): void {
    const { transaction } = this.channel;
    if (!multiple && transaction === null) {
      if (!this.rejectOne(tag, way)) this.forgiven(tag);
      return;
    }
    if (!this.checkTag(tag, multiple)) return;
    if (transaction !== null) {
      this.settleLater(transaction, tag, multiple, way);
      return;
    }
    // A dead letter may make a full queue deliver at once, to this channel as well.
    this.channel.act(this.each(tag, (each) => this.rejectOne(each, way)));
  }

  /** Puts everything that is not settled, nor to be settled by a commit, back into its queue. */
  requeueAll(): Steps {
    this.takenBack.freeAll();
    return this.each(0, (tag) => {
      if (this.owes(tag)) this.rejectOne(tag, SETTLE_FAIL);
    });
  }

  /** The channel ends: all goes back, but for what an act under way is going to settle. */
  returnAll(): Steps {
    this.ended = true;
    return this.requeueAll();
  }

  // --- what publishes ack, and commits ---

  checkTags(tags: readonly number[]): void {
    for (const tag of tags) if (!this.owes(tag) && !this.takenBack.has(tag)) throw unknownTag(tag);
  }

  ackAll(tags: readonly number[]): boolean {
    let stored = false;
    for (const tag of tags) {
      if (this.unacked.queueOf(tag)?.durable === true) stored = true;
      if (!this.settleOne(tag)) this.takenBack.settled(tag);
    }
    return stored;
  }

  promise(tags: ReadonlySet<number>): void {
    this.promised = tags;
  }

  *promiseOver(): Steps {
    const { promised } = this;
    this.promised = NO_TAGS;
    if (!this.ended) return;
    let count = 0;
    for (const tag of promised) {
      this.rejectOne(tag, SETTLE_FAIL);
      count += 1;
      if (count % TAGS_PER_STEP === 0) yield;
    }
  }

  /**
   * Visits the tags that are outstanding now, up to one or all (0). Each visit may settle any of them, so a tag that
   * is visited may be outstanding no more.
   */
  private *each(upTo: number, visit: (tag: number) => void): Steps {
    const last = upTo === 0 ? this.unacked.next - 1 : upTo;
    let after = 0;
    for (;;) {
      const tags = this.unacked.tagsBetween(after, last, TAGS_PER_STEP);
      if (tags.length === 0) return;
      for (const tag of tags) visit(tag);
      after = tags.at(-1) as number;
      yield;
    }
  }

  /** Settles what a transaction kept, step by step; notes whether the disk has to know of it. */
  *settleAll(tags: readonly number[], ways: readonly number[], outcome: CommitOutcome): Steps {
    for (let i = 0; i < tags.length; i++) {
      const tag = tags[i] as number;
      if (i % TAGS_PER_STEP === TAGS_PER_STEP - 1) yield;
      if (this.unacked.queueOf(tag)?.durable === true) outcome.stored = true;
      if (ways[i] === SETTLE_ACK) this.settleOne(tag);
      else this.rejectOne(tag, ways[i] as SettleWay);
    }
  }

  /** Whether the peer has not settled a delivery yet, be it for a commit to come. */
  owes(tag: number): boolean {
    if (this.unacked.queueOf(tag) === null || this.promised.has(tag)) return false;
    return this.channel.transaction?.settles(tag) !== true;
  }

  /**
   * Takes a delivery back that was not settled in time: its message goes out again. `keeps`: it keeps its place in the
   * prefetch of its consumer, so that one that hangs is given nothing more.
   */
  takeBack(tag: number, keeps: boolean): void {
    this.line.begin();
    const taken = this.unacked.take(tag);
    if (taken !== null) {
      const { queue, consumer, seq } = taken;
      this.takenBack.add(tag, queue, keeps ? consumer : null);
      if (!queue.deleted) queue.requeue(seq, true);
      if (!keeps && consumer !== null) this.release(consumer);
    }
    this.line.end();
  }

  /** Puts a delivery back into its queue, whatever a transaction may hold for others. */
  giveBack(tag: number): void {
    this.rejectOne(tag, SETTLE_REQUEUE);
  }

  /** Throws for a tag that is not outstanding; returns whether there is anything to settle. */
  private checkTag(tag: number, multiple: boolean): boolean {
    const known = (multiple && tag === 0) || this.owes(tag) || (this.forgiven(tag) && multiple);
    if (multiple && this.takenBack.count > 0) this.takenBack.settledUpTo(tag);
    return known;
  }

  /**
   * Throws for a tag that is not outstanding, unless its delivery was taken back: then settling it means nothing, and
   * all before it may still be settled with it.
   */
  private forgiven(tag: number): true {
    if (this.takenBack.settled(tag)) return true;
    throw unknownTag(tag);
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

  // --- one delivery: each returns whether it was outstanding ---

  private settleOne(tag: number): boolean {
    this.line.begin();
    const taken = this.unacked.take(tag);
    if (taken !== null) {
      const { queue, consumer, seq } = taken;
      this.channel.counts.acked += 1;
      if (!queue.deleted) queue.settle(seq);
      if (consumer !== null) this.release(consumer);
    }
    this.line.end();
    return taken !== null;
  }

  private rejectOne(tag: number, way: SettleWay): boolean {
    this.line.begin();
    const taken = this.unacked.take(tag);
    if (taken !== null) {
      const { queue, consumer, seq } = taken;
      if (!queue.deleted) {
        if (way === SETTLE_REJECT) queue.reject(seq);
        else queue.requeue(seq, way === SETTLE_FAIL);
      }
      if (consumer !== null) this.release(consumer);
    }
    this.line.end();
    return taken !== null;
  }

  /** Gives the credit of a delivery back. */
  private release(consumer: Consumer): void {
    consumer.unacked -= 1;
    this.channel.credit.giveBack();
    consumer.queue.wake();
  }
}

function unknownTag(tag: number): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`, {
    reason: 'unknown-delivery',
  });
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
