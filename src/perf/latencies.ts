// Owns counting latencies finely enough for percentiles, at a few nanoseconds each. Never takes a time.

/** Buckets for each power of two: values are kept to about 1.6 percent. */
const PARTS = 64;
const PARTS_LOG = 6;
const POWERS = 40;

/** Latencies in whole microseconds, from 0 to some days. */
export class Latencies {
  count = 0;
  private sum = 0;
  private least = Infinity;
  private most = 0;
  private readonly buckets = new Float64Array(POWERS * PARTS);

  /** Counts one, given in ms. */
  add(ms: number): void {
    const us = ms > 0 ? Math.round(ms * 1000) : 0;
    const at = bucketOf(us);
    this.buckets[at] = (this.buckets[at] as number) + 1;
    this.count += 1;
    this.sum += us;
    if (us < this.least) this.least = us;
    if (us > this.most) this.most = us;
  }

  /** Forgets all. */
  clear(): void {
    this.count = 0;
    this.sum = 0;
    this.least = Infinity;
    this.most = 0;
    this.buckets.fill(0);
  }

  /** In microseconds; null when nothing was counted. */
  get min(): number | null {
    return this.count === 0 ? null : this.least;
  }

  get max(): number | null {
    return this.count === 0 ? null : this.most;
  }

  get mean(): number | null {
    return this.count === 0 ? null : this.sum / this.count;
  }

  /** What so many percent of all are not above, in microseconds. */
  percentile(percent: number): number | null {
    if (this.count === 0) return null;
    const wanted = Math.max(1, Math.ceil((percent / 100) * this.count));
    let seen = 0;
    for (let at = 0; at < this.buckets.length; at++) {
      seen += this.buckets[at] as number;
      if (seen >= wanted) return Math.min(this.most, topOf(at));
    }
    return this.most;
  }

  /** How many lie in each power of two that has any: up to `le_us`. */
  powers(): { readonly le_us: number; readonly count: number }[] {
    const found: { le_us: number; count: number }[] = [];
    for (let at = 0; at < this.buckets.length; at++) {
      const count = this.buckets[at] as number;
      if (count === 0) continue;
      const le_us = 2 ** Math.ceil(Math.log2(Math.max(1, topOf(at))));
      const last = found[found.length - 1];
      if (last?.le_us === le_us) last.count += count;
      else found.push({ le_us, count });
    }
    return found;
  }
}

/** Small values have a bucket each; larger ones share by their highest bits. */
function bucketOf(us: number): number {
  if (us < PARTS) return us;
  const power = Math.floor(Math.log2(us));
  const part = Math.floor(us / 2 ** (power - PARTS_LOG)) - PARTS;
  return Math.min((power - PARTS_LOG + 1) * PARTS + part, POWERS * PARTS - 1);
}

/** The largest value of a bucket. */
function topOf(bucket: number): number {
  if (bucket < PARTS) return bucket;
  const power = Math.floor(bucket / PARTS) + PARTS_LOG - 1;
  const part = bucket % PARTS;
  return (PARTS + part + 1) * 2 ** (power - PARTS_LOG) - 1;
}
