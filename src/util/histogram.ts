// Owns counting how long things take, in buckets of powers of two. Never takes the time itself.

/** Upper bounds of the buckets in ms: 1, 2, 4 ... 2^20, about 17 minutes; one more holds the rest. */
export const HISTOGRAM_BOUNDS_MS: readonly number[] = Array.from({ length: 21 }, (_, n) => 2 ** n);

/** How often something took how long. */
export class Histogram {
  count = 0;
  sumMs = 0;
  /** Not cumulative: `buckets[n]` counts what is above bound n - 1 and up to bound n. */
  readonly buckets = new Float64Array(HISTOGRAM_BOUNDS_MS.length + 1);

  /** Adds what another counted. */
  merge(other: Histogram): void {
    this.count += other.count;
    this.sumMs += other.sumMs;
    for (let i = 0; i < this.buckets.length; i++) {
      this.buckets[i] = (this.buckets[i] as number) + (other.buckets[i] as number);
    }
  }

  /** Counts one of `ms`, 0 where a clock went back. */
  add(ms: number): void {
    const whole = ms > 0 ? Math.min(Math.ceil(ms), 0x7fff_ffff) : 0;
    const bucket = whole <= 1 ? 0 : 32 - Math.clz32(whole - 1);
    const at = Math.min(bucket, HISTOGRAM_BOUNDS_MS.length);
    this.buckets[at] = (this.buckets[at] as number) + 1;
    this.count += 1;
    this.sumMs += whole;
  }
}
