// Owns how tables of arguments look in JSON and come back from it: as RabbitMQ writes them. Never
// loses a type: what JSON cannot carry goes beside it, in RabbitMQ's way of not looking at it.

import { encodeTable } from '../../amqp/encode-table.ts';
import { decodeTable, type Field, type FieldTable } from '../../amqp/field-table.ts';
import { STORED_LIMITS } from '../../amqp/table-limits.ts';
import { isObject, type JsonObject, type JsonValue } from '../../util/json/json.ts';
import { JsonFloat } from '../../util/json/json-float.ts';
import { faultOfValue } from '../../util/json/json-input.ts';
import { INT64_MAX, INT64_MIN, isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';

/** The key beside `arguments` for the table as on the wire, in base64. */
export const WIRE_KEY = 'leveret_arguments';
/** What RabbitMQ writes for bytes that are no text. */
const NOT_TEXT = 'Not UTF-8, base64 is: ';

/**
 * Arguments as JSON, with the table as on the wire where JSON alone would make another of it. To
 * declarations all widths of an integer are the same; to bindings, which are `exact`, they are not.
 */
export function argumentsToJson(table: FieldTable, exact = false): JsonObject {
  const json = { arguments: tableToJson(table) };
  if ([...table.values()].every((field) => survives(field, exact))) return json;
  return { ...json, [WIRE_KEY]: encodeTable(table).toString('base64') };
}

/** The arguments of something as tools see them: JSON alone. */
export function argumentsOf({ arguments: table }: { readonly arguments: FieldTable }): JsonObject {
  return tableToJson(table);
}

/**
 * Arguments back from JSON. The table as on the wire counts only if it says the same: a user that edits
 * the JSON means what the JSON says. Throws an Error that says what is wrong.
 */
export function argumentsFromJson(json: JsonValue | undefined, wire?: JsonValue): FieldTable {
  if (json === undefined || json === null) return new Map();
  // An empty table is an empty list to some of RabbitMQ's tools.
  if (Array.isArray(json) && json.length === 0) return new Map();
  if (!isObject(json)) throw new Error('arguments must be an object');
  const fault = faultOfValue(json);
  if (fault !== null) throw new Error(`arguments cannot be kept: ${fault}`);
  const exact = typeof wire === 'string' ? decodeWire(wire) : null;
  if (exact !== null && sameJson(tableToJson(exact), json)) return exact;
  return tableFromJson(json);
}

function tableToJson(table: FieldTable): JsonObject {
  return Object.fromEntries([...table].map(([key, field]) => [key, fieldToJson(field)]));
}

function fieldToJson(field: Field): JsonValue {
  switch (field.type) {
    case 'S':
      return typeof field.value === 'string' ? field.value : notText(field.value);
    case 'x': {
      const text = field.value.toString();
      return Buffer.from(text).equals(field.value) ? text : notText(field.value);
    }
    case 'A':
      return field.value.map(fieldToJson);
    case 'F':
      return tableToJson(field.value);
    case 'D':
      return floatToJson(field.value.digits / 10 ** field.value.places);
    case 'f':
    case 'd':
      return floatToJson(field.value);
    default:
      return field.value;
  }
}

/** A float stays one, also where it is whole. JSON has none for what is no number. */
function floatToJson(value: number): JsonValue {
  if (Number.isInteger(value)) return new JsonFloat(value);
  return Number.isFinite(value) ? value : null;
}

function notText(bytes: Buffer): string {
  return NOT_TEXT + bytes.toString('base64');
}

/** Whether the way to JSON and back leads to a field that is the same in a comparison. */
function survives(field: Field, exact: boolean): boolean {
  switch (field.type) {
    case 'S':
      return typeof field.value === 'string';
    case 'A':
      return field.value.every((each) => survives(each, exact));
    case 'F':
      return [...field.value.values()].every((each) => survives(each, exact));
    case 'd':
      return Number.isFinite(field.value);
    case 'x':
    case 'D':
    case 'T':
    case 'f':
      return false;
    case 'l':
    case 't':
    case 'V':
      return true;
    default:
      return !exact;
  }
}

function tableFromJson(json: JsonObject): FieldTable {
  const entries = Object.entries(json).map(([key, value]): [string, Field] => {
    if (!isShort(key)) {
      throw new Error(`the name of an argument is longer than ${SHORT_BYTES_MAX} bytes`);
    }
    return [key, fieldFromJson(value)];
  });
  return new Map(entries);
}

function fieldFromJson(value: JsonValue): Field {
  if (value === null) return { type: 'V', value };
  if (typeof value === 'string') return { type: 'S', value };
  if (typeof value === 'boolean') return { type: 't', value };
  if (typeof value === 'number' || typeof value === 'bigint') return integerFromJson(value);
  if (value instanceof JsonFloat) return { type: 'd', value: value.value };
  if (isObject(value)) return { type: 'F', value: tableFromJson(value) };
  const list = value as readonly JsonValue[];
  return { type: 'A', value: list.map(fieldFromJson) };
}

/** Integers become `long`, as RabbitMQ reads them, and all other numbers floats. */
function integerFromJson(value: number | bigint): Field {
  if (typeof value === 'bigint') {
    if (value >= INT64_MIN && value <= INT64_MAX) return { type: 'l', value };
    throw new Error(
      `${value} is greater than ${INT64_MAX}, the greatest integer of arguments and headers`,
    );
  }
  if (Number.isSafeInteger(value)) return { type: 'l', value };
  // Of a program: no JSON brings it.
  const whole = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
  return whole ? { type: 'l', value: BigInt(value) } : { type: 'd', value };
}

function decodeWire(wire: string): FieldTable | null {
  const bytes = Buffer.from(wire, 'base64');
  try {
    return decodeTable(bytes, 0, bytes.length, STORED_LIMITS).table;
  } catch {
    return null;
  }
}

/** Whether two values are the same but for the order of keys. */
function sameJson(a: JsonValue, b: JsonValue): boolean {
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length) return false;
    return keys.every((key) => key in b && sameJson(a[key] as JsonValue, b[key] as JsonValue));
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each, at) => sameJson(each, b[at]));
  }
  if (a instanceof JsonFloat && b instanceof JsonFloat) return Object.is(a.value, b.value);
  return a === b || (b !== undefined && wasWritten(a) === String(b));
}

/** How versions wrote a number that had no other way to keep its digits, or to be a float. */
function wasWritten(value: JsonValue | undefined): string | null {
  if (typeof value === 'bigint') return String(Number(value));
  return value instanceof JsonFloat ? String(value.value) : null;
}
