// Owns the entries of one queue: where each message lies and whether it is still there, in pages in
// memory and rows in the store. Never knows which of them are ready: lane.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import { assert } from '../../../util/assert.ts';
import { AwayPage, type ReadyEntries } from './pages/away-page.ts';
import { DirtyPages } from './pages/dirty-pages.ts';
import { LanePages, type PositionVisitor } from './pages/lane-pages.ts';
import {
  ENTRY_EXPIRES,
  ENTRY_SETTLED,
  ENTRY_STORED,
  fillUp,
  isSettled,
  PAGE_ENTRIES,
  Page,
  type PageHome,
} from './pages/page.ts';
import type { QueueRows } from './queue-rows.ts';
import { PageSweep, type Sweep } from './sweeps.ts';

/** Where an entry was found: the answer of `take`. */
export interface TakenEntry {
  seq: number;
  position: number;
  bodyBytes: number;
  redelivered: boolean;
}

/** Told when pages have something to put into the next batch. */
export interface EntriesOwner extends ReadyEntries {
  entriesDirty(): void;
  /** Pages are left behind by a purge, to be let go of little by little. */
  leftBehind(sweep: Sweep): void;
  /**
   * A page is damaged, and set aside with the messages in it. Those of them that were ready are not there any more; those that
   * are out still end, one by one. So many seqs behind the tail were passed over, which the page keeps to itself.
   */
  pageLost(number: number, page: AwayPage, skipped: number): void;
}

/** Finds one entry after another, as recovery reads them, and the key of its group. */
export type EntryVisitor = (seq: number, bodyBytes: number, groupKey: number) => void;

const ALL_READY: ReadyEntries = { purges: 0, isReady: () => true };

/** The entries of one lane of a queue, by seq. */
export class QueueEntries implements PageHome {
  /** The seq that the next entry will get. */
  tail = 0;
  /** Body bytes of all entries that `remove` took out. */
  removedBytes = 0;
  /** Entries there that belong on disk. An act that takes out whole pages, or reads them back, sets it right. */
  storedCount = 0;
  /** Entries there that have a time to live of their own. */
  expiring = 0;
  /** Entries that recovery found, and whose messages the log lacks. */
  lost: number[] = [];
  private readonly queueId: number;
  private readonly lane: number;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly owner: EntriesOwner;
  private readonly pages: LanePages;
  private tailPage: Page | null = null;
  private recentPage: Page | null = null;
  private readonly dirtyPages: DirtyPages;

  constructor(
    queueId: number,
    lane: number,
    log: MessageLog,
    rows: QueueRows,
    owner: EntriesOwner,
  ) {
    this.queueId = queueId;
    this.lane = lane;
    this.log = log;
    this.rows = rows;
    this.owner = owner;
    this.pages = new LanePages(queueId, lane, rows, this);
    this.dirtyPages = new DirtyPages(queueId, lane, rows);
  }

  /** Adds an entry at the tail; `state` is made of ENTRY_STORED and ENTRY_EXPIRES. */
  push(position: number, bodyBytes: number, state: number): void {
    let page = this.tailPage;
    if (page === null || page.count === PAGE_ENTRIES) page = this.tailOpened();
    const slot = page.count;
    page.positions[slot] = position;
    page.bodyBytes[slot] = bodyBytes;
    page.states[slot] = state;
    page.count = slot + 1;
    this.tail += 1;
    if (state === 0) return;
    if ((state & ENTRY_EXPIRES) !== 0) this.expiring += 1;
    if ((state & ENTRY_STORED) === 0) return;
    page.storedLive += 1;
    this.storedCount += 1;
    if (!page.dirty) this.dirtyPage(page);
  }

  /** Takes an entry that is there out for good, or one of a lost page; returns whether it belonged on disk. */
  remove(seq: number): boolean {
    const page = this.pageOf(seq);
    const slot = slotIn(page, seq);
    const state = page.states[slot] as number;
    if ((state & ENTRY_SETTLED) !== 0) {
      assert(this.pages.isLost(page.number), 'a message is settled once');
      return false;
    }
    page.states[slot] = state | ENTRY_SETTLED;
    page.settled += 1;
    const segment = this.log.segmentOf(page.positions[slot] as number);
    const bodyBytes = page.bodyBytes[slot] as number;
    this.removedBytes += bodyBytes;
    this.log.unref(segment, bodyBytes);
    if ((state & ENTRY_EXPIRES) !== 0) this.expiring -= 1;
    const stored = (state & ENTRY_STORED) !== 0;
    if (stored) {
      this.storedCount -= 1;
      page.storedLive -= 1;
      if (!page.dirty) this.dirtyPage(page);
    }
    if (page.settled === PAGE_ENTRIES) this.dropPage(page);
    return stored;
  }

  /** Fills in where an entry that is there lies and how large it is. */
  read(seq: number, taken: TakenEntry): void {
    const page = this.pageOf(seq);
    const slot = slotIn(page, seq);
    taken.position = page.positions[slot] as number;
    taken.bodyBytes = page.bodyBytes[slot] as number;
  }

  /** The log position of an entry that is there. */
  positionOf(seq: number): number {
    const page = this.pageOf(seq);
    return page.positions[slotIn(page, seq)] as number;
  }

  /** The body size of an entry that is there. */
  bodyBytesOf(seq: number): number {
    const page = this.pageOf(seq);
    return page.bodyBytes[slotIn(page, seq)] as number;
  }

  /** Whether an entry that is there belongs on disk. */
  isStored(seq: number): boolean {
    const page = this.pageOf(seq);
    return ((page.states[slotIn(page, seq)] as number) & ENTRY_STORED) !== 0;
  }

  /** Whether an entry that is there has a time to live of its own. */
  expires(seq: number): boolean {
    const page = this.pageOf(seq);
    return ((page.states[slotIn(page, seq)] as number) & ENTRY_EXPIRES) !== 0;
  }

  /** Whether an entry is there. Not `exact`: it may say so of any that the store alone has. */
  has(seq: number, exact: boolean): boolean {
    if (seq >= this.tail) return false;
    const number = pageNumber(seq);
    if (!exact && this.pages.at(number) instanceof AwayPage) return true;
    const page = this.pages.loaded(number);
    return page !== null && !isSettled(page, slotIn(page, seq));
  }

  /** How often an entry that is there came back to its queue, as far as that was counted. */
  returnsOf(seq: number): number {
    const page = this.pageOf(seq);
    return page.returns?.get(slotIn(page, seq)) ?? 0;
  }

  /** Counts that an entry came back to its queue; returns how often it has by now. */
  countReturn(seq: number): number {
    const page = this.pageOf(seq);
    const slot = slotIn(page, seq);
    page.returns ??= new Map();
    const count = (page.returns.get(slot) ?? 0) + 1;
    page.returns.set(slot, count);
    if (((page.states[slot] as number) & ENTRY_STORED) !== 0 && !page.dirty) this.dirtyPage(page);
    return count;
  }

  /** Notes of an entry that is there how often it came back, and when its time to live began (0: as it arrived). */
  note(seq: number, returns: number, startMs: number): void {
    const page = this.pageOf(seq);
    const slot = slotIn(page, seq);
    page.returns ??= new Map();
    if (returns > 0) page.returns.set(slot, returns);
    page.starts ??= new Map();
    if (startMs > 0) page.starts.set(slot, startMs);
    if (((page.states[slot] as number) & ENTRY_STORED) !== 0 && !page.dirty) this.dirtyPage(page);
  }

  /** When the time to live of an entry that is there began, ms; 0: as it arrived. */
  startOf(seq: number): number {
    const page = this.pageOf(seq);
    return page.starts?.get(slotIn(page, seq)) ?? 0;
  }

  /** The first entry at or after `seq` that is there; the tail when there is none. */
  firstFrom(seq: number): number {
    // Nearly always the next one is there, in the page looked at last.
    const recent = this.recentPage;
    if (recent !== null) {
      const slot = slotIn(recent, seq);
      if (slot >= 0 && slot < recent.count && !isSettled(recent, slot)) return seq;
    }
    let at = Math.max(seq, this.pages.first * PAGE_ENTRIES);
    while (at < this.tail) {
      const number = pageNumber(at);
      const page = this.pages.loaded(number);
      if (page !== null) {
        this.recentPage = page;
        let slot = slotIn(page, at);
        while (slot < page.count && isSettled(page, slot)) slot += 1;
        if (slot < page.count) return number * PAGE_ENTRIES + slot;
      }
      at = (number + 1) * PAGE_ENTRIES;
    }
    return this.tail;
  }

  /**
   * Takes out the pages that lie wholly within a range of seqs: their entries will not be asked for
   * again. The store learns of it with the batch being gathered.
   */
  purgePages(from: number, to: number): void {
    const first = Math.ceil(from / PAGE_ENTRIES);
    const end = Math.floor(to / PAGE_ENTRIES);
    if (first >= end) return;
    this.dirtyPages.purge(first, end);
    this.leaveBehind(first, end);
  }

  /** Lets go of every entry, as part of deleting the queue. */
  discard(): void {
    this.dirtyPages.discard();
    this.leaveBehind(0, this.pages.end);
  }

  private leaveBehind(from: number, to: number): void {
    const { queueId, lane, log, rows } = this;
    const { first, places } = this.pages.takeRange(from, to);
    if (places.length === 0) return;
    let stored = false;
    for (const page of places) {
      if (page === undefined) continue;
      if (page instanceof AwayPage || page.onDisk) stored = true;
      if (page instanceof Page) rows.loaded.leave(page);
      if (page === this.tailPage) this.tailPage = null;
      if (page === this.recentPage) this.recentPage = null;
    }
    const range = { queueId, lane, from: first, to: first + places.length };
    this.owner.leftBehind(new PageSweep(range, stored, places, log, rows, this));
  }

  /** Puts the pages that changed into the current batch. */
  seal(batch: number): void {
    this.dirtyPages.seal(batch);
  }

  /**
   * Lets a page leave memory if the store has all of it. A page that was used since the last
   * such request stays: the code that uses a page looks it up anew.
   */
  release(page: Page, durableBatch: number): boolean {
    if (page === this.recentPage) {
      this.recentPage = null;
      return false;
    }
    if (page === this.tailPage) {
      this.tailPage = null;
      return false;
    }
    // Reads see durable batches only.
    if (page.dirty || page.batch > durableBatch) return false;
    const live = page.count - page.settled;
    if (live > page.storedLive) return false;
    if (live === 0) this.pages.drop(page.number);
    else this.pages.set(page.number, new AwayPage(page, this.owner));
    return true;
  }

  /** See LanePages.visit. */
  visitPage(number: number, visit: PositionVisitor): number {
    return this.pages.visit(number, visit);
  }

  /**
   * Reads the pages of the queue from the store and counts their references to the log. The pages
   * stay in the store until they are needed. New entries will lie at `tailMin` or above.
   */
  recover(tailMin: number, visit: EntryVisitor): void {
    this.rows.forEachPage(this.queueId, this.lane, (page) => {
      for (let slot = 0; slot < page.count; slot++) {
        if (isSettled(page, slot)) continue;
        const [position, bodyBytes] = [
          page.positions[slot] as number,
          page.bodyBytes[slot] as number,
        ];
        if (!this.log.recoverRef(position, bodyBytes)) {
          this.log.recoverHeld(position, bodyBytes);
          this.lost.push(page.number * PAGE_ENTRIES + slot);
        }
        if (((page.states[slot] as number) & ENTRY_EXPIRES) !== 0) this.expiring += 1;
        const groupKey = page.groups === null ? 0 : (page.groups[slot] as number);
        visit(page.number * PAGE_ENTRIES + slot, bodyBytes, groupKey);
      }
      // Until all is read back, every message is ready.
      this.pages.add(page.number, new AwayPage(page, ALL_READY));
      this.tail = page.number * PAGE_ENTRIES + page.count;
    });
    // Pages of a purge that is not swept yet keep their numbers to themselves.
    const purged = this.rows.purgedEnd(this.queueId, this.lane) * PAGE_ENTRIES;
    this.tail = Math.max(this.tail, tailMin, purged);
  }

  /** The page that an entry that is there lies in; not to be kept. */
  pageOf(seq: number): Page {
    const recent = this.recentPage;
    if (recent !== null) {
      const slot = slotIn(recent, seq);
      if (slot >= 0 && slot < PAGE_ENTRIES) return recent;
    }
    const number = pageNumber(seq);
    const page = this.pages.loaded(number);
    if (page === null) return this.pages.standIn(number);
    this.recentPage = page;
    return page;
  }

  /** Goes on without a page whose row is damaged. The log keeps what its messages refer to until the next start. */
  lose(number: number, page: AwayPage): void {
    this.removedBytes += page.bodyBytes;
    this.storedCount -= page.purges === this.owner.purges ? page.live : page.live - page.ready;
    this.expiring -= page.expiring;
    const end = (number + 1) * PAGE_ENTRIES;
    const skipped = this.tail > number * PAGE_ENTRIES && this.tail < end ? end - this.tail : 0;
    this.tail += skipped;
    this.owner.pageLost(number, page, skipped);
  }

  /** Reads the page in that the next entry goes to: the tail is right then, even if that was damaged. */
  openTail(): void {
    this.tailPage ??= this.tailOpened();
  }

  private tailOpened(): Page {
    let page = this.pages.loaded(pageNumber(this.tail));
    if (page === null) {
      const number = pageNumber(this.tail);
      page = this.rows.loaded.take(number, this);
      fillUp(page, this.tail - number * PAGE_ENTRIES);
      this.pages.add(number, page);
    }
    this.tailPage = page;
    return page;
  }

  private dropPage(page: Page): void {
    this.pages.drop(page.number);
    this.rows.loaded.leave(page);
    if (this.tailPage === page) this.tailPage = null;
    if (this.recentPage === page) this.recentPage = null;
    if (page.dirty) page.gone = true;
    else this.rows.loaded.recycle(page);
  }

  private dirtyPage(page: Page): void {
    this.dirtyPages.add(page);
    this.owner.entriesDirty();
  }
}

/** The page of a seq: without a division, which costs more than all the rest of a look-up. */
function pageNumber(seq: number): number {
  return Math.floor(seq * (1 / PAGE_ENTRIES));
}

/** The slot of a seq in its page: `seq % PAGE_ENTRIES` would be a call into C for large seqs. */
function slotIn(page: Page, seq: number): number {
  return seq - page.number * PAGE_ENTRIES;
}
