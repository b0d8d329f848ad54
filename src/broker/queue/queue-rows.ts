// Owns how queues lie in the store: pages and marks, their keys and values. Never decides when they
// are written: queue.ts does.

import { CorruptRecordError, verifyChecksum, writeChecksum } from '../../store/checksum.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_MARKS, TABLE_PAGES } from '../../store/tables.ts';
import { decodePage, encodePage, Page } from './page.ts';

/*
 *   table of pages   key  u32 queue id | u12 lane, u36 page   value  see page.ts
 *   table of marks   key  u32 queue id | u16 lane, if not 0   value  f64 seq | u32 CRC32 of it
 */
const LANE_PAGES = 2 ** 36;

/** Reads and writes the rows of all queues of one store. */
export class QueueRows {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  putPage(queueId: number, lane: number, page: Page): void {
    this.store.put(TABLE_PAGES, pageKey(queueId, lane, page.number), encodePage(page));
  }

  removePage(queueId: number, lane: number, pageNumber: number): void {
    this.store.remove(TABLE_PAGES, pageKey(queueId, lane, pageNumber));
  }

  /** Fills in a page that the store holds; throws CorruptRecordError when it cannot be trusted. */
  readPage(queueId: number, lane: number, page: Page): void {
    const key = pageKey(queueId, lane, page.number);
    const row = this.store.get(TABLE_PAGES, key);
    if (row === null) throw new CorruptRecordError(TABLE_PAGES, key, 'the row is missing');
    readInto(key, row, page);
  }

  /** Calls `visit` with each page of a lane in order; the page object is reused. */
  forEachPage(queueId: number, lane: number, visit: (page: Page) => void): void {
    const page = new Page(0);
    const from = pageKey(queueId, lane, 0);
    const to = pageKey(queueId, lane + 1, 0);
    for (const { key, value } of this.store.range(TABLE_PAGES, from, to)) {
      page.reset(key.readUIntBE(4, 6) % LANE_PAGES);
      readInto(key, value, page);
      visit(page);
    }
  }

  /** Throws a CorruptRecordError for a page whose row is sound but cannot be right. */
  damagedPage(queueId: number, lane: number, pageNumber: number, what: string): never {
    throw new CorruptRecordError(TABLE_PAGES, pageKey(queueId, lane, pageNumber), what);
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
    const pages = [pageKey(queueId, 1, 0), pageKey(queueId + 1, 0, 0)] as const;
    for (const key of this.store.keys(TABLE_PAGES, ...pages)) {
      found.add(Math.floor(key.readUIntBE(4, 6) / LANE_PAGES));
    }
    return [...found];
  }

  /** Removes all that belongs to a queue. */
  removeAll(queueId: number): void {
    this.store.removeRange(TABLE_PAGES, pageKey(queueId, 0, 0), pageKey(queueId + 1, 0, 0));
    this.store.removeRange(TABLE_MARKS, markKey(queueId, 0), markKey(queueId + 1, 0));
  }
}

function readInto(key: Buffer, row: Buffer, page: Page): void {
  const wrong = decodePage(verifyChecksum(TABLE_PAGES, key, row), page);
  if (wrong !== null) throw new CorruptRecordError(TABLE_PAGES, key, wrong);
}

function pageKey(queueId: number, lane: number, pageNumber: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt32BE(queueId, 0);
  key.writeUIntBE(lane * LANE_PAGES + pageNumber, 4, 6);
  return key;
}

/** Lane 0 goes without its number: most queues have no other. */
function markKey(queueId: number, lane: number): Buffer {
  const key = Buffer.allocUnsafe(lane === 0 ? 4 : 6);
  key.writeUInt32BE(queueId, 0);
  if (lane !== 0) key.writeUInt16BE(lane, 4);
  return key;
}
