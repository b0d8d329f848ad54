// Owns how the rows of streams lie in the store, but for their pages: keys, checksums, what becomes of damaged ones. Never
// decides when a row is written.

import { verifyChecksum, withChecksum } from '../../../../store/checksum.ts';
import { CorruptRecordError } from '../../../../store/errors.ts';
import type { Store } from '../../../../store/port.ts';
import type { RowsAside } from '../../../../store/row.ts';
import { TABLE_STREAMS } from '../../../../store/tables.ts';
import { ColumnCache } from '../filter/column-cache.ts';

/*
 *   key    u32 stream id | u8 kind | what names the row within its kind
 *   value  as its kind has it | u32 CRC32 of that
 *
 *   kind 1   span       u32 number of the span          see span.ts
 *   kind 2   column     u32 number of the span          see filter/columns.ts
 *   kind 3   place      name of the group               see places.ts
 *   kind 4   publisher  name of the publisher           see publisher-ids.ts
 *   kind 255 gone       nothing                         nothing: the stream was deleted, its rows are being removed
 */
export const KIND_SPAN = 1;
export const KIND_COLUMN = 2;
export const KIND_PLACE = 3;
export const KIND_PUBLISHER = 4;
const KIND_GONE = 255;

const PREFIX_BYTES = 5;

/** A row as it was read back: what names it within its kind, and its value without the checksum. */
export interface StreamRow {
  readonly name: Buffer;
  readonly value: Buffer;
}

/** Reads and writes the rows of all streams of one store. */
export class StreamRows {
  /** The filter columns that were read last. */
  readonly columns = new ColumnCache();
  private readonly store: Store;
  /** Told of rows that cannot be read, which stay as they are. */
  private readonly aside: RowsAside;

  constructor(store: Store, aside: RowsAside) {
    this.store = store;
    this.aside = aside;
  }

  put(id: number, kind: number, name: Buffer, value: Buffer): void {
    const key = streamKey(id, kind, name);
    this.store.put(TABLE_STREAMS, key, withChecksum(value));
    this.aside.replaced(TABLE_STREAMS, key);
  }

  remove(id: number, kind: number, name: Buffer): void {
    const key = streamKey(id, kind, name);
    this.store.remove(TABLE_STREAMS, key);
    this.aside.replaced(TABLE_STREAMS, key);
  }

  /** Takes note of a row that can be read, and turned out to be wrong. */
  setAside(id: number, kind: number, name: Buffer, what: string): void {
    const key = streamKey(id, kind, name);
    this.aside.add(TABLE_STREAMS, key, new CorruptRecordError(TABLE_STREAMS, key, what));
  }

  /** The value of a row; null: it is not there, or it is damaged, which is noted. */
  get(id: number, kind: number, name: Buffer): Buffer | null {
    const key = streamKey(id, kind, name);
    const value = this.store.get(TABLE_STREAMS, key);
    return value === null ? null : this.read(key, value);
  }

  /** The same where damage must not be taken for absence: it is noted, and the CorruptRecordError thrown. */
  getSound(id: number, kind: number, name: Buffer): Buffer | null {
    const key = streamKey(id, kind, name);
    const value = this.store.get(TABLE_STREAMS, key);
    const read = value === null ? null : this.read(key, value);
    if (value === null || read !== null) return read;
    throw new CorruptRecordError(TABLE_STREAMS, key, 'it is damaged');
  }

  /** The rows of one kind of a stream in order of their names, from a name on. Damaged ones are noted, and left out. */
  *all(id: number, kind: number, from = Buffer.alloc(0)): Iterable<StreamRow> {
    const keys = [streamKey(id, kind, from), streamKey(id, kind + 1, Buffer.alloc(0))] as const;
    for (const { key, value } of this.store.range(TABLE_STREAMS, ...keys)) {
      const read = this.read(key, value);
      if (read !== null) yield { name: key.subarray(PREFIX_BYTES), value: read };
    }
  }

  /** The highest id, from one that is known on, that any row names: no new queue may have it. */
  highestId(known: number): number {
    let id = known;
    for (let next: number | null = id; next !== null; ) {
      id = next;
      next = null;
      if (id >= 0xffff_ffff) break;
      for (const key of this.store.keys(TABLE_STREAMS, idKey(id + 1), Buffer.alloc(16, 0xff))) {
        if (key.length >= 4) next = key.readUInt32BE(0);
        break;
      }
    }
    return id;
  }

  putGone(id: number): void {
    this.put(id, KIND_GONE, Buffer.alloc(0), Buffer.alloc(0));
  }

  removeGone(id: number): void {
    this.remove(id, KIND_GONE, Buffer.alloc(0));
  }

  /** The ids of deleted streams that have rows. */
  gone(): number[] {
    const found: number[] = [];
    for (let id = 0; ; ) {
      const next = this.highestOf(id);
      if (next === null) return found;
      if (this.store.get(TABLE_STREAMS, streamKey(next, KIND_GONE, Buffer.alloc(0))) !== null) {
        found.push(next);
      }
      id = next + 1;
      if (id > 0xffff_ffff) return found;
    }
  }

  /** Where `removeSome` begins. */
  firstKey(id: number): Buffer {
    return idKey(id);
  }

  /** Removes up to so many rows of a deleted stream, from a key on; returns the key to go on with, null: that was all. */
  removeSome(id: number, from: Buffer, rowsMax: number): Buffer | null {
    let left = rowsMax;
    const end = streamKey(id, KIND_GONE, Buffer.alloc(0));
    for (const key of this.store.keys(TABLE_STREAMS, from, end)) {
      if (left === 0) return key;
      this.store.remove(TABLE_STREAMS, key);
      left -= 1;
    }
    // Those in batches that are under way are not among the keys yet.
    this.store.removeRange(TABLE_STREAMS, idKey(id), end);
    return null;
  }

  /** The first id from `from` on that has rows; null: there is none. */
  private highestOf(from: number): number | null {
    for (const key of this.store.keys(TABLE_STREAMS, idKey(from), Buffer.alloc(16, 0xff))) {
      return key.length >= 4 ? key.readUInt32BE(0) : null;
    }
    return null;
  }

  private read(key: Buffer, value: Buffer): Buffer | null {
    try {
      return readStreamRow(key, value).value;
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
      this.aside.add(TABLE_STREAMS, key, error);
      return null;
    }
  }
}

/** Takes a row apart; throws a CorruptRecordError where it cannot be trusted. */
export function readStreamRow(
  key: Buffer,
  value: Buffer,
): StreamRow & { id: number; kind: number } {
  const content = verifyChecksum(TABLE_STREAMS, key, value);
  if (key.length < PREFIX_BYTES) {
    throw new CorruptRecordError(TABLE_STREAMS, key, 'its key is not one of this table');
  }
  const name = key.subarray(PREFIX_BYTES);
  return { id: key.readUInt32BE(0), kind: key[4] as number, name, value: content };
}

const KINDS: ReadonlyMap<number | undefined, string> = new Map([
  [KIND_SPAN, 'span of a stream'],
  [KIND_COLUMN, 'filter column of a stream'],
  [KIND_PLACE, 'place of a group'],
  [KIND_PUBLISHER, 'publisher of a stream'],
]);

/** What people call the row of a key, and what it is called itself, where it has a name. */
export function wordsOfRow(key: Buffer): { readonly kind: string; readonly name: string | null } {
  const number = key[4];
  const kind = KINDS.get(number) ?? 'row of a stream';
  const isNamed = number === KIND_PLACE || number === KIND_PUBLISHER;
  return { kind, name: isNamed ? key.toString('utf8', PREFIX_BYTES) : null };
}

/** What names a row by a number. */
export function numberName(number: number): Buffer {
  const name = Buffer.alloc(4);
  name.writeUInt32BE(number);
  return name;
}

/** The key of a row. */
export function streamKey(id: number, kind: number, name: Buffer): Buffer {
  const key = Buffer.allocUnsafe(PREFIX_BYTES + name.length);
  key.writeUInt32BE(id, 0);
  key[4] = kind;
  name.copy(key, PREFIX_BYTES);
  return key;
}

function idKey(id: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(id);
  return key;
}
