// A second, simple codec of AMQP 0-9-1 for the tests: methods, field tables, properties, frames.
// It shares nothing with src/amqp, so that an error there cannot cancel itself out here.
import { METHODS } from './amqp-methods.ts';

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
const FRAME_END = 0xce;
export const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);
export const HEARTBEAT = Buffer.from([FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);

/** A field-table value of a type that plain JavaScript values do not name. */
export class Typed {
  readonly tag: string;
  readonly value: unknown;
  constructor(tag: string, value: unknown) {
    this.tag = tag;
    this.value = value;
  }
}

export const typed = (tag: string, value: unknown) => new Typed(tag, value);

export type Fields = Record<string, unknown>;

export interface Frame extends Fields {
  /** The method's name, or 'header', 'body', 'heartbeat', 'protocol header', 'socket closed'. */
  name: string;
  channel: number;
}

const PROPERTIES: readonly [string, string][] = [
  ['contentType', 'shortstr'],
  ['contentEncoding', 'shortstr'],
  ['headers', 'table'],
  ['deliveryMode', 'octet'],
  ['priority', 'octet'],
  ['correlationId', 'shortstr'],
  ['replyTo', 'shortstr'],
  ['expiration', 'shortstr'],
  ['messageId', 'shortstr'],
  ['timestamp', 'longlong'],
  ['type', 'shortstr'],
  ['userId', 'shortstr'],
  ['appId', 'shortstr'],
  ['clusterId', 'shortstr'],
];

interface Layout {
  name: string;
  classId: number;
  methodId: number;
  fields: [string, string][];
}

const byName = new Map<string, Layout>();
const byId = new Map<number, Layout>();
for (const [name, [classId, methodId, text]] of Object.entries(METHODS)) {
  const fields = text
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => part.split(':') as [string, string]);
  const layout = { name, classId, methodId, fields };
  byName.set(name, layout);
  byId.set(classId * 65536 + methodId, layout);
}

export function methodIds(name: string): { classId: number; methodId: number } {
  const { classId, methodId } = layoutOf(name);
  return { classId, methodId };
}

function layoutOf(name: string): Layout {
  const layout = byName.get(name);
  if (layout === undefined) throw new Error(`no method ${name}`);
  return layout;
}

const octet = (value: number) => Buffer.from([value & 0xff]);
const short = (value: number) => Buffer.from([(value >> 8) & 0xff, value & 0xff]);

function long(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value >>> 0);
  return buffer;
}

function longlong(value: number | bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(BigInt.asIntN(64, BigInt(value)));
  return buffer;
}

function shortstr(value: string | Buffer): Buffer {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([octet(bytes.length), bytes]);
}

function longstr(value: string | Buffer): Buffer {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([long(bytes.length), bytes]);
}

export function encodeTable(table: Fields): Buffer {
  const parts: Buffer[] = [];
  for (const [key, value] of Object.entries(table)) {
    parts.push(shortstr(key), encodeValue(value));
  }
  return longstr(Buffer.concat(parts));
}

function encodeValue(value: unknown): Buffer {
  if (value instanceof Typed) {
    return Buffer.concat([Buffer.from(value.tag), encodeTyped(value.tag, value.value)]);
  }
  if (value === null) return Buffer.from('V');
  if (typeof value === 'string') return encodeValue(typed('S', value));
  if (typeof value === 'boolean') return encodeValue(typed('t', value));
  if (typeof value === 'number') return encodeValue(typed('I', value));
  if (Buffer.isBuffer(value)) return encodeValue(typed('x', value));
  if (Array.isArray(value)) return encodeValue(typed('A', value));
  return encodeValue(typed('F', value));
}

function encodeTyped(tag: string, value: unknown): Buffer {
  const buffer = Buffer.alloc(8);
  switch (tag) {
    case 'S':
    case 'x':
      return longstr(value as string | Buffer);
    case 't':
      return octet(value === true ? 1 : 0);
    case 'b':
    case 'B':
      return octet(value as number);
    case 's':
    case 'u':
      return short(value as number);
    case 'I':
    case 'i':
      return long(value as number);
    case 'l':
    case 'T':
      return longlong(value as number | bigint);
    case 'f':
      buffer.writeFloatBE(value as number);
      return buffer.subarray(0, 4);
    case 'd':
      buffer.writeDoubleBE(value as number);
      return buffer;
    case 'D':
      return value as Buffer;
    case 'V':
      return Buffer.alloc(0);
    case 'A':
      return longstr(Buffer.concat((value as unknown[]).map(encodeValue)));
    case 'F':
      return encodeTable(value as Fields);
    default:
      throw new Error(`no field type ${tag}`);
  }
}

class Reader {
  readonly bytes: Buffer;
  at: number;
  /** Whether the same name may be in a table twice. */
  readonly takesTwice: boolean;
  constructor(bytes: Buffer, at: number, takesTwice = false) {
    this.takesTwice = takesTwice;
    this.bytes = bytes;
    this.at = at;
  }
  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new Error('the frame ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  octet(): number {
    return this.take(1).readUInt8();
  }
  short(): number {
    return this.take(2).readUInt16BE();
  }
  long(): number {
    return this.take(4).readUInt32BE();
  }
  longlong(): number {
    return Number(this.take(8).readBigUInt64BE());
  }
  shortstr(): string {
    return this.take(this.octet()).toString();
  }
  longstr(): Buffer {
    return this.take(this.long());
  }
  table(): Fields {
    const inner = new Reader(this.longstr(), 0, this.takesTwice);
    const table: Fields = {};
    while (inner.at < inner.bytes.length) {
      const key = inner.shortstr();
      // Clients differ in which they take.
      if (!this.takesTwice && Object.hasOwn(table, key))
        throw new Error(`${key} is twice in a table`);
      table[key] = inner.value();
    }
    return table;
  }
  value(): unknown {
    const tag = this.take(1).toString();
    switch (tag) {
      case 'S':
        return this.longstr().toString();
      case 'x':
        return this.longstr();
      case 't':
        return this.octet() !== 0;
      case 'V':
        return null;
      case 'F':
        return this.table();
      case 'A': {
        const inner = new Reader(this.longstr(), 0, this.takesTwice);
        const items: unknown[] = [];
        while (inner.at < inner.bytes.length) items.push(inner.value());
        return items;
      }
      case 'b':
        return typed(tag, this.take(1).readInt8());
      case 'B':
        return typed(tag, this.octet());
      case 's':
        return typed(tag, this.take(2).readInt16BE());
      case 'u':
        return typed(tag, this.short());
      case 'I':
        return typed(tag, this.take(4).readInt32BE());
      case 'i':
        return typed(tag, this.long());
      case 'l':
        return typed(tag, Number(this.take(8).readBigInt64BE()));
      case 'T':
        return typed(tag, this.longlong());
      case 'f':
        return typed(tag, this.take(4).readFloatBE());
      case 'd':
        return typed(tag, this.take(8).readDoubleBE());
      case 'D':
        return typed(tag, this.take(5));
      default:
        throw new Error(`unknown field type ${tag}`);
    }
  }
}

function encodeField(type: string, value: unknown): Buffer {
  switch (type) {
    case 'octet':
      return octet((value ?? 0) as number);
    case 'short':
      return short((value ?? 0) as number);
    case 'long':
      return long((value ?? 0) as number);
    case 'longlong':
      return longlong((value ?? 0) as number | bigint);
    case 'shortstr':
      return shortstr((value ?? '') as string | Buffer);
    case 'longstr':
      return longstr((value ?? '') as string | Buffer);
    case 'table':
      return Buffer.isBuffer(value) ? value : encodeTable((value ?? {}) as Fields);
    default:
      throw new Error(`no type ${type}`);
  }
}

function decodeField(type: string, reader: Reader): unknown {
  switch (type) {
    case 'octet':
      return reader.octet();
    case 'short':
      return reader.short();
    case 'long':
      return reader.long();
    case 'longlong':
      return reader.longlong();
    case 'shortstr':
      return reader.shortstr();
    case 'longstr':
      return reader.longstr().toString();
    case 'table':
      return reader.table();
    default:
      throw new Error(`no type ${type}`);
  }
}

/** The payload of a method frame: ids, then arguments, neighbouring bits packed into one octet. */
export function encodeMethodPayload(name: string, fields: Fields = {}): Buffer {
  const layout = layoutOf(name);
  const parts: Buffer[] = [short(layout.classId), short(layout.methodId)];
  let bits = 0;
  let bitCount = 0;
  for (const [field, type] of layout.fields) {
    if (type === 'bit') {
      if (fields[field] === true) bits |= 1 << bitCount;
      bitCount += 1;
      continue;
    }
    if (bitCount > 0) parts.push(octet(bits));
    bits = 0;
    bitCount = 0;
    parts.push(encodeField(type, fields[field]));
  }
  if (bitCount > 0) parts.push(octet(bits));
  return Buffer.concat(parts);
}

export function encodeFrame(type: number, channel: number, payload: Buffer): Buffer {
  const end = Buffer.from([FRAME_END]);
  return Buffer.concat([octet(type), short(channel), long(payload.length), payload, end]);
}

export function encodeMethod(channel: number, name: string, fields: Fields = {}): Buffer {
  return encodeFrame(FRAME_METHOD, channel, encodeMethodPayload(name, fields));
}

/** The payload of a content header: class 60, weight 0, body size, property flags, properties. */
export function encodeHeaderPayload(bodySize: number, properties: Fields = {}): Buffer {
  let flags = 0;
  const parts: Buffer[] = [];
  PROPERTIES.forEach(([name, type], index) => {
    if (properties[name] === undefined) return;
    flags |= 1 << (15 - index);
    parts.push(encodeField(type, properties[name]));
  });
  return Buffer.concat([short(60), short(0), longlong(bodySize), short(flags), ...parts]);
}

/** Header and body frames, the body cut into pieces of at most `pieceBytes`. */
export function encodeContent(
  channel: number,
  properties: Fields,
  body: Buffer,
  pieceBytes = 4088,
): Buffer {
  const parts = [encodeFrame(FRAME_HEADER, channel, encodeHeaderPayload(body.length, properties))];
  for (let at = 0; at < body.length; at += pieceBytes) {
    parts.push(encodeFrame(FRAME_BODY, channel, body.subarray(at, at + pieceBytes)));
  }
  return Buffer.concat(parts);
}

function decodeMethodPayload(payload: Buffer, channel: number): Frame {
  const reader = new Reader(payload, 0);
  const id = reader.short() * 65536 + reader.short();
  const layout = byId.get(id);
  if (layout === undefined) throw new Error(`unknown method ${id}`);
  const frame: Frame = { name: layout.name, channel };
  let bits = 0;
  let bitCount = 0;
  for (const [field, type] of layout.fields) {
    if (type === 'bit') {
      if (bitCount === 0) bits = reader.octet();
      frame[field] = (bits & (1 << bitCount)) !== 0;
      bitCount = (bitCount + 1) % 8;
    } else {
      bitCount = 0;
      const value = decodeField(type, reader);
      if (!field.startsWith('_')) frame[field] = value;
    }
  }
  return frame;
}

function decodeHeaderPayload(payload: Buffer, channel: number, takesTwice: boolean): Frame {
  const reader = new Reader(payload, 0, takesTwice);
  const frame: Frame = { name: 'header', channel, payload };
  frame['classId'] = reader.short();
  reader.short();
  frame['bodySize'] = reader.longlong();
  const flags = reader.short();
  const properties: Fields = {};
  PROPERTIES.forEach(([name, type], index) => {
    if ((flags & (1 << (15 - index))) !== 0) properties[name] = decodeField(type, reader);
  });
  frame['properties'] = properties;
  return frame;
}

/** Cuts whole frames off the front of `bytes`; gives the frames and what is left. `takesTwice`: headers may have a name twice. */
export function decodeFrames(bytes: Buffer, takesTwice = false): { frames: Frame[]; rest: Buffer } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 8) {
    if (bytes.toString('latin1', at, at + 4) === 'AMQP') {
      const header = Buffer.from(bytes.subarray(at, at + 8));
      frames.push({ name: 'protocol header', channel: 0, bytes: header });
      at += 8;
      continue;
    }
    const type = bytes.readUInt8(at);
    const channel = bytes.readUInt16BE(at + 1);
    const size = bytes.readUInt32BE(at + 3);
    if (bytes.length - at < size + 8) break;
    if (bytes.readUInt8(at + 7 + size) !== FRAME_END)
      throw new Error('a frame lacks its end octet');
    const payload = Buffer.from(bytes.subarray(at + 7, at + 7 + size));
    at += size + 8;
    if (type === FRAME_METHOD) frames.push(decodeMethodPayload(payload, channel));
    else if (type === FRAME_HEADER) frames.push(decodeHeaderPayload(payload, channel, takesTwice));
    else if (type === FRAME_BODY) frames.push({ name: 'body', channel, payload });
    else if (type === FRAME_HEARTBEAT) frames.push({ name: 'heartbeat', channel });
    else throw new Error(`unknown frame type ${type}`);
  }
  return { frames, rest: bytes.subarray(at) };
}
