// Owns finding the next message that a filter lets through: by whole spans, then by pages, then by values. Never delivers, and
// never goes on for longer than a turn may take.

import type { MessageLog } from '../../../../message/log/log.ts';
import { PAGE_ENTRIES, type Page } from '../../messages/pages/page.ts';
import { SPAN_ENTRIES, spanOf } from '../entries/span.ts';
import { NO_VALUE } from './fingerprint.ts';
import type { ValueFilter } from './value-filter.ts';

/** One turn looks at so many fingerprints at most. */
export const FINGERPRINTS_PER_TURN = 2 ** 20;
/** Reading a column, a page or a message counts as so many of them. */
const READ_COST = 2 ** 10;
/** And it takes no longer than that, ms. */
const TURN_MS = 5;

/** How much more the walks of one reading may look at in this turn. */
export class WalkBudget {
  /** Whether a walk has stopped for it, or has to stop at once. */
  spent = false;
  private left = FINGERPRINTS_PER_TURN;
  private endMs: number;
  private readonly nowMs: () => number;

  /** `nowMs` is any time that goes on while a turn lasts. */
  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
    this.endMs = nowMs() + TURN_MS;
  }

  /** Begins a turn. */
  renew(): void {
    this.spent = false;
    this.left = FINGERPRINTS_PER_TURN;
    this.endMs = this.nowMs() + TURN_MS;
  }

  /** Takes note of so many fingerprints that were looked at. */
  use(fingerprints: number): void {
    this.left -= fingerprints;
    if (this.left <= 0) this.spent = true;
  }

  /** Takes note of something that had to be read. */
  read(): void {
    this.use(READ_COST);
    if (this.nowMs() >= this.endMs) this.spent = true;
  }
}

/** What a walk needs of the entries of a stream. */
export interface FilteredEntries {
  /** The page of a number; null: it is gone, or damaged. */
  page(number: number): Page | null;
  /** Whether messages of a span have filter values; null: its pages say so. */
  hasFilters(span: number): boolean | null;
  /** The fingerprints of a span that has some; null: its pages have them. */
  column(span: number): Uint16Array | null;
}

/** A walk through one stream that stops at what a filter lets through. */
export class FilterWalk {
  /** Where to go on: all below has been looked at. */
  next = 0;
  /** Several walks may share one. */
  budget: WalkBudget;
  readonly filter: ValueFilter;
  private readonly entries: FilteredEntries;
  private readonly log: MessageLog;
  /** The stretch that was looked up last, which may be read or not, and its fingerprints; null: it has none. */
  private start = 0;
  private end = 0;
  private readable = false;
  private fingerprints: Uint16Array | null = null;
  /** A span whose column there is no use in asking for. */
  private without = -1;

  constructor(filter: ValueFilter, entries: FilteredEntries, log: MessageLog, budget: WalkBudget) {
    this.filter = filter;
    this.entries = entries;
    this.log = log;
    this.budget = budget;
  }

  /**
   * The first offset from `from` on, and below `end`, that comes through; -1: there is none, or the budget is spent. What it
   * knows of a stretch holds until `rest`.
   */
  find(from: number, end: number): number {
    const { budget, filter } = this;
    let at = from;
    while (at < end && !budget.spent) {
      if (at < this.start || at >= this.end) this.lookUp(at);
      const { start, fingerprints } = this;
      const stop = Math.min(end, this.end);
      if (!this.readable) at = stop;
      else if (fingerprints === null) {
        if (filter.matchUnfiltered) return this.found(at);
        budget.use(1);
        at = stop;
      } else {
        const place = start + filter.nextIn(fingerprints, at - start, stop - start);
        budget.use(place - at);
        at = place;
        if (at === stop) continue;
        if (this.passes(at, fingerprints[at - start] as number)) return this.found(at);
        at += 1;
      }
    }
    this.next = Math.min(at, end);
    return -1;
  }

  /** Lets go of what it holds in memory: the stream may change from now on. */
  rest(): void {
    this.start = 0;
    this.end = 0;
    this.fingerprints = null;
  }

  private found(offset: number): number {
    this.next = offset;
    return offset;
  }

  private lookUp(offset: number): void {
    const { entries, budget } = this;
    const span = spanOf(offset);
    const has = span === this.without ? null : entries.hasFilters(span);
    if (has === false) return this.holds(span * SPAN_ENTRIES, SPAN_ENTRIES, true, null);
    budget.read();
    const column = has === null ? null : entries.column(span);
    if (column !== null) return this.holds(span * SPAN_ENTRIES, SPAN_ENTRIES, true, column);
    this.without = span;
    const number = Math.floor(offset / PAGE_ENTRIES);
    const page = entries.page(number);
    this.holds(number * PAGE_ENTRIES, PAGE_ENTRIES, page !== null, page?.filters ?? null);
  }

  private holds(
    start: number,
    length: number,
    readable: boolean,
    fingerprints: Uint16Array | null,
  ): void {
    this.start = start;
    this.end = start + length;
    this.readable = readable;
    this.fingerprints = fingerprints;
  }

  private passes(offset: number, fingerprint: number): boolean {
    if (fingerprint === NO_VALUE) return true;
    this.budget.read();
    const number = Math.floor(offset / PAGE_ENTRIES);
    const page = this.entries.page(number);
    if (page === null) return false;
    const position = page.positions[offset - number * PAGE_ENTRIES] as number;
    return this.filter.passes(fingerprint, this.log, position);
  }
}
