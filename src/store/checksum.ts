// Owns the checksum that proves a stored record is the one that was written. Never decides what a
// broken record means for its reader.

import { crc32 } from 'node:zlib';
import { CorruptRecordError } from './errors.ts';

/** How many bytes a checksum takes, little-endian, at the end of what it covers. */
export const CHECKSUM_BYTES = 4;

/** The CRC-32 of the bytes (the polynomial of zlib and Ethernet), unsigned. */
export function checksum(bytes: Buffer): number {
  return crc32(bytes);
}

/** Fills the last four bytes of a value, which its maker has left free, with the checksum of the rest. */
export function writeChecksum(value: Buffer): void {
  const end = value.length - CHECKSUM_BYTES;
  value.writeUInt32LE(crc32(value.subarray(0, end)), end);
}

/** A copy of the content with its checksum behind it, for values too small for the copy to matter. */
export function withChecksum(content: Buffer): Buffer {
  const value = Buffer.allocUnsafe(content.length + CHECKSUM_BYTES);
  content.copy(value);
  writeChecksum(value);
  return value;
}

/** The content of a value without its checksum, as a view; throws when the two do not match. */
export function verifyChecksum(table: number, key: Buffer, value: Buffer): Buffer {
  const end = value.length - CHECKSUM_BYTES;
  if (end < 0) throw new CorruptRecordError(table, key, `it is cut short to ${value.length} bytes`);
  const content = value.subarray(0, end);
  if (crc32(content) !== value.readUInt32LE(end)) {
    throw new CorruptRecordError(table, key, 'its checksum does not match its content');
  }
  return content;
}
