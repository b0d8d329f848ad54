// Owns which publishes of one channel may be confirmed, and which are refused. Never sends either.

/** How often the ring of batches is cut. */
const SLACK_MAX = 64;

/**
 * Publish numbers go up, and so do the batches that they wait for. So what has to be remembered is,
 * for each batch, the highest number that waits for it.
 */
export class Confirms {
  /** The number of the publish seen last; the first after confirm.select is 1. */
  published = 0;
  /** Whether the last `take` confirms exactly one publish. */
  single = false;
  /** Every publish up to this number may be confirmed. */
  private safe = 0;
  private sent = 0;
  private batches: number[] = [];
  private highest: number[] = [];
  private head = 0;
  /** Refused publishes that no ack has gone past, in order; the first so many are nacked. */
  private refused: number[] = [];
  private nacked = 0;
  /** Those of them that acks have gone past. */
  private refusedSent = 0;

  /** Notes a publish that needs no batch: safe as soon as all before it are. */
  addSafe(): void {
    this.published += 1;
    if (this.head === this.batches.length) this.safe = this.published;
    else this.highest[this.highest.length - 1] = this.published;
  }

  /** Notes a publish that some queue had no place for: it is nacked, and never acked. */
  addRefused(): void {
    this.addSafe();
    this.refused.push(this.published);
  }

  /** Notes a publish that is safe when `batch` is durable. */
  addWaiting(batch: number): void {
    this.published += 1;
    const last = this.batches.length - 1;
    if (last >= this.head && this.batches[last] === batch) {
      this.highest[last] = this.published;
      return;
    }
    this.batches.push(batch);
    this.highest.push(this.published);
  }

  /** Notes that all batches up to `batch` are durable. */
  durable(batch: number): void {
    while (this.head < this.batches.length && (this.batches[this.head] as number) <= batch) {
      this.safe = this.highest[this.head] as number;
      this.head += 1;
    }
    if (this.head > SLACK_MAX) {
      this.batches = this.batches.slice(this.head);
      this.highest = this.highest.slice(this.head);
      this.head = 0;
    }
  }

  /** Whether some publishes are safe and not confirmed, or refused. */
  get due(): boolean {
    return this.safe > this.sent || this.nacked < this.refused.length;
  }

  /** How many publishes were confirmed, which are all that were told of but for the refused. */
  get confirmed(): number {
    return this.sent - this.refusedSent;
  }

  /** How many have been told neither way yet. */
  get unconfirmed(): number {
    return this.published - this.sent;
  }

  /** Whether some publishes wait for a batch. */
  get waiting(): boolean {
    return this.head < this.batches.length;
  }

  /** The next refused publish to nack, before the next ack is sent; 0: none. */
  takeNack(): number {
    if (this.nacked === this.refused.length) return 0;
    this.nacked += 1;
    return this.refused[this.nacked - 1] as number;
  }

  /**
   * The highest number to confirm now, all below it included but for those nacked before; 0: none.
   * `single` then says whether it is the only one.
   */
  take(): number {
    const before = this.sent;
    this.sent = this.safe;
    const upTo = this.refused.length === 0 ? this.safe : this.acceptedUpTo(this.safe);
    this.single = upTo === before + 1;
    return upTo > before ? upTo : 0;
  }

  /** The highest number up to `safe` that was not refused; forgets those that were. */
  private acceptedUpTo(safe: number): number {
    const { refused } = this;
    let count = refused.length;
    while (count > 0 && (refused[count - 1] as number) > safe) count -= 1;
    let upTo = safe;
    for (let i = count - 1; i >= 0 && refused[i] === upTo; i--) upTo -= 1;
    this.refused = refused.slice(count);
    this.refusedSent += count;
    this.nacked -= count;
    return upTo;
  }
}
