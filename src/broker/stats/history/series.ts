// Owns the past values of one object: an hour at 5 s and a day at 1 min, in rings of fixed size. Never reads a clock, and
// never decides which objects have a past: busiest.ts and history.ts do.

/*
 * A ring has one slot for each step of time; slot n holds what was true at n steps since the epoch of history time:
 *
 *      ... | n-2 | n-1 |  n  | n-719 | n-718 | ...        index: slot % length
 *                         ^ newest    ^ oldest
 *
 * A ring is made when its value changes first. Until then one number says it all, so that a field that never moves, such
 * as basic.get of most queues, takes nothing.
 */

/** How far apart the slots of a ring are, and how many it has. */
export interface Tier {
  readonly stepMs: number;
  readonly slots: number;
}

/** Both ends of an hour and of a day are in. The steps of each are whole steps of the one before. */
export const TIERS: readonly [Tier, Tier] = [
  { stepMs: 5000, slots: 721 },
  { stepMs: 60_000, slots: 1441 },
];

/** One field of an object. */
export interface FieldSpec {
  readonly name: string;
  /** Whether it only grows. What does not is a level, such as the messages that are ready. */
  readonly counter: boolean;
}

/** A ring of numbers: exact doubles, or 32 bits, which hold a counter's lowest bits. */
type Ring = Float64Array | Uint32Array;

/** The past of one field in one tier. */
class Track {
  readonly tier: Tier;
  /** Whether the ring holds the lowest 32 bits of a counter. */
  private readonly wraps: boolean;
  private readonly wide: boolean;
  private readonly counter: boolean;
  private ring: Ring | null = null;
  /** The newest value. */
  last: number;

  constructor(tier: Tier, wide: boolean, counter: boolean, first: number) {
    this.tier = tier;
    this.wide = wide;
    this.counter = counter;
    this.wraps = counter && !wide;
    this.last = first;
  }

  get bytes(): number {
    return this.ring?.byteLength ?? 0;
  }

  /** Writes the value of `slot`; slots since `newest` that had no look get what was known `before`. */
  write(slot: number, newest: number, given: number, before: number): void {
    // What moves from one place to another while it is added up may be missing for once.
    const value = this.counter ? Math.max(given, before) : given;
    if (this.ring === null) {
      if (value === this.last && before === this.last) return;
      const { slots } = this.tier;
      this.ring = (this.wide ? new Float64Array(slots) : new Uint32Array(slots)).fill(this.last);
    }
    const { ring } = this;
    const { length } = ring;
    const from = Math.max(newest + 1, slot - length + 1);
    for (let missed = from; missed < slot; missed++) ring[missed % length] = before;
    ring[slot % length] = value;
    this.last = value;
  }

  /** What it was so many slots before the newest; each call has to go as far back as the one before, or further. */
  backwards(newest: number): (back: number) => number {
    const { ring, last, wraps } = this;
    const { slots } = this.tier;
    if (ring === null) return () => last;
    const stored = (back: number): number => ring[wrapped(newest - back, slots)] as number;
    if (!wraps) return (back) => (back === 0 ? last : stored(back));
    let at = 0;
    let value = last;
    let bits = stored(0);
    return (back) => {
      for (; at < back; at++) {
        const before = stored(at + 1);
        // Two neighbours are less than 2^32 apart: the difference of their lowest bits is theirs.
        value -= (bits - before) >>> 0;
        bits = before;
      }
      return value;
    };
  }
}

/** The slot's place in a ring, also for slots before the epoch. */
function wrapped(slot: number, length: number): number {
  return ((slot % length) + length) % length;
}

/** The past values of all fields of one object. */
export class Series {
  private readonly names: ReadonlyMap<string, number>;
  /** For each field, its past in each tier. */
  private readonly tracks: readonly (readonly Track[])[];
  /** The values of the last look at which any had changed. */
  private readonly latest: number[];
  /** What the rings take in memory. */
  bytes = 0;
  /** The newest slot of each tier. */
  private readonly slots = TIERS.map(() => -1);

  /**
   * `first` are the values that count as those of all the time before. `wide` keeps exact doubles; else levels and what
   * counters grow by in a minute have to be below 2^32.
   */
  constructor(fields: readonly FieldSpec[], first: readonly number[], wide: boolean) {
    this.names = new Map(fields.map(({ name }, i) => [name, i]));
    this.latest = [...first];
    this.tracks = fields.map(({ counter }, i) =>
      TIERS.map((tier) => new Track(tier, wide, counter, first[i] as number)),
    );
  }

  has(name: string): boolean {
    return this.names.has(name);
  }

  /** The newest value of a field. */
  newest(name: string): number {
    const tracks = this.tracks[this.names.get(name) ?? -1];
    return tracks?.[0]?.last ?? 0;
  }

  /** Takes in the values of all fields at a moment of history time, ms. */
  take(ms: number, values: readonly number[]): void {
    // Slots that are passed over get what was true before, when something changes.
    if (Math.floor(ms / TIERS[0].stepMs) <= (this.slots[0] as number) || this.isStill(values)) {
      return;
    }
    // The first tier is written last: it knows what was true before.
    for (let t = TIERS.length - 1; t >= 0; t--) {
      const newest = this.slots[t] as number;
      const slot = Math.floor(ms / (TIERS[t] as Tier).stepMs);
      if (slot <= newest) continue;
      for (let f = 0; f < this.tracks.length; f++) {
        const tracks = this.tracks[f] as readonly Track[];
        const before = (tracks[0] as Track).last;
        const track = tracks[t] as Track;
        const hadBytes = track.bytes;
        track.write(slot, newest, values[f] as number, before);
        this.bytes += track.bytes - hadBytes;
      }
      this.slots[t] = slot;
    }
    for (let f = 0; f < this.latest.length; f++) this.latest[f] = values[f] as number;
  }

  private isStill(values: readonly number[]): boolean {
    const { latest } = this;
    for (let f = 0; f < latest.length; f++) if (latest[f] !== values[f]) return false;
    return this.slots[0] !== -1;
  }

  /**
   * What some fields came to at these moments of history time, added up: from `lastMs` back to `firstMs`. Before what is
   * kept the oldest value counts, and after it the newest.
   */
  points(names: readonly string[], firstMs: number, lastMs: number, stepMs: number): number[] {
    const sums: number[] = [];
    for (let ms = lastMs; ms >= firstMs; ms -= stepMs) sums.push(0);
    for (const name of names) {
      const index = this.names.get(name);
      if (index !== undefined)
        this.addPoints(this.tracks[index] as readonly Track[], lastMs, stepMs, sums);
    }
    return sums;
  }

  private addPoints(
    tracks: readonly Track[],
    lastMs: number,
    stepMs: number,
    sums: number[],
  ): void {
    const readers = tracks.map((track, t) => track.backwards(this.slots[t] as number));
    for (let i = 0; i < sums.length; i++) {
      const ms = lastMs - i * stepMs;
      const t = this.tierOf(ms);
      const read = readers[t] as (back: number) => number;
      sums[i] = (sums[i] as number) + read(this.backTo(ms, t));
    }
  }

  /** The finest tier that holds a moment; the last one where none does. */
  private tierOf(ms: number): number {
    for (const [t, { stepMs, slots }] of TIERS.entries()) {
      if ((this.slots[t] as number) - Math.floor(ms / stepMs) < slots) return t;
    }
    return TIERS.length - 1;
  }

  /** How many slots a moment is before the newest of a tier: between none, and the oldest that is kept. */
  private backTo(ms: number, t: number): number {
    const { stepMs, slots } = TIERS[t] as Tier;
    const back = (this.slots[t] as number) - Math.floor(ms / stepMs);
    return Math.min(Math.max(back, 0), slots - 1);
  }
}
