// Owns the entries of one stream: where each message lies, in pages in memory and rows in the store, and what is durable of
// them. Never knows consumers, and never decides what goes: retention.ts does.

import type { MessageLog } from '../../../../message/log/log.ts';
import { CorruptRecordError } from '../../../../store/errors.ts';
import { DirtyPages } from '../../messages/pages/dirty-pages.ts';
import type { PositionVisitor } from '../../messages/pages/lane-pages.ts';
import { ENTRY_STORED, isSettled, PAGE_ENTRIES, Page } from '../../messages/pages/page.ts';
import { LANE_PAGES, type QueueRows } from '../../messages/queue-rows.ts';
import { columnOf } from '../filter/columns.ts';
import { SPAN_ENTRIES, SPAN_PAGES, type Span, visitShares } from './span.ts';
import { Spans } from './spans.ts';
import { LANE, StreamPages } from './stream-pages.ts';
import type { StreamRows } from './stream-rows.ts';

/** Where a look at pages that are not in memory reads one. */
const looked = new Page(0);

/**
 * The entries of a stream, by offset:
 *
 *   offset  0 ........ first ........................ durableTail ........ tail
 *           gone       kept, may be read              not durable yet      (next to come)
 *
 *   pages   256 entries each; those that are durable may leave memory
 *   spans   256 pages each; one row for each that is full says what a start needs to know of it
 */
export class StreamEntries {
  /** The first offset that is kept; `tail` where there is none. */
  first = 0;
  /** The offset that the next message gets. */
  tail = 0;
  /** All below is durable. */
  durableTail = 0;
  /** Body bytes of what is kept. */
  bodyBytes = 0;
  /** When the last message came, by the broker's time, ms; 0: none has. */
  lastMs = 0;
  private readonly id: number;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly pages: StreamPages;
  private readonly dirtyPages: DirtyPages;
  /** When the first entry of the page came that the next one goes to. */
  private tailFirstMs = 0;
  private readonly spans: Spans;
  private readonly streamRows: StreamRows;
  /** What the tail was as batches under way were sealed. */
  private readonly sealed: { readonly batch: number; readonly tail: number }[] = [];

  constructor(id: number, log: MessageLog, rows: QueueRows, streamRows: StreamRows) {
    this.id = id;
    this.log = log;
    this.rows = rows;
    this.spans = new Spans(id, streamRows);
    this.streamRows = streamRows;
    this.pages = new StreamPages(id, rows, (page) => this.spans.verify(page, log));
    this.dirtyPages = new DirtyPages(id, LANE, rows);
  }

  /** How many messages are kept. */
  get count(): number {
    return this.tail - this.first;
  }

  /** Adds a message that came at `nowMs`; `fingerprint` is that of its filter value, 0: it has none. */
  push(position: number, bodyBytes: number, nowMs: number, fingerprint: number): void {
    let page = this.pages.tail;
    if (nowMs > this.lastMs) this.lastMs = nowMs;
    if (page === null || page.count === PAGE_ENTRIES) page = this.tailOpened();
    const slot = page.count;
    page.positions[slot] = position;
    page.bodyBytes[slot] = bodyBytes;
    page.states[slot] = ENTRY_STORED;
    if (fingerprint !== 0) filtersOf(page)[slot] = fingerprint;
    page.count = slot + 1;
    page.storedLive += 1;
    this.tail += 1;
    this.bodyBytes += bodyBytes;
    if (!page.dirty) this.dirtyPages.add(page);
    if (slot === PAGE_ENTRIES - 1) this.pageFull(page);
  }

  private tailOpened(): Page {
    const { pages } = this;
    let number = pageNumber(this.tail);
    let page: Page | null = null;
    // It has entries already, unless all that came before is gone.
    if (this.tail > number * PAGE_ENTRIES && this.first < this.tail) {
      page = pages.at(number);
      // Where it is damaged its row stays as it is, and the next one begins.
      if (page === null) this.tail = ++number * PAGE_ENTRIES;
    }
    if (page === null) {
      page = pages.make(number, this.tail - number * PAGE_ENTRIES);
      this.tailFirstMs = this.lastMs;
    }
    pages.tail = page;
    return page;
  }

  private pageFull(page: Page): void {
    this.stamp(page);
    this.spans.add(page, this.tailFirstMs, this.lastMs);
  }

  /** Notes in the last page when its first and its last entry came. */
  private stamp(page: Page): void {
    page.starts = new Map([
      [page.settled, this.tailFirstMs],
      [page.count - 1, this.lastMs],
    ]);
  }

  // --- reading ---

  /** The page of a number, read from the store if need be; null: it is gone, damaged or not there yet. Not to be kept. */
  page(number: number): Page | null {
    const kept = number * PAGE_ENTRIES < this.tail && (number + 1) * PAGE_ENTRIES > this.first;
    return kept ? this.pages.at(number) : null;
  }

  /** Whether a page is in memory. */
  isInMemory(number: number): boolean {
    return this.pages.inMemory(number) !== undefined;
  }

  /** Whether a page that `page` gave before is still that page. */
  holds(page: Page, number: number): boolean {
    return this.pages.holds(page, number);
  }

  /** The first offset whose message came at `ms` or later, by pages; the tail where none has. */
  pageStartAt(ms: number): number {
    if (this.first === this.tail || this.lastMs < ms) return this.tail;
    let [low, high] = this.spans.pagesAround(ms, pageNumber(this.first), pageNumber(this.tail - 1));
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      let known = middle;
      let lastMs = this.lastMsOf(known);
      while (lastMs < 0 && known + 1 < high) lastMs = this.lastMsOf(++known);
      if (lastMs >= 0 && lastMs < ms) low = known + 1;
      else high = middle;
    }
    return Math.max(this.first, low * PAGE_ENTRIES);
  }

  /** When the last entry of a page came, ms; -1: it cannot be told. */
  private lastMsOf(number: number): number {
    const page = this.page(number);
    if (page === null) return -1;
    if (page === this.pages.tail) return this.lastMs;
    return Math.max(-1, ...(page.starts?.values() ?? []));
  }

  /** When the first entry that is kept came, ms. Infinity: nothing is kept. */
  get headFirstMs(): number {
    if (this.first === this.tail) return Infinity;
    const page = this.page(pageNumber(this.first));
    if (page === null) return this.headLastMs;
    return page === this.pages.tail ? this.tailFirstMs : Math.min(...(page.starts?.values() ?? []));
  }

  /** When the last entry of the first page came, ms; where it is damaged, of one behind it. Infinity: nothing is kept. */
  get headLastMs(): number {
    if (this.first === this.tail) return Infinity;
    const number = pageNumber(this.first);
    const end = Math.min(number + SPAN_PAGES, pageNumber(this.tail - 1) + 1);
    for (let next = number; next < end; next++) {
      const lastMs = this.lastMsOf(next);
      if (lastMs >= 0) return lastMs;
    }
    return this.lastMs;
  }

  /** Messages in the first page, and the bytes of their bodies. */
  get head(): { readonly count: number; readonly bodyBytes: number } {
    const number = pageNumber(this.first);
    const count = Math.min((number + 1) * PAGE_ENTRIES, this.tail) - this.first;
    return { count, bodyBytes: this.bodyBytesOf(number) };
  }

  /** Bytes of the bodies of one page. */
  private bodyBytesOf(number: number): number {
    const page = this.page(number);
    let bytes = 0;
    for (let slot = 0; page !== null && slot < page.count; slot++) {
      if (!isSettled(page, slot)) bytes += page.bodyBytes[slot] as number;
    }
    return bytes;
  }

  /** See RecordHolder: the cursor is the number of a page. Spans that need none of the `wanted` segments are passed over. */
  visitPage(cursor: number, visit: PositionVisitor, wanted: (segment: number) => boolean): number {
    let number = Math.max(cursor, pageNumber(this.first));
    if (this.first === this.tail || number * PAGE_ENTRIES >= this.tail) return -1;
    if (number % SPAN_PAGES === 0 && !this.spans.needs(number / SPAN_PAGES, wanted)) {
      number += SPAN_PAGES;
      return number * PAGE_ENTRIES >= this.tail ? -1 : number;
    }
    const page = this.look(number);
    // What cannot be read is passed over: a walk lets go of nothing that it has not seen.
    if (page === null) return number + 1;
    // The row of a page that is gone may be there still, for a batch.
    for (let slot = Math.max(0, this.first - number * PAGE_ENTRIES); slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      visit(page.positions[slot] as number, page.bodyBytes[slot] as number, slot);
    }
    return number + 1;
  }

  /** The page of a number for one look: one that is away stays away. Null: it is not there, or damaged. */
  private readonly look = (number: number): Page | null => {
    const page = this.pages.inMemory(number);
    if (page !== undefined) return page;
    looked.reset(number);
    return this.rows.readIfSound(this.id, LANE, looked) ? looked : null;
  };

  /** Whether messages of a span have filter values; null: its pages say so. */
  hasFilters(span: number): boolean | null {
    return this.spans.hasFilters(span);
  }

  /** The fingerprints of the filter values of a span that has some; null: its pages have them. */
  column(span: number): Uint16Array | null {
    return columnOf(this.streamRows, this.id, span);
  }

  // --- letting go ---

  /** Lets go of the first page with all that is in it. */
  dropHead(): void {
    const { log, rows } = this;
    const number = pageNumber(this.first);
    const page = this.page(number);
    if (page !== null) {
      for (let slot = 0; slot < page.count; slot++) {
        if (isSettled(page, slot)) continue;
        const bytes = page.bodyBytes[slot] as number;
        log.unref(log.segmentOf(page.positions[slot] as number), bytes);
        this.bodyBytes -= bytes;
      }
    }
    this.pages.drop(number);
    this.first = Math.min((number + 1) * PAGE_ENTRIES, this.tail);
    if (this.first === this.tail) {
      // Without a page nothing else says which offset comes next.
      rows.putMark(this.id, LANE, this.tail);
      this.bodyBytes = 0;
    }
    this.spans.dropBelow(this.first, this.first === this.tail);
    if (page === null) this.bodyBytes = this.countBodyBytes();
  }

  /** Counts anew: the bodies of a page that turned out to be damaged may have been counted, and nothing says how large they were. */
  private countBodyBytes(): number {
    const { spans } = this;
    const first = pageNumber(this.first);
    const end = Math.ceil(this.tail / PAGE_ENTRIES);
    const spanEnd = Math.min(end, (Math.floor(first / SPAN_PAGES) + 1) * SPAN_PAGES);
    const open = Math.max(spanEnd, spans.openPage);
    let bytes = spans.bodyBytesFrom(spanEnd / SPAN_PAGES);
    for (let number = first; number < spanEnd; number++) bytes += this.bodyBytesOf(number);
    for (let number = open; number < end; number++) bytes += this.bodyBytesOf(number);
    return bytes;
  }

  /** All pages that are kept, as a deletion lets go of them: the first, and the one behind the last. */
  get pageRange(): readonly [from: number, to: number] {
    return [pageNumber(this.first), Math.ceil(this.tail / PAGE_ENTRIES)];
  }

  /** Takes the pages out of memory: the stream is deleted. */
  takeLoaded(): ReadonlyMap<number, Page> {
    this.dirtyPages.discard();
    this.first = this.tail;
    this.bodyBytes = 0;
    return this.pages.takeAll();
  }

  // --- batches ---

  /** Puts what changed into the current batch. */
  seal(batch: number): void {
    const { tail } = this.pages;
    if (tail?.dirty === true) this.stamp(tail);
    this.dirtyPages.seal(batch);
    this.spans.seal(this.look);
    const last = this.sealed.at(-1);
    if ((last === undefined ? this.durableTail : last.tail) !== this.tail) {
      this.sealed.push({ batch, tail: this.tail });
    }
  }

  /** Told that all batches up to `batch` are durable; returns whether there is more to read. */
  durableUpTo(batch: number): boolean {
    const before = this.durableTail;
    while (this.sealed.length > 0 && (this.sealed[0] as { batch: number }).batch <= batch) {
      this.durableTail = (this.sealed.shift() as { tail: number }).tail;
    }
    return this.durableTail > before;
  }

  // --- the start ---

  /** Reads back what is kept, and counts what it needs of the log: by spans, and page by page where there is none. */
  recover(): void {
    const firstPage = this.rows.firstPage(this.id, LANE);
    const mark = this.readMark(firstPage !== null);
    this.first = mark;
    this.tail = mark;
    if (firstPage !== null) this.recoverFrom(firstPage, mark);
    this.durableTail = this.tail;
  }

  /** Where there are pages, they say what the mark does: one that is damaged is set aside then. */
  private readMark(hasPages: boolean): number {
    try {
      return this.rows.readMark(this.id, LANE);
    } catch (error) {
      if (!hasPages || !(error instanceof CorruptRecordError)) throw error;
      this.rows.setAside(error);
      return 0;
    }
  }

  private recoverFrom(firstPage: number, mark: number): void {
    this.first = firstPage * PAGE_ENTRIES;
    let at = firstPage;
    for (const { span, row } of this.spans.stored(firstPage)) {
      const from = span.number * SPAN_PAGES;
      this.recoverPages(at, from, true);
      this.spans.finishBelow(span.number);
      // Of one that has lost pages to retention its row says too much.
      if (firstPage > from) this.recoverPages(firstPage, from + SPAN_PAGES, false);
      else this.recoverSpan(span, row);
      this.spans.recovered(span);
      this.lastMs = Math.max(this.lastMs, span.lastMs);
      this.tail = (span.number + 1) * SPAN_ENTRIES;
      at = from + SPAN_PAGES;
    }
    this.recoverPages(at, LANE_PAGES, true);
    this.tail = Math.max(this.tail, mark);
  }

  private recoverSpan(span: Span, row: Buffer): void {
    this.bodyBytes += span.bodyBytes;
    visitShares(row, (segment, weight, bytes) => this.log.recoverShare(segment, weight, bytes));
  }

  /** `rebuild`: no row tells of their span, so one is made of them. */
  private recoverPages(from: number, to: number, rebuild: boolean): void {
    if (from >= to) return;
    const { id, rows } = this;
    const visit = (page: Page): void => this.recoverPage(page, rebuild);
    rows.forEachPageOf(id, LANE, from, to, visit, (number, error) => {
      rows.setAside(error);
      this.pages.lose(number);
      this.tail = Math.max(this.tail, (number + 1) * PAGE_ENTRIES);
      // An operator may take the row away, which is the last one perhaps.
      rows.putMark(id, LANE, this.tail);
    });
  }

  private recoverPage(page: Page, rebuild: boolean): void {
    const start = page.number * PAGE_ENTRIES;
    // Those that a repair took out are not at its beginning alone.
    let before = page.count;
    for (let slot = page.count - 1; slot >= 0; slot--) {
      if (isSettled(page, slot)) continue;
      const bytes = page.bodyBytes[slot] as number;
      this.log.recoverHeld(page.positions[slot] as number, bytes);
      this.bodyBytes += bytes;
      before = slot;
    }
    if (start <= this.first) this.first = Math.max(this.first, start + before);
    const times = [...(page.starts?.values() ?? [])];
    const firstMs = times.length === 0 ? this.lastMs : Math.min(...times);
    this.lastMs = Math.max(this.lastMs, ...times);
    this.tailFirstMs = firstMs;
    this.tail = Math.max(this.tail, start + page.count);
    if (rebuild && page.count === PAGE_ENTRIES) this.spans.add(page, firstMs, this.lastMs);
  }
}

/** The fingerprints of a page, which has one for each entry from now on. */
function filtersOf(page: Page): Uint16Array {
  page.filters ??= new Uint16Array(PAGE_ENTRIES);
  return page.filters;
}

/** The page of an offset. */
function pageNumber(offset: number): number {
  return Math.floor(offset / PAGE_ENTRIES);
}
