// Owns how parts of a segment lie in the store: key layout, checksums, reading them back.
// Never decides when a part is written or removed: that is log.ts.

import { crc32 } from 'node:zlib';
import { CorruptRecordError } from '../store/checksum.ts';
import type { Store } from '../store/port.ts';
import { TABLE_SEGMENTS } from '../store/tables.ts';

/*
 * One row of the table of segments:
 *
 *   key    u48 segment id | u32 offset | u32 length of the value | u32 CRC32 of the value
 *   value  the bytes of the segment from that offset on
 *
 * The checksum stands in the key, so that the value is a plain range of the segment: it is handed
 * to the store without a copy. The length stands there too, so that a start needs to read keys only.
 */
const KEY_BYTES = 18;

/** Longest value of one row: with LMDB's head it fills sixteen 4 KiB pages. */
export const ROW_BYTES_MAX = 65_536 - 64;

/**
 * Hands `bytes` from `start` to `end` to the store, as what lies `offset` further on in the segment;
 * appends the keys used to `keys`.
 */
export function putSegmentRows(
  store: Store,
  segmentId: number,
  bytes: Buffer,
  start: number,
  end: number,
  offset: number,
  keys: Buffer[],
): void {
  for (let at = start; at < end; at += ROW_BYTES_MAX) {
    const value = bytes.subarray(at, Math.min(end, at + ROW_BYTES_MAX));
    const key = Buffer.allocUnsafe(KEY_BYTES);
    key.writeUIntBE(segmentId, 0, 6);
    key.writeUInt32BE(offset + at, 6);
    key.writeUInt32BE(value.length, 10);
    key.writeUInt32BE(crc32(value), 14);
    keys.push(key);
    store.put(TABLE_SEGMENTS, key, value);
  }
}

/** The segment that a row belongs to. */
export function segmentIdOfKey(key: Buffer): number {
  return key.readUIntBE(0, 6);
}

/** The offset at which a row's value lies in its segment. */
export function offsetOfKey(key: Buffer): number {
  return key.readUInt32BE(6);
}

/** The offset behind the last byte of a row's value. */
export function endOfKey(key: Buffer): number {
  return key.readUInt32BE(6) + key.readUInt32BE(10);
}

/** Every key of the table of segments, in order. */
export function segmentKeys(store: Store): Iterable<Buffer> {
  return store.keys(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(KEY_BYTES + 1, 0xff));
}

/**
 * Reads a segment's rows into a buffer of its own. What the store does not hold reads as zeros.
 * Throws a CorruptRecordError when a row does not match its checksum or lies outside.
 */
export function readSegment(store: Store, keys: readonly Buffer[], bytesEnd: number): Buffer {
  const bytes = Buffer.alloc(bytesEnd);
  for (const key of keys) {
    const value = store.get(TABLE_SEGMENTS, key);
    if (value === null) throw new CorruptRecordError(TABLE_SEGMENTS, key, 'the row is missing');
    if (offsetOfKey(key) + value.length !== endOfKey(key) || endOfKey(key) > bytesEnd) {
      throw new CorruptRecordError(TABLE_SEGMENTS, key, 'its length is wrong');
    }
    if (crc32(value) !== key.readUInt32BE(14)) {
      throw new CorruptRecordError(TABLE_SEGMENTS, key, 'its bytes do not match their checksum');
    }
    value.copy(bytes, offsetOfKey(key));
  }
  return bytes;
}
