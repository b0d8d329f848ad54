// Owns which pages of a stream are in memory: they are read from the store as they are wanted, and leave again. Never knows
// which offsets are kept.

import { fillUp, type Page, type PageHome } from '../../messages/pages/page.ts';
import type { QueueRows } from '../../messages/queue-rows.ts';

/** Streams have one lane of pages. */
export const LANE = 0;

/** So many of one stream may be in memory before the first to come of those that are only read leaves. */
const LOADED_MAX = 128;
/** How many are looked at for one that may. */
const LOOKS = 4;

/** The pages of one stream. */
export class StreamPages implements PageHome {
  private readonly id: number;
  private readonly rows: QueueRows;
  private readonly loaded = new Map<number, Page>();
  /** Those that turned out to be damaged. */
  private readonly lost = new Set<number>();
  /** The one that the next entry goes to: it stays. */
  tail: Page | null = null;
  private recent: Page | null = null;

  /** Told of each page that was read. */
  private readonly onRead: (page: Page) => void;

  constructor(id: number, rows: QueueRows, onRead: (page: Page) => void) {
    this.id = id;
    this.rows = rows;
    this.onRead = onRead;
  }

  /**
   * The page of a number that is kept, read from the store if need be; null: it is damaged, or an operator took it away.
   * Not to be held on to.
   */
  at(number: number): Page | null {
    const known = this.loaded.get(number);
    if (known !== undefined) {
      this.recent = known;
      return known;
    }
    if (this.lost.has(number)) return null;
    if (this.loaded.size > LOADED_MAX) this.letGo();
    const { rows } = this;
    const read = rows.loaded.take(number, this);
    if (!rows.readIfThere(this.id, LANE, read)) {
      rows.loaded.leave(read);
      rows.loaded.recycle(read);
      this.lost.add(number);
      return null;
    }
    this.loaded.set(number, read);
    this.recent = read;
    this.onRead(read);
    return read;
  }

  /** Readers pass by: what they have read is of no more use than any other page. */
  private letGo(): void {
    const { loaded } = this.rows;
    let looks = LOOKS;
    for (const page of this.loaded.values()) {
      looks -= 1;
      if (this.release(page, loaded.durableBatch)) {
        loaded.leave(page);
        loaded.recycle(page);
        return;
      }
      if (looks === 0) return;
    }
  }

  /** The page of a number, if it is in memory. */
  inMemory(number: number): Page | undefined {
    return this.loaded.get(number);
  }

  /** Makes a page whose first entries no message ever had. */
  make(number: number, emptySlots: number): Page {
    if (this.loaded.size > LOADED_MAX) this.letGo();
    const page = this.rows.loaded.take(number, this);
    fillUp(page, emptySlots);
    this.loaded.set(number, page);
    return page;
  }

  /** Whether a page that `at` gave before is still that page. */
  holds(page: Page, number: number): boolean {
    return page.home === this && page.number === number;
  }

  /** Takes note of a page that is damaged. */
  lose(number: number): void {
    this.lost.add(number);
  }

  /** Lets go of a page, and of its row, damaged or not: what was in it would be gone by now. */
  drop(number: number): void {
    const { rows } = this;
    const page = this.loaded.get(number);
    if (page === undefined) {
      this.lost.delete(number);
      rows.removePage(this.id, LANE, number);
      return;
    }
    this.loaded.delete(number);
    rows.loaded.leave(page);
    if (this.recent === page) this.recent = null;
    if (this.tail === page) this.tail = null;
    if (page.dirty) {
      // The next batch removes its row.
      page.gone = true;
      page.storedLive = 0;
      return;
    }
    rows.removePage(this.id, LANE, number);
    rows.loaded.recycle(page);
  }

  /** Takes all out of memory, and gives them away: the stream is deleted. */
  takeAll(): ReadonlyMap<number, Page> {
    const all = new Map(this.loaded);
    for (const page of all.values()) this.rows.loaded.leave(page);
    this.loaded.clear();
    this.recent = null;
    this.tail = null;
    return all;
  }

  /** See PageHome. A page that was used since the last such request stays. */
  release(page: Page, durableBatch: number): boolean {
    if (page === this.tail) return false;
    if (page === this.recent) this.recent = null;
    else if (!page.dirty && page.batch <= durableBatch) return this.loaded.delete(page.number);
    return false;
  }
}
