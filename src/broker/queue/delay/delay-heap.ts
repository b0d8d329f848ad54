// Owns the messages of one queue that wait for their time and are in memory: the one due first comes out first.
// Never touches the store.

import { type DelayEntry, EntryBytes } from './delay-entry.ts';
import type { DelayPage } from './delay-page.ts';

const FIRST_CAPACITY = 16;

/** So many times are looked at to find about how many are due when. */
const SAMPLE = 512;

/**
 * A binary heap of slots, ordered by time and then by id. What is known of an entry lies by its slot, as it lies in pages:
 * about 60 bytes for each. What comes is put behind the heap, in no order, until it may be the first: most entries wait
 * for long, and many leave for a bucket before they are ever compared.
 *
 *   0 ... ordered   the heap
 *   ... placed      loose entries, none due before `looseDueMs`
 *   ... size        entries that lie in no page yet, none due before `unplacedDueMs`
 *   ... capacity    free slots
 */
export class DelayHeap {
  size = 0;
  private ordered = 0;
  private placed = 0;
  private looseDueMs = Infinity;
  /** Of those that lie in no page yet: see `place`. */
  unplacedDueMs = Infinity;
  private capacity = 0;
  /** By their places: slots, those behind `size` free. All that follow is by slots. */
  slots = new Uint32Array(0);
  dues = new Float64Array(0);
  ids = new Float64Array(0);
  entries = new EntryBytes(0);
  private pages: (DelayPage | null)[] = [];

  /** When the first one is due, ms; Infinity: there is none. */
  get firstDueMs(): number {
    const first = this.ordered === 0 ? Infinity : (this.dues[this.slots[0] as number] as number);
    return Math.min(this.looseDueMs, this.unplacedDueMs, first);
  }

  /** How many lie in no page yet. */
  get unplaced(): number {
    return this.size - this.placed;
  }

  /** Adds an entry that lies in no page yet. */
  push(entry: DelayEntry): void {
    this.take(entry, null);
    if (entry.dueMs < this.unplacedDueMs) this.unplacedDueMs = entry.dueMs;
  }

  /** Adds an entry that lies in `page`. */
  pushPlaced(entry: DelayEntry, page: DelayPage): void {
    const slot = this.take(entry, page);
    const { slots, placed } = this;
    slots[this.size - 1] = slots[placed] as number;
    slots[placed] = slot;
    this.placed += 1;
    if (entry.dueMs < this.looseDueMs) this.looseDueMs = entry.dueMs;
  }

  /** Keeps an entry behind all others; returns its slot. */
  private take(entry: DelayEntry, page: DelayPage | null): number {
    if (this.size === this.capacity) this.grow();
    const slot = this.slots[this.size] as number;
    this.dues[slot] = entry.dueMs;
    this.ids[slot] = entry.id;
    this.entries.write(slot, entry);
    this.pages[slot] = page;
    this.size += 1;
    return slot;
  }

  /** Fills in the first one; returns its page. There must be one, in a page. */
  first(entry: DelayEntry): DelayPage {
    if (this.firstMayBeLoose) this.order();
    return this.at(0, entry);
  }

  /** Takes the first one out, and fills it in; returns its page. There must be one, in a page. */
  pop(entry: DelayEntry): DelayPage {
    if (this.firstMayBeLoose) this.order();
    return this.takeAt(0, entry);
  }

  /** The time before which about such a part of those are due that lie in no page, ms, by a sample; there must be one. */
  dueOf(part: number): number {
    const { placed, unplaced } = this;
    const step = Math.ceil(unplaced / SAMPLE);
    const dues = new Float64Array(Math.ceil(unplaced / step));
    for (let n = 0; n < dues.length; n++) {
      dues[n] = this.dues[this.slots[placed + n * step] as number] as number;
    }
    return dues.sort()[Math.floor(part * dues.length)] as number;
  }

  /** Takes all out of their pages; `visit` is told each with its slot. */
  unplace(visit: (page: DelayPage, slot: number) => void): void {
    const { slots, pages, placed } = this;
    for (let place = 0; place < placed; place++) {
      const slot = slots[place] as number;
      visit(pages[slot] as DelayPage, slot);
      pages[slot] = null;
    }
    this.unplacedDueMs = this.firstDueMs;
    this.looseDueMs = Infinity;
    this.ordered = 0;
    this.placed = 0;
  }

  /** Where those begin that lie in no page. */
  get firstUnplaced(): number {
    return this.placed;
  }

  /**
   * Of those that lie in no page, so many at most that are due before `keptMs` stay, to be put into pages at once. All others
   * leave; returns how many. Their slots follow behind `size`, and can be read until others come.
   */
  place(keptMs: number, most: number): number {
    const { slots, size, dues } = this;
    const end = Math.min(size, this.placed + most);
    let kept = this.placed;
    let looseDueMs = this.looseDueMs;
    for (let place = kept; place < size && kept < end; place++) {
      const slot = slots[place] as number;
      const dueMs = dues[slot] as number;
      if (dueMs >= keptMs) continue;
      slots[place] = slots[kept] as number;
      slots[kept] = slot;
      kept += 1;
      if (dueMs < looseDueMs) looseDueMs = dueMs;
    }
    this.size = kept;
    this.placed = kept;
    this.looseDueMs = looseDueMs;
    this.unplacedDueMs = Infinity;
    return size - kept;
  }

  /** Those from one place on to another lie in this page from now on. */
  putInto(page: DelayPage, from: number, to: number): void {
    for (let place = from; place < to; place++) this.pages[this.slots[place] as number] = page;
  }

  /** Fills in the entry at a place, which are in no order; returns its page, if it lies in one. */
  at(place: number, entry: DelayEntry): DelayPage {
    const slot = this.slots[place] as number;
    this.entries.read(slot, entry);
    return this.pages[slot] as DelayPage;
  }

  /** The places of all, the one due first first; all must lie in pages, and nothing may change meanwhile. */
  *inOrder(): Iterable<number> {
    this.order();
    // A place comes before those below it: the next one is among those below the ones before.
    const next = this.size > 0 ? [0] : [];
    for (let place = next.pop(); place !== undefined; place = next.pop()) {
      yield place;
      for (let below = 2 * place + 1; below < Math.min(2 * place + 3, this.size); below++) {
        // The earliest is the last of `next`, which is searched by halves.
        let [from, to] = [0, next.length];
        while (from < to) {
          const middle = (from + to) >> 1;
          if (this.placedBefore(below, next[middle] as number)) from = middle + 1;
          else to = middle;
        }
        next.splice(from, 0, below);
      }
    }
  }

  /** Where an entry stands, by its id; -1: it is not here. Looks at all of them. */
  placeOf(id: number): number {
    for (let place = 0; place < this.size; place++) {
      if (this.ids[this.slots[place] as number] === id) return place;
    }
    return -1;
  }

  /** Takes the entry at a place out, which must lie in a page, and fills it in; returns that. */
  takeAt(place: number, entry: DelayEntry): DelayPage {
    const page = this.at(place, entry);
    const { slots } = this;
    const freed = slots[place] as number;
    // Each part of the heap gives its last to the one before.
    let hole = place;
    if (hole < this.ordered) {
      this.ordered -= 1;
      const last = slots[this.ordered] as number;
      if (hole < this.ordered) {
        this.sink(hole, last);
        if (slots[hole] === last) this.rise(hole, last);
      }
      hole = this.ordered;
    }
    const wasLoose = place === hole;
    this.placed -= 1;
    slots[hole] = slots[this.placed] as number;
    this.size -= 1;
    slots[this.placed] = slots[this.size] as number;
    slots[this.size] = freed;
    if (this.ordered === this.placed) this.looseDueMs = Infinity;
    else if (wasLoose && entry.dueMs === this.looseDueMs) this.looseDueMs = this.firstLooseMs();
    return page;
  }

  /** Lets go of all, and of their memory. */
  clear(): void {
    this.size = 0;
    this.ordered = 0;
    this.placed = 0;
    this.looseDueMs = Infinity;
    this.unplacedDueMs = Infinity;
    this.capacity = 0;
    this.pages.length = 0;
    this.resize(0);
  }

  private firstLooseMs(): number {
    let dueMs = Infinity;
    for (let place = this.ordered; place < this.placed; place++) {
      dueMs = Math.min(dueMs, this.dues[this.slots[place] as number] as number);
    }
    return dueMs;
  }

  private get firstMayBeLoose(): boolean {
    if (this.ordered === this.placed) return false;
    return this.ordered === 0 || this.looseDueMs <= (this.dues[this.slots[0] as number] as number);
  }

  /** Takes what is loose into the heap. */
  private order(): void {
    for (; this.ordered < this.placed; this.ordered++) {
      this.rise(this.ordered, this.slots[this.ordered] as number);
    }
    this.looseDueMs = Infinity;
  }

  private placedBefore(a: number, b: number): boolean {
    return this.before(this.slots[a] as number, this.slots[b] as number);
  }

  private before(a: number, b: number): boolean {
    const [dueA, dueB] = [this.dues[a] as number, this.dues[b] as number];
    return dueA < dueB || (dueA === dueB && (this.ids[a] as number) < (this.ids[b] as number));
  }

  private rise(from: number, slot: number): void {
    const { slots } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = slots[parent] as number;
      if (!this.before(slot, above)) break;
      slots[at] = above;
      at = parent;
    }
    slots[at] = slot;
  }

  private sink(from: number, slot: number): void {
    const { slots, ordered } = this;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= ordered) break;
      if (child + 1 < ordered && this.before(slots[child + 1] as number, slots[child] as number))
        child += 1;
      const below = slots[child] as number;
      if (!this.before(below, slot)) break;
      slots[at] = below;
      at = child;
    }
    slots[at] = slot;
  }

  private grow(): void {
    const before = this.capacity;
    this.resize(before === 0 ? FIRST_CAPACITY : before * 2);
    for (let slot = before; slot < this.capacity; slot++) this.slots[slot] = slot;
  }

  private resize(capacity: number): void {
    this.capacity = capacity;
    this.slots = copied(this.slots, new Uint32Array(capacity));
    this.dues = copied(this.dues, new Float64Array(capacity));
    this.ids = copied(this.ids, new Float64Array(capacity));
    this.entries = this.entries.resized(capacity);
  }
}

function copied<T extends Float64Array | Uint32Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length));
  return to;
}
