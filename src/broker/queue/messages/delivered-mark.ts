// Owns the promise that a message delivered before a crash comes back as redelivered. Never reads
// or writes the store: the queue puts the mark into its batches.

/** A burst of deliveries from a backlog lets the mark run ahead by at most this many messages. */
const AHEAD_MAX = 65_536;
/** And by this many at once: many queues with a short backlog each would wait all the time else. */
const AHEAD_FIRST = 128;

/**
 * Each durable queue has a mark on disk: messages below it may have been delivered, and after a
 * restart they go out as redelivered. The rule: a message goes out only if the mark that covers it
 * is durable, or if the message itself is not sealed yet, since then one batch will hold both.
 *
 *   seq    ....... cursor ....... durable ....... sealed tail ........ tail
 *          given    free to       must wait for    free to go: the mark is sealed
 *          out      go            the mark         in the batch that seals them
 *
 * So that a backlog does not wait for the disk at each message, the mark runs ahead of the cursor:
 * AHEAD_FIRST messages where one waits, twice as far each time it has to move, up to AHEAD_MAX. After a crash at most that many messages
 * per queue are marked though they were never delivered; after a clean stop none.
 *
 * A message that waited elsewhere on the disk before it came here is another matter: a crash brings it back to there,
 * and later it comes anew, under a number above the mark. So it goes out only once a batch is durable that has it here.
 * The same holds for all that is stored in a queue that delivers after the commit.
 */
export class DeliveredMark {
  /** The mark in the newest batch that has one. */
  sealed = 0;
  /** Messages below this seq have been sealed in some batch. */
  sealedTail = 0;
  /** Messages below this seq come from before a restart and may have been delivered then. */
  redeliveredBelow = 0;
  /** Whether a delivery waits for the mark to move. */
  wanted = false;
  private readonly needed: boolean;
  private durable = 0;
  /** Messages below this seq may go out: below `durable`, and below all that waited and are not known to be here on disk. */
  private free = 0;
  private waitedFrom = Infinity;
  /** Batches under way, and the tail that each has, while there are such. */
  private readonly waitedTails: { readonly batch: number; readonly tail: number }[] = [];
  private sealedBatch = 0;
  private ahead = 0;

  /** `needed` is false for queues that do not survive a restart. */
  constructor(needed: boolean) {
    this.needed = needed;
  }

  /** Whether the message may go out now as far as the mark is concerned. */
  mayDeliver(seq: number): boolean {
    return seq < this.free || seq >= this.sealedTail;
  }

  /** A message came that had waited elsewhere on the disk, or must be there before it is seen. */
  waitUntilDurable(seq: number): void {
    if (!this.needed) return;
    // Nothing goes out for being unsealed, until the next seal.
    this.sealedTail = Infinity;
    if (this.waitedFrom !== Infinity) return;
    this.waitedFrom = seq;
    this.setFree();
  }

  /** Whether a message that is there may not be durable yet, of those that have to be before they are seen. */
  isHeld(seq: number): boolean {
    return seq >= this.waitedFrom;
  }

  /**
   * Called when a batch is sealed that holds all messages below `tail`. Returns whether the mark
   * moved and has to be put into the batch. `delivered`: some below the cursor are still there.
   */
  seal(batch: number, cursor: number, tail: number, delivered: boolean): boolean {
    this.sealedTail = tail;
    if (!this.needed) return false;
    if (this.waitedFrom !== Infinity) this.waitedTails.push({ batch, tail });
    if (!this.wanted && !(delivered && cursor > this.sealed)) return false;
    if (this.wanted && cursor < this.sealed) return false;
    if (this.wanted) this.ahead = Math.max(this.ahead, AHEAD_FIRST);
    this.sealed = Math.max(this.sealed, cursor + 1 + this.ahead);
    this.ahead = Math.min(AHEAD_MAX, Math.max(1, this.ahead * 2));
    this.sealedBatch = batch;
    return true;
  }

  /** Returns whether deliveries that waited may go on, now that batches up to `batch` are durable. */
  durableUpTo(batch: number): boolean {
    const before = this.free;
    if (this.sealedBatch <= batch) this.durable = this.sealed;
    while (this.waitedTails.length > 0 && this.waitedTails[0]!.batch <= batch) {
      const { tail } = this.waitedTails.shift()!;
      const all = this.waitedTails.length === 0 && this.sealedTail !== Infinity;
      this.waitedFrom = all ? Infinity : tail;
    }
    this.setFree();
    if (this.free === before) return false;
    const waited = this.wanted;
    this.wanted = false;
    return waited;
  }

  private setFree(): void {
    this.free = Math.min(this.durable, this.waitedFrom);
  }

  /** Sets the mark to the cursor, but never below what an earlier crash left in doubt. */
  sealExact(cursor: number): boolean {
    // No consumer is left to deliver to, so the batch to come must not move the mark ahead again.
    this.wanted = false;
    const exact = Math.max(cursor, Math.min(this.redeliveredBelow, this.sealed));
    if (!this.needed || exact === this.sealed) return false;
    this.sealed = exact;
    // Should consumers come again, they wait for a mark above it.
    this.durable = Math.min(this.durable, exact);
    this.setFree();
    return true;
  }

  recover(mark: number): void {
    this.sealed = mark;
    this.durable = mark;
    this.free = mark;
    this.redeliveredBelow = mark;
  }
}
