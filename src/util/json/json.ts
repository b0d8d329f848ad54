// Owns the values of JSON as definitions carry them, and how RabbitMQ's error texts print them.
// Never parses: the code that reads a file or a request does.

/** A value of JSON. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether a value is an object, and neither null nor an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
  const word = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return word.length <= WORD_CHARS_MAX ? word : `${word.slice(0, WORD_CHARS_MAX)}...`;
}

/** A number from JSON, or from a text of digits as old tools send it; anything else is NaN. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
}

/** The value as Erlang prints it, which is how RabbitMQ's texts name what is wrong. */
export function describeTerm(value: JsonValue | undefined): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'string') return `<<"${value}">>`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (isObject(value)) {
    const entries = Object.entries(value).map(([key, of]) => `<<"${key}">> => ${describeTerm(of)}`);
    return `#{${entries.join(',')}}`;
  }
  return `[${(value as readonly JsonValue[]).map(describeTerm).join(',')}]`;
}
