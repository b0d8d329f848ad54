// Owns the shape that rows of definitions share: a key of names, a value of JSON with a checksum.
// Never knows which rows there are: topology-rows.ts and access/access-rows.ts do.

import { parseStoredJson } from '../util/json/json-input.ts';
import { jsonText } from '../util/json/json-writer.ts';
import { verifyChecksum, withChecksum } from './checksum.ts';
import type { Store } from './port.ts';

/*
 *   key    one letter for the kind, then the names, each as UTF-8 with a u16 of its length before it
 *   value  JSON | u32 CRC32 of it
 */

/** What a row holds. */
export type Json = Record<string, unknown>;

/** Sorts behind the length of any name. */
const AFTER_ANY_LENGTH = Buffer.of(0xff, 0xff);

/** The key of a row, or what the keys of all rows with these first names begin with. */
export function rowKey(kind: string, ...names: readonly (string | Buffer)[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(kind)];
  for (const name of names) {
    const bytes = typeof name === 'string' ? Buffer.from(name) : name;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    pieces.push(length, bytes);
  }
  return Buffer.concat(pieces);
}

/** The end of the range of keys that begin with `from`. */
export function rowsBehind(from: Buffer): Buffer {
  return Buffer.concat([from, AFTER_ANY_LENGTH]);
}

/** The value of a row. */
export function encodeRow(json: Json): Buffer {
  return withChecksum(Buffer.from(jsonText(json)));
}

/** Reads a value back; throws a CorruptRecordError when it is damaged. */
export function decodeRow(table: number, key: Buffer, value: Buffer): Json {
  return parseStoredJson(verifyChecksum(table, key, value).toString()) as Json;
}

/** What becomes of rows that cannot be read, and of those that others take the place of. */
export interface RowsAside {
  add(table: number, key: Buffer, error: unknown): void;
  replaced(table: number, key: Buffer): void;
}

/** Sets no row aside: one that cannot be read throws. For tests and checks. */
export const NOT_ASIDE: RowsAside = {
  add: (_table, _key, error) => {
    throw error;
  },
  replaced: () => {},
};

/** Reads a range of rows; each that cannot be read is set aside, and the others are returned. */
export function readRows<T>(
  store: Store,
  table: number,
  [from, to]: readonly [Buffer, Buffer],
  make: (row: Json) => T,
  aside: RowsAside,
): { readonly key: Buffer; readonly value: T }[] {
  const found: { key: Buffer; value: T }[] = [];
  for (const { key, value } of store.range(table, from, to)) {
    try {
      found.push({ key, value: make(decodeRow(table, key, value)) });
    } catch (error) {
      aside.add(table, key, error);
    }
  }
  return found;
}

/** Throws unless the named fields of a row are texts. */
export function requireTexts(row: Json, ...names: readonly string[]): void {
  for (const name of names) {
    if (typeof row[name] !== 'string') throw new TypeError(`its ${name} is no text`);
  }
}
