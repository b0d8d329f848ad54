// Owns when two field values are the same argument, and how an argument reads in an error text.
// Never decides which arguments matter, nor touches bytes on the wire.
import { Buffer } from 'node:buffer';
import { assertNever } from '../util/assert.ts';
import { type IntegerField, isIntegerField } from './field-integers.ts';
import type { Field, FieldTable, FieldType } from './field-table.ts';

/**
 * Whether two declarations give an argument the same value, as RabbitMQ judges it: all integer
 * widths (and timestamps) compare by value, so do float and double, and longstr and binary; an
 * integer never equals a float. Unlike RabbitMQ this holds inside tables and arrays too, and the
 * order of a table's entries does not matter.
 */
export function sameField(a: Field, b: Field): boolean {
  switch (a.type) {
    case 't':
      return b.type === 't' && a.value === b.value;
    case 'b':
    case 'B':
    case 's':
    case 'u':
    case 'I':
    case 'i':
    case 'l':
    case 'T':
      return isWhole(b) && sameInteger(a.value, b.value);
    case 'f':
    case 'd':
      return (b.type === 'f' || b.type === 'd') && a.value === b.value;
    case 'D':
      return (
        b.type === 'D' && a.value.places === b.value.places && a.value.digits === b.value.digits
      );
    case 'S':
    case 'x':
      return (b.type === 'S' || b.type === 'x') && sameBytes(a.value, b.value);
    case 'A':
      return b.type === 'A' && sameElements(a.value, b.value);
    case 'F':
      return b.type === 'F' && sameTable(a.value, b.value);
    case 'V':
      return b.type === 'V';
    default:
      return assertNever(a, 'sameField');
  }
}

/** As sameField, but an integer equals a float of the same value: so headers meet conditions. */
export function sameValue(a: Field, b: Field): boolean {
  if (isWhole(a) && isFloat(b)) return Number(a.value) === b.value;
  if (isFloat(a) && isWhole(b)) return a.value === Number(b.value);
  return sameField(a, b);
}

/** Whether two tables hold the same keys with the same values (sameField). */
export function sameTable(a: FieldTable, b: FieldTable): boolean {
  if (a.size !== b.size) return false;
  for (const [key, field] of a) {
    const other = b.get(key);
    if (other === undefined || !sameField(field, other)) return false;
  }
  return true;
}

function sameElements(a: readonly Field[], b: readonly Field[]): boolean {
  return a.length === b.length && a.every((element, i) => sameField(element, b[i]!));
}

function sameBytes(a: string | Buffer, b: string | Buffer): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b;
  return Buffer.from(a as string).equals(Buffer.from(b as string));
}

function sameInteger(a: number | bigint, b: number | bigint): boolean {
  return a === b || (typeof a !== typeof b && BigInt(a) === BigInt(b));
}

type FloatField = { readonly type: 'f' | 'd'; readonly value: number };

function isFloat(field: Field): field is FloatField {
  return field.type === 'f' || field.type === 'd';
}

/** Integers, and timestamps, which compare with them. */
function isWhole(field: Field): field is IntegerField | Extract<Field, { type: 'T' }> {
  return field.type === 'T' || isIntegerField(field);
}

const TYPE_NAMES: Readonly<Record<FieldType, string>> = {
  t: 'bool',
  b: 'byte',
  B: 'unsignedbyte',
  s: 'short',
  u: 'unsignedshort',
  I: 'signedint',
  i: 'unsignedint',
  l: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  S: 'longstr',
  x: 'binary',
  A: 'array',
  T: 'timestamp',
  F: 'table',
  V: 'void',
};

/** RabbitMQ's name for the field's type, as its PRECONDITION_FAILED texts print it. */
export function describeFieldType(field: Field): string {
  return TYPE_NAMES[field.type];
}

/**
 * The field's value as those texts print it, which is Erlang's way for all but strings: `5`, `5.0`,
 * `true`, `undefined`, `[{<<"key">>,longstr,<<"text">>}]`.
 */
export function describeFieldValue(field: Field): string {
  if (field.type === 'S' || field.type === 'x') return field.value.toString();
  return erlangTerm(field);
}

const ERLANG_ESCAPES: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
};

/**
 * A text as Erlang prints it: `<<"text">>`, `<<>>` when it is empty, and its bytes when one of them is no
 * character of Latin-1 that can be printed.
 */
export function erlangBinary(text: string): string {
  if (text === '') return '<<>>';
  const bytes = Buffer.from(text);
  if (!bytes.every(isPrintedByErlang)) return `<<${bytes.join(',')}>>`;
  const printed = Array.from(text, (each) => ERLANG_ESCAPES[each] ?? each);
  return `<<"${printed.join('')}">>`;
}

function isPrintedByErlang(byte: number): boolean {
  return (byte >= 32 && byte < 127) || byte >= 160 || (byte >= 8 && byte <= 13) || byte === 27;
}

function erlangTerm(field: Field): string {
  switch (field.type) {
    case 'S':
    case 'x':
      return erlangBinary(field.value.toString());
    case 'f':
    case 'd':
      return Number.isInteger(field.value) ? field.value.toFixed(1) : String(field.value);
    case 'D':
      return `{${field.value.places},${field.value.digits}}`;
    case 'A':
      return `[${field.value.map(describeTypedField).join(',')}]`;
    case 'F':
      return `[${Array.from(field.value, erlangEntry).join(',')}]`;
    case 'V':
      return 'undefined';
    default:
      return String(field.value);
  }
}

/** The field with its type, as those texts print it: `{longstr,<<"text">>}`. */
export function describeTypedField(field: Field): string {
  return `{${describeFieldType(field)},${erlangTerm(field)}}`;
}

function erlangEntry([key, field]: readonly [string, Field]): string {
  return `{<<"${key}">>,${describeFieldType(field)},${erlangTerm(field)}}`;
}
