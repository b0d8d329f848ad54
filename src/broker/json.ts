// Owns the values of JSON as definitions carry them, and how RabbitMQ's error texts print them.
// Never parses: whoever reads a file or a request does.

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
