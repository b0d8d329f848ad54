// Owns the walks over the pages of all buckets of one queue, of which several may be under way: compaction throws away
// what its walk has not seen, so that none may take another's pages. Never reads a page.

import type { DelayPage } from './delay-page.ts';

/** So many are remembered; one that was given up is forgotten for others, which are used. */
const WALKS_MAX = 4;
/** The cursor of a walk: its number, from 1 to a highest one, times this, and the place of its next page. */
const WALK_PAGES = 2 ** 28;
const WALKS_NUMBERED = 2 ** 20;

/** The walks over the waiting messages of one queue. */
export class DelayWalks {
  /** The pages that each goes through, by its number, the one used last at the end. */
  private readonly under = new Map<number, readonly DelayPage[]>();
  private last = 0;

  /** Begins a walk over these pages; returns its first cursor, above 0, or -1 where there are none. */
  begin(pages: readonly DelayPage[]): number {
    if (pages.length === 0) return -1;
    this.last = (this.last % WALKS_NUMBERED) + 1;
    this.under.set(this.last, pages);
    if (this.under.size > WALKS_MAX) {
      for (const oldest of this.under.keys()) {
        this.under.delete(oldest);
        break;
      }
    }
    return this.last * WALK_PAGES;
  }

  /** The page at a cursor; null: the walk is forgotten, and has to begin anew. */
  pageAt(cursor: number): DelayPage | null {
    const walk = Math.floor(cursor / WALK_PAGES);
    const pages = this.under.get(walk);
    if (pages === undefined) return null;
    this.under.delete(walk);
    this.under.set(walk, pages);
    return pages[cursor % WALK_PAGES] ?? null;
  }

  /** The cursor behind one whose page was visited; -1: that was the last. */
  behind(cursor: number): number {
    const walk = Math.floor(cursor / WALK_PAGES);
    const pages = this.under.get(walk);
    if (pages !== undefined && (cursor % WALK_PAGES) + 1 < pages.length) return cursor + 1;
    this.under.delete(walk);
    return -1;
  }

  /** Ends all: nothing waits any more. Their next pages are none. */
  clear(): void {
    this.under.clear();
  }
}
