// Owns how parts of a segment lie in a store: key layout, checksums, reading them back.
// Never decides when a part is written or removed: that is log.ts.

import { crc32 } from 'node:zlib';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_SEGMENTS } from '../../store/tables.ts';
import { viewOf } from '../../util/bytes.ts';
import { positionOf, type Segment } from './segment.ts';
import {
  addHeld,
  type HeldRanges,
  heldRecordEnd,
  type SegmentBytes,
  type StoredBytes,
} from './stored-ranges.ts';

/*
 * One row of the table of segments:
 *
 *   key    u48 segment id | u32 offset | u32 length of the value | u32 CRC32 of the value
 *   value  the bytes of the segment from that offset on
 *
 * The checksum stands in the key, so that the value is a plain range of the segment: it is handed
 * to the store without a copy. The length stands there too, so that a start needs to read keys only.
 *
 * A segment that was compacted has one row, with what is left of it:
 *
 *   key    u48 segment id | u32 PACKED + where the segment ends | u32 length | u32 CRC32
 *   value  u16 count | count times (u16 offset, u16 length) | the bytes of those ranges, in order
 */
const KEY_BYTES = 18;
const PACKED = 0x8000_0000;
const PACKED_HEAD_BYTES = 2;
const PACKED_RANGE_BYTES = 4;

/** Longest value of one row: with LMDB's head it fills sixteen 4 KiB pages. */
export const ROW_BYTES_MAX = 65_536 - 64;

/** Numbers that `Segment.rows` has for each row: the three behind the id in its key. */
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
    putRow(store, segment, offset + at, bytes.subarray(at, Math.min(end, at + ROW_BYTES_MAX)));
  }
}

/** How long the row is that holds so many ranges with so many bytes together. */
export function packedBytes(ranges: number, bytes: number): number {
  return PACKED_HEAD_BYTES + ranges * PACKED_RANGE_BYTES + bytes;
}

/**
 * Puts one row in the place of all that the store holds of a segment: some ranges of its `bytes`,
 * given as offsets and lengths in turn. The rest of the segment is lost.
 */
export function packSegment(
  store: Store,
  segment: Segment,
  bytes: Buffer,
  ranges: readonly number[],
): void {
  const count = ranges.length / 2;
  let length = 0;
  for (let n = 1; n < ranges.length; n += 2) length += ranges[n] as number;
  const value = Buffer.allocUnsafeSlow(packedBytes(count, length));
  value.writeUInt16BE(count);
  let head = PACKED_HEAD_BYTES;
  let body = packedBytes(count, 0);
  for (let n = 0; n < ranges.length; n += 2) {
    const [from, bytesLong] = [ranges[n] as number, ranges[n + 1] as number];
    value.writeUInt16BE(from, head);
    value.writeUInt16BE(bytesLong, head + 2);
    bytes.copy(value, body, from, from + bytesLong);
    head += PACKED_RANGE_BYTES;
    body += bytesLong;
  }
  removeSegmentRows(store, segment);
  putRow(store, segment, PACKED + segment.end, value);
}

/** Removes all rows of a segment from the store. */
export function removeSegmentRows(store: Store, segment: Segment): void {
  const rows = rowsOf(store, segment);
  for (let at = 0; at < rows.length; at += ROW_FIELDS) {
    store.remove(TABLE_SEGMENTS, keyOfRow(segment.id, rows, at));
  }
  segment.rows = [];
  segment.storedBytes = 0;
}

/** The rows of a segment, as `Segment.rows` has them. */
function rowsOf(store: Store, { id, rows }: Segment): number[] {
  if (rows !== null) return rows;
  const found: number[] = [];
  for (const key of store.keys(TABLE_SEGMENTS, ...segmentRange(id))) {
    if (isSegmentKey(key)) {
      found.push(key.readUInt32BE(6), key.readUInt32BE(10), key.readUInt32BE(14));
    }
  }
  return found;
}

/** Counts a row that the store holds, by its key. */
export function countSegmentRow(segment: Segment, key: Buffer): void {
  const place = key.readUInt32BE(6);
  const length = key.readUInt32BE(10);
  segment.storedBytes += length;
  segment.end = Math.max(segment.end, place >= PACKED ? place - PACKED : place + length);
}

/** Notes a row that the store holds, by its key. Rows are noted in the order of their keys. */
export function noteSegmentRow(segment: Segment, key: Buffer): void {
  const fields = [key.readUInt32BE(6), key.readUInt32BE(10), key.readUInt32BE(14)];
  segment.rows = [...(segment.rows ?? []), ...fields];
  countSegmentRow(segment, key);
}

/**
 * What a store has of a segment, as far as its keys tell: of a packed one all up to its end, since only the row
 * itself names the ranges.
 */
export function heldByKeys({ rows: known, end }: Segment): HeldRanges {
  const held: number[] = [];
  const rows = known ?? [];
  for (let at = 0; at < rows.length; at += ROW_FIELDS) {
    const place = rows[at] as number;
    if (place >= PACKED) return [0, end];
    addHeld(held, place, place + (rows[at + 1] as number));
  }
  return held;
}

/** Whether a key is as long as all of this table are: others are damaged, and tell nothing. */
export function isSegmentKey(key: Buffer): boolean {
  return key.length === KEY_BYTES;
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
 * Throws a CorruptRecordError when a row does not match its checksum or lies outside. Rows that are gone
 * cannot be noticed here: a reader of a record asks whether it is held wholly. `into`: a buffer of the log's pool, which
 * may be used.
 */
export function readSegment(store: Store, segment: Segment, into?: Buffer): StoredBytes {
  const { id, end } = segment;
  const rows = rowsOf(store, segment);
  const held: number[] = [];
  let bytes: Buffer | null = null;
  let filled = 0;
  for (let at = 0; at < rows.length; at += ROW_FIELDS) {
    const key = keyOfRow(id, rows, at);
    const place = rows[at] as number;
    if (place >= PACKED) return unpack(key, readRow(store, key), end);
    const value = readRow(store, key, into?.subarray(place));
    if (place < filled || place + value.length > end) throw damaged(key, 'its length is wrong');
    addHeld(held, place, place + value.length);
    const placed = into !== undefined && value.buffer === into.buffer;
    // Most segments have one row, and that is the buffer itself.
    if (value.length === end && !placed) return { bytes: value, held };
    bytes ??= into ?? Buffer.allocUnsafeSlow(end);
    bytes.fill(0, filled, place);
    if (!placed) value.copy(bytes, place);
    filled = place + value.length;
  }
  if (bytes === null) return { bytes: Buffer.alloc(end), held };
  return { bytes: bytes.fill(0, filled, end), held, pooled: bytes === into };
}

/** Reads one row of the table of segments; throws a CorruptRecordError where it cannot be trusted. */
function readRow(store: Store, key: Buffer, into?: Buffer): Buffer {
  const value = store.get(TABLE_SEGMENTS, key, into);
  if (value === null) throw damaged(key, 'the row is missing');
  checkSegmentRow(key, value);
  return value;
}

/** Throws a CorruptRecordError where a row is not what its key says. */
export function checkSegmentRow(key: Buffer, value: Buffer): void {
  checkSegmentKey(key);
  if (value.length !== key.readUInt32BE(10)) throw damaged(key, 'its length is wrong');
  if (crc32(value) !== key.readUInt32BE(14)) {
    throw damaged(key, 'its bytes do not match their checksum');
  }
}

/** Throws a CorruptRecordError where a key is not one of this table. */
export function checkSegmentKey(key: Buffer): void {
  if (!isSegmentKey(key)) throw damaged(key, 'its key is not one of this table');
}

/** Between which keys the rows of a segment lie. */
export function segmentRange(id: number): readonly [from: Buffer, to: Buffer] {
  return [keyOfSegment(id), keyOfSegment(id + 1)];
}

/** The key that a row has in a segment of another number. */
export function keyInSegment(key: Buffer, id: number): Buffer {
  const moved = Buffer.from(key);
  moved.writeUIntBE(id, 0, 6);
  return moved;
}

/** Puts the ranges of a packed row back to their places. */
function unpack(key: Buffer, value: Buffer, end: number): StoredBytes {
  const bytes = Buffer.alloc(end);
  const held: number[] = [];
  const count = value.length < PACKED_HEAD_BYTES ? 0 : value.readUInt16BE();
  let body = packedBytes(count, 0);
  if (body > value.length) throw damaged(key, 'its ranges are cut off');
  for (let n = 0; n < count; n++) {
    const head = PACKED_HEAD_BYTES + n * PACKED_RANGE_BYTES;
    const from = value.readUInt16BE(head);
    const length = value.readUInt16BE(head + 2);
    const last = held.length === 0 ? 0 : (held[held.length - 1] as number);
    if (from < last || from + length > end || body + length > value.length) {
      throw damaged(key, 'a range is wrong');
    }
    value.copy(bytes, from, body, body + length);
    addHeld(held, from, from + length);
    body += length;
  }
  return { bytes, held };
}

function putRow(store: Store, segment: Segment, place: number, value: Buffer): void {
  const rows = [...(segment.rows ?? []), place, value.length, crc32(value)];
  segment.rows = rows;
  segment.storedBytes += value.length;
  store.put(TABLE_SEGMENTS, keyOfRow(segment.id, rows, rows.length - ROW_FIELDS), value);
}

function keyOfRow(id: number, rows: readonly number[], at: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUIntBE(id, 0, 6);
  key.writeUInt32BE(rows[at] as number, 6);
  key.writeUInt32BE(rows[at + 1] as number, 10);
  key.writeUInt32BE(rows[at + 2] as number, 14);
  return key;
}

/** Throws a CorruptRecordError unless the whole record at a position is among what the store had. */
export function checkHeld(segment: Segment, position: number, read: SegmentBytes): void {
  if (read.held === null) return;
  const offset = position - positionOf(segment.id, 0);
  const view = segment.view ?? viewOf(read.bytes);
  if (heldRecordEnd(read.bytes, view, read.held, offset) < 0) throw cutRecord(segment, offset);
}

function cutRecord({ id, rows }: Segment, offset: number): CorruptRecordError {
  const what = `the record at byte ${offset} of segment ${id} is not there, or cut off`;
  const known = rows !== null && rows.length > 0;
  const key = known ? keyOfRow(id, rows, rows.length - ROW_FIELDS) : keyOfSegment(id);
  return damaged(key, what);
}

/** What the keys of all rows of a segment begin with. */
function keyOfSegment(id: number): Buffer {
  const key = Buffer.alloc(6);
  key.writeUIntBE(id, 0, 6);
  return key;
}

function damaged(key: Buffer, what: string): CorruptRecordError {
  return new CorruptRecordError(TABLE_SEGMENTS, key, what);
}
