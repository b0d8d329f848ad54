// Owns the deliveries of one channel that are not settled yet, by delivery tag. Never decides what
// settling does to the queue.

import type { Consumer } from '../broker/queue/consumer.ts';
import type { Queue } from '../broker/queue/queue.ts';

const CAPACITY_MIN = 16;

/*
 * Delivery tags of a channel are given out in order, so a ring finds each by its number:
 *
 *   tag      first .................. next
 *   slot     tag modulo capacity; a settled delivery leaves null in `queues` until `first` passes
 */
export class Unacked {
  /** Deliveries outstanding. */
  count = 0;
  private queues: (Queue | null)[] = new Array<Queue | null>(CAPACITY_MIN).fill(null);
  private consumers: (Consumer | null)[] = new Array<Consumer | null>(CAPACITY_MIN).fill(null);
  private seqs = new Float64Array(CAPACITY_MIN);
  private firstTag = 1;
  private nextTag = 1;

  /** The lowest tag that may be outstanding. */
  get first(): number {
    return this.firstTag;
  }

  /** One past the highest tag given out. */
  get next(): number {
    return this.nextTag;
  }

  /** Gives out a tag that is never outstanding: a no-ack delivery. */
  skip(): number {
    if (this.count === 0) this.firstTag = this.nextTag + 1;
    else if (this.nextTag - this.firstTag === this.queues.length) this.grow();
    if (this.count > 0) this.queues[this.nextTag & (this.queues.length - 1)] = null;
    return this.nextTag++;
  }

  /** Gives out a tag for a delivery to be settled; `consumer` is null for basic.get. */
  add(queue: Queue, consumer: Consumer | null, seq: number): number {
    if (this.nextTag - this.firstTag === this.queues.length) this.grow();
    const slot = this.nextTag & (this.queues.length - 1);
    this.queues[slot] = queue;
    this.consumers[slot] = consumer;
    this.seqs[slot] = seq;
    this.count += 1;
    return this.nextTag++;
  }

  /** The queue of an outstanding delivery, or null when the tag is not outstanding. */
  queueOf(tag: number): Queue | null {
    if (tag < this.firstTag || tag >= this.nextTag) return null;
    return this.queues[tag & (this.queues.length - 1)] as Queue | null;
  }

  /** The consumer of an outstanding delivery. */
  consumerOf(tag: number): Consumer | null {
    return this.consumers[tag & (this.queues.length - 1)] as Consumer | null;
  }

  /** The place in its queue of an outstanding delivery. */
  seqOf(tag: number): number {
    return this.seqs[tag & (this.queues.length - 1)] as number;
  }

  /** Takes an outstanding delivery off. */
  remove(tag: number): void {
    const mask = this.queues.length - 1;
    this.queues[tag & mask] = null;
    this.consumers[tag & mask] = null;
    this.count -= 1;
    if (tag !== this.firstTag) return;
    if (this.count === 0) {
      this.firstTag = this.nextTag;
      return;
    }
    while (this.queues[this.firstTag & mask] === null) this.firstTag += 1;
  }

  private grow(): void {
    const capacity = this.queues.length * 2;
    const queues = new Array<Queue | null>(capacity).fill(null);
    const consumers = new Array<Consumer | null>(capacity).fill(null);
    const seqs = new Float64Array(capacity);
    for (let tag = this.firstTag; tag < this.nextTag; tag++) {
      const from = tag & (this.queues.length - 1);
      const to = tag & (capacity - 1);
      queues[to] = this.queues[from] as Queue | null;
      consumers[to] = this.consumers[from] as Consumer | null;
      seqs[to] = this.seqs[from] as number;
    }
    this.queues = queues;
    this.consumers = consumers;
    this.seqs = seqs;
  }
}
