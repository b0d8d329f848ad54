// Owns the general codec of methods, driven by the table in spec.ts: any method, never the fastest.
// Never looks at frames that come in, nor at content: the frame parser and properties.ts do.
import { Buffer } from 'node:buffer';
import { assert, assertNever } from '../util/assert.ts';
import { copyOf, decodeText } from '../util/bytes.ts';
import { SHORT_BYTES_MAX } from '../util/limits.ts';
import { FRAME_END, FRAME_HEAD_BYTES, FRAME_METHOD, FRAME_OVERHEAD_BYTES } from './constants.ts';
import { encodeTable } from './encode-table.ts';
import { AmqpError } from './errors.ts';
import { decodeTable, type FieldTable } from './field-table.ts';
import type { AnyMethod, FieldDomain, FieldSpec, MethodFields, MethodName } from './spec.ts';
import { METHODS } from './spec.ts';
import { type TableLimits, WIRE_LIMITS } from './table-limits.ts';

/** Class id and method id. */
const METHOD_HEAD_BYTES = 4;

type FieldValue = number | boolean | string | Buffer | FieldTable;

const namesByKey = new Map<number, MethodName>();
for (const name of Object.keys(METHODS) as MethodName[]) namesByKey.set(methodKey(name), name);

/** The method's class id and method id as one integer, `(class << 16) | method`. */
export function methodKey(name: MethodName): number {
  const spec = METHODS[name];
  return (spec.classId << 16) | spec.methodId;
}

/** The method's name, or undefined when the key names none. */
export function methodNameOf(key: number): MethodName | undefined {
  return namesByKey.get(key);
}

/**
 * Decodes the method payload (§4.2.4) from its class id at `start`; the arguments must end exactly
 * at `end`. The result shares no memory with `buf`. Throws AmqpError: COMMAND_INVALID for a method
 * that does not exist, SYNTAX_ERROR for malformed arguments.
 */
export function decodeMethod(
  buf: Buffer,
  start: number,
  end: number,
  limits: TableLimits = WIRE_LIMITS,
): AnyMethod {
  assert(end <= buf.length, 'a method ends inside its buffer');
  if (end - start < METHOD_HEAD_BYTES) throw truncated('method');
  const classId = buf.readUInt16BE(start);
  const methodId = buf.readUInt16BE(start + 2);
  const name = methodNameOf((classId << 16) | methodId);
  if (name === undefined) {
    throw new AmqpError('COMMAND_INVALID', `unknown method {${classId},${methodId}}`);
  }
  const reader = new ArgumentReader(buf, start + METHOD_HEAD_BYTES, end, name, limits);
  const fields: readonly FieldSpec[] = METHODS[name].fields;
  const method: Record<string, FieldValue> = { name };
  for (const [field, domain] of fields) {
    const value = reader.read(domain);
    if (!isReserved(field)) method[field] = value;
  }
  reader.finish();
  // The table that gives AnyMethod its shape has just been followed field by field.
  return method as unknown as AnyMethod;
}

/** Encodes a whole method frame, §4.2.3: head, class id, method id, arguments, end octet. */
export function encodeMethodFrame<N extends MethodName>(
  channel: number,
  name: N,
  fields: MethodFields<N>,
): Buffer {
  const values = wireValues(name, fields);
  const bytes = payloadBytes(name, values);
  const frame = Buffer.allocUnsafe(bytes + FRAME_OVERHEAD_BYTES);
  frame.writeUInt8(FRAME_METHOD, 0);
  frame.writeUInt16BE(channel, 1);
  frame.writeUInt32BE(bytes, 3);
  const end = writePayload(frame, FRAME_HEAD_BYTES, name, values);
  frame.writeUInt8(FRAME_END, end);
  return frame;
}

/** Encodes a method payload, §4.2.4: class id, method id, arguments. */
export function encodeMethodPayload<N extends MethodName>(
  name: N,
  fields: MethodFields<N>,
): Buffer {
  const values = wireValues(name, fields);
  const payload = Buffer.allocUnsafe(payloadBytes(name, values));
  writePayload(payload, 0, name, values);
  return payload;
}

/** Reads arguments one after another; consecutive bits share octets, lowest bit first, §4.2.5.2. */
class ArgumentReader {
  private readonly buf: Buffer;
  private readonly end: number;
  private readonly method: MethodName;
  private readonly limits: TableLimits;
  private at: number;
  private bitsRead = 0;

  constructor(buf: Buffer, start: number, end: number, method: MethodName, limits: TableLimits) {
    this.buf = buf;
    this.end = end;
    this.method = method;
    this.limits = limits;
    this.at = start;
  }

  read(domain: FieldDomain): FieldValue {
    if (domain === 'bit') return this.readBit();
    this.bitsRead = 0;
    switch (domain) {
      case 'octet':
        return this.buf.readUInt8(this.take(1));
      case 'short':
        return this.buf.readUInt16BE(this.take(2));
      case 'long':
        return this.buf.readUInt32BE(this.take(4));
      case 'longlong':
        return this.readLonglong();
      case 'shortstr':
        return this.readShortstr();
      case 'longstr': {
        const bytes = this.buf.readUInt32BE(this.take(4));
        const from = this.take(bytes);
        return copyOf(this.buf, from, from + bytes);
      }
      case 'table': {
        const { table, end } = decodeTable(this.buf, this.at, this.end, this.limits);
        this.at = end;
        return table;
      }
      default:
        return assertNever(domain, 'ArgumentReader.read');
    }
  }

  /** Refuses what follows the last argument. */
  finish(): void {
    const left = this.end - this.at;
    if (left === 0) return;
    throw new AmqpError('SYNTAX_ERROR', `${this.method} has ${left} bytes after its arguments`);
  }

  /** Steps over `bytes` bytes that must be there; returns where they begin. */
  private take(bytes: number): number {
    const from = this.at;
    if (bytes > this.end - from) throw truncated(this.method);
    this.at = from + bytes;
    return from;
  }

  private readBit(): boolean {
    const bit = this.bitsRead % 8;
    if (bit === 0) this.take(1);
    this.bitsRead += 1;
    return ((this.buf[this.at - 1]! >> bit) & 1) === 1;
  }

  private readLonglong(): number {
    const from = this.take(8);
    const value = this.buf.readUInt32BE(from) * 0x100000000 + this.buf.readUInt32BE(from + 4);
    if (Number.isSafeInteger(value)) return value;
    throw new AmqpError('SYNTAX_ERROR', `${this.method} has a number beyond 2^53-1`);
  }

  private readShortstr(): string {
    const bytes = this.buf.readUInt8(this.take(1));
    const from = this.take(bytes);
    const text = decodeText(this.buf, from, from + bytes);
    if (text !== null) return text;
    throw new AmqpError('SYNTAX_ERROR', `${this.method} has malformed UTF-8 in a shortstr`);
  }
}

/** A value ready to be laid out: what a table or a text means in bytes is settled. */
type WireValue = number | boolean | Buffer;

/** All values in wire order; reserved fields are zero or empty. */
function wireValues<N extends MethodName>(name: N, fields: MethodFields<N>): WireValue[] {
  const specs: readonly FieldSpec[] = METHODS[name].fields;
  const given = fields as Readonly<Record<string, FieldValue>>;
  return specs.map(([field, domain]) => {
    const value = isReserved(field) ? undefined : given[field];
    switch (domain) {
      case 'bit':
        return (value ?? false) as boolean;
      case 'shortstr':
        return Buffer.from((value ?? '') as string);
      case 'longstr':
        return (value ?? EMPTY) as Buffer;
      case 'table':
        return encodeTable((value ?? new Map()) as FieldTable);
      default:
        return (value ?? 0) as number;
    }
  });
}

const EMPTY = Buffer.alloc(0);

function payloadBytes(name: MethodName, values: readonly WireValue[]): number {
  let bytes = METHOD_HEAD_BYTES;
  let bits = 0;
  METHODS[name].fields.forEach(([, domain], i) => {
    if (domain !== 'bit') bits = 0;
    bytes += valueBytes(domain, values[i]!, bits);
    if (domain === 'bit') bits += 1;
  });
  return bytes;
}

/** The bytes that one more value takes, after `bits` consecutive bits. */
function valueBytes(domain: FieldDomain, value: WireValue, bits: number): number {
  switch (domain) {
    case 'bit':
      return bits % 8 === 0 ? 1 : 0;
    case 'octet':
      return 1;
    case 'short':
      return 2;
    case 'long':
      return 4;
    case 'longlong':
      return 8;
    case 'shortstr':
      return 1 + (value as Buffer).length;
    case 'longstr':
      return 4 + (value as Buffer).length;
    case 'table':
      return (value as Buffer).length;
    default:
      return assertNever(domain, 'valueBytes');
  }
}

/** Writes the payload at `start`; returns the offset after it. */
function writePayload(
  buf: Buffer,
  start: number,
  name: MethodName,
  values: readonly WireValue[],
): number {
  buf.writeInt32BE(methodKey(name), start);
  let at = start + METHOD_HEAD_BYTES;
  let bits = 0;
  METHODS[name].fields.forEach(([, domain], i) => {
    const value = values[i]!;
    if (domain !== 'bit') {
      bits = 0;
      at = writeValue(buf, at, domain, value);
      return;
    }
    if (bits % 8 === 0) {
      buf[at] = 0;
      at += 1;
    }
    if (value === true) buf[at - 1]! |= 1 << (bits % 8);
    bits += 1;
  });
  return at;
}

function writeValue(
  buf: Buffer,
  at: number,
  domain: Exclude<FieldDomain, 'bit'>,
  value: WireValue,
): number {
  switch (domain) {
    case 'octet':
      return buf.writeUInt8(value as number, at);
    case 'short':
      return buf.writeUInt16BE(value as number, at);
    case 'long':
      return buf.writeUInt32BE(value as number, at);
    case 'longlong': {
      assert(Number.isSafeInteger(value), 'a longlong is a safe integer');
      buf.writeUInt32BE(Math.floor((value as number) / 0x100000000), at);
      return buf.writeUInt32BE((value as number) % 0x100000000, at + 4);
    }
    case 'shortstr': {
      const bytes = value as Buffer;
      assert(bytes.length <= SHORT_BYTES_MAX, 'a shortstr has at most 255 bytes');
      buf[at] = bytes.length;
      return at + 1 + bytes.copy(buf, at + 1);
    }
    case 'longstr': {
      const bytes = value as Buffer;
      buf.writeUInt32BE(bytes.length, at);
      return at + 4 + bytes.copy(buf, at + 4);
    }
    case 'table':
      return at + (value as Buffer).copy(buf, at);
    default:
      return assertNever(domain, 'writeValue');
  }
}

function isReserved(field: string): boolean {
  return field.startsWith('reserved');
}

function truncated(what: string): AmqpError {
  return new AmqpError('SYNTAX_ERROR', `${what} ends before its arguments do`);
}
