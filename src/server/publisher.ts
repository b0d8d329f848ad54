// Owns taking in what one channel publishes: from frames to a record, a route, queues, and the
// confirm. Never reads sockets; the connection hands it frames.

import { CLASS_BASIC, FRAME_BODY, FRAME_END, FRAME_HEADER } from '../amqp/constants.ts';
import { AmqpError } from '../amqp/errors.ts';
import { decodeTable, type FieldTable } from '../amqp/field-table.ts';
import { checkProperties } from '../amqp/properties.ts';
import {
  BIT_DELIVERY_MODE,
  BIT_EXPIRATION,
  BIT_HEADERS,
  BIT_PRIORITY,
  hasProperty,
  propertyStart,
  shortProperty,
} from '../amqp/property-walk.ts';
import type { Broker } from '../broker/broker.ts';
import type { Route } from '../broker/route.ts';
import { type Address, sameBytes } from '../broker/route-memo.ts';
import type { Vhost } from '../broker/vhost.ts';
import { Chunk } from '../message/chunk.ts';
import {
  FLAG_PERSISTENT,
  NO_EXPIRY,
  RECORD_HEAD_BYTES,
  recordExchange,
  recordRoutingKey,
  writeRecordHead,
} from '../message/record.ts';
import type { Confirms } from './confirms.ts';

/** Bits of basic.publish. */
const BIT_MANDATORY = 1;
const BIT_IMMEDIATE = 2;
const DELIVERY_MODE_PERSISTENT = 2;
/** Property flags of a message that has a delivery mode and nothing else: the commonest. */
const ONLY_DELIVERY_MODE = 1 << BIT_DELIVERY_MODE;
/** Bytes set aside for a body at once; what is announced beyond comes as it arrives. */
const BODY_ROOM_BYTES = 1024 * 1024;

const EXPECT_NOTHING = 0;
const EXPECT_HEADER = 1;
const EXPECT_BODY = 2;
const NOTHING = Buffer.alloc(0);

/** What a publisher needs of its channel. */
export interface PublisherChannel {
  /** The confirms of the channel, or null unless it is in confirm mode. */
  readonly confirms: Confirms | null;
  /** Sends basic.return for a record that no queue takes. */
  returnUnroutable(bytes: Buffer, record: number): void;
  /** Asks that confirms be sent at the end of the turn. */
  confirmsChanged(): void;
}

/** The publishing side of one channel. */
export class Publisher {
  private readonly broker: Broker;
  private readonly vhost: Vhost;
  private readonly channel: PublisherChannel;
  private readonly maxMessageBytes: number;
  /** The address of the last publish with its route, since the next is often alike. */
  private lastAddress: Address | null = null;
  /** A content that comes frame by frame. */
  private expected = EXPECT_NOTHING;
  private record: Buffer = NOTHING;
  private recordEnd = 0;
  private headerFrame = 0;
  private bodyLeft = 0;
  private readonly assembled = new Chunk();

  constructor(broker: Broker, vhost: Vhost, channel: PublisherChannel, maxMessageBytes: number) {
    this.broker = broker;
    this.vhost = vhost;
    this.channel = channel;
    this.maxMessageBytes = maxMessageBytes;
  }

  /** Whether the frames of a content are under way, so that nothing else may come. */
  get midContent(): boolean {
    return this.expected !== EXPECT_NOTHING;
  }

  /** The method frame of a publish whose content comes frame by frame. `start` is its payload. */
  begin(bytes: Buffer, start: number, end: number): void {
    const exchange = start + 6;
    const key = exchange + 1 + (bytes[exchange] ?? 256);
    const addressEnd = key + 1 + (bytes[key] ?? 256);
    if (addressEnd + 1 !== end) {
      throw new AmqpError('SYNTAX_ERROR', 'basic.publish does not end with its arguments');
    }
    const headerFrame = RECORD_HEAD_BYTES + (addressEnd - exchange) + 2;
    this.record = Buffer.allocUnsafe(headerFrame);
    bytes.copy(this.record, RECORD_HEAD_BYTES, exchange, end);
    this.record[headerFrame - 1] = FRAME_END;
    this.headerFrame = headerFrame;
    this.expected = EXPECT_HEADER;
  }

  /** The content-header frame. */
  header(bytes: Buffer, start: number, end: number): void {
    if (this.expected !== EXPECT_HEADER) throw unexpectedContent();
    if (end - start < 14) throw new AmqpError('SYNTAX_ERROR', 'content header is cut short');
    const classId = bytes.readUInt16BE(start);
    if (classId !== CLASS_BASIC) {
      throw new AmqpError(
        'UNEXPECTED_FRAME',
        `expected content header for class ${CLASS_BASIC}, got one for class ${classId} instead`,
      );
    }
    const size = Number(bytes.readBigUInt64BE(start + 4));
    checkBodySize(size, this.maxMessageBytes);
    const payload = end - start;
    const body = this.headerFrame + 8 + payload + (size > 0 ? 7 : 0);
    const room = body + Math.min(size, BODY_ROOM_BYTES) + 1;
    const record = Buffer.allocUnsafe(room);
    this.record.copy(record, 0, 0, this.headerFrame);
    writeFrameHead(record, this.headerFrame, FRAME_HEADER, payload);
    bytes.copy(record, this.headerFrame + 7, start, end);
    record[this.headerFrame + 7 + payload] = FRAME_END;
    if (size > 0) writeFrameHead(record, body - 7, FRAME_BODY, size);
    this.record = record;
    this.recordEnd = body;
    this.bodyLeft = size;
    this.expected = EXPECT_BODY;
    if (size === 0) this.complete();
  }

  /** A part of the body. */
  body(bytes: Buffer, start: number, end: number): void {
    if (this.expected === EXPECT_HEADER) throw unexpectedHeader();
    if (this.expected !== EXPECT_BODY) throw unexpectedContent();
    const length = end - start;
    if (length > this.bodyLeft) {
      const over = length - this.bodyLeft;
      throw new AmqpError(
        'UNEXPECTED_FRAME',
        `content body is ${over} bytes longer than announced`,
      );
    }
    if (this.recordEnd + length + 1 > this.record.length) this.growRecord(length);
    bytes.copy(this.record, this.recordEnd, start, end);
    this.recordEnd += length;
    this.bodyLeft -= length;
    if (this.bodyLeft === 0) this.complete();
  }

  /** The error for a method that comes while the frames of a content are under way. */
  unexpectedMethod(): AmqpError {
    if (this.expected === EXPECT_HEADER) return unexpectedHeader();
    const text = 'expected content body, got non content body frame instead';
    return new AmqpError('UNEXPECTED_FRAME', text);
  }

  /** Forgets a content that was under way: the channel is closing. */
  abandon(): void {
    this.expected = EXPECT_NOTHING;
    this.record = NOTHING;
  }

  /**
   * Takes in a record that lies in a chunk at `start`. Throws AmqpErrors for what the publisher may
   * not do; nothing has changed then.
   */
  publish(chunk: Chunk, start: number, addressEnd: number, headerFrame: number, end: number): void {
    const { bytes, view } = chunk;
    const { broker } = this;
    const bits = bytes[addressEnd] as number;
    const bodyBytes = view.getUint32(headerFrame + 15);
    if (bodyBytes > this.maxMessageBytes) checkBodySize(bodyBytes, this.maxMessageBytes);
    if ((bits & BIT_IMMEDIATE) !== 0) throw new AmqpError('NOT_IMPLEMENTED', 'immediate=true');
    const flagsAt = headerFrame + 19;
    const propertyFlags = view.getUint16(flagsAt);
    let persistent = false;
    let priority = 0;
    let expiryMs = NO_EXPIRY;
    if (propertyFlags === ONLY_DELIVERY_MODE && view.getUint32(headerFrame + 3) === 15) {
      persistent = bytes[flagsAt + 2] === DELIVERY_MODE_PERSISTENT;
    } else {
      const payloadEnd = headerFrame + 7 + view.getUint32(headerFrame + 3);
      checkProperties(bytes, flagsAt, payloadEnd);
      persistent = octetProperty(bytes, flagsAt, BIT_DELIVERY_MODE) === DELIVERY_MODE_PERSISTENT;
      priority = octetProperty(bytes, flagsAt, BIT_PRIORITY);
      if ((propertyFlags & (1 << BIT_EXPIRATION)) !== 0) expiryMs = expiryOf(bytes, flagsAt);
    }
    const route = this.routeOf(bytes, start, addressEnd, flagsAt);
    const { queues } = route;
    const count = queues.length;
    let stored = false;
    if (count === 0) {
      if ((bits & BIT_MANDATORY) !== 0) this.channel.returnUnroutable(bytes, start);
    } else {
      stored = persistent && route.durable;
      const flags = persistent ? FLAG_PERSISTENT : 0;
      writeRecordHead(view, start, flags, priority, broker.nowMs, expiryMs);
      const position = broker.log.place(chunk, start, end, stored);
      broker.log.placed.refs += count;
      for (let i = 0; i < count; i++) queues[i]!.push(position, bodyBytes, stored);
    }
    const { confirms } = this.channel;
    if (confirms !== null) {
      if (stored) confirms.addWaiting(broker.awaitConfirm());
      else confirms.addSafe();
      this.channel.confirmsChanged();
    }
  }

  /** The route, from an earlier publish if one had the same address and nothing changed since. */
  private routeOf(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
    const { topology, memo } = this.vhost.router;
    const address = start + RECORD_HEAD_BYTES;
    const length = addressEnd - address;
    const last = this.lastAddress;
    if (last !== null && last.route.topology === topology) {
      if (sameBytes(last.bytes, bytes, address, length)) return last.route;
    }
    const known = memo.find(bytes, address, length, topology);
    if (known === null) return this.lookUp(bytes, start, addressEnd, flagsAt);
    this.lastAddress = known;
    return known.route;
  }

  /** On its own, since the closure for the headers would cost each call of `routeOf` a context. */
  private lookUp(bytes: Buffer, start: number, addressEnd: number, flagsAt: number): Route {
    const { router } = this.vhost;
    const name = recordExchange(bytes, start);
    const headers = (): FieldTable | null => headersOf(bytes, flagsAt);
    const route = router.route(name, recordRoutingKey(bytes, start), headers);
    if (route === null) throw this.vhost.noExchange(name);
    if (route.exchange.internal) {
      const where = `exchange '${name}' in vhost '${this.vhost.name}'`;
      throw new AmqpError('ACCESS_REFUSED', `cannot publish to internal ${where}`);
    }
    if (route.byKeyOnly) {
      const address = start + RECORD_HEAD_BYTES;
      this.lastAddress = router.memo.remember(bytes, address, addressEnd - address, route);
    }
    return route;
  }

  private complete(): void {
    this.expected = EXPECT_NOTHING;
    const { record, headerFrame } = this;
    let end = this.recordEnd;
    if (record.readUInt32BE(headerFrame + 15) > 0) {
      record[end] = FRAME_END;
      end += 1;
    }
    this.record = NOTHING;
    this.assembled.loadRecord(record.subarray(0, end));
    this.publish(this.assembled, 0, headerFrame - 2, headerFrame, end);
    this.assembled.unload();
  }

  private growRecord(length: number): void {
    const wanted = this.recordEnd + length + 1;
    const announced = this.recordEnd + this.bodyLeft + 1;
    const room = Math.min(announced, Math.max(wanted, this.record.length * 2));
    const grown = Buffer.allocUnsafe(room);
    this.record.copy(grown, 0, 0, this.recordEnd);
    this.record = grown;
  }
}

function octetProperty(bytes: Buffer, flagsAt: number, bit: number): number {
  if (!hasProperty(bytes, flagsAt, bit)) return 0;
  return bytes[propertyStart(bytes, flagsAt, bit)] as number;
}

function expiryOf(bytes: Buffer, flagsAt: number): number {
  const text = shortProperty(bytes, flagsAt, BIT_EXPIRATION) as string;
  const [, sign, digits, rest] = /^([+-]?)(\d+)(.*)$/s.exec(text) ?? [];
  let wrong: string | null = null;
  if (digits === undefined) wrong = 'no_integer';
  else if (rest !== '') wrong = `{leftover_string,"${rest}"}`;
  else if (sign === '-' && Number(digits) > 0) wrong = `{value_negative,${text}}`;
  if (wrong !== null) {
    throw new AmqpError('PRECONDITION_FAILED', `invalid expiration '${text}': ${wrong}`);
  }
  return Math.min(Number(digits), NO_EXPIRY);
}

function headersOf(bytes: Buffer, flagsAt: number): FieldTable | null {
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return null;
  return decodeTable(bytes, propertyStart(bytes, flagsAt, BIT_HEADERS), bytes.length).table;
}

function checkBodySize(size: number, max: number): void {
  if (size <= max) return;
  const text = `message size ${size} is larger than configured max size ${max}`;
  throw new AmqpError('PRECONDITION_FAILED', text);
}

function writeFrameHead(record: Buffer, at: number, type: number, payload: number): void {
  record[at] = type;
  record.writeUInt16BE(0, at + 1);
  record.writeUInt32BE(payload, at + 3);
}

function unexpectedContent(): AmqpError {
  const text = 'expected method frame, got non method frame instead';
  return new AmqpError('UNEXPECTED_FRAME', text);
}

function unexpectedHeader(): AmqpError {
  return new AmqpError(
    'UNEXPECTED_FRAME',
    `expected content header for class ${CLASS_BASIC}, got non content header frame instead`,
  );
}
