// Owns writing field tables in RabbitMQ's dialect, the picture of which is in field-table.ts. Never reads one.

import { assert, assertNever } from '../util/assert.ts';
import { SHORT_BYTES_MAX } from '../util/limits.ts';
import { type Field, type FieldTable, fixedBytes, LENGTH_BYTES } from './field-table.ts';
import { STORED_LIMITS } from './table-limits.ts';

/** The table on the wire, its length field included. */
export function encodeTable(table: FieldTable): Buffer {
  const buf = Buffer.allocUnsafe(LENGTH_BYTES + tableBytes(table, 1));
  writeTable(buf, 0, table);
  return buf;
}

/** The size of a table's content, without its length field. */
function tableBytes(table: FieldTable, depth: number): number {
  assert(
    depth <= STORED_LIMITS.tableDepthMax,
    'an encoded field table nests no deeper than a decoded one',
  );
  let bytes = 0;
  for (const [key, field] of table) {
    const keyBytes = Buffer.byteLength(key);
    assert(keyBytes <= SHORT_BYTES_MAX, 'a field table key is a shortstr');
    bytes += 1 + keyBytes + 1 + valueBytes(field, depth);
  }
  return bytes;
}

/** The size of a value without its type octet. */
function valueBytes(field: Field, depth: number): number {
  switch (field.type) {
    case 'S':
    case 'x':
      return LENGTH_BYTES + Buffer.byteLength(field.value);
    case 'F':
      return LENGTH_BYTES + tableBytes(field.value, depth + 1);
    case 'A': {
      assert(
        depth < STORED_LIMITS.tableDepthMax,
        'an encoded field array nests no deeper than a decoded one',
      );
      let bytes = LENGTH_BYTES;
      for (const element of field.value) bytes += 1 + valueBytes(element, depth + 1);
      return bytes;
    }
    default:
      return fixedBytes(field.type.charCodeAt(0));
  }
}

function writeTable(buf: Buffer, start: number, table: FieldTable): number {
  let at = start + LENGTH_BYTES;
  for (const [key, field] of table) {
    const keyBytes = buf.write(key, at + 1);
    buf[at] = keyBytes;
    at = writeField(buf, at + 1 + keyBytes, field);
  }
  buf.writeUInt32BE(at - start - LENGTH_BYTES, start);
  return at;
}

function writeArray(buf: Buffer, start: number, elements: readonly Field[]): number {
  let at = start + LENGTH_BYTES;
  for (const element of elements) at = writeField(buf, at, element);
  buf.writeUInt32BE(at - start - LENGTH_BYTES, start);
  return at;
}

/** Writes type octet and value; returns the offset after them. */
function writeField(buf: Buffer, typeAt: number, field: Field): number {
  buf[typeAt] = field.type.charCodeAt(0);
  const at = typeAt + 1;
  switch (field.type) {
    case 'S':
    case 'x':
      return writeBytes(buf, at, field.value);
    case 't':
      return buf.writeUInt8(field.value ? 1 : 0, at);
    case 'b':
      return buf.writeInt8(field.value, at);
    case 'B':
      return buf.writeUInt8(field.value, at);
    case 's':
      return buf.writeInt16BE(field.value, at);
    case 'u':
      return buf.writeUInt16BE(field.value, at);
    case 'I':
      return buf.writeInt32BE(field.value, at);
    case 'i':
      return buf.writeUInt32BE(field.value, at);
    case 'l':
      return buf.writeBigInt64BE(BigInt(field.value), at);
    case 'T':
      return buf.writeBigUInt64BE(BigInt(field.value), at);
    case 'f':
      return buf.writeFloatBE(field.value, at);
    case 'd':
      return buf.writeDoubleBE(field.value, at);
    case 'D':
      buf.writeUInt8(field.value.places, at);
      return buf.writeUInt32BE(field.value.digits, at + 1);
    case 'A':
      return writeArray(buf, at, field.value);
    case 'F':
      return writeTable(buf, at, field.value);
    case 'V':
      return at;
    default:
      return assertNever(field, 'writeField');
  }
}

function writeBytes(buf: Buffer, start: number, value: string | Buffer): number {
  const from = start + LENGTH_BYTES;
  const bytes = typeof value === 'string' ? buf.write(value, from) : value.copy(buf, from);
  buf.writeUInt32BE(bytes, start);
  return from + bytes;
}
