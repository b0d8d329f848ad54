// Owns field tables in RabbitMQ's dialect: what they hold, checking and decoding them.
// Never knows which arguments or headers mean something, nor touches frames and methods.
import { type Buffer, isUtf8 } from 'node:buffer';
import { assert } from '../util/assert.ts';
import { copyOf, decodeText, U32, u16At, u32At } from '../util/bytes.ts';
import { AmqpError } from './errors.ts';
import { type TableLimits, WIRE_LIMITS } from './table-limits.ts';

/** An exact decimal: `digits` shifted right by `places`. RabbitMQ reads digits as unsigned. */
export interface Decimal {
  readonly places: number;
  readonly digits: number;
}

/**
 * One value with its wire type, which redeclaration compares and delivery keeps, §4.2.5.5 in the
 * reading of RabbitMQ's errata. 64-bit values are bigints only beyond the safe integers; an 'S' is
 * a Buffer only when it is no valid UTF-8. The alias 'L' is read as 'l' and never written.
 */
export type Field =
  | { readonly type: 't'; readonly value: boolean }
  | { readonly type: 'b' | 'B' | 's' | 'u' | 'I' | 'i' | 'f' | 'd'; readonly value: number }
  | { readonly type: 'l' | 'T'; readonly value: number | bigint }
  | { readonly type: 'D'; readonly value: Decimal }
  | { readonly type: 'S'; readonly value: string | Buffer }
  | { readonly type: 'x'; readonly value: Buffer }
  | { readonly type: 'A'; readonly value: readonly Field[] }
  | { readonly type: 'F'; readonly value: FieldTable }
  | { readonly type: 'V'; readonly value: null };

export type FieldType = Field['type'];

export type FieldTable = Map<string, Field>;

/** A text as a field. */
export function textField(value: string | Buffer): Field {
  return { type: 'S', value };
}

//   0             4                                              4+length
//   +-------------+----------+-----+------+-------+-----------------+
//   | length u32  | key size | key | type | value | key size | ...  |
//   +-------------+----------+-----+------+-------+-----------------+
// An array has the same length and then values only: type, value, type, value ...
export const LENGTH_BYTES = 4;

const TYPE_ARRAY = 0x41; // A
const TYPE_UINT8 = 0x42; // B
const TYPE_DECIMAL = 0x44; // D
const TYPE_TABLE = 0x46; // F
const TYPE_INT32 = 0x49; // I
const TYPE_INT64_ALIAS = 0x4c; // L
const TYPE_LONGSTR = 0x53; // S
const TYPE_TIMESTAMP = 0x54; // T
const TYPE_VOID = 0x56; // V
const TYPE_INT8 = 0x62; // b
const TYPE_DOUBLE = 0x64; // d
const TYPE_FLOAT = 0x66; // f
const TYPE_UINT32 = 0x69; // i
const TYPE_INT64 = 0x6c; // l
const TYPE_INT16 = 0x73; // s
const TYPE_BOOL = 0x74; // t
const TYPE_UINT16 = 0x75; // u
const TYPE_BINARY = 0x78; // x

/** The limits of the outermost table being checked, and what is left of the entries they allow. */
let limits = WIRE_LIMITS;
let entriesLeft = 0;

/**
 * Checks the table whose length field is at `start`, by the rules of decodeTable but without
 * building anything; returns the offset after it. Throws AmqpError SYNTAX_ERROR.
 */
export function checkTable(buf: Buffer, start: number, end: number, allowed: TableLimits): number {
  assert(end <= buf.length, 'a field table ends inside its buffer');
  const after = lengthEnd(buf, start, end);
  limits = allowed;
  entriesLeft = allowed.tableEntriesMax;
  checkValues(buf, start + LENGTH_BYTES, after, 1, true);
  return after;
}

/** Walks a table's (`keyed`) or an array's values, which must end exactly at `end`. */
function checkValues(buf: Buffer, from: number, end: number, depth: number, keyed: boolean): void {
  if (depth > limits.tableDepthMax) throw tooDeep();
  let at = from;
  while (at < end) {
    if (--entriesLeft < 0) throw tooManyEntries();
    if (keyed) at = checkKey(buf, at, end);
    if (at >= end) throw truncated();
    const type = buf[at]!;
    at += 1;
    switch (type) {
      case TYPE_LONGSTR:
      case TYPE_BINARY:
        at = lengthEnd(buf, at, end);
        break;
      case TYPE_TABLE:
      case TYPE_ARRAY: {
        const after = lengthEnd(buf, at, end);
        checkValues(buf, at + LENGTH_BYTES, after, depth + 1, type === TYPE_TABLE);
        at = after;
        break;
      }
      default:
        at += fixedBytes(type);
        if (at > end) throw truncated();
    }
  }
}

/** Checks the key at `at` and returns the offset after it. */
function checkKey(buf: Buffer, at: number, end: number): number {
  const from = at + 1;
  const after = from + buf[at]!;
  if (after > end) throw truncated();
  for (let i = from; i < after; i += 1) {
    if (buf[i]! >= 0x80) {
      if (!isUtf8(buf.subarray(i, after))) throw malformed('a key is not valid UTF-8');
      break;
    }
  }
  return after;
}

/** The size of a value whose type alone decides it, by its type octet. */
export function fixedBytes(type: number): number {
  switch (type) {
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_FLOAT:
      return 4;
    case TYPE_INT64:
    case TYPE_INT64_ALIAS:
    case TYPE_DOUBLE:
    case TYPE_TIMESTAMP:
      return 8;
    case TYPE_BOOL:
    case TYPE_INT8:
    case TYPE_UINT8:
      return 1;
    case TYPE_INT16:
    case TYPE_UINT16:
      return 2;
    case TYPE_DECIMAL:
      return 5;
    case TYPE_VOID:
      return 0;
    default:
      throw unknownType(type);
  }
}

/** Reads the u32 length at `at` and returns where its content ends, which is never past `end`. */
function lengthEnd(buf: Buffer, at: number, end: number): number {
  const from = at + LENGTH_BYTES;
  if (from > end) throw truncated();
  const length = u32At(buf, at);
  if (length > end - from) throw malformed('a length reaches beyond what encloses it');
  return from + length;
}

/**
 * Decodes the table whose length field is at `start`; `end` is the offset after it. The result
 * shares no memory with `buf`. A key that comes twice keeps its last value. Throws AmqpError
 * SYNTAX_ERROR for just those bytes that checkTable refuses.
 */
export function decodeTable(
  buf: Buffer,
  start: number,
  end: number,
  allowed: TableLimits,
): { table: FieldTable; end: number } {
  const after = checkTable(buf, start, end, allowed);
  const table: FieldTable = new Map();
  readEntries(buf, start + LENGTH_BYTES, after, table);
  return { table, end: after };
}

// The readers below run over bytes that checkTable has passed, so they check nothing again.

function readEntries(buf: Buffer, from: number, end: number, table: FieldTable): void {
  let at = from;
  while (at < end) {
    const keyEnd = at + 1 + buf[at]!;
    table.set(buf.toString('utf8', at + 1, keyEnd), readField(buf, keyEnd));
    at = fieldEnd(buf, keyEnd);
  }
}

function readElements(buf: Buffer, from: number, end: number): Field[] {
  const elements: Field[] = [];
  for (let at = from; at < end; at = fieldEnd(buf, at)) elements.push(readField(buf, at));
  return elements;
}

/** The offset after the value whose type octet is at `at`, in a table that checkTable has passed. */
export function fieldEnd(buf: Buffer, at: number): number {
  const type = buf[at]!;
  switch (type) {
    case TYPE_LONGSTR:
    case TYPE_BINARY:
    case TYPE_TABLE:
    case TYPE_ARRAY:
      return lengthEnd(buf, at + 1, buf.length);
    default:
      return at + 1 + fixedBytes(type);
  }
}

/**
 * The value of an integer type whose type octet is at `typeAt`, as the nearest number, without an object for it. NaN: it
 * is of another type; a timestamp is.
 */
export function integerAt(buf: Buffer, typeAt: number): number {
  const at = typeAt + 1;
  switch (buf[typeAt]) {
    case TYPE_INT8:
      return buf.readInt8(at);
    case TYPE_UINT8:
      return buf.readUInt8(at);
    case TYPE_INT16:
      return buf.readInt16BE(at);
    case TYPE_UINT16:
      return u16At(buf, at);
    case TYPE_INT32:
      return u32At(buf, at) | 0;
    case TYPE_UINT32:
      return u32At(buf, at);
    case TYPE_INT64:
    case TYPE_INT64_ALIAS:
      return (u32At(buf, at) | 0) * U32 + u32At(buf, at + 4);
    default:
      return Number.NaN;
  }
}

/** The value whose type octet is at `typeAt`. */
export function readField(buf: Buffer, typeAt: number): Field {
  const type = buf[typeAt]!;
  const at = typeAt + 1;
  switch (type) {
    case TYPE_LONGSTR: {
      const end = fieldEnd(buf, typeAt);
      const text = decodeText(buf, at + LENGTH_BYTES, end);
      return { type: 'S', value: text ?? copyOf(buf, at + LENGTH_BYTES, end) };
    }
    case TYPE_BOOL:
      return { type: 't', value: buf[at] !== 0 };
    case TYPE_INT8:
      return { type: 'b', value: buf.readInt8(at) };
    case TYPE_UINT8:
      return { type: 'B', value: buf.readUInt8(at) };
    case TYPE_INT16:
      return { type: 's', value: buf.readInt16BE(at) };
    case TYPE_UINT16:
      return { type: 'u', value: buf.readUInt16BE(at) };
    case TYPE_INT32:
      return { type: 'I', value: buf.readInt32BE(at) };
    case TYPE_UINT32:
      return { type: 'i', value: buf.readUInt32BE(at) };
    case TYPE_INT64:
    case TYPE_INT64_ALIAS:
      return { type: 'l', value: plainWhenSafe(buf.readBigInt64BE(at)) };
    case TYPE_TIMESTAMP:
      return { type: 'T', value: plainWhenSafe(buf.readBigUInt64BE(at)) };
    case TYPE_FLOAT:
      return { type: 'f', value: buf.readFloatBE(at) };
    case TYPE_DOUBLE:
      return { type: 'd', value: buf.readDoubleBE(at) };
    case TYPE_DECIMAL:
      return { type: 'D', value: { places: buf[at]!, digits: buf.readUInt32BE(at + 1) } };
    case TYPE_BINARY:
      return { type: 'x', value: copyOf(buf, at + LENGTH_BYTES, fieldEnd(buf, typeAt)) };
    case TYPE_ARRAY:
      return { type: 'A', value: readElements(buf, at + LENGTH_BYTES, fieldEnd(buf, typeAt)) };
    case TYPE_TABLE: {
      const table: FieldTable = new Map();
      readEntries(buf, at + LENGTH_BYTES, fieldEnd(buf, typeAt), table);
      return { type: 'F', value: table };
    }
    case TYPE_VOID:
      return { type: 'V', value: null };
    default:
      throw unknownType(type);
  }
}

function plainWhenSafe(value: bigint): number | bigint {
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}

function malformed(why: string): AmqpError {
  return new AmqpError('SYNTAX_ERROR', `malformed field table: ${why}`);
}

function truncated(): AmqpError {
  return malformed('a value reaches beyond what encloses it');
}

function tooDeep(): AmqpError {
  return malformed(`nested more than ${limits.tableDepthMax} deep`);
}

function tooManyEntries(): AmqpError {
  return malformed(`more than ${limits.tableEntriesMax} entries`);
}

function unknownType(type: number): AmqpError {
  return malformed(`unknown type 0x${type.toString(16).padStart(2, '0')}`);
}
