// Owns the numbers of queues: each is given out once. Never knows which queue has which.

/** The numbers that queues get, one after the other. */
export class QueueIds {
  /** The highest that was given out or read from the store. */
  last = 0;

  /** A number for a new queue, never used by a queue that still has rows. */
  take(): number {
    this.last += 1;
    return this.last;
  }

  /** Makes sure that ids up to one read from the store are not given out again. */
  reserve(id: number): void {
    this.last = Math.max(this.last, id);
  }
}
