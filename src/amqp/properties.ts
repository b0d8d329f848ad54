// Owns the properties of the basic class: checking, decoding and encoding content headers, §4.2.6.
// Never acts on a property, and never frames what it encodes.
import { Buffer } from 'node:buffer';
import { assert, assertNever } from '../util/assert.ts';
import { SHORT_BYTES_MAX } from '../util/limits.ts';
import { CLASS_BASIC } from './constants.ts';
import { encodeTable } from './encode-table.ts';
import { AmqpError } from './errors.ts';
import { checkTable, decodeTable, type FieldTable } from './field-table.ts';
import { STORED_LIMITS, type TableLimits } from './table-limits.ts';

/** What a publisher says about a message; every property may be absent. */
export interface Properties {
  contentType?: string;
  contentEncoding?: string;
  headers?: FieldTable;
  /** 2 is persistent; anything else, or absent, is transient. */
  deliveryMode?: number;
  priority?: number;
  correlationId?: string;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  /** A bigint only beyond 2^53-1: publishers are free to count nanoseconds. */
  timestamp?: number | bigint;
  type?: string;
  userId?: string;
  appId?: string;
  clusterId?: string;
}

type PropertyDomain = 'shortstr' | 'table' | 'octet' | 'timestamp';

//   0       2        4           12      14
//   +-------+--------+-----------+-------+---------------+
//   | class | weight | body size | flags | property list |
//   +-------+--------+-----------+-------+---------------+
// The highest of the 16 flags announces the first property of the list, and so on.
const FLAGS_OFFSET = 12;
const LIST_OFFSET = 14;

/** In wire order. */
const PROPERTIES: readonly (readonly [keyof Properties, PropertyDomain])[] = [
  ['contentType', 'shortstr'],
  ['contentEncoding', 'shortstr'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'shortstr'],
  ['replyTo', 'shortstr'],
  ['expiration', 'shortstr'],
  ['messageId', 'shortstr'],
  ['timestamp', 'timestamp'],
  ['type', 'shortstr'],
  ['userId', 'shortstr'],
  ['appId', 'shortstr'],
  ['clusterId', 'shortstr'],
];

/** The bit that says whether a property is there, as property-walk.ts asks for it. */
export function propertyBit(name: keyof Properties): number {
  return 15 - PROPERTIES.findIndex(([each]) => each === name);
}

const TOP_FLAG = 0x8000;
const HEADERS_FLAG = TOP_FLAG >> 2;
const OCTET_FLAGS = (TOP_FLAG >> 3) | (TOP_FLAG >> 4);
const TIMESTAMP_FLAG = TOP_FLAG >> 9;
/** The flag without a meaning, and the one that continues the flags in another 16 bits. */
const UNKNOWN_FLAGS = 0x0003;

const NO_HEADERS: FieldTable = new Map();

/**
 * Checks the property flags at `start` and the list behind them, which must end exactly at `end`,
 * without building anything. A shortstr may be no valid UTF-8: RabbitMQ hands such bytes on, and
 * binary correlation ids are in use. Throws AmqpError SYNTAX_ERROR.
 */
export function checkProperties(
  buf: Buffer,
  start: number,
  end: number,
  limits: TableLimits,
): void {
  assert(end <= buf.length, 'a content header ends inside its buffer');
  let rest = readFlags(buf, start, end);
  let at = start + 2;
  while (rest !== 0) {
    const flag = 0x80000000 >>> Math.clz32(rest);
    rest ^= flag;
    if (flag === HEADERS_FLAG) {
      at = checkTable(buf, at, end, limits);
    } else if ((flag & OCTET_FLAGS) !== 0) {
      at += 1;
    } else if (flag === TIMESTAMP_FLAG) {
      at += 8;
    } else {
      if (at >= end) throw truncated();
      at += 1 + buf[at]!;
    }
    if (at > end) throw truncated();
  }
  if (at !== end) {
    throw new AmqpError(
      'SYNTAX_ERROR',
      `content header has ${end - at} bytes after its properties`,
    );
  }
}

function readFlags(buf: Buffer, start: number, end: number): number {
  if (start + 2 > end) throw truncated();
  const flags = (buf[start]! << 8) | buf[start + 1]!;
  if ((flags & UNKNOWN_FLAGS) !== 0) {
    throw new AmqpError('SYNTAX_ERROR', 'content header has flags that the basic class lacks');
  }
  return flags;
}

/**
 * Decodes the properties whose flags are at `start`; the list must end exactly at `end`. The result
 * shares no memory with `buf`. Bytes that are no valid UTF-8 read as U+FFFD, so what is handed on
 * to consumers should be the bytes received, not an encoding of this. Throws AmqpError SYNTAX_ERROR
 * for just those bytes that checkProperties refuses under STORED_LIMITS.
 */
export function decodeProperties(buf: Buffer, start: number, end: number): Properties {
  checkProperties(buf, start, end, STORED_LIMITS);
  const flags = readFlags(buf, start, end);
  const properties: Partial<Record<keyof Properties, unknown>> = {};
  let at = start + 2;
  for (let i = 0; i < PROPERTIES.length; i += 1) {
    if ((flags & (TOP_FLAG >> i)) === 0) continue;
    const [name, domain] = PROPERTIES[i]!;
    switch (domain) {
      case 'shortstr': {
        const after = at + 1 + buf[at]!;
        properties[name] = buf.toString('utf8', at + 1, after);
        at = after;
        break;
      }
      case 'octet':
        properties[name] = buf[at]!;
        at += 1;
        break;
      case 'timestamp': {
        const exact = buf.readBigUInt64BE(at);
        const plain = Number(exact);
        properties[name] = Number.isSafeInteger(plain) ? plain : exact;
        at += 8;
        break;
      }
      case 'table': {
        const headers = decodeTable(buf, at, end, STORED_LIMITS);
        properties[name] = headers.table;
        at = headers.end;
        break;
      }
      default:
        assertNever(domain, 'decodeProperties');
    }
  }
  // PROPERTIES pairs each name with the domain that its type in Properties stands for.
  return properties as Properties;
}

/** Encodes a content header payload, §4.2.6.1: class, weight, body size, flags, properties. */
export function encodeContentHeaderPayload(bodyBytes: number, properties: Properties): Buffer {
  assert(Number.isSafeInteger(bodyBytes) && bodyBytes >= 0, 'a body size is a safe integer');
  const headers = encodeTable(properties.headers ?? NO_HEADERS);
  const payload = Buffer.allocUnsafe(LIST_OFFSET + listBytes(properties, headers));
  payload.writeUInt16BE(CLASS_BASIC, 0);
  payload.writeUInt16BE(0, 2);
  payload.writeUInt32BE(Math.floor(bodyBytes / 0x100000000), 4);
  payload.writeUInt32BE(bodyBytes % 0x100000000, 8);
  let flags = 0;
  let at = LIST_OFFSET;
  for (let i = 0; i < PROPERTIES.length; i += 1) {
    const [name, domain] = PROPERTIES[i]!;
    const value = properties[name];
    if (value === undefined) continue;
    flags |= TOP_FLAG >> i;
    switch (domain) {
      case 'shortstr': {
        const bytes = payload.write(value as string, at + 1);
        payload[at] = bytes;
        at += 1 + bytes;
        break;
      }
      case 'octet':
        at = payload.writeUInt8(value as number, at);
        break;
      case 'timestamp':
        at = payload.writeBigUInt64BE(BigInt(value as number | bigint), at);
        break;
      case 'table':
        at += headers.copy(payload, at);
        break;
      default:
        assertNever(domain, 'encodeContentHeaderPayload');
    }
  }
  payload.writeUInt16BE(flags, FLAGS_OFFSET);
  return payload;
}

/** The size of the property list; `headers` is the encoded table of headers. */
function listBytes(properties: Properties, headers: Buffer): number {
  let bytes = 0;
  for (const [name, domain] of PROPERTIES) {
    const value = properties[name];
    if (value === undefined) continue;
    switch (domain) {
      case 'shortstr': {
        const textBytes = Buffer.byteLength(value as string);
        assert(textBytes <= SHORT_BYTES_MAX, 'a property is a shortstr');
        bytes += 1 + textBytes;
        break;
      }
      case 'octet':
        bytes += 1;
        break;
      case 'timestamp':
        bytes += 8;
        break;
      case 'table':
        bytes += headers.length;
        break;
      default:
        assertNever(domain, 'listBytes');
    }
  }
  return bytes;
}

function truncated(): AmqpError {
  return new AmqpError('SYNTAX_ERROR', 'content header ends before its properties do');
}
