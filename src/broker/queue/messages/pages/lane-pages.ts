// Owns the pages of one lane, as they are read back from the store: what is damaged there is lost, and the others go on. Never
// knows what their entries mean.

import type { CorruptRecordError } from '../../../../store/errors.ts';
import { assert } from '../../../../util/assert.ts';
import type { QueueRows } from '../queue-rows.ts';
import type { AwayPage } from './away-page.ts';
import { LostPages } from './lost-pages.ts';
import { fillUp, isSettled, PAGE_ENTRIES, Page, type PageHome } from './page.ts';
import { PageList } from './page-list.ts';

/** Told of one entry after another where it lies in the log, how large its body is, and its slot. */
export type PositionVisitor = (position: number, bodyBytes: number, slot: number) => void;

/** What the pages belong to. */
interface PagesOwner extends PageHome {
  /** The seq that the next entry will get. */
  readonly tail: number;
  /** A page is damaged and set aside, with the messages in it. */
  lose(number: number, page: AwayPage): void;
}

/** Where `visit` reads a page that the store alone has. */
const visited = new Page(0);

/** The pages of one lane of a queue, by number. */
export class LanePages extends PageList {
  private readonly queueId: number;
  private readonly lane: number;
  private readonly rows: QueueRows;
  private readonly owner: PagesOwner;
  private readonly lost = new LostPages();

  constructor(queueId: number, lane: number, rows: QueueRows, owner: PagesOwner) {
    super();
    this.queueId = queueId;
    this.lane = lane;
    this.rows = rows;
    this.owner = owner;
  }

  /** The page of that number, read from the store if need be; null when it is gone, or lost. */
  loaded(number: number): Page | null {
    const page = this.at(number);
    if (page === undefined) return null;
    if (page instanceof Page) return page;
    const { rows, owner } = this;
    const read = rows.loaded.take(number, owner);
    const failed = (error: CorruptRecordError): void => rows.setAside(error);
    if (!rows.readIfSound(this.queueId, this.lane, read, failed)) {
      rows.loaded.leave(read);
      rows.loaded.recycle(read);
      this.drop(number);
      this.lost.add(number, page);
      owner.lose(number, page);
      return null;
    }
    // Nothing is known of the places that had transient messages, or that a crash made the tail pass over.
    fillUp(read, Math.min(PAGE_ENTRIES, owner.tail - number * PAGE_ENTRIES));
    this.set(number, read);
    return read;
  }

  isLost(number: number): boolean {
    return this.lost.at(number) !== null;
  }

  /** What stands for a page that is lost, for one look: no message is in it. */
  standIn(number: number): Page {
    const page = this.lost.at(number);
    assert(page !== null, 'a message that is there lies in a page');
    return page;
  }

  /**
   * Visits the entries that are there in the first page from `number` on that is not gone; returns
   * the number of the page to go on with, or -1 when there is none. What is purged is not visited.
   */
  visit(number: number, visit: PositionVisitor): number {
    let at = Math.max(number, this.first);
    while (at < this.end && this.at(at) === undefined) at += 1;
    if (at >= this.end) return -1;
    const place = this.at(at);
    const page = place instanceof Page ? place : visited;
    if (page === visited) {
      page.reset(at);
      // What cannot be read is passed over: a walk lets go of nothing that it has not seen.
      if (!this.rows.readIfSound(this.queueId, this.lane, page)) return at + 1;
    }
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      visit(page.positions[slot] as number, page.bodyBytes[slot] as number, slot);
    }
    return at + 1;
  }
}
