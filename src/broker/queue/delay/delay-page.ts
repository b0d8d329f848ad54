// Owns a page of messages that wait for their time: some of one span of time, as a row in the store. Never knows
// which of them have gone: delayed-messages.ts does.

import { writeChecksum } from '../../../store/checksum.ts';
import {
  copyEntry,
  DELAYED_RETURNED,
  type DelayEntry,
  ENTRY_BYTES,
  ENTRY_WORDS,
  EntryBytes,
  readEntryAt,
} from './delay-entry.ts';

/*
 *   0        u8   1, the version
 *   1        u8   the level of the span: see delay-buckets.ts; 0: any time
 *   2        u16  n
 *   4        f64  where the span begins, ms
 *   12       n x entry: see delay-entry.ts
 *   end-4    u32  checksum of all before it
 *
 * Two pages of the store hold a full one.
 */
const VERSION = 1;
const HEAD_BYTES = 12;
const HEAD_WORDS = HEAD_BYTES / Uint32Array.BYTES_PER_ELEMENT;
const CHECKSUM_BYTES = 4;

/** Entries of a full page. */
const DELAY_PAGE_ENTRIES = 224;
/** Bytes that a page begins with: of many spans of time most pages stay short. */
const FIRST_BYTES = HEAD_BYTES + 72 * ENTRY_BYTES + CHECKSUM_BYTES;
const FULL_BYTES = HEAD_BYTES + DELAY_PAGE_ENTRIES * ENTRY_BYTES + CHECKSUM_BYTES;

/** Bytes of full size that no page has: pages come and go too fast for the collector. */
const spare: Buffer[] = [];
const SPARE_MAX = 256;

const NO_WORDS = new Uint32Array(0);

/** An entry on its way into a page. */
const one = new EntryBytes(1);
const oneId = new Float64Array(1);
const FIRST = new Uint32Array(1);

/** One page. Its entries stay as they are; the page goes with the last of them, or is written anew without some. */
export class DelayPage {
  readonly number: number;
  /** The span that all of them are due in. */
  readonly level: number;
  readonly spanMs: number;
  /** Whether it has a row in the store; else all its messages are transient. */
  readonly stored: boolean;
  /** Entries in it. */
  count = 0;
  /** Those of them that wait still. */
  left = 0;
  /** The bytes of their bodies, and how many never were ready: of a page in a bucket, whose entries may not be read again. */
  bodyBytes = 0;
  fresh = 0;
  /** Between which ids theirs are, so that a look for one passes over most pages. */
  minId = Infinity;
  maxId = 0;
  /** The row as far as it is written, without its checksum; null: the store alone has it. */
  bytes: Buffer | null = null;
  /** The same bytes. */
  private words: Uint32Array = NO_WORDS;
  /** The ids of entries that were taken out, and are in its bytes still; null: none was. */
  out: Set<number> | null = null;
  /** Whether its row in the store, or its absence, no longer tells the truth. */
  dirty = false;
  /** Whether the store has a row of it (sealed, if not yet durable). */
  onDisk = false;
  /** The batch that its row was last put into. */
  batch = 0;

  constructor(number: number, level: number, spanMs: number, stored: boolean) {
    this.number = number;
    this.level = level;
    this.spanMs = spanMs;
    this.stored = stored;
  }

  get full(): boolean {
    return this.count === DELAY_PAGE_ENTRIES;
  }

  /** Adds an entry; the page must not be full, and its bytes in memory or not begun. */
  add(entry: DelayEntry): void {
    one.write(0, entry);
    oneId[0] = entry.id;
    this.addSome(one, oneId, FIRST, 0, 1);
  }

  /** Adds entries, as many as it has room for, of those at `slots` from one place on to another; returns the place of the next. */
  addSome(
    entries: EntryBytes,
    ids: Float64Array,
    slots: Uint32Array,
    from: number,
    to: number,
  ): number {
    const end = Math.min(to, from + DELAY_PAGE_ENTRIES - this.count);
    const added = end - from;
    this.reserve(this.count + added);
    const { words } = this;
    let { bodyBytes, fresh, minId, maxId } = this;
    let at = HEAD_WORDS + this.count * ENTRY_WORDS;
    for (let place = from; place < end; place++) {
      const slot = slots[place] as number;
      copyEntry(entries.words, slot * ENTRY_WORDS, words, at);
      at += ENTRY_WORDS;
      const id = ids[slot] as number;
      bodyBytes += entries.bodyBytesOf(slot);
      if ((entries.flagsOf(slot) & DELAYED_RETURNED) === 0) fresh += 1;
      if (id < minId) minId = id;
      if (id > maxId) maxId = id;
    }
    this.count += added;
    this.left += added;
    this.bodyBytes = bodyBytes;
    this.fresh = fresh;
    this.minId = minId;
    this.maxId = maxId;
    this.bytes?.writeUInt16BE(this.count, 2);
    return end;
  }

  /** An entry that waits is in it. */
  notes(id: number, bodyBytes: number, flags: number): void {
    this.bodyBytes += bodyBytes;
    if ((flags & DELAYED_RETURNED) === 0) this.fresh += 1;
    if (id < this.minId) this.minId = id;
    if (id > this.maxId) this.maxId = id;
  }

  /** An entry is in it no more; its bytes are made without it by `replace`. */
  takeOut({ id, bodyBytes, flags }: DelayEntry): void {
    this.out ??= new Set();
    this.out.add(id);
    this.left -= 1;
    this.bodyBytes -= bodyBytes;
    if ((flags & DELAYED_RETURNED) === 0) this.fresh -= 1;
  }

  /** Makes it hold just these. */
  replace(entries: readonly DelayEntry[]): void {
    this.out = null;
    this.bytes = null;
    this.words = NO_WORDS;
    this.count = 0;
    this.left = 0;
    this.bodyBytes = 0;
    this.fresh = 0;
    this.minId = Infinity;
    this.maxId = 0;
    for (const entry of entries) this.add(entry);
  }

  /** The row for the store, which nothing changes: the page itself where nothing is added any more. */
  toRow(grows: boolean): Buffer {
    const end = HEAD_BYTES + this.count * ENTRY_BYTES;
    const written = (this.bytes as Buffer).subarray(0, end + CHECKSUM_BYTES);
    const row = grows ? Buffer.from(written) : written;
    writeChecksum(row);
    return row;
  }

  /** Its bytes leave memory: the store has them, and no batch under way does. */
  unload(): void {
    const { bytes } = this;
    this.bytes = null;
    // They would keep them.
    this.words = NO_WORDS;
    if (bytes?.length === FULL_BYTES && spare.length < SPARE_MAX) spare.push(bytes);
  }

  /** Sees to it that there is room for so many entries. */
  private reserve(count: number): void {
    const before = this.bytes;
    const wanted = HEAD_BYTES + count * ENTRY_BYTES + CHECKSUM_BYTES;
    if (before !== null && wanted <= before.length) return;
    const whole = wanted > FIRST_BYTES || this.level === 0;
    // All of it is written before it is read.
    const bytes = whole
      ? (spare.pop() ?? Buffer.allocUnsafeSlow(FULL_BYTES))
      : Buffer.allocUnsafe(FIRST_BYTES);
    this.bytes = bytes;
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    if (before !== null) {
      before.copy(bytes);
      return;
    }
    bytes[0] = VERSION;
    bytes[1] = this.level;
    bytes.writeDoubleBE(this.spanMs, 4);
  }
}

/** The page of a row without its checksum; a text that says what is wrong with it, where it is none. */
export function pageOfRow(number: number, row: Buffer): DelayPage | string {
  if (row.length < HEAD_BYTES) return 'it is too short';
  if (row[0] !== VERSION) return `its version ${row[0]} is not known`;
  const count = row.readUInt16BE(2);
  if (count > DELAY_PAGE_ENTRIES || row.length !== HEAD_BYTES + count * ENTRY_BYTES) {
    return 'its length is wrong';
  }
  const page = new DelayPage(number, row[1] as number, row.readDoubleBE(4), true);
  page.count = count;
  page.left = count;
  page.onDisk = true;
  return page;
}

/** Fills in the entry at a place of a row or of a page's bytes. */
export function readEntry(row: Buffer, index: number, entry: DelayEntry): void {
  readEntryAt(row, HEAD_BYTES + index * ENTRY_BYTES, entry);
}

/** How many entries a sound row has. */
export function entriesOf(row: Buffer): number {
  return row.readUInt16BE(2);
}
