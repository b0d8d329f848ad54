// Owns which pages of a lane have changes that the store lacks, and puts them into a batch. Never changes an entry.

import type { QueueRows } from '../queue-rows.ts';
import type { Page } from './page.ts';

/** The pages of one lane that the next batch has to have. */
export class DirtyPages {
  private readonly queueId: number;
  private readonly lane: number;
  private readonly rows: QueueRows;
  private pages: Page[] = [];

  constructor(queueId: number, lane: number, rows: QueueRows) {
    this.queueId = queueId;
    this.lane = lane;
    this.rows = rows;
  }

  /** Notes a page that is not noted yet. */
  add(page: Page): void {
    page.dirty = true;
    this.pages.push(page);
  }

  /** Puts the pages that changed into the current batch. */
  seal(batch: number): void {
    for (const page of this.pages) {
      page.dirty = false;
      page.batch = batch;
      if (page.storedLive > 0) {
        this.rows.putPage(this.queueId, this.lane, page);
        page.onDisk = true;
      } else if (page.onDisk) {
        this.rows.removePage(this.queueId, this.lane, page.number);
        page.onDisk = false;
      }
      if (page.gone) this.rows.loaded.recycle(page);
    }
    this.pages.length = 0;
  }

  /** Forgets pages of a range that are purged: what they hold is not worth writing any more. */
  purge(first: number, end: number): void {
    // Those that are gone have rows to be removed.
    this.pages = this.pages.filter((page) => {
      page.dirty = page.gone || page.number < first || page.number >= end;
      return page.dirty;
    });
  }

  /** Forgets all, as part of deleting the queue; those that are gone leave no row behind. */
  discard(): void {
    for (const page of this.pages) {
      page.dirty = false;
      if (!page.gone) continue;
      if (page.onDisk) this.rows.removePage(this.queueId, this.lane, page.number);
      this.rows.loaded.recycle(page);
    }
    this.pages = [];
  }
}
