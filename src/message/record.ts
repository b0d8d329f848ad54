// Owns the layout of a record: one message, the same bytes in memory, on disk and (but for its
// head) on the wire. Never allocates per message.

import { FRAME_BODY, FRAME_END, FRAME_HEADER } from '../amqp/constants.ts';
import { type ExactText, exactText, U32 } from '../util/bytes.ts';
import { shortBytes } from '../util/limits.ts';

/*
 * A record is what the publisher sent for one message, kept as it came:
 *
 *   offset 0                  13                                                    end
 *          +------------------+----------------------+------+------+---------------+------------+
 *          | head (13 bytes)  | address              | bits | 0xCE | header frame  | body frame |
 *          +------------------+----------------------+------+------+---------------+------------+
 *   wire:    frame head,        exchange, routing key,               type, channel,  one frame;
 *            method id,         two short strings                    size, payload,  none for an
 *            ticket (overwritten)                                    0xCE            empty body
 *
 * The first 13 bytes of a basic.publish frame say nothing that is worth keeping, so the broker
 * writes its own head over them:
 *
 *   0  u8   flags (FLAG_PERSISTENT)
 *   1  u8   priority
 *   2  u48  time of arrival, ms since the Unix epoch
 *   8  u40  time to live as the publisher asked for it, ms; 0xFFFFFFFFFF: none
 *
 * All integers are big-endian, as on the wire. A chunk read from a socket thus becomes the log
 * itself: nothing is copied in, and delivery copies "header frame, body frame" as one range.
 */

/** Bytes of a record's own head. */
export const RECORD_HEAD_BYTES = 13;
/** The message is to survive a restart (delivery-mode 2). */
export const FLAG_PERSISTENT = 1;
/**
 * A body from this size on is not kept behind its header but in the parts it was read in. It is
 * never delivered as one range with its header, so that the end octet of its frame is left out.
 */
export const LARGE_BODY_BYTES_MIN = 32 * 1024;
/** No time to live was asked for. */
export const NO_EXPIRY = 0xff_ffff_ffff;

/** Where the body size in a content-header frame ends, from the beginning of the frame on. */
const BODY_SIZE_END = 19;

/** Writes the head over the first 13 bytes of a record that starts at `start`. */
export function writeRecordHead(
  view: DataView,
  start: number,
  flags: number,
  priority: number,
  arrivedMs: number,
  expiryMs: number,
): void {
  view.setUint8(start, flags);
  view.setUint8(start + 1, priority);
  view.setUint16(start + 2, arrivedMs / U32);
  view.setUint32(start + 4, arrivedMs);
  view.setUint8(start + 8, expiryMs / U32);
  view.setUint32(start + 9, expiryMs);
}

export function recordFlags(bytes: Buffer, start: number): number {
  return bytes[start] as number;
}

export function recordPriority(bytes: Buffer, start: number): number {
  return bytes[start + 1] as number;
}

/** When the message arrived, ms since the Unix epoch. */
export function recordArrivedMs(view: DataView, start: number): number {
  return view.getUint16(start + 2) * U32 + view.getUint32(start + 4);
}

/** The publisher's time to live in ms, or NO_EXPIRY. */
export function recordExpiryMs(view: DataView, start: number): number {
  return view.getUint8(start + 8) * U32 + view.getUint32(start + 9);
}

/** Where the address (exchange and routing key as short strings) begins. */
export function addressStart(start: number): number {
  return start + RECORD_HEAD_BYTES;
}

/** Where the address ends. */
export function addressEnd(bytes: Buffer, start: number): number {
  const key = start + RECORD_HEAD_BYTES + 1 + (bytes[start + RECORD_HEAD_BYTES] as number);
  return key + 1 + (bytes[key] as number);
}

/** Where the content-header frame begins: behind the address, the publish bits and an end octet. */
export function headerFrameStart(bytes: Buffer, start: number): number {
  return addressEnd(bytes, start) + 2;
}

/** The body size that a content-header frame announces. */
export function bodyBytesAt(view: DataView, headerFrame: number): number {
  return view.getUint32(headerFrame + 11) * U32 + view.getUint32(headerFrame + 15);
}

/**
 * Where a record ends that lies in one piece below `limit`; -1: it does not. For bytes that may be cut off
 * anywhere: it reads nothing from `limit` on.
 */
export function recordEndBelow(
  bytes: Buffer,
  view: DataView,
  start: number,
  limit: number,
): number {
  const end = Math.min(limit, bytes.length);
  const key = start + RECORD_HEAD_BYTES + 1 + (bytes[start + RECORD_HEAD_BYTES] ?? end);
  const headerFrame = key + 1 + (bytes[key] ?? end) + 2;
  if (headerFrame + BODY_SIZE_END > end) return -1;
  const bodyBytes = bodyBytesAt(view, headerFrame);
  const bodyFrame = headerFrame + 8 + view.getUint32(headerFrame + 3);
  const endOctet = bodyBytes >= LARGE_BODY_BYTES_MIN ? 0 : 1;
  const recordEnd = bodyBytes === 0 ? bodyFrame : bodyFrame + 7 + bodyBytes + endOctet;
  return recordEnd <= end ? recordEnd : -1;
}

/** The exchange name of a record. */
export function recordExchange(bytes: Buffer, start: number): string {
  const at = start + RECORD_HEAD_BYTES;
  return bytes.toString('utf8', at + 1, at + 1 + (bytes[at] as number));
}

/** The routing key of a record. */
export function recordRoutingKey(bytes: Buffer, start: number): string {
  const at = start + RECORD_HEAD_BYTES + 1 + (bytes[start + RECORD_HEAD_BYTES] as number);
  return bytes.toString('utf8', at + 1, at + 1 + (bytes[at] as number));
}

/** Exchange and routing key of a record, as they were received. */
export interface ExactAddress {
  readonly exchange: ExactText;
  readonly routingKey: ExactText;
}

/** The address of a record, byte for byte. */
export function recordAddress(bytes: Buffer, start: number): ExactAddress {
  const exchange = start + RECORD_HEAD_BYTES;
  const key = exchange + 1 + (bytes[exchange] as number);
  return {
    exchange: exactText(bytes, exchange + 1, key),
    routingKey: exactText(bytes, key + 1, key + 1 + (bytes[key] as number)),
  };
}

/**
 * A record made by the broker itself, from a content-header payload and a body. Of a name that is too
 * long for a short string there is as much as fits. The head is left for `writeRecordHead`.
 */
export function buildRecord(
  exchange: ExactText,
  routingKey: ExactText,
  headerPayload: Buffer,
  body: Buffer,
): Buffer {
  const exchangeBytes = shortBytes(exchange);
  const keyBytes = shortBytes(routingKey);
  const headerFrame = RECORD_HEAD_BYTES + 2 + exchangeBytes.length + keyBytes.length + 2;
  const bodyFrame = headerFrame + 8 + headerPayload.length;
  const end = body.length === 0 ? bodyFrame : bodyFrame + 8 + body.length;
  const record = Buffer.allocUnsafe(end);
  let at = record.writeUInt8(exchangeBytes.length, RECORD_HEAD_BYTES);
  at += exchangeBytes.copy(record, at);
  at = record.writeUInt8(keyBytes.length, at);
  at += keyBytes.copy(record, at);
  record[at] = 0;
  record[at + 1] = FRAME_END;
  writeContentFrame(record, headerFrame, FRAME_HEADER, headerPayload);
  if (body.length > 0) writeContentFrame(record, bodyFrame, FRAME_BODY, body);
  return record;
}

function writeContentFrame(record: Buffer, start: number, type: number, payload: Buffer): void {
  record[start] = type;
  record.writeUInt16BE(0, start + 1);
  record.writeUInt32BE(payload.length, start + 3);
  payload.copy(record, start + 7);
  record[start + 7 + payload.length] = FRAME_END;
}
