// Owns the spans of one stream: those that are full, and the one that fills up. Never reads a page.

import type { MessageLog } from '../../../../message/log/log.ts';
import { SEGMENT_SPAN } from '../../../../message/log/segment.ts';
import { isSettled, type Page } from '../../messages/pages/page.ts';
import { putColumn, removeColumn } from '../filter/columns.ts';
import { decodeSpan, OpenSpan, SPAN_PAGES, type Span, spanOf, visitShares } from './span.ts';
import { KIND_SPAN, numberName, type StreamRows } from './stream-rows.ts';

/** A span with its row. */
interface SpanRow {
  readonly span: Span;
  readonly row: Buffer;
}

/** The spans of a stream. */
export class Spans {
  private readonly id: number;
  private readonly rows: StreamRows;
  /** Full ones that are kept, wholly or in part, in order. */
  private full: Span[] = [];
  private open = new OpenSpan(0);
  /** Those that became full since the last batch. */
  private filled: OpenSpan[] = [];

  constructor(id: number, rows: StreamRows) {
    this.id = id;
    this.rows = rows;
  }

  /** Adds a page that is full, and behind all others. */
  add(page: Page, firstMs: number, lastMs: number): void {
    const number = Math.floor(page.number / SPAN_PAGES);
    this.finishBelow(number);
    this.open.add(page, firstMs, lastMs, SEGMENT_SPAN);
    if ((page.number + 1) % SPAN_PAGES === 0) this.finishBelow(number + 1);
  }

  /** No page of spans before this one is to come. */
  finishBelow(number: number): void {
    if (this.open.number === number) return;
    if (!this.open.isEmpty) {
      this.filled.push(this.open);
      this.full.push(this.open.summary);
    }
    this.open = new OpenSpan(number);
  }

  /** The first page that is in no full span. */
  get openPage(): number {
    const last = this.full.at(-1);
    return last === undefined ? 0 : (last.number + 1) * SPAN_PAGES;
  }

  /** Bytes of all bodies in full spans from this one on. */
  bodyBytesFrom(number: number): number {
    let bytes = 0;
    for (const span of this.full) if (span.number >= number) bytes += span.bodyBytes;
    return bytes;
  }

  /** Adds one that a row tells of. */
  recovered(span: Span): void {
    this.full.push(span);
  }

  /** The pages between which that is, of those from `first` to `last`, that first has something of `ms` or later. */
  pagesAround(ms: number, first: number, last: number): readonly [low: number, high: number] {
    const { full } = this;
    let [low, high] = [0, full.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((full[middle] as Span).lastMs < ms) low = middle + 1;
      else high = middle;
    }
    const span = full[low];
    const before = full[low - 1];
    const from = before === undefined ? first : Math.max(first, (before.number + 1) * SPAN_PAGES);
    return [from, span === undefined ? last : (span.number + 1) * SPAN_PAGES - 1];
  }

  /** Whether some message of a span has a filter value; null: it is not full, or no row tells of it. */
  hasFilters(number: number): boolean | null {
    const { full } = this;
    const first = full[0]?.number ?? 0;
    const guess = full[number - first];
    const span = guess?.number === number ? guess : full.find((each) => each.number === number);
    return span?.filtered ?? null;
  }

  /** Whether the messages of a span may lie in a segment that is `wanted`. */
  needs(number: number, wanted: (segment: number) => boolean): boolean {
    const row = this.rows.get(this.id, KIND_SPAN, numberName(number));
    // It may not be full, or not durable, or damaged.
    if (row === null || decodeSpan(number, row) === null) return true;
    let found = false;
    visitShares(row, (segment) => {
      if (!found && wanted(segment)) found = true;
    });
    return found;
  }

  /** Looks at a page that was read: the row of its span has told the log of all that it needs. If not, the row is set aside. */
  verify(page: Page, log: MessageLog): void {
    let known = -1;
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const position = page.positions[slot] as number;
      const segment = Math.floor(position / SEGMENT_SPAN);
      if (segment === known) continue;
      known = segment;
      if (log.segmentOf(position).placedWeight > 0) continue;
      const number = Math.floor(page.number / SPAN_PAGES);
      const text = `it says nothing of segment ${segment}, which page ${page.number} needs`;
      return this.rows.setAside(this.id, KIND_SPAN, numberName(number), text);
    }
  }

  /** Lets go of those of which nothing is kept from this offset on. `all`: nothing is kept at all. */
  dropBelow(offset: number, all: boolean): void {
    const kept = spanOf(offset);
    if (all) this.open = new OpenSpan(kept);
    while (this.full.length > 0 && (this.full[0] as Span).number < kept) {
      const { number, filtered } = this.full.shift() as Span;
      this.filled = this.filled.filter((span) => span.number !== number);
      this.rows.remove(this.id, KIND_SPAN, numberName(number));
      if (filtered) removeColumn(this.rows, this.id, number);
    }
  }

  /** Puts what changed into the current batch; `look` reads a page, null: it cannot be read. */
  seal(look: (number: number) => Page | null): void {
    for (const span of this.filled) {
      this.rows.put(this.id, KIND_SPAN, numberName(span.number), span.encode());
      if (span.filtered) putColumn(this.rows, this.id, span.number, look);
    }
    this.filled = [];
  }

  /** The rows that say something of pages from this one on. */
  stored(firstPage: number): SpanRow[] {
    const found: SpanRow[] = [];
    for (const { name, value } of this.rows.all(this.id, KIND_SPAN)) {
      if (name.length !== 4) continue;
      const number = name.readUInt32BE(0);
      if ((number + 1) * SPAN_PAGES <= firstPage) continue;
      const span = decodeSpan(number, value);
      if (span !== null) found.push({ span, row: value });
    }
    return found;
  }
}
