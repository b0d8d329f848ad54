// Owns a page of messages that wait for their time: some of one span of time, as a row in the store. Never knows
// which of them have gone: delayed-messages.ts does.

import { writeChecksum } from '../../../store/checksum.ts';
import { U32 } from '../../../util/bytes.ts';
import { DELAYED_RETURNED, type DelayEntry } from './delay-entry.ts';

/*
 *   0        u8   1, the version
 *   1        u8   the level of the span: see delay-buckets.ts; 0: any time
 *   2        u16  n
 *   4        f64  where the span begins, ms
 *   12       n x (u48 due ms | u48 id | f64 position in the log | u32 body bytes | u8 flags | u8 priority
 *                 | u32 returns | u48 start of its time to live, ms)
 *   end-4    u32  checksum of all before it
 *
 * Two pages of the store hold a full one.
 */
const VERSION = 1;
const HEAD_BYTES = 12;
const ENTRY_BYTES = 36;
const CHECKSUM_BYTES = 4;

/** Entries of a full page. */
const DELAY_PAGE_ENTRIES = 224;
/** Bytes that a page begins with: of many spans of time most pages stay short. */
const FIRST_BYTES = HEAD_BYTES + 72 * ENTRY_BYTES + CHECKSUM_BYTES;
const FULL_BYTES = HEAD_BYTES + DELAY_PAGE_ENTRIES * ENTRY_BYTES + CHECKSUM_BYTES;

/** Bytes of full size that no page has: pages come and go too fast for the collector. */
const spare: Buffer[] = [];
const SPARE_MAX = 256;

const NO_BYTES = new DataView(new ArrayBuffer(0));

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
  private view: DataView = NO_BYTES;
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
    const at = HEAD_BYTES + this.count * ENTRY_BYTES;
    if (this.bytes === null || at + ENTRY_BYTES + CHECKSUM_BYTES > this.bytes.length) this.grow();
    const { view } = this;
    writeU48(view, entry.dueMs, at);
    writeU48(view, entry.id, at + 6);
    view.setFloat64(at + 12, entry.position);
    view.setUint32(at + 20, entry.bodyBytes);
    view.setUint8(at + 24, entry.flags);
    view.setUint8(at + 25, entry.priority);
    view.setUint32(at + 26, entry.returns);
    writeU48(view, entry.startMs, at + 30);
    this.count += 1;
    this.left += 1;
    this.notes(entry);
    view.setUint16(2, this.count);
  }

  /** An entry that waits is in it. */
  notes({ id, bodyBytes, flags }: DelayEntry): void {
    this.bodyBytes += bodyBytes;
    if ((flags & DELAYED_RETURNED) === 0) this.fresh += 1;
    if (id < this.minId) this.minId = id;
    if (id > this.maxId) this.maxId = id;
  }

  /** Makes it hold just these. */
  replace(entries: readonly DelayEntry[]): void {
    this.bytes = null;
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
    // It would keep them.
    this.view = NO_BYTES;
    if (bytes?.length === FULL_BYTES && spare.length < SPARE_MAX) spare.push(bytes);
  }

  private grow(): void {
    const before = this.bytes;
    const whole = before !== null || this.level === 0;
    // All of it is written before it is read.
    const bytes = whole
      ? (spare.pop() ?? Buffer.allocUnsafeSlow(FULL_BYTES))
      : Buffer.allocUnsafe(FIRST_BYTES);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset);
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
  const at = HEAD_BYTES + index * ENTRY_BYTES;
  entry.dueMs = readU48(row, at);
  entry.id = readU48(row, at + 6);
  entry.position = row.readDoubleBE(at + 12);
  entry.bodyBytes = row.readUInt32BE(at + 20);
  entry.flags = row[at + 24] as number;
  entry.priority = row[at + 25] as number;
  entry.returns = row.readUInt32BE(at + 26);
  entry.startMs = readU48(row, at + 30);
}

/** How many entries a sound row has. */
export function entriesOf(row: Buffer): number {
  return row.readUInt16BE(2);
}

function writeU48(view: DataView, value: number, at: number): void {
  const high = Math.floor(value / U32);
  view.setUint16(at, high);
  view.setUint32(at + 2, value - high * U32);
}

function readU48(bytes: Buffer, at: number): number {
  return bytes.readUInt16BE(at) * U32 + bytes.readUInt32BE(at + 2);
}
