// Owns the one table of limits that the wire and the store set to names, numbers and nesting, for every
// way in. Never looks at what a value means, and never throws.

/** What a short string holds, in bytes of UTF-8 (§4.2.5.3): names and keys of every kind. */
export const SHORT_BYTES_MAX = 255;

/** Nesting of tables, arrays and JSON values, the outermost included. It bounds every recursion. */
export const VALUE_DEPTH_MAX = 250;

/** Nesting of a whole text of JSON: a value as deep as may be, inside definitions. */
export const JSON_DEPTH_MAX = VALUE_DEPTH_MAX + 10;

/** Bytes of one value of JSON that is kept: a parameter, the definition of a policy, arguments. */
export const VALUE_BYTES_MAX = 1024 * 1024;

/** Bytes of a text about something, such as the description of a vhost. */
export const DESCRIPTION_BYTES_MAX = 16 * 1024;

/** The least and the greatest signed integer of 64 bits. */
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/** Whether a text fits into a short string. */
export function isShort(text: string | Buffer): boolean {
  // UTF-8 takes at most three bytes for each unit of UTF-16, so that most names need no count.
  return text.length * 3 <= SHORT_BYTES_MAX || Buffer.byteLength(text) <= SHORT_BYTES_MAX;
}

/**
 * The bytes of a text as a short string: all of them, or as many whole characters as fit. What comes in
 * is checked; this is for what an older version let in, which must not be able to end anything.
 */
export function shortBytes(text: string | Buffer): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (bytes.length <= SHORT_BYTES_MAX) return bytes;
  let end = SHORT_BYTES_MAX;
  while (end > SHORT_BYTES_MAX - 3 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

/** An integer held to the range of 64 signed bits; a number where that is exact. */
export function heldToInt64(value: bigint): number | bigint {
  const held = value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : value;
  const plain = Number(held);
  return Number.isSafeInteger(plain) ? plain : held;
}
