// Owns encoding a method with its content into an outbox: deliver, get-ok, return. Never chooses
// what is sent.

import { FRAME_BODY, FRAME_END, FRAME_HEAD_BYTES, FRAME_METHOD } from '../../amqp/constants.ts';
import type { Segment } from '../../message/log/segment.ts';
import { addressEnd, addressStart } from '../../message/record.ts';
import { copyBytes, U32, viewOf } from '../../util/bytes.ts';
import type { Outbox } from './outbox.ts';

/** From this size a body is sent out of its segment; below it is copied beside its frame heads. */
export const UNCOPIED_BODY_BYTES_MIN = 16 * 1024;

/** Bytes with the view of them, as `copyBytes` wants them. */
export interface Bytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** Wraps a buffer for `writeContent`. */
export function asBytes(bytes: Buffer): Bytes {
  return { bytes, view: viewOf(bytes) };
}

/** The start of every deliver frame of one consumer: frame head, method id, consumer tag. */
export function deliverPrefix(channel: number, methodKey: number, consumerTag: string): Buffer {
  const tag = Buffer.from(consumerTag);
  const prefix = Buffer.alloc(FRAME_HEAD_BYTES + 4 + 1 + tag.length);
  startPrefix(prefix, channel, methodKey);
  prefix[11] = tag.length;
  tag.copy(prefix, 12);
  return prefix;
}

/** The start of a get-ok or return frame: frame head and method id, and room for `more` bytes. */
export function methodPrefix(channel: number, methodKey: number, more: number): Buffer {
  const prefix = Buffer.alloc(FRAME_HEAD_BYTES + 4 + more);
  startPrefix(prefix, channel, methodKey);
  return prefix;
}

function startPrefix(prefix: Buffer, channel: number, methodKey: number): void {
  prefix[0] = FRAME_METHOD;
  prefix.writeUInt16BE(channel, 1);
  prefix.writeInt32BE(methodKey, 7);
}

/**
 * Writes basic.deliver with its content:
 *
 *   prefix | u64 delivery tag | u8 redelivered | address | 0xCE | header frame | body frame
 */
export function writeDelivery(
  outbox: Outbox,
  prefix: Bytes,
  channel: number,
  frameMax: number,
  tag: number,
  redelivered: boolean,
  segment: Segment,
  record: number,
): void {
  const source = segment.bytes as Buffer;
  const sourceView = segment.view as DataView;
  const address = addressStart(record);
  const addressBytes = addressEnd(source, record) - address;
  const prefixBytes = prefix.bytes.length;
  const method = prefixBytes + 9 + addressBytes + 1;
  const headerFrame = address + addressBytes + 2;
  const header = 8 + sourceView.getUint32(headerFrame + 3);
  const body = sourceView.getUint32(headerFrame + 15);
  const whole = body < UNCOPIED_BODY_BYTES_MIN && body + 8 <= frameMax;
  const content = whole && body > 0 ? header + 8 + body : header;
  const at = outbox.reserve(method + content);
  const { bytes, view } = outbox;
  copyBytes(prefix.bytes, prefix.view, 0, bytes, view, at, prefixBytes);
  view.setUint32(at + 3, method - 8);
  let to = at + prefixBytes;
  view.setUint32(to, tag / U32);
  view.setUint32(to + 4, tag);
  bytes[to + 8] = redelivered ? 1 : 0;
  to += 9;
  copyBytes(source, sourceView, address, bytes, view, to, addressBytes);
  bytes[to + addressBytes] = FRAME_END;
  to += addressBytes + 1;
  copyBytes(source, sourceView, headerFrame, bytes, view, to, content);
  view.setUint16(to + 1, channel);
  if (content !== header) view.setUint16(to + header + 1, channel);
  outbox.end = to + content;
  if (!whole) writeBody(outbox, channel, frameMax, segment, headerFrame + header + 7, body);
  outbox.checkFull();
}

/**
 * Writes a method whose frame is `prefix | address | suffix` with its content: get-ok and return.
 */
export function writeContent(
  outbox: Outbox,
  prefix: Buffer,
  suffix: Buffer,
  channel: number,
  frameMax: number,
  source: Buffer,
  record: number,
  segment: Segment | null,
): void {
  const address = source.subarray(addressStart(record), addressEnd(source, record));
  const headerFrame = addressStart(record) + address.length + 2;
  const header = 8 + source.readUInt32BE(headerFrame + 3);
  const body = source.readUInt32BE(headerFrame + 15);
  prefix.writeUInt32BE(prefix.length - FRAME_HEAD_BYTES + address.length + suffix.length, 3);
  outbox.append(prefix);
  outbox.append(address);
  outbox.append(suffix);
  outbox.append(Buffer.of(FRAME_END));
  const at = outbox.reserve(header);
  source.copy(outbox.bytes, at, headerFrame, headerFrame + header);
  outbox.view.setUint16(at + 1, channel);
  outbox.end = at + header;
  const bodyStart = headerFrame + header + FRAME_HEAD_BYTES;
  if (segment !== null) writeBody(outbox, channel, frameMax, segment, bodyStart, body);
  else copyBody(outbox, channel, frameMax, source.subarray(bodyStart, bodyStart + body));
  outbox.checkFull();
  outbox.checkOverfull();
}

/** Body frames for a body in a segment, each at most `frameMax` bytes. */
export function writeBody(
  outbox: Outbox,
  channel: number,
  frameMax: number,
  segment: Segment,
  start: number,
  length: number,
): void {
  if (length < UNCOPIED_BODY_BYTES_MIN) {
    const bytes = segment.bytes as Buffer;
    copyBody(outbox, channel, frameMax, bytes.subarray(start, start + length));
    return;
  }
  const partMax = frameMax - 8;
  for (let done = 0; done < length; done += partMax) {
    const part = Math.min(partMax, length - done);
    writeBodyHead(outbox, channel, part);
    outbox.appendSegment(segment, start + done, start + done + part);
    const end = outbox.reserve(1);
    outbox.bytes[end] = FRAME_END;
    outbox.end = end + 1;
  }
}

function copyBody(outbox: Outbox, channel: number, frameMax: number, body: Buffer): void {
  const partMax = frameMax - 8;
  for (let done = 0; done < body.length; done += partMax) {
    const part = body.subarray(done, done + partMax);
    writeBodyHead(outbox, channel, part.length);
    outbox.append(part);
    outbox.append(Buffer.of(FRAME_END));
  }
}

function writeBodyHead(outbox: Outbox, channel: number, length: number): void {
  const at = outbox.reserve(FRAME_HEAD_BYTES);
  outbox.bytes[at] = FRAME_BODY;
  outbox.view.setUint16(at + 1, channel);
  outbox.view.setUint32(at + 3, length);
  outbox.end = at + FRAME_HEAD_BYTES;
}

/** Writes a delivery tag and the redelivered bit, as deliver and get-ok have them. */
export function writeTag(bytes: Buffer, at: number, tag: number, redelivered: boolean): void {
  bytes.writeUInt32BE(Math.floor(tag / U32), at);
  bytes.writeUInt32BE(tag % U32, at + 4);
  bytes[at + 8] = redelivered ? 1 : 0;
}

/** Writes basic.ack or basic.nack, whose fields are the same: a tag and bits. */
export function writeConfirm(
  link: Outbox,
  channel: number,
  key: number,
  tag: number,
  bits: number,
): void {
  const at = link.reserve(21);
  const { bytes, view } = link;
  bytes[at] = 1;
  view.setUint16(at + 1, channel);
  view.setUint32(at + 3, 13);
  view.setUint32(at + 7, key);
  view.setUint32(at + 11, tag / U32);
  view.setUint32(at + 15, tag);
  bytes[at + 19] = bits;
  bytes[at + 20] = 0xce;
  link.end = at + 21;
}
