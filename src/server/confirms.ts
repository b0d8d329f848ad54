// Owns which publishes of one channel may be confirmed. Never sends the confirm.

/** How often the ring of batches is cut. */
const SLACK_MAX = 64;

/**
 * Publish numbers go up, and so do the batches that they wait for. So what has to be remembered is,
 * for each batch, the highest number that waits for it.
 */
export class Confirms {
  /** The number of the publish seen last; the first after confirm.select is 1. */
  published = 0;
  /** Every publish up to this number may be confirmed. */
  private safe = 0;
  private sent = 0;
  private batches: number[] = [];
  private highest: number[] = [];
  private head = 0;

  /** Notes a publish that needs no batch: safe as soon as all before it are. */
  addSafe(): void {
    this.published += 1;
    if (this.head === this.batches.length) this.safe = this.published;
    else this.highest[this.highest.length - 1] = this.published;
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

  /** Whether some publishes are safe and not confirmed. */
  get due(): boolean {
    return this.safe > this.sent;
  }

  /** Whether some publishes wait for a batch. */
  get waiting(): boolean {
    return this.head < this.batches.length;
  }

  /** Whether exactly one publish would be confirmed. */
  get single(): boolean {
    return this.safe === this.sent + 1;
  }

  /** The highest number to confirm now, all below it included. */
  take(): number {
    this.sent = this.safe;
    return this.safe;
  }
}
