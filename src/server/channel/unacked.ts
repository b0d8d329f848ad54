// Owns the deliveries of one channel that are not settled yet, by delivery tag. Never decides what
// settling does to the queue.

import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';

const CAPACITY_MIN = 16;
/** A ring no larger than this grows, however few of its places are taken. */
const SPARSE_CAPACITY_MIN = 1024;
/** A larger one that is full grows only if at least one place in so many is taken. */
const SPARSE_PART = 8;

/** A delivery that is outstanding. */
export interface UnackedDelivery {
  readonly queue: ConsumerSource;
  /** Null: it went to basic.get. */
  readonly consumer: Consumer | null;
  /** The place of its message in the queue. */
  readonly seq: number;
}

/*
 * Delivery tags of a channel are given out in order, so a ring finds each by its number:
 *
 *   tag      first .................. next
 *   slot     tag modulo capacity; a settled delivery leaves null in `queues` until `first` passes
 *
 * One message that is held for long while others are settled would make the ring as long as all
 * that came since. When a ring is mostly empty, what it still holds moves to a map instead.
 */
export class Unacked {
  /** Deliveries outstanding. */
  count = 0;
  private queues: (ConsumerSource | null)[] = new Array<ConsumerSource | null>(CAPACITY_MIN).fill(
    null,
  );
  private consumers: (Consumer | null)[] = new Array<Consumer | null>(CAPACITY_MIN).fill(null);
  private seqs = new Float64Array(CAPACITY_MIN);
  private firstTag = 1;
  private nextTag = 1;
  private ringCount = 0;
  /** Deliveries that are held so long that the ring went on without them. */
  private readonly stragglers = new Map<number, UnackedDelivery>();
  /** What `take` returns, again and again: a delivery costs no object. */
  private readonly taken: { -readonly [K in keyof UnackedDelivery]: UnackedDelivery[K] | null } = {
    queue: null,
    consumer: null,
    seq: 0,
  };

  /** One past the highest tag given out. */
  get next(): number {
    return this.nextTag;
  }

  /** At least as many as are outstanding up to `last`, found without a look at them. */
  countUpTo(last: number): number {
    return this.stragglers.size + Math.min(last, this.nextTag - 1) - this.firstTag + 1;
  }

  /**
   * Calls `visit` with each outstanding tag from the lowest up to `last`. It may take the tag that it is
   * called with, and no other.
   */
  forEachUpTo(last: number, visit: (tag: number) => void): void {
    // Stragglers lie in the order of their tags: they came in it.
    for (const tag of this.stragglers.keys()) {
      if (tag > last) return;
      visit(tag);
    }
    const end = Math.min(last, this.nextTag - 1);
    for (let tag = this.firstTag; tag <= end; tag++) {
      if (this.queues[tag & (this.queues.length - 1)] !== null) visit(tag);
    }
  }

  /** The outstanding tags above `after` and up to `last`, the first `most`, for callers that may deliver on the way. */
  tagsBetween(after: number, last: number, most = Infinity): number[] {
    const tags: number[] = [];
    if (after < this.firstTag - 1) {
      for (const tag of this.stragglers.keys()) {
        if (tag > after && tag <= last) tags.push(tag);
        if (tag > last || tags.length >= most) break;
      }
    }
    const end = Math.min(last, this.nextTag - 1);
    const from = Math.max(this.firstTag, after + 1);
    for (let tag = from; tag <= end && tags.length < most; tag++) {
      if (this.queues[tag & (this.queues.length - 1)] !== null) tags.push(tag);
    }
    return tags;
  }

  /** Gives out a tag that is never outstanding: a no-ack delivery. */
  skip(): number {
    if (this.ringCount === 0) {
      this.firstTag = this.nextTag + 1;
      return this.nextTag++;
    }
    if (this.nextTag - this.firstTag === this.queues.length) this.makeRoom();
    this.queues[this.nextTag & (this.queues.length - 1)] = null;
    return this.nextTag++;
  }

  /** Gives out a tag for a delivery to be settled; `consumer` is null for basic.get. */
  add(queue: ConsumerSource, consumer: Consumer | null, seq: number): number {
    if (this.nextTag - this.firstTag === this.queues.length) this.makeRoom();
    const slot = this.nextTag & (this.queues.length - 1);
    this.queues[slot] = queue;
    this.consumers[slot] = consumer;
    this.seqs[slot] = seq;
    this.count += 1;
    this.ringCount += 1;
    return this.nextTag++;
  }

  /** The queue of an outstanding delivery, or null when the tag is not outstanding. */
  queueOf(tag: number): ConsumerSource | null {
    if (tag < this.firstTag) return this.stragglers.get(tag)?.queue ?? null;
    if (tag >= this.nextTag) return null;
    return this.queues[tag & (this.queues.length - 1)] as ConsumerSource | null;
  }

  /** The consumer of an outstanding delivery. */
  consumerOf(tag: number): Consumer | null {
    if (tag < this.firstTag) return this.stragglers.get(tag)?.consumer ?? null;
    return this.consumers[tag & (this.queues.length - 1)] as Consumer | null;
  }

  /**
   * Takes an outstanding delivery off; null when the tag is not outstanding. The object is the same each time: what
   * it says must be read before the next one is taken.
   */
  take(tag: number): UnackedDelivery | null {
    if (tag < this.firstTag) return this.takeStraggler(tag);
    if (tag >= this.nextTag) return null;
    const { queues, taken } = this;
    const mask = queues.length - 1;
    const slot = tag & mask;
    const queue = queues[slot] as ConsumerSource | null;
    if (queue === null) return null;
    taken.queue = queue;
    taken.consumer = this.consumers[slot] as Consumer | null;
    taken.seq = this.seqs[slot] as number;
    queues[slot] = null;
    this.consumers[slot] = null;
    this.count -= 1;
    this.ringCount -= 1;
    if (tag === this.firstTag) {
      if (this.ringCount === 0) this.firstTag = this.nextTag;
      else while (queues[this.firstTag & mask] === null) this.firstTag += 1;
    }
    return taken as UnackedDelivery;
  }

  private takeStraggler(tag: number): UnackedDelivery | null {
    const straggler = this.stragglers.get(tag);
    if (straggler === undefined) return null;
    this.stragglers.delete(tag);
    this.count -= 1;
    return straggler;
  }

  /** The ring is full: it grows, or gives up what few deliveries it still holds. */
  private makeRoom(): void {
    const capacity = this.queues.length;
    if (capacity < SPARSE_CAPACITY_MIN || this.ringCount * SPARSE_PART >= capacity) {
      this.grow();
      return;
    }
    for (let tag = this.firstTag; tag < this.nextTag; tag++) {
      const slot = tag & (capacity - 1);
      const queue = this.queues[slot] as ConsumerSource | null;
      if (queue === null) continue;
      const consumer = this.consumers[slot] as Consumer | null;
      this.stragglers.set(tag, { queue, consumer, seq: this.seqs[slot] as number });
      this.queues[slot] = null;
      this.consumers[slot] = null;
    }
    this.firstTag = this.nextTag;
    this.ringCount = 0;
  }

  private grow(): void {
    const capacity = this.queues.length * 2;
    const queues = new Array<ConsumerSource | null>(capacity).fill(null);
    const consumers = new Array<Consumer | null>(capacity).fill(null);
    const seqs = new Float64Array(capacity);
    for (let tag = this.firstTag; tag < this.nextTag; tag++) {
      const from = tag & (this.queues.length - 1);
      const to = tag & (capacity - 1);
      queues[to] = this.queues[from] as ConsumerSource | null;
      consumers[to] = this.consumers[from] as Consumer | null;
      seqs[to] = this.seqs[from] as number;
    }
    this.queues = queues;
    this.consumers = consumers;
    this.seqs = seqs;
  }
}
