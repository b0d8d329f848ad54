// Owns which offsets of one partition are out for delivery, and below which one all is settled. Never delivers.

/** So many settled places may stand at the front before the arrays are cut. */
const SLACK_MAX = 1024;

/**
 * Offsets that are out, in the order in which they went out, which is that of the offsets:
 *
 *   [settled settled out settled out out]        the place is the first that is out
 */
export class InFlight {
  private offsets: number[] = [];
  private settled: boolean[] = [];
  private head = 0;

  /** How many places there are, settled ones behind the first included. */
  get length(): number {
    return this.offsets.length - this.head;
  }

  /** The first offset that is out; -1: none is. */
  get first(): number {
    return this.length === 0 ? -1 : (this.offsets[this.head] as number);
  }

  /** An offset above all others goes out. */
  add(offset: number): void {
    this.offsets.push(offset);
    this.settled.push(false);
  }

  /** An offset is settled; one that is not out changes nothing. Returns whether `first` is another now. */
  settle(offset: number): boolean {
    const { offsets, settled } = this;
    if (offsets[this.head] !== offset) {
      const at = this.indexOf(offset);
      if (at >= 0) settled[at] = true;
      return false;
    }
    do this.head += 1;
    while (this.head < offsets.length && settled[this.head] === true);
    if (this.head === offsets.length) this.clear();
    else if (this.head > SLACK_MAX && this.head * 2 > offsets.length) this.cut();
    return true;
  }

  /** Those that are out and not settled. */
  *outstanding(): Iterable<number> {
    for (let at = this.head; at < this.offsets.length; at++) {
      if (this.settled[at] === false) yield this.offsets[at] as number;
    }
  }

  clear(): void {
    this.offsets = [];
    this.settled = [];
    this.head = 0;
  }

  private cut(): void {
    this.offsets = this.offsets.slice(this.head);
    this.settled = this.settled.slice(this.head);
    this.head = 0;
  }

  private indexOf(offset: number): number {
    const { offsets } = this;
    let [low, high] = [this.head, offsets.length - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = offsets[middle] as number;
      if (found === offset) return middle;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
