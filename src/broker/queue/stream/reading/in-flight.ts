// Owns which offsets of one partition are out for delivery, and below which one all is settled. Never delivers.

/** How many places there are at first; a power of two, as are all sizes. */
const PLACES_MIN = 16;

/**
 * Offsets that are out, in the order in which they went out, which is that of the offsets, in a ring:
 *
 *   [settled settled out settled out out]        the place is the first that is out
 *                    head            tail
 */
export class InFlight {
  private offsets = new Float64Array(PLACES_MIN);
  private settled = new Uint8Array(PLACES_MIN);
  private head = 0;
  private count = 0;

  /** How many places there are, settled ones behind the first included: 0 where nothing is out. */
  get length(): number {
    return this.count;
  }

  /** The first offset that is out; -1: none is. */
  get first(): number {
    return this.count === 0 ? -1 : (this.offsets[this.head] as number);
  }

  /** An offset above all others goes out. */
  add(offset: number): void {
    if (this.count === this.offsets.length) this.grow();
    const at = (this.head + this.count) & (this.offsets.length - 1);
    this.offsets[at] = offset;
    this.settled[at] = 0;
    this.count += 1;
  }

  /** An offset is settled; one that is not out changes nothing. Returns whether `first` is another now. */
  settle(offset: number): boolean {
    if (this.count === 0) return false;
    const mask = this.offsets.length - 1;
    if (this.offsets[this.head] !== offset) {
      const at = this.indexOf(offset);
      if (at >= 0) this.settled[at] = 1;
      return false;
    }
    do {
      this.head = (this.head + 1) & mask;
      this.count -= 1;
    } while (this.count > 0 && this.settled[this.head] === 1);
    return true;
  }

  private grow(): void {
    const { length } = this.offsets;
    const offsets = new Float64Array(2 * length);
    const settled = new Uint8Array(2 * length);
    for (let i = 0; i < this.count; i++) {
      const at = (this.head + i) & (length - 1);
      offsets[i] = this.offsets[at] as number;
      settled[i] = this.settled[at] as number;
    }
    this.offsets = offsets;
    this.settled = settled;
    this.head = 0;
  }

  /** Where an offset is; -1: it is not out. */
  private indexOf(offset: number): number {
    const mask = this.offsets.length - 1;
    let [low, high] = [0, this.count - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = (this.head + middle) & mask;
      const found = this.offsets[at] as number;
      if (found === offset) return at;
      if (found < offset) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
