// Owns the shape that rows of definitions share: a key of names, a value of JSON with a checksum.
// Never knows which rows there are: definition-rows.ts and access/access-rows.ts do.

import { verifyChecksum, withChecksum } from '../store/checksum.ts';

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
  return withChecksum(Buffer.from(JSON.stringify(json)));
}

/** Reads a value back; throws a CorruptRecordError when it is damaged. */
export function decodeRow(table: number, key: Buffer, value: Buffer): Json {
  return JSON.parse(verifyChecksum(table, key, value).toString()) as Json;
}
