// Owns a page of keys in memory, and as a row in the store. Never knows where a key of a given fingerprint is:
// key-table.ts does.

import { writeChecksum } from '../../../store/checksum.ts';
import { viewOf } from '../../../util/bytes.ts';

/*
 *   in memory, 4 words of 32 bits each:
 *     fingerprint (3 words) | what it lasts for, see below
 *
 *   row
 *   0        u8   1, the version
 *   1        u8   1: the keys last until a time; 2: as long as the message of a place
 *   2        u16  n
 *   4        i32  the lane of these places
 *   8        f64  the base
 *   16       16   the seed of the fingerprints
 *   32       n x (12 fingerprint | u32 what it lasts for)
 *   end-4    u32  checksum of all before it
 *
 * What a key lasts for is a time or a place from the base on: 0, the key is gone; up to 2^31, what it lasts for less the
 * base, and 1; above, of a time alone, 2^31 and the difference in 256 ms; 2^32 - 1, for ever.
 *
 * One page of the store holds a full row.
 */
const VERSION = 1;
const HEAD_BYTES = 32;
const ENTRY_BYTES = 16;
const CHECKSUM_BYTES = 4;
export const SEED_BYTES = 16;
const SEED_AT = 16;

/** Keys of a full page. */
const PAGE_KEYS = 252;
/** Words of a key in memory. */
export const KEY_WORDS = 4;
/** A page begins with room for so many keys: one that ends with few of them takes little. */
const KEYS_FIRST = 8;
const KEYS_THEN = 64;

const GONE = 0;
const FOR_EVER = 0xffff_ffff;
const EXACT_MAX = 0x7fff_fffe;
const COARSE = 0x8000_0000;
const COARSE_MS = 256;

/** Whether keys last until a time, or as long as the message in a place is there. */
export type KeyLasting = 'time' | 'place';

/** One page. Keys are added at its end; it goes with the last of them. */
export class KeyPage {
  /** Its row; pages of a set are in order of it. */
  readonly number: number;
  readonly lasting: KeyLasting;
  readonly lane: number;
  readonly base: number;
  /** Whether some of its keys are those of stored messages, so that it has a row. */
  stored = false;
  words: Uint32Array;
  /** A bit for each key that is that of a transient message, and in no row; null: there is none. */
  private transient: Uint8Array | null = null;
  /** Keys that were added, and those of them that are there. */
  count = 0;
  left = 0;
  /** No key before this one is there. */
  head = 0;
  /** Where key-table.ts has it. */
  slot = -1;
  /** Whether its row in the store, or its absence, no longer tells the truth. */
  dirty = false;
  /** Whether the store has a row of it (sealed, if not yet durable). */
  onDisk = false;
  /** Whether keys may be added. */
  open = true;
  /** Its neighbours in the order in which pages were begun. */
  before: KeyPage | null = null;
  behind: KeyPage | null = null;

  constructor(
    number: number,
    lasting: KeyLasting,
    lane: number,
    base: number,
    capacity = KEYS_FIRST,
  ) {
    this.number = number;
    this.lasting = lasting;
    this.lane = lane;
    this.base = base;
    this.words = new Uint32Array(capacity * KEY_WORDS);
  }

  /** Whether it can take a key that lasts for `value`. */
  fits(value: number): boolean {
    if (!this.open || this.count === PAGE_KEYS || value < this.base) return false;
    return this.lasting === 'time' || value - this.base < EXACT_MAX;
  }

  /** Whether it has had as many keys as it may. */
  get full(): boolean {
    return this.count === PAGE_KEYS;
  }

  /** Makes room for one more key. */
  makeRoom(): void {
    const { words } = this;
    if (this.count * KEY_WORDS < words.length) return;
    // In two steps: each leaves the words of the one before to be collected.
    const capacity = this.count < KEYS_THEN ? KEYS_THEN : PAGE_KEYS;
    this.words = new Uint32Array(capacity * KEY_WORDS);
    this.words.set(words);
  }

  /** The word for what a key lasts for. */
  wordOf(value: number): number {
    if (value === Infinity) return FOR_EVER;
    const span = value - this.base;
    if (span < EXACT_MAX) return span + 1;
    return COARSE + Math.min(Math.ceil(span / COARSE_MS), EXACT_MAX);
  }

  /** What the key in a place of the page lasts for, by the broker's time in ms, or as a place; -1: it is gone. */
  valueAt(index: number): number {
    const word = this.words[index * KEY_WORDS + 3] as number;
    if (word === GONE) return -1;
    if (word === FOR_EVER) return Infinity;
    return this.base + (word < COARSE ? word - 1 : (word - COARSE) * COARSE_MS);
  }

  /** Notes that the key in a place of the page is gone. */
  setGone(index: number): void {
    this.words[index * KEY_WORDS + 3] = GONE;
  }

  /** Notes that the key in a place of the page is that of a stored message, or of a transient one. */
  setStored(index: number, stored: boolean): void {
    if (stored) {
      this.stored = true;
      return;
    }
    this.transient ??= new Uint8Array(Math.ceil(PAGE_KEYS / 8));
    this.transient[index >>> 3] = (this.transient[index >>> 3] as number) | (1 << (index & 7));
  }

  private isStored(index: number): boolean {
    return (
      this.transient === null ||
      ((this.transient[index >>> 3] as number) & (1 << (index & 7))) === 0
    );
  }

  /** The row for the store. */
  toRow(seed: Buffer): Buffer {
    const { words } = this;
    let count = 0;
    for (let n = 0; n < this.count; n++) if (this.isStored(n)) count += 1;
    const row = Buffer.allocUnsafe(HEAD_BYTES + count * ENTRY_BYTES + CHECKSUM_BYTES);
    row[0] = VERSION;
    row[1] = this.lasting === 'time' ? 1 : 2;
    row.writeUInt16BE(count, 2);
    row.writeInt32BE(this.lane, 4);
    row.writeDoubleBE(this.base, 8);
    seed.copy(row, SEED_AT);
    const view = viewOf(row);
    let to = HEAD_BYTES;
    for (let n = 0, at = 0; n < this.count; n++, at += KEY_WORDS) {
      if (!this.isStored(n)) continue;
      view.setUint32(to, words[at] as number);
      view.setUint32(to + 4, words[at + 1] as number);
      view.setUint32(to + 8, words[at + 2] as number);
      view.setUint32(to + 12, words[at + 3] as number);
      to += ENTRY_BYTES;
    }
    writeChecksum(row);
    return row;
  }
}

/** A page as a row has it, its keys in no table yet. */
export interface StoredKeyPage {
  readonly page: KeyPage;
  readonly seed: Buffer;
}

/** The page of a row without its checksum; a text that says what is wrong with it, where it is none. */
export function pageOfRow(number: number, row: Buffer): StoredKeyPage | string {
  if (row.length < HEAD_BYTES) return 'it is too short';
  if (row[0] !== VERSION) return `its version ${row[0]} is not known`;
  const kind = row[1] as number;
  if (kind !== 1 && kind !== 2) return `its kind ${kind} is not known`;
  const count = row.readUInt16BE(2);
  if (count > PAGE_KEYS || row.length !== HEAD_BYTES + count * ENTRY_BYTES) {
    return 'its length is wrong';
  }
  const base = row.readDoubleBE(8);
  if (!Number.isSafeInteger(base) || base < 0) return 'its base is no number';
  const lasting = kind === 1 ? 'time' : 'place';
  const page = new KeyPage(number, lasting, row.readInt32BE(4), base, count);
  page.stored = true;
  page.count = count;
  page.onDisk = true;
  page.open = false;
  for (let n = 0, from = HEAD_BYTES; n < count; n++) {
    for (let word = 0; word < 4; word++) {
      page.words[n * KEY_WORDS + word] = row.readUInt32BE(from);
      from += 4;
    }
  }
  return { page, seed: Buffer.from(row.subarray(SEED_AT, SEED_AT + SEED_BYTES)) };
}

/**
 * The row of a page, which was read by `pageOfRow`, for another store, in which the positions of messages are so much higher,
 * and times so much later.
 */
export function movedKeyPage(
  { page }: StoredKeyPage,
  value: Buffer,
  positions: number,
  ms: number,
): Buffer {
  const moved = Buffer.from(value);
  const waiting = page.lasting === 'place' && page.lane < 0;
  const later = page.lasting === 'time' ? ms : waiting ? positions : 0;
  moved.writeDoubleBE(Math.max(0, page.base + later), 8);
  writeChecksum(moved);
  return moved;
}
