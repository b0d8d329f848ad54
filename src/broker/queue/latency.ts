// Owns how long messages wait in one queue, and how long consumers take to ack them. It looks at one
// message in each round of deliveries, so that it costs a busy queue nothing per message.

import { Histogram } from '../../util/histogram.ts';

/** Deliveries whose acks are awaited at a time; a power of two. */
const SLOTS = 16;
/** What a bit-wise and takes: a remainder of a large number is a call, and each ack asks for one. */
const SLOT_MASK = SLOTS - 1;
const NONE = -1;

/** The latencies of one queue. */
export class QueueLatency {
  readonly enqueueToDeliver = new Histogram();
  readonly deliverToAck = new Histogram();
  /** A delivery that is timed has the slot that is its seq modulo SLOTS. */
  private readonly seqs = new Float64Array(SLOTS).fill(NONE);
  private readonly sentMs = new Float64Array(SLOTS);

  /**
   * Notes that a message is delivered that was published at `arrivedMs`. Unless it needs no ack, or
   * another one has its slot, the time until its ack is taken as well.
   */
  delivered(seq: number, arrivedMs: number, nowMs: number, noAck: boolean): void {
    this.enqueueToDeliver.add(nowMs - arrivedMs);
    const slot = seq & SLOT_MASK;
    if (noAck || this.seqs[slot] !== NONE) return;
    this.seqs[slot] = seq;
    this.sentMs[slot] = nowMs;
  }

  /** Adds those of another queue. */
  add(other: QueueLatency): void {
    this.enqueueToDeliver.merge(other.enqueueToDeliver);
    this.deliverToAck.merge(other.deliverToAck);
  }

  /** Told of each ack. */
  acked(seq: number, nowMs: number): void {
    const slot = seq & SLOT_MASK;
    if (this.seqs[slot] !== seq) return;
    this.seqs[slot] = NONE;
    this.deliverToAck.add(nowMs - (this.sentMs[slot] as number));
  }

  /** Told of a delivery that ended in another way. */
  forget(seq: number): void {
    const slot = seq & SLOT_MASK;
    if (this.seqs[slot] === seq) this.seqs[slot] = NONE;
  }
}
