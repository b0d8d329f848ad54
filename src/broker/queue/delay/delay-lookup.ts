// Owns finding messages that wait without moving them: those due soonest, and one by its time and id. Never changes
// anything.

import type { Bucket, DelayBuckets } from './delay-buckets.ts';
import { type DelayEntry, emptyEntry } from './delay-entry.ts';
import type { DelayHeap } from './delay-heap.ts';
import type { DelayPage } from './delay-page.ts';
import type { DelayPages } from './delay-pages.ts';

/** So many pages, and messages in them, are read for one look at most: some ms. */
const LOOK_PAGES_MAX = 256;
const LOOK_ENTRIES_MAX = 32_768;

/** The place of a message in the order in which they go. */
export type DelayPlace = Pick<DelayEntry, 'dueMs' | 'id'>;

/** Messages that are due soonest. */
export interface Soonest {
  /** In the order in which they go. */
  readonly entries: readonly DelayEntry[];
  /** False: not all pages that these may lie in were looked at, so that others may be due before the last of these. */
  readonly exact: boolean;
}

/** The messages that wait, as they lie. */
export interface WaitingParts {
  readonly heap: DelayHeap;
  readonly buckets: DelayBuckets;
  readonly pages: DelayPages;
}

/**
 * Up to `count` messages that are due soonest, of those behind `after`. All that are in memory are looked at, of the
 * others the pages of the first spans of time; what cannot be read is passed over.
 */
export function soonest(parts: WaitingParts, count: number, after: DelayPlace | null): Soonest {
  const found = new First(count, after);
  const entry = emptyEntry();
  for (const place of parts.heap.inOrder()) {
    if (found.full) break;
    parts.heap.at(place, entry);
    found.add(entry);
  }
  const exact = fromBuckets(parts, found);
  return { entries: found.sorted(), exact };
}

/** Adds what lies in buckets; returns whether all that matter were looked at. */
function fromBuckets({ buckets, pages }: WaitingParts, found: First): boolean {
  const inOrder = [...buckets.all()].sort((a, b) => a.minDueMs - b.minDueMs);
  let pagesLeft = LOOK_PAGES_MAX;
  let entriesLeft = LOOK_ENTRIES_MAX;
  for (const bucket of inOrder) {
    if (found.isBeyond({ dueMs: bucket.minDueMs, id: 0 })) return true;
    for (const page of bucket.pages) {
      if (pagesLeft === 0 || entriesLeft < page.count) return false;
      pagesLeft -= 1;
      entriesLeft -= page.count;
      pages.eachReadable(page, (entry) => found.add(entry));
    }
  }
  return true;
}

/** Those due first of all that are added. */
class First {
  private readonly count: number;
  private readonly after: DelayPlace | null;
  private entries: DelayEntry[] = [];
  /** None that comes behind it is among them; null: not known yet. */
  private last: DelayPlace | null = null;

  constructor(count: number, after: DelayPlace | null) {
    this.count = count;
    this.after = after;
  }

  /** Whether there are as many as are wanted: only such as come before the last of them may be added. */
  get full(): boolean {
    return this.last !== null;
  }

  /** Whether a place comes behind all that are wanted. */
  isBeyond(place: DelayPlace): boolean {
    return this.last !== null && inOrder(place, this.last) > 0;
  }

  add(entry: DelayEntry): void {
    if (this.isBeyond(entry)) return;
    if (this.after !== null && inOrder(entry, this.after) <= 0) return;
    this.entries.push({ ...entry });
    // Beyond that now and then: a sort for each would take long.
    const most = this.full ? 2 * this.count : this.count;
    if (this.entries.length >= most) this.cut();
  }

  sorted(): readonly DelayEntry[] {
    this.cut();
    return this.entries;
  }

  private cut(): void {
    this.entries.sort(inOrder);
    if (this.entries.length < this.count) return;
    this.entries.length = this.count;
    this.last = this.entries.at(-1) as DelayEntry;
  }
}

function inOrder(a: DelayPlace, b: DelayPlace): number {
  return a.dueMs - b.dueMs || a.id - b.id;
}

/** Where a message lies that is in a bucket. */
export interface InBucket {
  readonly bucket: Bucket;
  readonly page: DelayPage;
  readonly entry: DelayEntry;
}

/** Finds the message of that time and id in the buckets; null: none has it. */
export function findInBuckets(
  { buckets, pages }: Omit<WaitingParts, 'heap'>,
  { dueMs, id }: DelayPlace,
): InBucket | null {
  for (const bucket of buckets.around(dueMs)) {
    for (const page of bucket.pages) {
      if (id < page.minId || id > page.maxId) continue;
      const found: DelayEntry[] = [];
      pages.eachReadable(page, (entry) => {
        if (entry.id === id && entry.dueMs === dueMs) found.push({ ...entry });
      });
      if (found[0] !== undefined) return { bucket, page, entry: found[0] };
    }
  }
  return null;
}
