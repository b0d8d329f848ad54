// Owns one page of a queue: 256 consecutive entries, in memory and as a row of the store. Never
// touches the log or the store itself: queue.ts does.

import { writeChecksum } from '../../store/checksum.ts';

/** Entries of one page. An entry's place in its queue is `page number x PAGE_ENTRIES + slot`. */
export const PAGE_ENTRIES = 256;

/** The entry is acked, dead-lettered, expired or purged: it is no longer there. */
export const ENTRY_SETTLED = 1;
/** The entry's record lies in the persistent log, so the entry belongs on disk. */
export const ENTRY_STORED = 2;

/*
 * A page as a row, `n` being the number of entries it has so far:
 *
 *   0        u16  n
 *   2        n x (f64 position in the log | u32 body bytes)
 *   2+12n    ceil(n/8) bytes: bit set = this entry is there; clear = settled, or transient
 *   end-4    u32  checksum of all before it
 */
const ROW_ENTRY_BYTES = 12;

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
  }
}

/** The row for a page. */
export function encodePage(page: Page): Buffer {
  const n = page.count;
  const bitmap = 2 + n * ROW_ENTRY_BYTES;
  const row = Buffer.alloc(bitmap + ((n + 7) >> 3) + 4);
  row.writeUInt16BE(n, 0);
  for (let slot = 0; slot < n; slot++) {
    if (page.states[slot] !== ENTRY_STORED) continue;
    const at = 2 + slot * ROW_ENTRY_BYTES;
    row.writeDoubleBE(page.positions[slot] as number, at);
    row.writeUInt32BE(page.bodyBytes[slot] as number, at + 8);
    row[bitmap + (slot >> 3)] = (row[bitmap + (slot >> 3)] as number) | (1 << (slot & 7));
  }
  writeChecksum(row);
  return row;
}

/** Reads a row, without its checksum, into a page; returns what is wrong with it, or null. */
export function decodePage(row: Buffer, page: Page): string | null {
  if (row.length < 2) return 'it is too short';
  const n = row.readUInt16BE(0);
  const bitmap = 2 + n * ROW_ENTRY_BYTES;
  if (n > PAGE_ENTRIES || row.length !== bitmap + ((n + 7) >> 3)) return 'its length is wrong';
  page.count = n;
  page.onDisk = true;
  for (let slot = 0; slot < n; slot++) {
    const at = 2 + slot * ROW_ENTRY_BYTES;
    if (((row[bitmap + (slot >> 3)] as number) & (1 << (slot & 7))) === 0) {
      page.states[slot] = ENTRY_SETTLED;
      page.settled += 1;
      continue;
    }
    page.states[slot] = ENTRY_STORED;
    page.positions[slot] = row.readDoubleBE(at);
    page.bodyBytes[slot] = row.readUInt32BE(at + 8);
    page.storedLive += 1;
  }
  return null;
}
