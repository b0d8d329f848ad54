// Owns one page of a queue in memory: 256 consecutive entries. Never knows how it lies in the store
// (page-row.ts does), nor when it leaves memory: loaded-pages.ts does.

/** Entries of one page. An entry's place in its queue is `page number x PAGE_ENTRIES + slot`. */
export const PAGE_ENTRIES = 256;

/** The entry is acked, dead-lettered, expired or purged: it is no longer there. */
export const ENTRY_SETTLED = 1;
/** The entry's record lies in the persistent log, so the entry belongs on disk. */
export const ENTRY_STORED = 2;
/** The message has a time to live of its own: the `expiration` of its publisher. */
export const ENTRY_EXPIRES = 4;

/** What a page belongs to while it is in memory. */
export interface PageHome {
  /** Lets go of the page if nothing is lost by it; returns whether it did. */
  release(page: Page, durableBatch: number): boolean;
}

/** One page. Typed arrays, so that a backlog costs bytes and not objects. */
export class Page {
  number: number;
  readonly positions = new Float64Array(PAGE_ENTRIES);
  readonly bodyBytes = new Uint32Array(PAGE_ENTRIES);
  readonly states = new Uint8Array(PAGE_ENTRIES);
  /** Entries appended so far. */
  count = 0;
  /** Entries settled so far. */
  settled = 0;
  /** Entries that belong on disk and are not settled. */
  storedLive = 0;
  /** Whether the row in the store, or its absence, no longer tells the truth. */
  dirty = false;
  /** Whether the store has a row for this page (sealed, if not yet durable). */
  onDisk = false;
  /** Whether it is out of its queue and only waits for its row to be removed. */
  gone = false;
  /** The batch that its row was last put into, or removed in. */
  batch = 0;
  /** Its queue, and its neighbours in the ring of all pages in memory; null while it is in none. */
  home: PageHome | null = null;
  before: Page | null = null;
  behind: Page | null = null;
  /** By slot, how often an entry came back to the queue; null while that is not counted. */
  returns: Map<number, number> | null = null;
  /** By slot, when the time to live of an entry that had waited began, ms; null: all began as they arrived. */
  starts: Map<number, number> | null = null;
  /** The keys of the groups of its entries; null: its queue has no groups. */
  groups: Float64Array | null = null;
  /** The fingerprints of the filter values of its entries, 0 for none; null: none of them has a value. */
  filters: Uint16Array | null = null;

  constructor(number: number) {
    this.number = number;
  }

  /** Makes a used page fit for another place. */
  reset(number: number): void {
    this.number = number;
    this.states.fill(0);
    this.count = 0;
    this.settled = 0;
    this.storedLive = 0;
    this.dirty = false;
    this.onDisk = false;
    this.gone = false;
    this.batch = 0;
    this.returns = null;
    this.starts = null;
    this.groups = null;
    this.filters = null;
  }
}

/** Whether an entry is there and belongs on disk. */
export function isStoredLive(state: number): boolean {
  return (state & (ENTRY_STORED | ENTRY_SETTLED)) === ENTRY_STORED;
}

/** Whether the entry in a slot is there no more. */
export function isSettled(page: Page, slot: number): boolean {
  return ((page.states[slot] as number) & ENTRY_SETTLED) !== 0;
}

/** Marks the slots below `count` that no message ever had as settled. */
export function fillUp(page: Page, count: number): void {
  for (let slot = page.count; slot < count; slot++) {
    page.states[slot] = ENTRY_SETTLED;
    page.settled += 1;
  }
  page.count = Math.max(page.count, count);
}
