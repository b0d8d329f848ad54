// Owns the bytes of a record of the replicated log. Never says which records count: chain.ts does.

import { crc32 } from 'node:zlib';

/** What a record is. */
export const LEAD = 1;
/** A piece of a batch that is longer than a record; the last piece is a BATCH. */
export const PART = 2;
export const BATCH = 3;
/** It shows that the log takes records, and carries the digest of those that count before it. */
export const BEAT = 4;
/** Its node leads no longer, of its own accord. */
export const DOWN = 5;

const KIND_MAX = DOWN;
/*
 * A change of what follows, or another kind, comes with a higher FORMAT_VERSION: then a node that does not know it has stopped
 * before, at the LEAD of the node that writes it. So a LEAD stays readable for all: it may get more behind what it has.
 */
const VERSION = 1;
const DIGEST_BYTES = 4;

/*
 *   u8 version | u8 kind | u48 epoch | u48 number | u32 CRC32 of the other bytes | body      (big-endian)
 */
const CRC_AT = 14;
export const RECORD_HEAD_BYTES = 18;

/** A record as it was read. */
export interface LogRecord {
  readonly kind: number;
  /** The place in the log of the record that began the time of its leader. */
  readonly epoch: number;
  /** Its number within the epoch: the LEAD has 0, all others follow by one. */
  readonly number: number;
  readonly body: Buffer;
  /** Why it cannot be read, to stand behind its name; null: it can. Then nothing else of it may be believed. */
  readonly fault: string | null;
  /** It is whole, and of a form that only a later Leveret can have written. */
  readonly isLater: boolean;
}

/** What opens an epoch. */
export interface Lead {
  /** The place of the last record of the log as its writer knows it: it counts right behind that one alone. */
  readonly previous: number;
  /** Of the records that count before it, see `digestWith`. */
  readonly digest: number;
  /** The format of the tables that its batches belong to. */
  readonly format: number;
  /** A random number, by which its writer knows it again; 16 bytes in hex digits. */
  readonly nonce: string;
  readonly node: string;
  readonly version: string;
}

const NONCE_BYTES = 16;
const LEAD_HEAD_BYTES = 6 + 4 + 4 + NONCE_BYTES;
const NONCE_AT = LEAD_HEAD_BYTES - NONCE_BYTES;

/** The head of a record whose body is `parts`, one behind the other. */
export function recordHead(
  kind: number,
  epoch: number,
  number: number,
  parts: readonly Buffer[],
): Buffer {
  const head = Buffer.alloc(RECORD_HEAD_BYTES);
  head.writeUInt8(VERSION, 0);
  head.writeUInt8(kind, 1);
  head.writeUIntBE(epoch, 2, 6);
  head.writeUIntBE(number, 8, 6);
  let crc = crc32(head.subarray(0, CRC_AT));
  for (const part of parts) crc = crc32(part, crc);
  head.writeUInt32BE(crc, CRC_AT);
  return head;
}

/**
 * Reads a record; null: no Leveret wrote these bytes. One that begins as a record, or has the checksum of one, is one, and
 * what is damaged or unknown in it may be anything: so it is not for its reader to pass over.
 */
export function readRecord(bytes: Buffer): LogRecord | null {
  const version = bytes[0];
  if (bytes.length < RECORD_HEAD_BYTES) return version === VERSION ? unread('is cut short') : null;
  const body = bytes.subarray(RECORD_HEAD_BYTES);
  if (crc32(body, crc32(bytes.subarray(0, CRC_AT))) !== bytes.readUInt32BE(CRC_AT)) {
    return version === VERSION ? unread('does not match its checksum') : null;
  }
  const kind = bytes.readUInt8(1);
  if (version !== VERSION || kind === 0 || kind > KIND_MAX) {
    return unread(`is of a kind that this Leveret does not know (${version}, ${kind})`, true);
  }
  const epoch = bytes.readUIntBE(2, 6);
  return { kind, epoch, number: bytes.readUIntBE(8, 6), body, fault: null, isLater: false };
}

const NOTHING = Buffer.alloc(0);

function unread(fault: string, isLater = false): LogRecord {
  return { kind: 0, epoch: 0, number: 0, body: NOTHING, fault, isLater };
}

/**
 * The digest of records that count, with one more: `record` begins with the head of it. Nodes that have read the same
 * records have the same digest. That of none is 0.
 */
export function digestWith(digest: number, record: Buffer): number {
  return crc32(record.subarray(CRC_AT, RECORD_HEAD_BYTES), digest);
}

/** The body of a BEAT. */
export function beatBody(digest: number): Buffer {
  const body = Buffer.alloc(DIGEST_BYTES);
  body.writeUInt32BE(digest);
  return body;
}

/** The digest that a BEAT carries; null: it has none. */
export function readBeat(body: Buffer): number | null {
  return body.length < DIGEST_BYTES ? null : body.readUInt32BE();
}

/*
 *   u48 previous | u32 digest | u32 format | 16 bytes nonce | u8 length, node | u8 length, version      (big-endian)
 */

/** The body of a LEAD. */
export function leadBody({ previous, digest, format, nonce, node, version }: Lead): Buffer {
  const head = Buffer.alloc(LEAD_HEAD_BYTES);
  head.writeUIntBE(previous, 0, 6);
  head.writeUInt32BE(digest, 6);
  head.writeUInt32BE(format, 10);
  head.write(nonce, NONCE_AT, NONCE_BYTES, 'hex');
  return Buffer.concat([head, shortText(node), shortText(version)]);
}

/** Reads the body of a LEAD; null: it is none. */
export function readLead(body: Buffer): Lead | null {
  if (body.length < LEAD_HEAD_BYTES) return null;
  const texts: string[] = [];
  let at = LEAD_HEAD_BYTES;
  while (texts.length < 2) {
    const end = at + 1 + (body[at] ?? 0);
    if (at >= body.length || end > body.length) return null;
    texts.push(body.toString('utf8', at + 1, end));
    at = end;
  }
  const [node = '', version = ''] = texts;
  return {
    previous: body.readUIntBE(0, 6),
    digest: body.readUInt32BE(6),
    format: body.readUInt32BE(10),
    nonce: body.toString('hex', NONCE_AT, LEAD_HEAD_BYTES),
    node,
    version,
  };
}

const SHORT_BYTES_MAX = 255;

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text).subarray(0, SHORT_BYTES_MAX);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
