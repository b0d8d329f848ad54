// Owns the entries of one queue: where each message lies and whether it is still there, in pages in
// memory and rows in the store. Never knows which of them are ready: queue.ts does.

import type { MessageLog } from '../../message/log.ts';
import { assert } from '../../util/assert.ts';
import { ENTRY_EXPIRES, ENTRY_SETTLED, ENTRY_STORED, PAGE_ENTRIES, Page } from './page.ts';
import { PageList } from './page-list.ts';
import type { QueueRows } from './queue-rows.ts';

/** Pages kept for reuse, for all queues together. */
const PAGE_POOL_MAX = 256;

const pagePool: Page[] = [];

/** Where an entry was found: the answer of `take`. */
export interface TakenEntry {
  seq: number;
  position: number;
  bodyBytes: number;
  redelivered: boolean;
}

/** Told when pages have something to put into the next batch. */
export interface EntriesOwner {
  entriesDirty(): void;
}

/** Finds one entry after another, as recovery reads them. */
export type EntryVisitor = (seq: number, bodyBytes: number) => void;

/** The entries of one lane of a queue, by seq. */
export class QueueEntries {
  /** The seq that the next entry will get. */
  tail = 0;
  /** Entries there that have a time to live of their own. */
  expiring = 0;
  private readonly queueId: number;
  private readonly lane: number;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly owner: EntriesOwner;
  private readonly pages = new PageList();
  private tailPage: Page | null = null;
  private recentPage: Page | null = null;
  private dirtyPages: Page[] = [];

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
  }

  /** Adds an entry at the tail; `state` is made of ENTRY_STORED and ENTRY_EXPIRES. */
  push(position: number, bodyBytes: number, state: number): void {
    let page = this.tailPage;
    if (page === null || page.count === PAGE_ENTRIES) page = this.addPage();
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
    if (!page.dirty) this.dirtyPage(page);
  }

  /** Takes an entry that is there out for good; returns whether it belonged on disk. */
  remove(seq: number): boolean {
    const page = this.pageOf(seq);
    const slot = slotIn(page, seq);
    const state = page.states[slot] as number;
    assert((state & ENTRY_SETTLED) === 0, 'a message is settled once');
    page.states[slot] = state | ENTRY_SETTLED;
    page.settled += 1;
    this.log.unref(this.log.segmentOf(page.positions[slot] as number));
    if ((state & ENTRY_EXPIRES) !== 0) this.expiring -= 1;
    const stored = (state & ENTRY_STORED) !== 0;
    if (stored) {
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

  /** The first entry at or after `seq` that is there; the tail when there is none. */
  firstFrom(seq: number): number {
    // Nearly always the next one is there, in the page looked at last.
    const recent = this.recentPage;
    if (recent !== null) {
      const slot = slotIn(recent, seq);
      if (slot >= 0 && slot < recent.count && !isSettled(recent, slot)) return seq;
    }
    let at = seq;
    while (at < this.tail) {
      const number = pageNumber(at);
      const page = this.loadedPage(number);
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

  /** Lets go of every entry and row, as part of deleting the queue. */
  discard(): void {
    for (let number = this.pages.first; number < this.pages.end; number++) {
      const page = this.loadedPage(number);
      if (page === null) continue;
      for (let slot = 0; slot < page.count; slot++) {
        if (isSettled(page, slot)) continue;
        this.log.unref(this.log.segmentOf(page.positions[slot] as number));
      }
    }
    this.pages.clear();
    this.tailPage = null;
    this.recentPage = null;
    this.dirtyPages = [];
    this.expiring = 0;
  }

  /** Puts the pages that changed into the current batch. */
  seal(): void {
    for (const page of this.dirtyPages) {
      page.dirty = false;
      if (page.storedLive > 0) {
        this.rows.putPage(this.queueId, this.lane, page);
        page.onDisk = true;
      } else if (page.onDisk) {
        this.rows.removePage(this.queueId, this.lane, page.number);
        page.onDisk = false;
      }
      if (page.gone) recycle(page);
    }
    this.dirtyPages.length = 0;
  }

  /**
   * Reads the pages of the queue from the store and counts their references to the log. The pages
   * stay in the store until they are needed. New entries will lie at `tailMin` or above.
   */
  recover(tailMin: number, visit: EntryVisitor): void {
    this.rows.forEachPage(this.queueId, this.lane, (page) => {
      for (let slot = 0; slot < page.count; slot++) {
        if (isSettled(page, slot)) continue;
        if (!this.log.recoverRef(page.positions[slot] as number)) {
          this.rows.damagedPage(
            this.queueId,
            this.lane,
            page.number,
            'it names a message that is not there',
          );
        }
        if (((page.states[slot] as number) & ENTRY_EXPIRES) !== 0) this.expiring += 1;
        visit(page.number * PAGE_ENTRIES + slot, page.bodyBytes[slot] as number);
      }
      this.pages.add(page.number, null);
      this.tail = page.number * PAGE_ENTRIES + page.count;
    });
    this.tail = Math.max(this.tail, tailMin);
    const last = this.pages.end - 1;
    if (this.tail % PAGE_ENTRIES === 0 || last !== Math.floor(this.tail / PAGE_ENTRIES)) return;
    this.tailPage = this.loadedPage(last);
    if (this.tailPage !== null) fillUp(this.tailPage, this.tail % PAGE_ENTRIES);
  }

  private pageOf(seq: number): Page {
    const recent = this.recentPage;
    if (recent !== null) {
      const slot = slotIn(recent, seq);
      if (slot >= 0 && slot < PAGE_ENTRIES) return recent;
    }
    const page = this.loadedPage(pageNumber(seq));
    assert(page !== null, 'a message that is there lies in a page');
    this.recentPage = page;
    return page;
  }

  /** The page of that number, read from the store if need be; null when it is gone. */
  private loadedPage(number: number): Page | null {
    const page = this.pages.at(number);
    if (page === undefined) return null;
    if (page !== null) return page;
    const read = newPage(number);
    this.rows.readPage(this.queueId, this.lane, read);
    // After a crash the tail may lie pages further on: the rest of this one is never used.
    if (number < Math.floor(this.tail / PAGE_ENTRIES)) fillUp(read, PAGE_ENTRIES);
    this.pages.set(number, read);
    return read;
  }

  private addPage(): Page {
    const number = Math.floor(this.tail / PAGE_ENTRIES);
    const page = newPage(number);
    fillUp(page, this.tail % PAGE_ENTRIES);
    this.pages.add(number, page);
    this.tailPage = page;
    return page;
  }

  private dropPage(page: Page): void {
    this.pages.drop(page.number);
    if (this.tailPage === page) this.tailPage = null;
    if (this.recentPage === page) this.recentPage = null;
    if (page.dirty) page.gone = true;
    else recycle(page);
  }

  private dirtyPage(page: Page): void {
    page.dirty = true;
    this.dirtyPages.push(page);
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

function isSettled(page: Page, slot: number): boolean {
  return ((page.states[slot] as number) & ENTRY_SETTLED) !== 0;
}

/** Marks the slots below `count` that no message ever had as settled. */
function fillUp(page: Page, count: number): void {
  for (let slot = page.count; slot < count; slot++) {
    page.states[slot] = ENTRY_SETTLED;
    page.settled += 1;
  }
  page.count = Math.max(page.count, count);
}

function newPage(number: number): Page {
  const page = pagePool.pop();
  if (page === undefined) return new Page(number);
  page.reset(number);
  return page;
}

function recycle(page: Page): void {
  if (pagePool.length < PAGE_POOL_MAX) pagePool.push(page);
}
