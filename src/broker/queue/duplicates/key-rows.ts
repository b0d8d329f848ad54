// Owns how keys of messages lie in the store, and what a deletion leaves behind. Never decides when they are written:
// seen-keys.ts does.

import { verifyChecksum, withChecksum } from '../../../store/checksum.ts';
import { CorruptRecordError } from '../../../store/errors.ts';
import type { Store } from '../../../store/port.ts';
import { TABLE_KEYS } from '../../../store/tables.ts';
import { type KeyPage, pageOfRow, type StoredKeyPage } from './key-page.ts';

/*
 *   key  u32 id of a queue, or of an exchange that looks for duplicates | u48 number
 *
 *   number 1 to 2^48 - 2       a page: see key-page.ts
 *   2^48 - 1                   f64 number | u32 CRC32: pages below that number are gone, their rows are being removed
 */
export const KEYS_GONE = 0xffff_ffff_ffff;
const GONE_BYTES = 8;
const KEY_BYTES = 10;
const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(KEY_BYTES + 1, 0xff);

/** Rows of pages that are gone, of one owner. */
export interface GoneKeys {
  readonly ownerId: number;
  /** The number behind the last page that is gone. */
  readonly end: number;
}

/** What a row of the table is. */
type KeyRow =
  | ({ readonly kind: 'page'; readonly ownerId: number } & StoredKeyPage)
  | { readonly kind: 'gone'; readonly ownerId: number; readonly end: number };

/** Reads a row; throws a CorruptRecordError when it cannot be trusted. */
export function readKeyRow(key: Buffer, value: Buffer): KeyRow {
  const wrong = (what: string): CorruptRecordError => new CorruptRecordError(TABLE_KEYS, key, what);
  if (key.length !== KEY_BYTES) throw wrong('its key has a wrong length');
  const content = verifyChecksum(TABLE_KEYS, key, value);
  const ownerId = key.readUInt32BE(0);
  const number = key.readUIntBE(4, 6);
  if (number === KEYS_GONE) {
    if (content.length !== GONE_BYTES) throw wrong('its length is wrong');
    return { kind: 'gone', ownerId, end: content.readDoubleBE(0) };
  }
  const stored = pageOfRow(number, content);
  if (typeof stored === 'string') throw wrong(stored);
  return { kind: 'page', ownerId, ...stored };
}

/** The rows of all owners in one store. */
export class KeyRows {
  /** Told of a row that cannot be read; it stays as it is. */
  damaged: (key: Buffer, error: unknown) => void = () => {};
  private readonly store: Store;
  /** Up to where pages of an owner are gone whose rows are being removed. */
  private readonly going = new Map<number, number>();

  constructor(store: Store) {
    this.store = store;
  }

  putPage(ownerId: number, page: KeyPage, seed: Buffer): void {
    this.store.put(TABLE_KEYS, keyRowKey(ownerId, page.number), page.toRow(seed));
  }

  removePage(ownerId: number, number: number): void {
    this.store.remove(TABLE_KEYS, keyRowKey(ownerId, number));
  }

  /**
   * Reads back what the store has of an owner, in order of the numbers; what is gone is left out, and so is what cannot
   * be read. Returns the number that its next page may have.
   */
  read(ownerId: number, visit: (stored: StoredKeyPage) => void): number {
    const from = Math.max(1, this.going.get(ownerId) ?? 0);
    let next = from;
    const keys = [keyRowKey(ownerId, from), keyRowKey(ownerId, KEYS_GONE)] as const;
    for (const { key, value } of this.store.range(TABLE_KEYS, ...keys)) {
      if (key.length === KEY_BYTES) next = key.readUIntBE(4, 6) + 1;
      try {
        const row = readKeyRow(key, value);
        if (row.kind === 'page') visit(row);
      } catch (error) {
        if (!(error instanceof CorruptRecordError)) throw error;
        this.damaged(key, error);
      }
    }
    return next;
  }

  putGone({ ownerId, end }: GoneKeys): void {
    const content = Buffer.alloc(GONE_BYTES);
    content.writeDoubleBE(end, 0);
    this.going.set(ownerId, end);
    this.store.put(TABLE_KEYS, keyRowKey(ownerId, KEYS_GONE), withChecksum(content));
  }

  /** All rows of pages below `end` are removed; more may have gone since, whose rows are not. */
  removeGone({ ownerId, end }: GoneKeys): void {
    if ((this.going.get(ownerId) ?? end) > end) return;
    this.going.delete(ownerId);
    this.store.remove(TABLE_KEYS, keyRowKey(ownerId, KEYS_GONE));
  }

  /** What was being removed as the last broker ended. From now on these pages count as gone. */
  recoverGone(): GoneKeys[] {
    const found: GoneKeys[] = [];
    for (let id = this.nextId(0); id !== null; id = this.nextId(id + 1)) {
      const gone = this.readGone(id);
      if (gone !== null) found.push(gone);
    }
    return found;
  }

  private readGone(ownerId: number): GoneKeys | null {
    const key = keyRowKey(ownerId, KEYS_GONE);
    const value = this.store.get(TABLE_KEYS, key);
    if (value === null) return null;
    try {
      const row = readKeyRow(key, value);
      if (row.kind !== 'gone') return null;
      this.going.set(ownerId, row.end);
      return { ownerId, end: row.end };
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      this.damaged(key, error);
      return null;
    }
  }

  /** Removes so many rows of pages below `end`, from `from` on; returns where to go on, or `end`. */
  removePages(ownerId: number, from: number, end: number, most: number): number {
    let left = most;
    for (const key of this.store.keys(
      TABLE_KEYS,
      keyRowKey(ownerId, from),
      keyRowKey(ownerId, end),
    )) {
      if (left <= 0 && key.length === KEY_BYTES) return key.readUIntBE(4, 6);
      this.store.remove(TABLE_KEYS, key);
      left -= 1;
    }
    return end;
  }

  /** The highest id, from one that is known on, that any row names. */
  highestId(known: number): number {
    let highest = known;
    for (let id = this.nextId(known + 1); id !== null; id = this.nextId(id + 1)) highest = id;
    return highest;
  }

  /** The first id from `from` on that a row names; null: there is none. */
  private nextId(from: number): number | null {
    if (from > 0xffff_ffff) return null;
    let at: Buffer = from === 0 ? LOWEST : keyRowKey(from, 0);
    for (;;) {
      let other: Buffer | null = null;
      for (const key of this.store.keys(TABLE_KEYS, at, HIGHEST)) {
        if (key.length === KEY_BYTES) return key.readUInt32BE(0);
        other = key;
        break;
      }
      if (other === null) return null;
      at = Buffer.alloc(other.length + 1);
      other.copy(at);
    }
  }
}

/** The key of a row: that of a page, or KEYS_GONE. */
export function keyRowKey(ownerId: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32BE(ownerId, 0);
  key.writeUIntBE(number, 4, 6);
  return key;
}
