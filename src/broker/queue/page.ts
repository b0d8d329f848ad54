// Owns one page of a queue: 256 consecutive entries, in memory and as a row of the store. Never
// touches the log or the store itself: queue.ts does.

import { writeChecksum } from '../../store/checksum.ts';

/** Entries of one page. An entry's place in its queue is `page number x PAGE_ENTRIES + slot`. */
export const PAGE_ENTRIES = 256;

/** The entry is acked, dead-lettered, expired or purged: it is no longer there. */
export const ENTRY_SETTLED = 1;
/** The entry's record lies in the persistent log, so the entry belongs on disk. */
export const ENTRY_STORED = 2;
/** The message has a time to live of its own: the `expiration` of its publisher. */
export const ENTRY_EXPIRES = 4;

/*
 * A page as a row, `n` being the number of entries it has so far:
 *
 *   0        u16  n, with ROW_EXPIRING and ROW_COUNTS where the parts of these names follow
 *   2        n x (f64 position in the log | u32 body bytes)
 *   2+12n    ceil(n/8) bytes: bit set = this entry is there; clear = settled, or transient
 *            ROW_EXPIRING: ceil(n/8) bytes: bit set = ENTRY_EXPIRES
 *            ROW_COUNTS: u16 k, k x (u8 slot | u32 returns): entries that came back to the queue
 *   end-4    u32  checksum of all before it
 *
 * The last two parts are there only if some entry needs them.
 */
const ROW_ENTRY_BYTES = 12;
const ROW_COUNT_BYTES = 5;
const ROW_EXPIRING = 0x8000;
const ROW_COUNTS = 0x4000;
const ROW_ENTRIES_MASK = 0x1ff;

/** One page. Typed arrays, so that a backlog costs bytes and not objects. */
export class Page {
  number: number;
  readonly positions = new Float64Array(PAGE_ENTRIES);
  readonly bodyBytes = new Uint32Array(PAGE_ENTRIES);
  readonly states = new Uint8Array(PAGE_ENTRIES);
  /** Entries appended so far. */
  count = 0;
  /** Entries settled so far. */
  settled = 0;
  /** Entries that belong on disk and are not settled. */
  storedLive = 0;
  /** Whether the row in the store, or its absence, no longer tells the truth. */
  dirty = false;
  /** Whether the store has a row for this page (sealed, if not yet durable). */
  onDisk = false;
  /** Whether it is out of its queue and only waits for its row to be removed. */
  gone = false;
  /** By slot, how often an entry came back to the queue; null while that is not counted. */
  returns: Map<number, number> | null = null;

  constructor(number: number) {
    this.number = number;
  }

  /** Makes a used page fit for another place. */
  reset(number: number): void {
    this.number = number;
    this.states.fill(0);
    this.count = 0;
    this.settled = 0;
    this.storedLive = 0;
    this.dirty = false;
    this.onDisk = false;
    this.gone = false;
    this.returns = null;
  }
}

/** Whether an entry is there and belongs on disk. */
export function isStoredLive(state: number): boolean {
  return (state & (ENTRY_STORED | ENTRY_SETTLED)) === ENTRY_STORED;
}

/** The row for a page. */
export function encodePage(page: Page): Buffer {
  const n = page.count;
  const bitmapBytes = (n + 7) >> 3;
  const bitmap = 2 + n * ROW_ENTRY_BYTES;
  const expiring = hasExpiring(page) ? bitmapBytes : 0;
  const returns = storedReturns(page);
  const counts = returns.length === 0 ? 0 : 2 + returns.length * ROW_COUNT_BYTES;
  const row = Buffer.alloc(bitmap + bitmapBytes + expiring + counts + 4);
  row.writeUInt16BE(n | (expiring > 0 ? ROW_EXPIRING : 0) | (counts > 0 ? ROW_COUNTS : 0), 0);
  for (let slot = 0; slot < n; slot++) {
    const state = page.states[slot] as number;
    if (!isStoredLive(state)) continue;
    const at = 2 + slot * ROW_ENTRY_BYTES;
    row.writeDoubleBE(page.positions[slot] as number, at);
    row.writeUInt32BE(page.bodyBytes[slot] as number, at + 8);
    setBit(row, bitmap, slot);
    if ((state & ENTRY_EXPIRES) !== 0) setBit(row, bitmap + bitmapBytes, slot);
  }
  if (counts > 0) writeReturns(row, bitmap + bitmapBytes + expiring, returns);
  writeChecksum(row);
  return row;
}

/** Reads a row, without its checksum, into a page; returns what is wrong with it, or null. */
export function decodePage(row: Buffer, page: Page): string | null {
  if (row.length < 2) return 'it is too short';
  const head = row.readUInt16BE(0);
  const n = head & ROW_ENTRIES_MASK;
  const bitmap = 2 + n * ROW_ENTRY_BYTES;
  const bitmapBytes = (n + 7) >> 3;
  const expiring = (head & ROW_EXPIRING) !== 0 ? bitmapBytes : 0;
  const countsAt = bitmap + bitmapBytes + expiring;
  let end = countsAt;
  if ((head & ROW_COUNTS) !== 0) {
    if (row.length < countsAt + 2) return 'its length is wrong';
    end += 2 + row.readUInt16BE(countsAt) * ROW_COUNT_BYTES;
  }
  if (n > PAGE_ENTRIES || row.length !== end) return 'its length is wrong';
  page.count = n;
  page.onDisk = true;
  for (let slot = 0; slot < n; slot++) {
    const at = 2 + slot * ROW_ENTRY_BYTES;
    if (!hasBit(row, bitmap, slot)) {
      page.states[slot] = ENTRY_SETTLED;
      page.settled += 1;
      continue;
    }
    const expires = expiring > 0 && hasBit(row, bitmap + bitmapBytes, slot);
    page.states[slot] = expires ? ENTRY_STORED | ENTRY_EXPIRES : ENTRY_STORED;
    page.positions[slot] = row.readDoubleBE(at);
    page.bodyBytes[slot] = row.readUInt32BE(at + 8);
    page.storedLive += 1;
  }
  if (end > countsAt) page.returns = readReturns(row, countsAt);
  return null;
}

function hasExpiring(page: Page): boolean {
  for (let slot = 0; slot < page.count; slot++) {
    const state = page.states[slot] as number;
    if ((state & ENTRY_EXPIRES) !== 0 && isStoredLive(state)) return true;
  }
  return false;
}

function storedReturns(page: Page): [slot: number, count: number][] {
  if (page.returns === null) return [];
  return [...page.returns].filter(([slot]) => isStoredLive(page.states[slot] as number));
}

function writeReturns(row: Buffer, start: number, returns: [number, number][]): void {
  let at = row.writeUInt16BE(returns.length, start);
  for (const [slot, count] of returns) {
    at = row.writeUInt8(slot, at);
    at = row.writeUInt32BE(count, at);
  }
}

function readReturns(row: Buffer, start: number): Map<number, number> {
  const returns = new Map<number, number>();
  for (let at = start + 2; at < row.length; at += ROW_COUNT_BYTES) {
    returns.set(row.readUInt8(at), row.readUInt32BE(at + 1));
  }
  return returns;
}

function setBit(bytes: Buffer, start: number, bit: number): void {
  const at = start + (bit >> 3);
  bytes[at] = (bytes[at] as number) | (1 << (bit & 7));
}

function hasBit(bytes: Buffer, start: number, bit: number): boolean {
  return ((bytes[start + (bit >> 3)] as number) & (1 << (bit & 7))) !== 0;
}
