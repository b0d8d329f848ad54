// Owns how many messages of one queue may go out now: its rate, and how many may be unacked. Never delivers: delivery-round.ts and get-message.ts ask it.

import type { Consumer } from '../consumer.ts';
import type { QueueRules } from '../rules.ts';
import { TokenBucket } from './token-bucket.ts';

/** A queue whose deliveries are held back. */
export interface PacedQueue {
  readonly readyCount: number;
  readonly unackedCount: number;
  readonly consumers: readonly Consumer[];
  readonly rules: Pick<QueueRules, 'deliveryRate' | 'unackedMax'>;
}

/** The time of day as the turn began, ms since the Unix epoch. */
interface Now {
  readonly nowMs: number;
}

/** The pace of one queue. */
export class Pace {
  private readonly queue: PacedQueue;
  private readonly now: Now;
  private bucket: TokenBucket | null = null;

  private constructor(queue: PacedQueue, now: Now) {
    this.queue = queue;
    this.now = now;
  }

  /** The pace that the rules of a queue want, given the one that it had; null: none. */
  static of(pace: Pace | null, queue: PacedQueue, now: Now): Pace | null {
    const { deliveryRate, unackedMax } = queue.rules;
    if (deliveryRate === null && unackedMax === Infinity) return null;
    const kept = pace ?? new Pace(queue, now);
    kept.applyRules();
    return kept;
  }

  private applyRules(): void {
    const { queue, now } = this;
    const { deliveryRate } = queue.rules;
    if (deliveryRate === null) this.bucket = null;
    else if (this.bucket === null) this.bucket = new TokenBucket(deliveryRate, now.nowMs);
    else this.bucket.change(deliveryRate, now.nowMs);
  }

  /** Of so many that could go out, how many may. */
  room(most: number): number {
    const { bucket, queue } = this;
    const free = Math.max(0, queue.rules.unackedMax - queue.unackedCount);
    return Math.min(most, free, bucket === null ? Infinity : bucket.tokens(this.now.nowMs));
  }

  /** So many went out. */
  gave(deliveries: number): void {
    this.bucket?.spend(deliveries);
  }

  /** The broker starts: what went out just before it stopped is not known. */
  restarted(): void {
    this.bucket?.empty(this.now.nowMs);
  }

  /** When the next message may go out that waits for nothing else, ms; Infinity: none does. */
  get nextMs(): number {
    const { bucket, queue } = this;
    if (bucket === null || queue.readyCount === 0 || queue.consumers.length === 0) return Infinity;
    return bucket.tokens(this.now.nowMs) > 0 ? Infinity : bucket.nextMs;
  }
}
