// Owns what is known of 65,536 consecutive entries of a stream together: when they came, how large they are, and which
// segments of the log they need. Never knows single entries.

import { weightOf } from '../../../../message/log/segment.ts';
import { U32 } from '../../../../util/bytes.ts';
import { isSettled, PAGE_ENTRIES, type Page } from '../../messages/pages/page.ts';

/** Pages, and entries, of one span. */
export const SPAN_PAGES = 256;
export const SPAN_ENTRIES = SPAN_PAGES * PAGE_ENTRIES;

/** What entries need of one segment of the log: their weight there, and about how many of its bytes. */
export interface SegmentShare {
  weight: number;
  bytes: number;
}

/** What is kept in memory of a span that is full. */
export interface Span {
  /** Its entries are those from `number x SPAN_ENTRIES` on. */
  readonly number: number;
  /** When its first and its last entry came, by the broker's time, ms. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Bytes of the bodies of all. */
  readonly bodyBytes: number;
  /** Whether some of its messages have filter values: then it has a column. */
  readonly filtered: boolean;
}

/*
 * A span as a row:
 *
 *   0    u48  when the first entry came, ms
 *   6    u48  when the last one came, ms
 *   12   f64  bytes of the bodies
 *   20   u32  n; its highest bit is set where some message has a filter value
 *   24   n x (u48 segment | u32 weight | u32 bytes)
 */
const HEAD_BYTES = 24;
const SHARE_BYTES = 14;
const FILTERED = 2 ** 31;
/** About what a record holds beside its body. */
const RECORD_REST_BYTES = 64;

/** A span that fills up. */
export class OpenSpan {
  number: number;
  firstMs = 0;
  lastMs = 0;
  bodyBytes = 0;
  filtered = false;
  private readonly shares = new Map<number, SegmentShare>();

  constructor(number: number) {
    this.number = number;
  }

  /** Adds all entries of a page, which is full. `segmentSpan` divides a position into a segment and an offset. */
  add(page: Page, firstMs: number, lastMs: number, segmentSpan: number): void {
    if (this.firstMs === 0) this.firstMs = firstMs;
    this.lastMs = lastMs;
    if (page.filters !== null) this.filtered = true;
    const { positions, bodyBytes } = page;
    let id = -1;
    let share: SegmentShare = { weight: 0, bytes: 0 };
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const segment = Math.floor((positions[slot] as number) / segmentSpan);
      const bytes = bodyBytes[slot] as number;
      if (segment !== id) {
        id = segment;
        share = this.shareOf(segment);
      }
      share.weight += weightOf(bytes);
      share.bytes += bytes + RECORD_REST_BYTES;
      this.bodyBytes += bytes;
    }
  }

  /** Whether it has no entries. */
  get isEmpty(): boolean {
    return this.shares.size === 0;
  }

  private shareOf(segment: number): SegmentShare {
    let share = this.shares.get(segment);
    if (share === undefined) {
      share = { weight: 0, bytes: 0 };
      this.shares.set(segment, share);
    }
    return share;
  }

  /** What stays in memory of it. */
  get summary(): Span {
    const { number, firstMs, lastMs, bodyBytes, filtered } = this;
    return { number, firstMs, lastMs, bodyBytes, filtered };
  }

  /** Its row. */
  encode(): Buffer {
    const row = Buffer.alloc(HEAD_BYTES + this.shares.size * SHARE_BYTES);
    row.writeUIntBE(this.firstMs, 0, 6);
    row.writeUIntBE(this.lastMs, 6, 6);
    row.writeDoubleBE(this.bodyBytes, 12);
    row.writeUInt32BE(this.shares.size + (this.filtered ? FILTERED : 0), 20);
    let at = HEAD_BYTES;
    for (const [segment, { weight, bytes }] of this.shares) {
      at = row.writeUIntBE(segment, at, 6);
      at = row.writeUInt32BE(weight, at);
      at = row.writeUInt32BE(Math.min(bytes, U32 - 1), at);
    }
    return row;
  }
}

/** Reads a row; null: it is none. */
export function decodeSpan(number: number, row: Buffer): Span | null {
  if (row.length < HEAD_BYTES) return null;
  const count = row.readUInt32BE(20);
  const filtered = count >= FILTERED;
  if (row.length !== HEAD_BYTES + (count % FILTERED) * SHARE_BYTES) return null;
  const bodyBytes = row.readDoubleBE(12);
  if (!Number.isSafeInteger(bodyBytes) || bodyBytes < 0) return null;
  const [firstMs, lastMs] = [row.readUIntBE(0, 6), row.readUIntBE(6, 6)];
  return { number, firstMs, lastMs, bodyBytes, filtered };
}

/** Visits what the entries of a span need of each segment. The row was read by `decodeSpan`. */
export function visitShares(
  row: Buffer,
  visit: (segment: number, weight: number, bytes: number) => void,
): void {
  for (let at = HEAD_BYTES; at < row.length; at += SHARE_BYTES) {
    visit(row.readUIntBE(at, 6), row.readUInt32BE(at + 6), row.readUInt32BE(at + 10));
  }
}

/**
 * The row of a span, which was read by `decodeSpan`, for another store, in which segments have numbers so much higher, and
 * times are so much later. Of segments that are not `there` it says nothing: entries that are gone needed them.
 */
export function movedSpan(
  row: Buffer,
  there: (segment: number) => boolean,
  segments: number,
  ms: number,
): Buffer {
  const moved = Buffer.alloc(row.length);
  row.copy(moved, 0, 0, HEAD_BYTES);
  moved.writeUIntBE(Math.max(0, row.readUIntBE(0, 6) + ms), 0, 6);
  moved.writeUIntBE(Math.max(0, row.readUIntBE(6, 6) + ms), 6, 6);
  let to = HEAD_BYTES;
  for (let at = HEAD_BYTES; at < row.length; at += SHARE_BYTES) {
    const segment = row.readUIntBE(at, 6);
    if (!there(segment)) continue;
    moved.writeUIntBE(segment + segments, to, 6);
    row.copy(moved, to + 6, at + 6, at + SHARE_BYTES);
    to += SHARE_BYTES;
  }
  const filtered = row.readUInt32BE(20) >= FILTERED ? FILTERED : 0;
  moved.writeUInt32BE((to - HEAD_BYTES) / SHARE_BYTES + filtered, 20);
  return moved.subarray(0, to);
}

/** The span of an offset. */
export function spanOf(offset: number): number {
  return Math.floor(offset / SPAN_ENTRIES);
}
