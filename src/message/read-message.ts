// Owns taking a record apart, for code that makes another message of it: a dead letter, a copy with
// other headers. Never on the way of a message that only passes.

import { decodeTable, type FieldTable } from '../amqp/field-table.ts';
import {
  BIT_EXPIRATION,
  BIT_HEADERS,
  BIT_PRIORITY,
  BIT_TIMESTAMP,
  hasProperty,
  PROPERTY_FLAGS_OFFSET,
  propertyStart,
  replaceHeaders,
  shortProperty,
} from '../amqp/property-walk.ts';
import { STORED_LIMITS } from '../amqp/table-limits.ts';
import { viewOf } from '../util/bytes.ts';
import type { Chunk } from './chunk.ts';
import type { MessageLog } from './log/log.ts';
import { positionOf, SEGMENT_SPAN } from './log/segment.ts';
import {
  bodyBytesAt,
  buildRecord,
  type ExactAddress,
  FLAG_PERSISTENT,
  headerFrameStart,
  recordAddress,
  recordArrivedMs,
  recordExchange,
  recordFlags,
  recordPriority,
  recordRoutingKey,
} from './record.ts';

/** A message in parts. Buffers are views of the log: use them within this turn. */
export interface ReadMessage {
  readonly exchange: string;
  readonly routingKey: string;
  /** The same as received: what is no valid UTF-8 is bytes here, where the texts have U+FFFD. */
  readonly address: ExactAddress;
  readonly headerPayload: Buffer;
  /** The `headers` property; empty where there is none. The caller's own. */
  readonly headers: FieldTable;
  readonly expiration: string | null;
  readonly body: Buffer;
  readonly persistent: boolean;
  /** Null: the message names no priority. */
  readonly priority: number | null;
}

/** Reads the record at a position, which the caller holds a reference to. */
export function readMessage(log: MessageLog, position: number): ReadMessage {
  const { bytes, view, offset } = log.read(position);
  return readRecord(bytes, view, offset);
}

/** The headers of the message at a position; null: it has none. Throws where it cannot be read. */
export function headersAt(log: MessageLog, position: number): FieldTable | null {
  const { bytes, offset } = log.read(position);
  const flagsAt = headerFrameStart(bytes, offset) + 7 + PROPERTY_FLAGS_OFFSET;
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return null;
  return decodeTable(bytes, propertyStart(bytes, flagsAt, BIT_HEADERS), bytes.length, STORED_LIMITS)
    .table;
}

/** When the message at a position arrived, ms since the Unix epoch. */
export function arrivedMsAt(log: MessageLog, position: number): number {
  const segment = log.readable(position);
  return recordArrivedMs(segment.view as DataView, position - positionOf(segment.id, 0));
}

/** When the message at a position arrived, from the bytes of its segment that a peek gave. */
export function peekedArrivedMs(bytes: Buffer, position: number): number {
  return recordArrivedMs(viewOf(bytes), position % SEGMENT_SPAN);
}

/** The publisher's `timestamp` of the message at a position, in the same way; null: it has none. */
export function peekedTimestamp(bytes: Buffer, position: number): number | bigint | null {
  const flagsAt = headerFrameStart(bytes, position % SEGMENT_SPAN) + 7 + PROPERTY_FLAGS_OFFSET;
  if (!hasProperty(bytes, flagsAt, BIT_TIMESTAMP)) return null;
  const value = bytes.readBigUInt64BE(propertyStart(bytes, flagsAt, BIT_TIMESTAMP));
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

/** Reads a record that is whole in a buffer, its head written. */
function readRecord(bytes: Buffer, view: DataView, offset: number): ReadMessage {
  const headerFrame = headerFrameStart(bytes, offset);
  const payloadEnd = headerFrame + 7 + bytes.readUInt32BE(headerFrame + 3);
  const headerPayload = bytes.subarray(headerFrame + 7, payloadEnd);
  const bodyBytes = bodyBytesAt(view, headerFrame);
  let headers: FieldTable = new Map();
  if (hasProperty(headerPayload, PROPERTY_FLAGS_OFFSET, BIT_HEADERS)) {
    const at = propertyStart(headerPayload, PROPERTY_FLAGS_OFFSET, BIT_HEADERS);
    headers = decodeTable(headerPayload, at, headerPayload.length, STORED_LIMITS).table;
  }
  const prioritized = hasProperty(headerPayload, PROPERTY_FLAGS_OFFSET, BIT_PRIORITY);
  return {
    exchange: recordExchange(bytes, offset),
    routingKey: recordRoutingKey(bytes, offset),
    address: recordAddress(bytes, offset),
    headerPayload,
    headers,
    expiration: shortProperty(headerPayload, PROPERTY_FLAGS_OFFSET, BIT_EXPIRATION),
    body: bytes.subarray(payloadEnd + 8, payloadEnd + 8 + bodyBytes),
    persistent: (recordFlags(bytes, offset) & FLAG_PERSISTENT) !== 0,
    priority: prioritized ? recordPriority(bytes, offset) : null,
  };
}

/** A record of the same message with the headers as they are now; without a head. */
export function recordWithHeaders(message: ReadMessage): Buffer {
  const payload = replaceHeaders(message.headerPayload, message.headers, false);
  const { exchange, routingKey } = message.address;
  return buildRecord(exchange, routingKey, payload, message.body);
}

/** Reads the record that begins at `start` of a chunk. */
export function readChunk(chunk: Chunk, start: number): ReadMessage {
  const bytes = chunk.joined();
  return readRecord(bytes, viewOf(bytes), start);
}
