// Owns how messages that wait for their time lie in the store: keys, marks and what a deletion leaves behind. Never
// decides when they are written: delayed-messages.ts does.

import { verifyChecksum, withChecksum } from '../../../store/checksum.ts';
import { CorruptRecordError } from '../../../store/errors.ts';
import type { Store } from '../../../store/port.ts';
import { TABLE_DELAYS } from '../../../store/tables.ts';
import { type DelayPage, pageOfRow } from './delay-page.ts';

/*
 *   key  u32 queue id | u48 number
 *
 *   number 0                   f64 due ms | f64 id | u32 CRC32: what is due before that, or then with no higher id, has gone
 *   1 to 2^48 - 2              a page: see delay-page.ts
 *   2^48 - 1                   f64 number | u32 CRC32: pages below that number are gone, their rows are being removed
 */
export const MARK = 0;
export const GONE = 0xffff_ffff_ffff;
const MARK_BYTES = 16;
const GONE_BYTES = 8;
const KEY_BYTES = 10;
const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(KEY_BYTES + 1, 0xff);

/** Up to where messages that waited have gone. */
export interface DelayMark {
  dueMs: number;
  id: number;
}

/** Rows of pages that are gone, of one queue. */
export interface GoneDelays {
  readonly queueId: number;
  /** The number behind the last page that is gone. */
  readonly end: number;
}

/** What a row of the table is. */
export type DelayRow =
  | {
      readonly kind: 'page';
      readonly queueId: number;
      readonly page: DelayPage;
      readonly row: Buffer;
    }
  | { readonly kind: 'mark'; readonly queueId: number; readonly mark: DelayMark }
  | { readonly kind: 'gone'; readonly queueId: number; readonly end: number };

/** Reads a row; throws a CorruptRecordError when it cannot be trusted. */
export function readDelayRow(key: Buffer, value: Buffer): DelayRow {
  const wrong = (what: string): CorruptRecordError =>
    new CorruptRecordError(TABLE_DELAYS, key, what);
  if (key.length !== KEY_BYTES) throw wrong('its key has a wrong length');
  const content = verifyChecksum(TABLE_DELAYS, key, value);
  const queueId = key.readUInt32BE(0);
  const number = key.readUIntBE(4, 6);
  if (number === MARK) {
    if (content.length !== MARK_BYTES) throw wrong('its length is wrong');
    return {
      kind: 'mark',
      queueId,
      mark: { dueMs: content.readDoubleBE(0), id: content.readDoubleBE(8) },
    };
  }
  if (number === GONE) {
    if (content.length !== GONE_BYTES) throw wrong('its length is wrong');
    return { kind: 'gone', queueId, end: content.readDoubleBE(0) };
  }
  const page = pageOfRow(number, content);
  if (typeof page === 'string') throw wrong(page);
  return { kind: 'page', queueId, page, row: content };
}

/** The value of a mark's row. */
export function encodeMark({ dueMs, id }: DelayMark): Buffer {
  const content = Buffer.alloc(MARK_BYTES);
  content.writeDoubleBE(dueMs, 0);
  content.writeDoubleBE(id, 8);
  return withChecksum(content);
}

/** How many of a queue are in memory, and opened at a time. */
export interface DelayBounds {
  /** More in memory than this, and all but those due first go into buckets. */
  readonly heapMax: number;
  readonly heapKept: number;
  /** So many of one batch are put into buckets at once, where they are far off. */
  readonly awayMin: number;
  /** A bucket of more messages is divided before it is opened, or opened in parts of so many pages. */
  readonly openMax: number;
  readonly openPages: number;
}

const BOUNDS: DelayBounds = {
  heapMax: 32_768,
  heapKept: 8_192,
  awayMin: 4_096,
  openMax: 16_384,
  openPages: 64,
};

/** The rows of all queues of one store. */
export class DelayRows {
  /** A test sets smaller ones. */
  bounds = BOUNDS;
  /** Told of a row that cannot be read; it stays as it is. */
  damaged: (key: Buffer, error: unknown) => void = () => {};
  private readonly store: Store;
  /** Up to where pages of a queue were gone at the start. */
  private readonly goneAtStart = new Map<number, number>();
  /** Up to where pages of a queue are gone whose rows are being removed. */
  private readonly going = new Map<number, number>();

  constructor(store: Store) {
    this.store = store;
  }

  /** `grows`: more is added to the page, whichever batch has it. */
  putPage(queueId: number, page: DelayPage, grows: boolean): void {
    this.store.put(TABLE_DELAYS, delayKey(queueId, page.number), page.toRow(grows));
  }

  removePage(queueId: number, number: number): void {
    this.store.remove(TABLE_DELAYS, delayKey(queueId, number));
  }

  /** The content of a page's row, whose batch is durable; throws a CorruptRecordError when it cannot be trusted. */
  readPage(queueId: number, number: number): Buffer {
    const key = delayKey(queueId, number);
    const value = this.store.get(TABLE_DELAYS, key);
    if (value === null) throw new CorruptRecordError(TABLE_DELAYS, key, 'the row is missing');
    const row = readDelayRow(key, value);
    if (row.kind !== 'page') throw new CorruptRecordError(TABLE_DELAYS, key, 'it is no page');
    return row.row;
  }

  putMark(queueId: number, mark: DelayMark): void {
    this.store.put(TABLE_DELAYS, delayKey(queueId, MARK), encodeMark(mark));
  }

  removeMark(queueId: number): void {
    this.store.remove(TABLE_DELAYS, delayKey(queueId, MARK));
  }

  /** Reads back what the store has of a queue, in order of the numbers; what is gone is left out. */
  read(queueId: number, visit: (row: DelayRow) => void): void {
    const gone = this.goneAtStart.get(queueId) ?? 0;
    const keys = [delayKey(queueId, MARK), delayKey(queueId, GONE)] as const;
    for (const { key, value } of this.store.range(TABLE_DELAYS, ...keys)) {
      const number = key.readUIntBE(4, 6);
      if (number !== MARK && number < gone) continue;
      visit(readDelayRow(key, value));
    }
  }

  /** The number that the next page of a queue may have, given what is gone of it. */
  firstNumber(queueId: number): number {
    return Math.max(1, this.goneAtStart.get(queueId) ?? 0);
  }

  putGone({ queueId, end }: GoneDelays): void {
    const content = Buffer.alloc(GONE_BYTES);
    content.writeDoubleBE(end, 0);
    this.going.set(queueId, end);
    this.store.put(TABLE_DELAYS, delayKey(queueId, GONE), withChecksum(content));
  }

  /** All rows of pages below `end` are removed; more may have gone since, whose rows are not. */
  removeGone({ queueId, end }: GoneDelays): void {
    if ((this.going.get(queueId) ?? end) > end) return;
    this.going.delete(queueId);
    this.store.remove(TABLE_DELAYS, delayKey(queueId, GONE));
  }

  /** What was being removed as the last broker ended. From now on these pages count as gone. */
  recoverGone(): GoneDelays[] {
    const found: GoneDelays[] = [];
    let from: Buffer = LOWEST;
    for (;;) {
      let queueId = -1;
      for (const key of this.store.keys(TABLE_DELAYS, from, HIGHEST)) {
        if (key.length === KEY_BYTES) queueId = key.readUInt32BE(0);
        else from = justAfter(key);
        break;
      }
      if (queueId < 0) return found;
      const gone = this.readGone(queueId);
      if (gone !== null) found.push(gone);
      if (queueId === 0xffff_ffff) return found;
      from = delayKey(queueId + 1, 0);
    }
  }

  private readGone(queueId: number): GoneDelays | null {
    const key = delayKey(queueId, GONE);
    const value = this.store.get(TABLE_DELAYS, key);
    if (value === null) return null;
    try {
      const row = readDelayRow(key, value);
      if (row.kind !== 'gone') return null;
      this.goneAtStart.set(queueId, row.end);
      this.going.set(queueId, row.end);
      return { queueId, end: row.end };
    } catch (error) {
      // Then what was dropped waits once more: that is better than to go on with nothing.
      this.damaged(key, error);
      return null;
    }
  }

  /** Removes so many rows of pages below `end`, from `from` on; returns where to go on, or `end`. */
  removePages(queueId: number, from: number, end: number, most: number): number {
    let left = most;
    for (const key of this.store.keys(
      TABLE_DELAYS,
      delayKey(queueId, from),
      delayKey(queueId, end),
    )) {
      if (left <= 0 && key.length === KEY_BYTES) return key.readUIntBE(4, 6);
      this.store.remove(TABLE_DELAYS, key);
      left -= 1;
    }
    return end;
  }

  /** The highest queue id, from one that is known on, that any row names. */
  highestId(known: number): number {
    let id = known;
    for (let next: number | null = id; next !== null; ) {
      id = next;
      next = null;
      if (id >= 0xffff_ffff) break;
      for (const key of this.store.keys(TABLE_DELAYS, delayKey(id + 1, 0), HIGHEST)) {
        if (key.length === KEY_BYTES) next = key.readUInt32BE(0);
        break;
      }
    }
    return id;
  }

  /** Removes all rows of a queue that cannot be read, as an operator wants it. */
  removeAll(queueId: number): void {
    this.store.removeRange(TABLE_DELAYS, delayKey(queueId, 0), justAfter(delayKey(queueId, GONE)));
  }
}

/** The key of a row: that of a page, MARK or GONE. */
export function delayKey(queueId: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32BE(queueId, 0);
  key.writeUIntBE(number, 4, 6);
  return key;
}

/** The key that follows another at once. */
function justAfter(key: Buffer): Buffer {
  const after = Buffer.alloc(key.length + 1);
  key.copy(after);
  return after;
}
