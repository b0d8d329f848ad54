// Owns how many pages of all queues are in memory, and which leave when they are too many. Never
// judges whether a page may leave: its queue does.

import { Page, type PageHome } from './page.ts';

/** Pages in memory, of about 3.5 KB each, before the first one leaves. */
const LOADED_PAGES_MAX = 12_288;
/** Pages without a queue that are kept for reuse. */
const POOL_MAX = 256;
/** Pages looked at for each one that comes, and when a batch has become durable. */
const LOOKS_PER_PAGE = 8;
const LOOKS_PER_BATCH = 2_048;

/**
 * A ring of pages with a hand that goes round it:
 *
 *   hand -> page -> page -> ... -> the one that came last -> (hand)
 *
 * While there are too many, the hand asks the home of each page that it comes by to release it. One
 * that is in use, or not durable yet, stays and is asked again in the next round. All this is work
 * for each page, none for each message.
 */
export class LoadedPages {
  /** Pages in the ring. */
  count = 0;
  private readonly max: number;
  /** All batches up to this one are durable. */
  durableBatch = 0;
  private hand: Page | null = null;
  private readonly pool: Page[] = [];

  constructor(max = LOADED_PAGES_MAX) {
    this.max = max;
  }

  /** A page for that place of a queue, in the ring. Others may be released for it. */
  take(number: number, home: PageHome): Page {
    if (this.count > this.max) this.trim(LOOKS_PER_PAGE);
    let page = this.pool.pop();
    if (page === undefined) page = new Page(number);
    else page.reset(number);
    this.enter(page, home);
    return page;
  }

  /** Takes a page out of the ring; its content stays as it is. */
  leave(page: Page): void {
    const { before, behind } = page;
    if (before === null || behind === null) return;
    this.count -= 1;
    page.home = null;
    page.before = null;
    page.behind = null;
    if (before === page) {
      this.hand = null;
      return;
    }
    before.behind = behind;
    behind.before = before;
    if (this.hand === page) this.hand = behind;
  }

  /** Ends the use of a page that has left the ring. */
  recycle(page: Page): void {
    if (this.pool.length < POOL_MAX) this.pool.push(page);
  }

  /** Told that all batches up to `batch` are durable: pages may leave that could not before. */
  durable(batch: number): void {
    this.durableBatch = batch;
    if (this.count > this.max) this.trim(LOOKS_PER_BATCH);
  }

  private enter(page: Page, home: PageHome): void {
    this.count += 1;
    page.home = home;
    const { hand } = this;
    if (hand === null) {
      page.before = page;
      page.behind = page;
      this.hand = page;
      return;
    }
    const last = hand.before as Page;
    page.before = last;
    page.behind = hand;
    last.behind = page;
    hand.before = page;
  }

  /** Lets pages go until few enough are left, looking at so many. */
  private trim(looks: number): void {
    for (let n = Math.min(looks, this.count); n > 0 && this.count > this.max; n--) {
      const page = this.hand as Page;
      this.hand = page.behind;
      if (!page.home?.release(page, this.durableBatch)) continue;
      this.leave(page);
      this.recycle(page);
    }
  }
}
