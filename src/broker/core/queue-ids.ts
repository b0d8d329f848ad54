// Owns the numbers of queues: each is given out once. Never knows which queue has which.

/** Ids are four bytes in the keys of rows. */
const IDS_END = 2 ** 32;

/** The numbers that queues get, one after the other. */
export class QueueIds {
  /** The highest that was given out or read from the store. */
  last = 0;

  /** A number for a new queue, never used by a queue that still has rows. */
  take(): number {
    this.last += 1;
    return this.last;
  }

  /** So many numbers in a row: returns the first; -1: there are not so many. */
  takeSome(count: number): number {
    const first = this.last + 1;
    if (first + count > IDS_END) return -1;
    this.last += count;
    return first;
  }

  /** Makes sure that ids up to one read from the store are not given out again. */
  reserve(id: number): void {
    this.last = Math.max(this.last, id);
  }
}
