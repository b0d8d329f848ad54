// Owns the messages of one queue that wait for their time and are in memory: the one due first comes out first.
// Never touches the store.

import { type DelayEntry, emptyEntry } from './delay-entry.ts';
import type { DelayPage } from './delay-page.ts';

const FIRST_CAPACITY = 16;

/** So many times are looked at to find about how many are due when. */
const SAMPLE = 1_024;

/**
 * A binary heap of slots, ordered by time and then by id. What is known of an entry lies in typed arrays by its slot:
 * about 60 bytes for each. What comes is put behind the heap, in no order, until it may be the first: most entries wait
 * for long, and many leave for a bucket before they are ever compared.
 *
 *   0 ... ordered   the heap
 *   ... size        loose entries, none due before `looseDueMs`
 *   ... capacity    free slots
 */
export class DelayHeap {
  size = 0;
  private ordered = 0;
  private looseDueMs = Infinity;
  private capacity = 0;
  private heap = new Uint32Array(0);
  /** Slots that are free: those behind `size` in `heap`. */
  private dues = new Float64Array(0);
  private ids = new Float64Array(0);
  private positions = new Float64Array(0);
  private starts = new Float64Array(0);
  private bodies = new Uint32Array(0);
  private returns = new Uint32Array(0);
  private flags = new Uint8Array(0);
  private priorities = new Uint8Array(0);
  private pages: DelayPage[] = [];

  /** When the first one is due, ms; Infinity: there is none. */
  get firstDueMs(): number {
    const first = this.ordered === 0 ? Infinity : (this.dues[this.heap[0] as number] as number);
    return Math.min(this.looseDueMs, first);
  }

  /** Adds an entry that lies in `page`. */
  push(entry: DelayEntry, page: DelayPage): void {
    if (this.size === this.capacity) this.grow();
    const slot = this.heap[this.size] as number;
    this.dues[slot] = entry.dueMs;
    this.ids[slot] = entry.id;
    this.positions[slot] = entry.position;
    this.starts[slot] = entry.startMs;
    this.bodies[slot] = entry.bodyBytes;
    this.returns[slot] = entry.returns;
    this.flags[slot] = entry.flags;
    this.priorities[slot] = entry.priority;
    this.pages[slot] = page;
    this.size += 1;
    if (entry.dueMs < this.looseDueMs) this.looseDueMs = entry.dueMs;
  }

  /** Fills in the first one; returns its page. There must be one. */
  first(entry: DelayEntry): DelayPage {
    if (this.firstMayBeLoose) this.order();
    return this.at(0, entry);
  }

  /** Takes the first one out, and fills it in; returns its page. There must be one. */
  pop(entry: DelayEntry): DelayPage {
    if (this.firstMayBeLoose) this.order();
    return this.takeAt(0, entry);
  }

  /** The time before which about so many of them are due, ms, by a sample; there must be more. */
  dueOf(count: number): number {
    const step = Math.max(1, Math.floor(this.size / SAMPLE));
    const dues = new Float64Array(Math.floor(this.size / step));
    for (let n = 0; n < dues.length; n++) {
      dues[n] = this.dues[this.heap[n * step] as number] as number;
    }
    return dues.sort()[Math.floor(count / step)] as number;
  }

  /** Asks of each entry, in no order, for the page that it lies in from now on; null: it leaves. The entry is reused. */
  sift(pageFor: (entry: DelayEntry, page: DelayPage) => DelayPage | null): void {
    const { heap, size } = this;
    const entry = emptyEntry();
    this.ordered = 0;
    this.looseDueMs = Infinity;
    let kept = 0;
    for (let place = 0; place < size; place++) {
      const slot = heap[place] as number;
      const page = pageFor(entry, this.at(place, entry));
      if (page === null) continue;
      this.pages[slot] = page;
      heap[place] = heap[kept] as number;
      heap[kept] = slot;
      kept += 1;
      if (entry.dueMs < this.looseDueMs) this.looseDueMs = entry.dueMs;
    }
    this.size = kept;
  }

  /** Fills in the entry at a place of the heap, which is in no order; returns its page. */
  at(place: number, entry: DelayEntry): DelayPage {
    const slot = this.heap[place] as number;
    entry.dueMs = this.dues[slot] as number;
    entry.id = this.ids[slot] as number;
    entry.position = this.positions[slot] as number;
    entry.startMs = this.starts[slot] as number;
    entry.bodyBytes = this.bodies[slot] as number;
    entry.returns = this.returns[slot] as number;
    entry.flags = this.flags[slot] as number;
    entry.priority = this.priorities[slot] as number;
    return this.pages[slot] as DelayPage;
  }

  /** The places of all, the one due first first; nothing may change meanwhile. */
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
      if (this.ids[this.heap[place] as number] === id) return place;
    }
    return -1;
  }

  /** Takes the entry at a place out, and fills it in; returns its page. */
  takeAt(place: number, entry: DelayEntry): DelayPage {
    const page = this.at(place, entry);
    const { heap } = this;
    const freed = heap[place] as number;
    this.size -= 1;
    const end = heap[this.size] as number;
    if (place < this.ordered) {
      this.ordered -= 1;
      const last = heap[this.ordered] as number;
      heap[this.ordered] = end;
      if (place < this.ordered) {
        this.sink(place, last);
        if (heap[place] === last) this.rise(place, last);
      }
    } else heap[place] = end;
    heap[this.size] = freed;
    if (this.ordered === this.size) this.looseDueMs = Infinity;
    return page;
  }

  /** Lets go of all, and of their memory. */
  clear(): void {
    this.size = 0;
    this.ordered = 0;
    this.looseDueMs = Infinity;
    this.capacity = 0;
    this.pages.length = 0;
    this.resize(0);
  }

  private get firstMayBeLoose(): boolean {
    if (this.ordered === this.size) return false;
    return this.ordered === 0 || this.looseDueMs <= (this.dues[this.heap[0] as number] as number);
  }

  /** Takes what is loose into the heap. */
  private order(): void {
    for (; this.ordered < this.size; this.ordered++) {
      this.rise(this.ordered, this.heap[this.ordered] as number);
    }
    this.looseDueMs = Infinity;
  }

  private placedBefore(a: number, b: number): boolean {
    return this.before(this.heap[a] as number, this.heap[b] as number);
  }

  private before(a: number, b: number): boolean {
    const [dueA, dueB] = [this.dues[a] as number, this.dues[b] as number];
    return dueA < dueB || (dueA === dueB && (this.ids[a] as number) < (this.ids[b] as number));
  }

  private rise(from: number, slot: number): void {
    const { heap } = this;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as number;
      if (!this.before(slot, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = slot;
  }

  private sink(from: number, slot: number): void {
    const { heap, ordered } = this;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= ordered) break;
      if (child + 1 < ordered && this.before(heap[child + 1] as number, heap[child] as number))
        child += 1;
      const below = heap[child] as number;
      if (!this.before(below, slot)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = slot;
  }

  private grow(): void {
    const before = this.capacity;
    this.resize(before === 0 ? FIRST_CAPACITY : before * 2);
    for (let slot = before; slot < this.capacity; slot++) this.heap[slot] = slot;
  }

  private resize(capacity: number): void {
    this.capacity = capacity;
    this.heap = copied(this.heap, new Uint32Array(capacity));
    this.dues = copied(this.dues, new Float64Array(capacity));
    this.ids = copied(this.ids, new Float64Array(capacity));
    this.positions = copied(this.positions, new Float64Array(capacity));
    this.starts = copied(this.starts, new Float64Array(capacity));
    this.bodies = copied(this.bodies, new Uint32Array(capacity));
    this.returns = copied(this.returns, new Uint32Array(capacity));
    this.flags = copied(this.flags, new Uint8Array(capacity));
    this.priorities = copied(this.priorities, new Uint8Array(capacity));
  }
}

function copied<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length));
  return to;
}
