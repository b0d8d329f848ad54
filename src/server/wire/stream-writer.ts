// Owns encoding a message of a stream into an outbox: basic.deliver with the headers that say where it stands there. Never
// chooses what is sent.

import { FRAME_END } from '../../amqp/constants.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { BIT_HEADERS, hasProperty, headerAt, propertyStart } from '../../amqp/property-walk.ts';
import type { MessageLog } from '../../message/log/log.ts';
import type { Segment } from '../../message/log/segment.ts';
import { readMessage, recordWithHeaders } from '../../message/read-message.ts';
import { addressEnd, addressStart } from '../../message/record.ts';
import { copyBytes, U32 } from '../../util/bytes.ts';
import { asBytes, type Bytes, UNCOPIED_BODY_BYTES_MIN, writeBody } from './content-writer.ts';
import { type FrameTarget, type SeenMessage, writeSeenDelivery } from './message-writer.ts';

/** The offset, RabbitMQ's; and which partition of a super stream a message is of, ours. Each is a signed 64-bit integer. */
const OFFSET_NAME = Buffer.from('x-stream-offset');
const PARTITION_NAME = Buffer.from('x-stream-partition');
const OFFSET_HEADER = asBytes(longHeader(OFFSET_NAME));
const PARTITION_HEADER = asBytes(longHeader(PARTITION_NAME));

/** Where the property flags stand in a content-header frame, and the bit of them that says that there are headers. */
const FLAGS_AT = 19;
const HEADERS_FLAG = 1 << BIT_HEADERS;

function longHeader(name: Buffer): Buffer {
  const field = Buffer.alloc(1 + name.length + 1 + 8);
  field[0] = name.length;
  name.copy(field, 1);
  field.write('l', 1 + name.length);
  return field;
}

/**
 * Reads a message that came with a header which says where it stands, as one does that was read from a stream and
 * published again with all its headers, and puts right what it says: `writeEntry` would say it twice, and some clients go
 * by what comes first. Null: it has no such header.
 */
export function seeEntry(
  log: MessageLog,
  segment: Segment,
  position: number,
  record: number,
  offset: number,
  partition: number,
): SeenMessage | null {
  const source = segment.bytes as Buffer;
  const flagsAt = addressEnd(source, record) + 2 + FLAGS_AT;
  if (!hasProperty(source, flagsAt, BIT_HEADERS)) return null;
  const told =
    headerAt(source, flagsAt, OFFSET_NAME) >= 0 ||
    (partition >= 0 && headerAt(source, flagsAt, PARTITION_NAME) >= 0);
  if (!told) return null;
  const message = readMessage(log, position);
  sayWhere(message.headers, offset, partition);
  return { bytes: recordWithHeaders(message), record: 0, segment: null };
}

/** Puts into headers where their message stands. `partition`: -1 for none. */
export function sayWhere(headers: FieldTable, offset: number, partition: number): void {
  headers.set(OFFSET_NAME.toString(), { type: 'l', value: offset });
  if (partition >= 0) headers.set(PARTITION_NAME.toString(), { type: 'l', value: partition });
}

/**
 * Writes basic.deliver with its content as `writeDelivery` does, and with headers more at the end of those that there
 * are. `seen`: what `seeEntry` gave. `partition`: -1 for none. Delivered before or not is not known of messages of a stream.
 */
export function writeEntry(
  target: FrameTarget,
  prefix: Bytes,
  tag: number,
  seen: SeenMessage | null,
  segment: Segment,
  record: number,
  offset: number,
  partition: number,
): void {
  if (seen !== null) return writeSeenDelivery(target, prefix.bytes, tag, false, seen);
  const { link: outbox, number: channel } = target;
  const frameMax = target.connection.peerFrameMax;
  const source = segment.bytes as Buffer;
  const sourceView = segment.view as DataView;
  const address = addressStart(record);
  const addressBytes = addressEnd(source, record) - address;
  const prefixBytes = prefix.bytes.length;
  const method = prefixBytes + 9 + addressBytes + 1;
  const headerFrame = address + addressBytes + 2;
  const header = 8 + sourceView.getUint32(headerFrame + 3);
  const body = sourceView.getUint32(headerFrame + 15);
  const flags = sourceView.getUint16(headerFrame + FLAGS_AT);
  const table = propertyStart(source, headerFrame + FLAGS_AT, BIT_HEADERS);
  const hasTable = (flags & HEADERS_FLAG) !== 0;
  const tableBytes = hasTable ? sourceView.getUint32(table) : 0;
  // What comes before the new headers, and what behind them.
  const split = (hasTable ? table + 4 + tableBytes : table) - headerFrame;
  const more = OFFSET_HEADER.bytes.length + (partition < 0 ? 0 : PARTITION_HEADER.bytes.length);
  const grown = more + (hasTable ? 0 : 4);
  const whole = body < UNCOPIED_BODY_BYTES_MIN && body + 8 <= frameMax;
  const content = whole && body > 0 ? header + 8 + body : header;
  const at = outbox.reserve(method + content + grown);
  const { bytes, view } = outbox;
  copyBytes(prefix.bytes, prefix.view, 0, bytes, view, at, prefixBytes);
  view.setUint32(at + 3, method - 8);
  let to = at + prefixBytes;
  view.setUint32(to, tag / U32);
  view.setUint32(to + 4, tag);
  bytes[to + 8] = 0;
  to += 9;
  copyBytes(source, sourceView, address, bytes, view, to, addressBytes);
  bytes[to + addressBytes] = FRAME_END;
  to += addressBytes + 1;
  copyBytes(source, sourceView, headerFrame, bytes, view, to, split);
  view.setUint16(to + 1, channel);
  view.setUint32(to + 3, header - 8 + grown);
  view.setUint16(to + FLAGS_AT, flags | HEADERS_FLAG);
  view.setUint32(to + table - headerFrame, tableBytes + more);
  let field = to + split + (hasTable ? 0 : 4);
  field = writeLong(OFFSET_HEADER, offset, bytes, view, field);
  if (partition >= 0) field = writeLong(PARTITION_HEADER, partition, bytes, view, field);
  copyBytes(source, sourceView, headerFrame + split, bytes, view, field, content - split);
  if (content !== header) view.setUint16(to + header + grown + 1, channel);
  outbox.end = to + content + grown;
  if (!whole) writeBody(outbox, channel, frameMax, segment, headerFrame + header + 7, body);
  outbox.checkFull();
}

/** Writes a header with its value; returns where it ends. */
function writeLong(
  header: Bytes,
  value: number,
  bytes: Buffer,
  view: DataView,
  at: number,
): number {
  const { length } = header.bytes;
  copyBytes(header.bytes, header.view, 0, bytes, view, at, length);
  view.setUint32(at + length - 8, value / U32);
  view.setUint32(at + length - 4, value);
  return at + length;
}
