// Owns the walks over the pages of all buckets of one queue, of which several may be under way: compaction throws away
// what its walk has not seen, so that none may take another's pages. Never changes anything.

import type { PositionVisitor } from '../messages/pages/lane-pages.ts';
import type { DelayBuckets } from './delay-buckets.ts';
import { emptyEntry } from './delay-entry.ts';
import type { DelayHeap } from './delay-heap.ts';
import type { DelayPage } from './delay-page.ts';
import type { DelayPages } from './delay-pages.ts';

/** So many are remembered; one that was given up is forgotten for others, which are used. */
const WALKS_MAX = 4;
/** The cursor of a walk: its number, from 1 to a highest one, times this, and the place of its next page. */
const WALK_PAGES = 2 ** 28;
const WALKS_NUMBERED = 2 ** 20;

/** What walks go through. */
interface WalkedParts {
  readonly heap: DelayHeap;
  readonly buckets: DelayBuckets;
  readonly pages: DelayPages;
}

/** The walks over the waiting messages of one queue. */
export class DelayWalks {
  private readonly parts: WalkedParts;
  /** The pages that each goes through, by its number, the one used last at the end. */
  private readonly under = new Map<number, readonly DelayPage[]>();
  private last = 0;
  private readonly entry = emptyEntry();

  constructor(parts: WalkedParts) {
    this.parts = parts;
  }

  /**
   * As RecordHolder.visitPage; the walk goes on as others begin and end. What goes from place to place meanwhile may be
   * missed. A page that cannot be read is passed over: a walk lets go of nothing that it has not seen.
   */
  visitPage(cursor: number, visit: PositionVisitor): number {
    const { entry } = this;
    const { heap, buckets, pages } = this.parts;
    if (cursor === 0) {
      for (let place = 0; place < heap.size; place++) {
        heap.at(place, entry);
        visit(entry.position, entry.bodyBytes, 0);
      }
      return this.begin([...buckets.all()].flatMap((bucket) => bucket.pages));
    }
    const page = this.pageAt(cursor);
    if (page === null) return this.visitPage(0, visit);
    if (page.left > 0) {
      pages.eachReadable(page, (found) => visit(found.position, found.bodyBytes, 0));
    }
    return this.behind(cursor);
  }

  /** Begins a walk over these pages; returns its first cursor, above 0, or -1 where there are none. */
  private begin(pages: readonly DelayPage[]): number {
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
  private pageAt(cursor: number): DelayPage | null {
    const walk = Math.floor(cursor / WALK_PAGES);
    const pages = this.under.get(walk);
    if (pages === undefined) return null;
    this.under.delete(walk);
    this.under.set(walk, pages);
    return pages[cursor % WALK_PAGES] ?? null;
  }

  /** The cursor behind one whose page was visited; -1: that was the last. */
  private behind(cursor: number): number {
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
