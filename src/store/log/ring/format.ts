// Owns the bytes of the log's file: how it begins, and what stands before a record's body. Never reads or writes the file.

import { checksum } from '../../checksum.ts';

/**
 * Records begin at multiples of this, the first behind the block of the header, so that no write touches a sector of a
 * record that was acknowledged.
 */
export const BLOCK_BYTES = 4096;

/*
 *   header block   "LeveretL" | u32 1 | u32 bytes of the file | u64 salt | u32 CRC32 of all before it
 *
 *   record         u32 magic | u32 CRC32 of all behind it, body included | u32 body bytes | u32 0 |
 *                  u64 number | u64 salt | u64 number that was durable when this was written | body | zeros to the block's end
 *
 *   All little-endian.
 */
const FILE_MAGIC = Buffer.from('LeveretL');
const FILE_VERSION = 1;
const SALT_AT = 16;
const HEADER_CRC_AT = 24;

const RECORD_MAGIC = 0x7263_6c4c;
/** What stands before a body. */
export const RECORD_HEAD_BYTES = 40;
const CRC_COVERS_FROM = 8;

/** How a log's file begins. */
export interface RingHeader {
  readonly fileBytes: number;
  /** 16 hex digits. */
  readonly salt: string;
}

/** The first block of a file. */
export function headerBlock({ fileBytes, salt }: RingHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  FILE_MAGIC.copy(block);
  block.writeUInt32LE(FILE_VERSION, 8);
  block.writeUInt32LE(fileBytes, 12);
  block.write(salt, SALT_AT, 8, 'hex');
  block.writeUInt32LE(checksum(block.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  return block;
}

/** Reads the first block; null: it is none that this broker wrote, or damaged. */
export function readHeader(block: Buffer): RingHeader | null {
  if (block.length < BLOCK_BYTES || !block.subarray(0, 8).equals(FILE_MAGIC)) return null;
  if (block.readUInt32LE(8) !== FILE_VERSION) return null;
  if (block.readUInt32LE(HEADER_CRC_AT) !== checksum(block.subarray(0, HEADER_CRC_AT))) return null;
  return { fileBytes: block.readUInt32LE(12), salt: block.toString('hex', SALT_AT, SALT_AT + 8) };
}

/** What stands before a body, as it is read. */
export interface RecordHead {
  readonly crc: number;
  readonly bodyBytes: number;
  readonly number: number;
  /** The number of the last record that was durable when this one was written. */
  readonly durable: number;
}

/** Fills the head of a record but for its checksum. */
export function writeHead(
  head: Buffer,
  salt: string,
  { bodyBytes, number, durable }: Omit<RecordHead, 'crc'>,
): void {
  head.writeUInt32LE(RECORD_MAGIC, 0);
  head.writeUInt32LE(bodyBytes, 8);
  head.writeUInt32LE(0, 12);
  writeU64(head, number, 16);
  head.write(salt, 24, 8, 'hex');
  writeU64(head, durable, 32);
}

/** Fills in the checksum of a head and its body. */
export function writeRecordChecksum(head: Buffer, crc: number): void {
  head.writeUInt32LE(crc, 4);
}

/** What a record's checksum covers of its head. */
export function coveredHead(head: Buffer): Buffer {
  return head.subarray(CRC_COVERS_FROM, RECORD_HEAD_BYTES);
}

/** The head at an offset; null: none of this salt is there. */
export function readHead(bytes: Buffer, at: number, salt: Buffer): RecordHead | null {
  if (bytes.length - at < RECORD_HEAD_BYTES) return null;
  if (bytes.readUInt32LE(at) !== RECORD_MAGIC) return null;
  if (salt.compare(bytes, at + 24, at + 32) !== 0) return null;
  return {
    crc: bytes.readUInt32LE(at + 4),
    bodyBytes: bytes.readUInt32LE(at + 8),
    number: Number(bytes.readBigUInt64LE(at + 16)),
    durable: Number(bytes.readBigUInt64LE(at + 32)),
  };
}

/** How much of the file a record takes. */
export function recordBytes(bodyBytes: number): number {
  return Math.ceil((RECORD_HEAD_BYTES + bodyBytes) / BLOCK_BYTES) * BLOCK_BYTES;
}

function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 0x1_0000_0000, at);
  bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}
