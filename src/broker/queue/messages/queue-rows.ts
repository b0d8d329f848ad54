// Owns how queues lie in the store: pages, marks and purges, their keys and values. Never decides when
// they are written: queue.ts does.

import { checksum, verifyChecksum, writeChecksum } from '../../../store/checksum.ts';
import { CorruptRecordError } from '../../../store/errors.ts';
import type { Store } from '../../../store/port.ts';
import { NOT_ASIDE, type RowsAside } from '../../../store/row.ts';
import { TABLE_MARKS, TABLE_PAGES, TABLE_PURGES } from '../../../store/tables.ts';
import { LoadedPages } from './pages/loaded-pages.ts';
import { Page } from './pages/page.ts';
import { decodePage, encodePage } from './pages/page-row.ts';

/*
 *   table of pages    key  u32 queue id | u12 lane, u36 page         value  see page-row.ts
 *   table of marks    key  u32 queue id | u16 lane, if not 0         value  f64 seq | u32 CRC32 of it
 *   table of purges   key  u32 queue id | u12 lane, u36 first page   value  u32 CRC32 of the key
 *                        | u12 lane, u36 page behind the last
 */
export const LANE_PAGES = 2 ** 36;

/** Pages of one lane of a queue whose messages are gone, though their rows may still be there. */
export interface PurgedRange {
  readonly queueId: number;
  readonly lane: number;
  /** The first page, and the one behind the last. */
  readonly from: number;
  readonly to: number;
}

export const PAGE_KEY_BYTES = 10;
const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(16, 0xff);

/** Reads and writes the rows of all queues of one store. */
export class QueueRows {
  /** The pages in memory of all queues. */
  readonly loaded = new LoadedPages();
  private readonly store: Store;
  /** The purged ranges that the store held at the start, by queue. */
  private readonly purgedAtStart = new Map<number, PurgedRange[]>();

  private readonly aside: RowsAside;

  constructor(store: Store, aside: RowsAside = NOT_ASIDE) {
    this.store = store;
    this.aside = aside;
  }

  putPage(queueId: number, lane: number, page: Page): void {
    this.store.put(TABLE_PAGES, pageKey(queueId, lane, page.number), encodePage(page));
  }

  removePage(queueId: number, lane: number, pageNumber: number): void {
    const key = pageKey(queueId, lane, pageNumber);
    this.store.remove(TABLE_PAGES, key);
    this.aside.replaced(TABLE_PAGES, key);
  }

  /** Fills in a page that the store holds; throws CorruptRecordError when it cannot be trusted. */
  readPage(queueId: number, lane: number, page: Page): void {
    const key = pageKey(queueId, lane, page.number);
    const row = this.store.get(TABLE_PAGES, key);
    if (row === null) throw new CorruptRecordError(TABLE_PAGES, key, 'the row is missing');
    readPageRow(key, row, page);
  }

  /** The same for what goes on without it: false. `failed` is told why. */
  readIfSound(
    queueId: number,
    lane: number,
    page: Page,
    failed: (error: CorruptRecordError) => void = () => {},
  ): boolean {
    try {
      this.readPage(queueId, lane, page);
      return true;
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      failed(error);
      return false;
    }
  }

  /** The same where rows may be missing; one that cannot be read is set aside. */
  readIfThere(queueId: number, lane: number, page: Page): boolean {
    const key = pageKey(queueId, lane, page.number);
    if (this.store.get(TABLE_PAGES, key) === null) return false;
    return this.readIfSound(queueId, lane, page, (error) => this.setAside(error));
  }

  /** Takes note of a page that cannot be read. Its row stays as it is. */
  setAside(error: CorruptRecordError): void {
    this.aside.add(error.table, error.key, error);
  }

  /** Calls `visit` with each page of a lane in order but for those purged; the object is reused. */
  forEachPage(queueId: number, lane: number, visit: (page: Page) => void): void {
    const page = new Page(0);
    let from = 0;
    const purged = this.purgedOf(queueId).filter((range) => range.lane === lane);
    for (const gap of [...purged, { from: LANE_PAGES, to: LANE_PAGES }]) {
      const keys = [pageKey(queueId, lane, from), pageKey(queueId, lane, gap.from)] as const;
      for (const { key, value } of this.store.range(TABLE_PAGES, ...keys)) {
        page.reset(key.readUIntBE(4, 6) % LANE_PAGES);
        readPageRow(key, value, page);
        visit(page);
      }
      from = gap.to;
    }
  }

  /** The number of the first page of a lane that the store has; null: it has none. */
  firstPage(queueId: number, lane: number): number | null {
    const keys = [pageKey(queueId, lane, 0), pageKey(queueId, lane, LANE_PAGES)] as const;
    for (const key of this.store.keys(TABLE_PAGES, ...keys)) {
      if (key.length === PAGE_KEY_BYTES) return key.readUIntBE(4, 6) % LANE_PAGES;
    }
    return null;
  }

  /**
   * Calls `visit` with each page of a lane from page `from` on and before page `to`, in order, purged or not; the object
   * is reused. One that cannot be trusted is `damaged`.
   */
  forEachPageOf(
    queueId: number,
    lane: number,
    from: number,
    to: number,
    visit: (page: Page) => void,
    damaged: (number: number, error: CorruptRecordError) => void,
  ): void {
    const page = new Page(0);
    const keys = [pageKey(queueId, lane, from), pageKey(queueId, lane, to)] as const;
    for (const { key, value } of this.store.range(TABLE_PAGES, ...keys)) {
      if (key.length !== PAGE_KEY_BYTES) continue;
      page.reset(key.readUIntBE(4, 6) % LANE_PAGES);
      try {
        readPageRow(key, value, page);
      } catch (error) {
        if (!(error instanceof CorruptRecordError)) throw error;
        damaged(page.number, error);
        continue;
      }
      visit(page);
    }
  }

  /** The highest id, from one that is known on, that any row names: no new queue may have it. */
  highestId(known: number): number {
    let id = known;
    for (const table of [TABLE_PAGES, TABLE_MARKS]) {
      for (let next: number | null = id; next !== null; ) {
        id = next;
        next = null;
        if (id >= 0xffff_ffff) break;
        for (const key of this.store.keys(table, markKey(id + 1, 0), HIGHEST)) {
          if (key.length >= 4) next = key.readUInt32BE(0);
          break;
        }
      }
    }
    return id;
  }

  /** Removes all rows of a queue that cannot be read, as an operator wants it. */
  removeAll(queueId: number): void {
    for (const table of [TABLE_PAGES, TABLE_MARKS]) {
      this.store.removeRange(table, markKey(queueId, 0), markKey(queueId + 1, 0));
    }
  }

  putMark(queueId: number, lane: number, seq: number): void {
    const value = Buffer.alloc(12);
    value.writeDoubleBE(seq, 0);
    writeChecksum(value);
    this.store.put(TABLE_MARKS, markKey(queueId, lane), value);
  }

  /** The mark of a lane of a queue; 0 when it has none. */
  readMark(queueId: number, lane: number): number {
    const key = markKey(queueId, lane);
    const value = this.store.get(TABLE_MARKS, key);
    if (value === null) return 0;
    return verifyChecksum(TABLE_MARKS, key, value).readDoubleBE(0);
  }

  /** The numbers of the lanes beside lane 0 that the store holds a mark or pages of. */
  lanes(queueId: number): number[] {
    const found = new Set<number>();
    const marks = [markKey(queueId, 0), markKey(queueId + 1, 0)] as const;
    for (const key of this.store.keys(TABLE_MARKS, ...marks)) {
      if (key.length > 4) found.add(key.readUInt16BE(4));
    }
    for (const { lane } of this.purgedOf(queueId)) if (lane > 0) found.add(lane);
    const pages = [pageKey(queueId, 1, 0), pageKey(queueId + 1, 0, 0)] as const;
    for (const key of this.store.keys(TABLE_PAGES, ...pages)) {
      found.add(Math.floor(key.readUIntBE(4, 6) / LANE_PAGES));
    }
    return [...found];
  }

  removeMark(queueId: number, lane: number): void {
    this.store.remove(TABLE_MARKS, markKey(queueId, lane));
  }

  putPurge(range: PurgedRange): void {
    const key = purgeKey(range);
    const value = Buffer.alloc(4);
    value.writeUInt32LE(checksum(key));
    this.store.put(TABLE_PURGES, key, value);
  }

  removePurge(range: PurgedRange): void {
    this.store.remove(TABLE_PURGES, purgeKey(range));
  }

  /** The purged ranges that the store holds. From now on their pages count as gone. */
  recoverPurges(): PurgedRange[] {
    const found: PurgedRange[] = [];
    for (const { key, value } of this.store.range(TABLE_PURGES, LOWEST, HIGHEST)) {
      if (key.length !== 16 || value.length !== 4 || value.readUInt32LE() !== checksum(key)) {
        // Then its messages are there once more: that is better than none.
        const error = new CorruptRecordError(TABLE_PURGES, key, 'its checksum does not match');
        this.aside.add(TABLE_PURGES, key, error);
        continue;
      }
      const queueId = key.readUInt32BE(0);
      const from = key.readUIntBE(4, 6);
      const lane = Math.floor(from / LANE_PAGES);
      const first = lane * LANE_PAGES;
      found.push({ queueId, lane, from: from - first, to: key.readUIntBE(10, 6) - first });
    }
    for (const range of found) {
      this.purgedAtStart.set(range.queueId, [...this.purgedOf(range.queueId), range]);
    }
    return found;
  }

  /** The number of the page behind the last one that is purged in a lane, as it was at the start. */
  purgedEnd(queueId: number, lane: number): number {
    const ends = this.purgedOf(queueId).map((range) => (range.lane === lane ? range.to : 0));
    return Math.max(0, ...ends);
  }

  private purgedOf(queueId: number): readonly PurgedRange[] {
    return this.purgedAtStart.get(queueId) ?? [];
  }

  /**
   * Removes the rows of up to `pagesMax` pages of a lane from page `from` on and before page `to`;
   * returns the page to go on with, or `to` when that was all.
   */
  removePages(queueId: number, lane: number, from: number, to: number, pagesMax: number): number {
    let left = pagesMax;
    const keys = [pageKey(queueId, lane, from), pageKey(queueId, lane, to)] as const;
    for (const key of this.store.keys(TABLE_PAGES, ...keys)) {
      if (left <= 0 && key.length === PAGE_KEY_BYTES) return key.readUIntBE(4, 6) % LANE_PAGES;
      this.store.remove(TABLE_PAGES, key);
      left -= 1;
    }
    return to;
  }
}

/** Fills in a page from its row; throws a CorruptRecordError when that cannot be trusted. */
export function readPageRow(key: Buffer, row: Buffer, page: Page): void {
  const wrong = decodePage(verifyChecksum(TABLE_PAGES, key, row), page);
  if (wrong !== null) throw new CorruptRecordError(TABLE_PAGES, key, wrong);
}

function pageKey(queueId: number, lane: number, pageNumber: number): Buffer {
  const key = Buffer.allocUnsafe(PAGE_KEY_BYTES);
  key.writeUInt32BE(queueId, 0);
  key.writeUIntBE(lane * LANE_PAGES + pageNumber, 4, 6);
  return key;
}

function purgeKey({ queueId, lane, from, to }: PurgedRange): Buffer {
  const key = Buffer.allocUnsafe(16);
  key.writeUInt32BE(queueId, 0);
  key.writeUIntBE(lane * LANE_PAGES + from, 4, 6);
  key.writeUIntBE(lane * LANE_PAGES + to, 10, 6);
  return key;
}

/** Lane 0 goes without its number: most queues have no other. */
function markKey(queueId: number, lane: number): Buffer {
  const key = Buffer.allocUnsafe(lane === 0 ? 4 : 6);
  key.writeUInt32BE(queueId, 0);
  if (lane !== 0) key.writeUInt16BE(lane, 4);
  return key;
}
