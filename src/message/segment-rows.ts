// Owns how parts of a segment lie in the store: key layout, checksums, reading them back.
// Never decides when a part is written or removed: that is log.ts.

import { crc32 } from 'node:zlib';
import { CorruptRecordError } from '../store/checksum.ts';
import type { Store } from '../store/port.ts';
import { TABLE_SEGMENTS } from '../store/tables.ts';
import type { Segment } from './segment.ts';

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

/** Numbers that `Segment.rows` has for each row: its offset, its length, its checksum. */
const ROW_FIELDS = 3;

/**
 * Hands `bytes` from `start` to `end` to the store, as what lies `offset` further on in the segment,
 * and notes the rows in it.
 */
export function putSegmentRows(
  store: Store,
  segment: Segment,
  bytes: Buffer,
  start: number,
  end: number,
  offset: number,
): void {
  for (let at = start; at < end; at += ROW_BYTES_MAX) {
    const value = bytes.subarray(at, Math.min(end, at + ROW_BYTES_MAX));
    segment.rows.push(offset + at, value.length, crc32(value));
    segment.storedBytes += value.length;
    store.put(TABLE_SEGMENTS, keyOfRow(segment, segment.rows.length - ROW_FIELDS), value);
  }
}

/** Removes all rows of a segment from the store. */
export function removeSegmentRows(store: Store, segment: Segment): void {
  for (let at = 0; at < segment.rows.length; at += ROW_FIELDS) {
    store.remove(TABLE_SEGMENTS, keyOfRow(segment, at));
  }
  segment.rows = [];
  segment.storedBytes = 0;
}

/** Notes a row that the store holds, by its key. Rows are noted in the order of their keys. */
export function noteSegmentRow(segment: Segment, key: Buffer): void {
  const offset = key.readUInt32BE(6);
  const length = key.readUInt32BE(10);
  segment.rows.push(offset, length, key.readUInt32BE(14));
  segment.storedBytes += length;
  segment.end = Math.max(segment.end, offset + length);
}

/** The segment that a row belongs to. */
export function segmentIdOfKey(key: Buffer): number {
  return key.readUIntBE(0, 6);
}

/** Every key of the table of segments, in order. */
export function segmentKeys(store: Store): Iterable<Buffer> {
  return store.keys(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(KEY_BYTES + 1, 0xff));
}

/**
 * Reads a segment's rows into a buffer of its own. What the store does not hold reads as zeros.
 * Throws a CorruptRecordError when a row does not match its checksum or lies outside.
 */
export function readSegment(store: Store, segment: Segment): Buffer {
  const { rows, end } = segment;
  let bytes: Buffer | null = null;
  let filled = 0;
  for (let at = 0; at < rows.length; at += ROW_FIELDS) {
    const [offset, length] = [rows[at] as number, rows[at + 1] as number];
    const key = keyOfRow(segment, at);
    const value = store.get(TABLE_SEGMENTS, key);
    if (value === null) throw new CorruptRecordError(TABLE_SEGMENTS, key, 'the row is missing');
    if (value.length !== length || offset < filled || offset + length > end) {
      throw new CorruptRecordError(TABLE_SEGMENTS, key, 'its length is wrong');
    }
    if (crc32(value) !== rows[at + 2]) {
      throw new CorruptRecordError(TABLE_SEGMENTS, key, 'its bytes do not match their checksum');
    }
    if (length === end) return value;
    bytes ??= Buffer.allocUnsafeSlow(end);
    bytes.fill(0, filled, offset);
    value.copy(bytes, offset);
    filled = offset + length;
  }
  return bytes === null ? Buffer.alloc(end) : bytes.fill(0, filled);
}

function keyOfRow({ id, rows }: Segment, at: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUIntBE(id, 0, 6);
  key.writeUInt32BE(rows[at] as number, 6);
  key.writeUInt32BE(rows[at + 1] as number, 10);
  key.writeUInt32BE(rows[at + 2] as number, 14);
  return key;
}
