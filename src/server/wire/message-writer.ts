// Owns how a message of the log becomes frames where that takes more than copying: basic.get-ok, returns,
// and deliveries that say how often they came. Never chooses what is sent.

import { BASIC_GET_OK, BASIC_RETURN } from '../../amqp/constants.ts';
import { REPLY_CODES } from '../../amqp/errors.ts';
import type { ConsumerSource } from '../../broker/queue/consumer.ts';
import { gotCount, setCount } from '../../broker/queue/got-count.ts';
import type { TakenEntry } from '../../broker/queue/messages/queue-entries.ts';
import type { Chunk } from '../../message/chunk.ts';
import type { MessageLog } from '../../message/log/log.ts';
import { positionOf, type Segment } from '../../message/log/segment.ts';
import { readMessage, recordWithHeaders } from '../../message/read-message.ts';
import { methodPrefix, writeContent, writeTag } from './content-writer.ts';
import type { Outbox } from './outbox.ts';

const NO_ROUTE_TEXT = 'NO_ROUTE';
const NOTHING = Buffer.alloc(0);

/** Where the frames of one channel go. */
export interface FrameTarget {
  readonly number: number;
  readonly link: Outbox;
  readonly connection: {
    readonly peerFrameMax: number;
    readonly core: { readonly log: MessageLog };
  };
}

/** A message that was read, and can be sent. */
export interface SeenMessage {
  readonly bytes: Buffer;
  readonly record: number;
  /** Where the bytes come from, if they are the log's. */
  readonly segment: Segment | null;
}

/** Reads a message that came back so often to its queue. All that can fail does so here. */
export function seeCounted(log: MessageLog, position: number, returns: number): SeenMessage {
  return see(log, position, returns);
}

/** Reads a message for basic.get-ok. */
export function seeGot(log: MessageLog, queue: ConsumerSource, taken: TakenEntry) {
  return see(log, taken.position, gotCount(queue, taken));
}

/** Writes basic.deliver for a message that was read, as its headers are not those that it came with. */
export function writeSeenDelivery(
  target: FrameTarget,
  deliverPrefix: Buffer,
  tag: number,
  redelivered: boolean,
  seen: SeenMessage,
): void {
  const prefix = Buffer.alloc(deliverPrefix.length + 9);
  deliverPrefix.copy(prefix);
  writeTag(prefix, deliverPrefix.length, tag, redelivered);
  writeMessage(target, prefix, NOTHING, seen);
}

/** Writes basic.get-ok for a message just taken from a queue. */
export function writeGetOk(
  target: FrameTarget,
  tag: number,
  queue: ConsumerSource,
  { redelivered }: TakenEntry,
  seen: SeenMessage,
): void {
  const prefix = methodPrefix(target.number, BASIC_GET_OK, 9);
  writeTag(prefix, 11, tag, redelivered);
  const suffix = Buffer.alloc(4);
  suffix.writeUInt32BE(queue.readyCount);
  writeMessage(target, prefix, suffix, seen);
}

/** Writes basic.return for a message without a route. */
export function writeReturn(target: FrameTarget, chunk: Chunk, record: number): void {
  const { link, number, connection } = target;
  const prefix = methodPrefix(number, BASIC_RETURN, 3 + NO_ROUTE_TEXT.length);
  prefix.writeUInt16BE(REPLY_CODES.NO_ROUTE, 11);
  prefix[13] = NO_ROUTE_TEXT.length;
  prefix.write(NO_ROUTE_TEXT, 14);
  const bytes = chunk.joined();
  writeContent(link, prefix, NOTHING, number, connection.peerFrameMax, bytes, record, null);
}

/** Writes a method that ends in an address and `suffix`, with the content of a message. */
function writeMessage(
  { link, number, connection }: FrameTarget,
  prefix: Buffer,
  suffix: Buffer,
  { bytes, record, segment }: SeenMessage,
): void {
  writeContent(link, prefix, suffix, number, connection.peerFrameMax, bytes, record, segment);
}

/** Reads a message as it was published, or with a count; null: none. */
function see(log: MessageLog, position: number, count: number | null): SeenMessage {
  if (count !== null) {
    const message = readMessage(log, position);
    setCount(message.headers, count);
    return { bytes: recordWithHeaders(message), record: 0, segment: null };
  }
  const segment = log.readable(position);
  const record = position - positionOf(segment.id, 0);
  return { bytes: segment.bytes as Buffer, record, segment };
}
