// Owns the messages of one queue that wait for a time far off, in buckets: spans of time, of which the store has the
// pages. Never reads or writes them: delayed-messages.ts does.

import type { DelayPage } from './delay-page.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The widths of spans by their levels, ms, as rows have these; the first has none. */
const WIDTHS = [Infinity, DAY, HOUR, MINUTE, SECOND, 1, 16 * DAY] as const;

/** Whether a number is that of a level of buckets. */
export function isLevel(level: number): boolean {
  return LEVELS.includes(level as Level);
}

/** The level whose spans are single milliseconds: no finer one follows. */
export const FINEST_LEVEL = 5;

/** The levels from the widest spans to the narrowest. */
const LEVELS = [6, 1, 2, 3, 4, FINEST_LEVEL] as const;

type Level = (typeof LEVELS)[number];

/** A span is chosen so that about so many lie between now and then at least. */
const SPANS_AHEAD = 3;

/** A span of time, and the messages that are due in it. */
export interface Bucket {
  readonly level: number;
  readonly spanMs: number;
  /** The time at which the first of them is due, ms. */
  minDueMs: number;
  /** In the finest level: the id of the first of them; else 0. */
  minId: number;
  /** Messages in it. */
  count: number;
  /** In the order in which they were begun. */
  readonly pages: DelayPage[];
  /** The pages that the next entries go to, for stored messages and for transient ones; null: a new one. */
  tail: DelayPage | null;
  transientTail: DelayPage | null;
}

/** The level for a message that is due so far off, ms. */
export function levelFor(awayMs: number): number {
  let at = 0;
  while (at < LEVELS.length - 2 && awayMs < SPANS_AHEAD * WIDTHS[LEVELS[at] as Level]) at += 1;
  return LEVELS[at] as number;
}

/** The level of the next narrower spans. */
export function finerThan(level: number): number {
  return LEVELS[LEVELS.indexOf(level as Level) + 1] ?? FINEST_LEVEL;
}

/** Where the span of a level begins that a time lies in, ms. */
export function spanStart(level: number, dueMs: number): number {
  const width = WIDTHS[level] as number;
  return Math.floor(dueMs / width) * width;
}

/** A number for the span of a level that a time lies in; small where spans are wide. */
export function keyOf(level: number, dueMs: number): number {
  return Math.floor(dueMs / (WIDTHS[level] as number)) * WIDTHS.length + level;
}

/** All buckets of a queue. */
export class DelayBuckets {
  /** When the first message of all is due, ms, and which ids are before it; Infinity: there is none. */
  horizonMs = Infinity;
  horizonId = 0;
  private readonly buckets = new Map<number, Bucket>();

  get count(): number {
    return this.buckets.size;
  }

  all(): Iterable<Bucket> {
    return this.buckets.values();
  }

  /** The buckets that a message due at a time may lie in. */
  around(dueMs: number): Bucket[] {
    return WIDTHS.flatMap((_width, level) => {
      if (level === 0) return [];
      return this.buckets.get(keyOf(level, dueMs)) ?? [];
    });
  }

  /** The bucket of a level for a time; it is made where there is none. */
  at(level: number, dueMs: number): Bucket {
    const key = keyOf(level, dueMs);
    return this.buckets.get(key) ?? this.make(level, dueMs, key);
  }

  private make(level: number, dueMs: number, key: number): Bucket {
    const spanMs = spanStart(level, dueMs);
    const bucket: Bucket = {
      level,
      spanMs,
      minDueMs: Infinity,
      minId: 0,
      count: 0,
      pages: [],
      tail: null,
      transientTail: null,
    };
    this.buckets.set(key, bucket);
    return bucket;
  }

  /** Notes that a message was put into a bucket; or so many, the first of which is this, where the level is not the finest. */
  added(bucket: Bucket, dueMs: number, id: number, count = 1): void {
    bucket.count += count;
    if (bucket.level === FINEST_LEVEL) {
      bucket.minId = bucket.count === 1 ? id : Math.min(bucket.minId, id);
    }
    if (dueMs < bucket.minDueMs) bucket.minDueMs = dueMs;
    const { minDueMs, minId } = bucket;
    if (isBefore(minDueMs, minId, this.horizonMs, this.horizonId)) {
      this.horizonMs = minDueMs;
      this.horizonId = minId;
    }
  }

  /** The bucket whose first message is due before all others; null: there is none. */
  first(): Bucket | null {
    let first: Bucket | null = null;
    for (const bucket of this.buckets.values()) {
      const { minDueMs, minId } = bucket;
      if (first === null || isBefore(minDueMs, minId, first.minDueMs, first.minId)) first = bucket;
    }
    return first;
  }

  /** Takes a bucket off, if it is there. */
  remove(bucket: Bucket): void {
    const key = keyOf(bucket.level, bucket.spanMs);
    if (this.buckets.get(key) !== bucket) return;
    this.buckets.delete(key);
    this.renew();
  }

  /** A page leaves its bucket: nothing more is put into it. */
  close(bucket: Bucket, page: DelayPage): void {
    if (bucket.tail === page) bucket.tail = null;
    if (bucket.transientTail === page) bucket.transientTail = null;
  }

  /** Finds the horizon anew. */
  renew(): void {
    const first = this.first();
    this.horizonMs = first?.minDueMs ?? Infinity;
    this.horizonId = first?.minId ?? 0;
  }

  clear(): void {
    this.buckets.clear();
    this.renew();
  }
}

function isBefore(dueA: number, idA: number, dueB: number, idB: number): boolean {
  return dueA < dueB || (dueA === dueB && idA < idB);
}
