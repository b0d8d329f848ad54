// Owns the values of JSON as definitions carry them, and how RabbitMQ's error texts print them.
// Never parses: the code that reads a file or a request does.

import { JsonFloat } from './json-float.ts';
import { jsonText } from './json-writer.ts';

/** A value of JSON. An integer beyond 2^53 is a bigint, and a float that is whole a JsonFloat. */
export type JsonValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | JsonFloat
  | readonly JsonValue[]
  | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether a value is an object, and neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof JsonFloat)
  );
}

/** An object, or one made of the pairs that rabbitmqctl writes instead; null: neither. */
export function objectOf(value: JsonValue): JsonObject | null {
  if (isObject(value)) return value;
  if (!Array.isArray(value)) return null;
  const pairs = value as readonly JsonValue[];
  const isPair = (pair: JsonValue): pair is readonly [string, JsonValue] =>
    Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string';
  return pairs.every(isPair) ? Object.fromEntries(pairs) : null;
}

/** How much of a word is told in an error. */
const WORD_CHARS_MAX = 300;

/** A value as errors name it, cut if it is long. `String` would throw for an object like `{"toString":1}`. */
export function wordOf(value: unknown): string {
  const word = typeof value === 'object' ? jsonText(value) : String(value);
  return word.length <= WORD_CHARS_MAX ? word : `${word.slice(0, WORD_CHARS_MAX)}...`;
}

/**
 * A number from JSON, or from a text of digits as old tools send it; anything else is NaN. What is beyond
 * 2^53 loses digits.
 */
export function numberOf(value: unknown): number {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return Number(value);
    case 'string':
      return value.trim() === '' ? Number.NaN : Number(value);
    default:
      return value instanceof JsonFloat ? value.value : Number.NaN;
  }
}

/** Whether a value is an integer, of whatever size. */
export function isInteger(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
}

/** Whether a value is a number of JSON: an integer of whatever size, or a float, also a whole one. */
export function isNumber(value: unknown): value is number | bigint | JsonFloat {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof JsonFloat;
}

/** The value as Erlang prints it, which is how RabbitMQ's texts name what is wrong. */
export function describeTerm(value: JsonValue | undefined): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'string') return `<<"${value}">>`;
  if (value instanceof JsonFloat) return floatTerm(value.value);
  if (typeof value === 'number' && !Number.isInteger(value)) return floatTerm(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, of]) => `<<"${key}">> => ${describeTerm(of)}`);
    return `#{${entries.join(',')}}`;
  }
  return `[${(value as readonly JsonValue[]).map(describeTerm).join(',')}]`;
}

/** Erlang writes a float in the shorter of two ways, and always with a point: 100.0, 1.0e3. */
function floatTerm(value: number): string {
  const [digits = '', power] = value.toExponential().split('e');
  const short = `${withPoint(digits)}e${Number(power)}`;
  const sign = Object.is(value, -0) ? '-' : '';
  const plain = String(value);
  if (plain.includes('e')) return short;
  const long = sign + withPoint(plain);
  return short.length < long.length ? short : long;
}

const withPoint = (digits: string): string => (digits.includes('.') ? digits : `${digits}.0`);
