// Owns where the messages of one queue that wait lie: in memory and in a page of all times, or in a page of their bucket
// alone; and what is told of them to their queue. Never says when any of them goes: delayed-messages.ts does.

import type { CorruptRecordError } from '../../../store/errors.ts';
import type { Sweep } from '../messages/sweeps.ts';
import { type Bucket, type DelayBuckets, keyOf, levelFor } from './delay-buckets.ts';
import { DELAYED_STORED, type DelayEntry } from './delay-entry.ts';
import type { DelayHeap } from './delay-heap.ts';
import type { DelayPages } from './delay-pages.ts';
import type { DelayBounds } from './delay-rows.ts';

/** Of those put away at once, such a part stays in memory: their buckets would have few each. */
const STAYING = 1 / 8;
/** What is due so soon, ms, is not put away while there is room for it. */
const SOON_MS = 60_000;

/** What waiting messages need of their queue. */
export interface DelayOwner {
  readonly id: number;
  /** Something changed that belongs into the next batch. */
  entriesDirty(): void;
  /** A stored message that no batch holds yet waits now. */
  unsealedPushed(): void;
  /** A message goes from one place to another, by its position in the log. */
  moved(position: number): void;
  /** A page cannot be read: its messages wait no more, so many of which never were ready. Its row stays. */
  damaged(error: CorruptRecordError, fresh: number): void;
  /** Pages are left behind, to be let go of little by little. */
  leftBehind(sweep: Sweep): void;
}

/** Takes a message over that is due; the entry is reused by the next call. */
export type Release = (entry: DelayEntry) => void;

/** What waits. */
interface PlacedParts {
  readonly heap: DelayHeap;
  readonly buckets: DelayBuckets;
  readonly pages: DelayPages;
  readonly bounds: DelayBounds;
}

/** Those of one bucket, among others. */
interface Group {
  readonly bucket: Bucket;
  readonly stored: boolean;
  count: number;
  minDueMs: number;
}

/** So many groups are found without a look into the map. */
const RECENT = 64;

/** Where the numbers of groups, and the slots sorted by them, lie: of one queue after the other. */
const SCRATCH_MAX = 65_536;
let scratch = [new Uint32Array(0), new Uint32Array(0)] as const;

function scratchFor(count: number): readonly [Uint32Array, Uint32Array] {
  if (scratch[0].length >= count) return scratch;
  const length = 2 ** Math.ceil(Math.log2(count));
  const made = [new Uint32Array(length), new Uint32Array(length)] as const;
  if (length <= SCRATCH_MAX) scratch = made;
  return made;
}

/** Sorts entries by their buckets. */
class Groups {
  readonly all: Group[] = [];
  /** The slots, group by group, once they are sorted. */
  readonly slots: Uint32Array;
  private readonly numberOf: Uint32Array;
  private size = 0;
  private readonly numbers = new Map<number, number>();
  private readonly recentKeys = new Float64Array(RECENT).fill(-1);
  private readonly recent = new Uint32Array(RECENT);

  /** For so many. */
  constructor(count: number) {
    [this.numberOf, this.slots] = scratchFor(count);
  }

  /** Adds the next one, for the bucket of a level for its time. */
  add(buckets: DelayBuckets, level: number, dueMs: number, stored: number): void {
    const key = 2 * keyOf(level, dueMs) + stored;
    const place = key & (RECENT - 1);
    if (this.recentKeys[place] !== key) {
      this.recentKeys[place] = key;
      this.recent[place] = this.find(key, buckets.at(level, dueMs), dueMs, stored !== 0);
    }
    const number = this.recent[place] as number;
    this.numberOf[this.size++] = number;
    const group = this.all[number] as Group;
    group.count += 1;
    if (dueMs < group.minDueMs) group.minDueMs = dueMs;
  }

  private find(key: number, bucket: Bucket, dueMs: number, stored: boolean): number {
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.all.push({ bucket, stored, count: 0, minDueMs: dueMs }) - 1;
    this.numbers.set(key, number);
    return number;
  }

  /** Sorts the slots from a place on, which were added in this order. */
  sort(slots: Uint32Array, from: number): void {
    const ends = new Uint32Array(this.all.length);
    for (let number = 1; number < ends.length; number++) {
      ends[number] = (ends[number - 1] as number) + (this.all[number - 1] as Group).count;
    }
    for (let n = 0; n < this.size; n++) {
      const number = this.numberOf[n] as number;
      const place = ends[number] as number;
      ends[number] = place + 1;
      this.slots[place] = slots[from + n] as number;
    }
  }
}

/** Gives those that come their places: with the next batch, since many of one batch can be put away at once. */
export class DelayPlaces {
  private readonly parts: PlacedParts;
  private readonly owner: DelayOwner;

  constructor(parts: PlacedParts, owner: DelayOwner) {
    this.parts = parts;
    this.owner = owner;
  }

  /**
   * Gives a place to all that have none. Of many, those far off lie in buckets from the first, and the rest in pages of all
   * times: few would make a page for each bucket.
   */
  settle(nowMs: number): void {
    const { heap, bounds } = this.parts;
    const { unplaced } = heap;
    if (unplaced === 0) return;
    const many = unplaced >= bounds.awayMin;
    const keptMs = many ? Math.max(nowMs + SOON_MS, heap.dueOf(STAYING)) : Infinity;
    this.place(keptMs, unplaced, nowMs);
  }

  /** Puts all but about those due first into buckets; these come together in new pages. */
  spill(nowMs: number): void {
    const { heap, pages, bounds } = this.parts;
    pages.close();
    heap.unplace((page, slot) => {
      pages.left(page);
      this.owner.moved(heap.entries.positionOf(slot));
    });
    this.place(heap.dueOf(bounds.heapKept / heap.size), bounds.heapMax >> 1, nowMs);
  }

  /** Of those without a place, so many that are due before `keptMs` stay in memory, and all others do not. */
  private place(keptMs: number, most: number, nowMs: number): void {
    const { heap } = this.parts;
    const first = heap.firstUnplaced;
    const leaving = heap.place(keptMs, most);
    this.putIntoPages(first, heap.size);
    if (leaving > 0) this.putAway(heap.size, heap.size + leaving, nowMs);
  }

  /** Gives those from one place of the heap on to another pages of all times. */
  private putIntoPages(from: number, to: number): void {
    const { heap, pages } = this.parts;
    const { entries, ids, slots } = heap;
    const isStored = (at: number): boolean =>
      (entries.flagsOf(slots[at] as number) & DELAYED_STORED) !== 0;
    for (let place = from; place < to; ) {
      let end = place;
      while (end < to && isStored(end)) end += 1;
      while (place < end) {
        const page = pages.forNext();
        const next = page.addSome(entries, ids, slots, place, end);
        heap.putInto(page, place, next);
        place = next;
      }
      while (end < to && !isStored(end)) end += 1;
      heap.putInto(pages.transient, place, end);
      place = end;
    }
  }

  /** Puts the entries whose slots follow from one place of the heap on to another into buckets, those of one together. */
  private putAway(from: number, to: number, nowMs: number): void {
    const { heap, buckets, pages } = this.parts;
    const { slots, dues, ids, entries } = heap;
    const groups = new Groups(to - from);
    for (let place = from; place < to; place++) {
      const slot = slots[place] as number;
      const dueMs = dues[slot] as number;
      groups.add(buckets, levelFor(dueMs - nowMs), dueMs, entries.flagsOf(slot) & DELAYED_STORED);
    }
    groups.sort(slots, from);
    let at = 0;
    for (const { bucket, stored, count, minDueMs } of groups.all) {
      buckets.added(bucket, minDueMs, 0, count);
      for (const end = at + count; at < end; ) {
        at = pages.inBucket(bucket, stored).addSome(entries, ids, groups.slots, at, end);
      }
    }
  }

  /** Puts an entry into the bucket of a level for its time; returns that. */
  putOneAway(level: number, entry: DelayEntry): Bucket {
    const { buckets, pages } = this.parts;
    const bucket = buckets.at(level, entry.dueMs);
    pages.inBucket(bucket, (entry.flags & DELAYED_STORED) !== 0).add(entry);
    buckets.added(bucket, entry.dueMs, entry.id);
    return bucket;
  }
}
