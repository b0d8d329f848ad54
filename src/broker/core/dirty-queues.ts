// Owns the queues whose rows belong into the batch being gathered, and puts them there. Never seals it.

import type { Clock } from '../../util/clock.ts';
import type { Dirty } from '../queue/ports.ts';

/** So many are put in one go. */
const AT_ONCE = 512;
/** More are put in slices of this length. */
const SLICE_MS = 5;
const QUEUES_PER_LOOK = 32;

/** Queues that changed since the last batch, and those that wait for one to be durable. */
export class DirtyQueues {
  private queues: Dirty[] = [];
  /** Those that the batch being gathered has rows of; they may have changed again since. */
  private put: Dirty[] = [];
  private readonly sealed: { readonly batch: number; readonly queues: Dirty[] }[] = [];
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get count(): number {
    return this.queues.length;
  }

  /** Whether a batch sealed now would say something of a queue. */
  get any(): boolean {
    return this.queues.length > 0 || this.put.length > 0;
  }

  add(queue: Dirty): void {
    queue.dirty = true;
    this.queues.push(queue);
  }

  /**
   * Puts rows of some queues ahead of the seal, when they are many. Returns whether few enough are left to
   * be put in one go: all have to be as they are at the moment in which the batch is sealed.
   */
  putSome(batch: number): boolean {
    if (this.queues.length <= AT_ONCE) return true;
    const endMs = this.clock.monotonicMs() + SLICE_MS;
    for (let n = 1; this.queues.length > AT_ONCE; n++) {
      this.putOne(this.queues.pop() as Dirty, batch);
      if (n % QUEUES_PER_LOOK === 0 && this.clock.monotonicMs() >= endMs) break;
    }
    return this.queues.length <= AT_ONCE;
  }

  /** Puts all that is left: the batch is sealed with it. */
  putAll(batch: number): void {
    const { queues } = this;
    this.queues = [];
    for (const queue of queues) this.putOne(queue, batch);
    if (this.put.length > 0) this.sealed.push({ batch, queues: this.put });
    this.put = [];
  }

  /** Tells the queues that are in batches up to `batch` that these are durable. */
  durable(batch: number): void {
    while (this.sealed.length > 0 && (this.sealed[0] as { batch: number }).batch <= batch) {
      for (const queue of (this.sealed.shift() as { queues: Dirty[] }).queues) {
        if (!queue.deleted) queue.durableUpTo(batch);
      }
    }
  }

  private putOne(queue: Dirty, batch: number): void {
    queue.dirty = false;
    if (!queue.deleted) queue.sealInto(batch);
    this.put.push(queue);
  }
}
