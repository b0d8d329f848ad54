// Owns finding and replacing single properties in a content-header payload without decoding the
// rest. Never checks: checkProperties has done so when the message came in.

import { u16At, u32At } from '../util/bytes.ts';
import { shortBytes } from '../util/limits.ts';
import { encodeTable } from './encode-table.ts';
import { type Field, type FieldTable, fieldEnd, readField } from './field-table.ts';

/** Where the property flags stand in a content-header payload: behind class, weight and body size. */
export const PROPERTY_FLAGS_OFFSET = 12;
/** Bits of the property flags, §4.2.6.1 in the order of the basic class's properties. */
export const BIT_HEADERS = 13;
export const BIT_DELIVERY_MODE = 12;
export const BIT_PRIORITY = 11;
export const BIT_CORRELATION_ID = 10;
export const BIT_REPLY_TO = 9;
export const BIT_EXPIRATION = 8;
export const BIT_MESSAGE_ID = 7;
export const BIT_TIMESTAMP = 6;
export const BIT_USER_ID = 4;
const BIT_FIRST = 15;

/**
 * Where the value of property `bit` begins, or would begin were it there. `flagsAt` is the offset
 * of the property flags; the properties follow them in order of falling bits.
 */
export function propertyStart(bytes: Buffer, flagsAt: number, bit: number): number {
  const flags = u16At(bytes, flagsAt);
  let at = flagsAt + 2;
  // Mostly there is none before it.
  if (flags >>> (bit + 1) === 0) return at;
  for (let before = BIT_FIRST; before > bit; before--) {
    if ((flags & (1 << before)) !== 0) at = propertyEnd(bytes, at, before);
  }
  return at;
}

/** Whether property `bit` is there. */
export function hasProperty(bytes: Buffer, flagsAt: number, bit: number): boolean {
  return (u16At(bytes, flagsAt) & (1 << bit)) !== 0;
}

/** Where the value of a header begins, its type octet first, without decoding the others; -1: there is none of that name. */
export function headerAt(bytes: Buffer, flagsAt: number, name: Buffer): number {
  if (!hasProperty(bytes, flagsAt, BIT_HEADERS)) return -1;
  const table = propertyStart(bytes, flagsAt, BIT_HEADERS);
  const end = table + 4 + u32At(bytes, table);
  const { length } = name;
  for (let at = table + 4; at < end; ) {
    const keyLength = bytes[at] as number;
    const keyEnd = at + 1 + keyLength;
    if (keyLength === length) {
      let same = 0;
      while (same < length && bytes[at + 1 + same] === name[same]) same += 1;
      if (same === length) return keyEnd;
    }
    at = fieldEnd(bytes, keyEnd);
  }
  return -1;
}

/** One header of a message; undefined: it has none of that name. */
export function headerField(bytes: Buffer, flagsAt: number, name: Buffer): Field | undefined {
  const at = headerAt(bytes, flagsAt, name);
  return at < 0 ? undefined : readField(bytes, at);
}

/** The value of a short-string property, or null when the message does not have it. */
export function shortProperty(bytes: Buffer, flagsAt: number, bit: number): string | null {
  if (!hasProperty(bytes, flagsAt, bit)) return null;
  const at = propertyStart(bytes, flagsAt, bit);
  return bytes.toString('utf8', at + 1, at + 1 + (bytes[at] as number));
}

/**
 * A copy of a content-header payload with other headers and, if asked, without `expiration`. All
 * else is kept byte for byte, what is no valid UTF-8 included.
 */
export function replaceHeaders(
  payload: Buffer,
  headers: FieldTable,
  dropExpiration: boolean,
): Buffer {
  const flagsAt = PROPERTY_FLAGS_OFFSET;
  let flags = payload.readUInt16BE(flagsAt) | (1 << BIT_HEADERS);
  const headersAt = propertyStart(payload, flagsAt, BIT_HEADERS);
  const headersEnd = skipProperty(payload, flagsAt, headersAt, BIT_HEADERS);
  const expirationAt = propertyStart(payload, flagsAt, BIT_EXPIRATION);
  let rest = expirationAt;
  if (dropExpiration) {
    rest = skipProperty(payload, flagsAt, expirationAt, BIT_EXPIRATION);
    flags &= ~(1 << BIT_EXPIRATION);
  }
  const replaced = Buffer.concat([
    payload.subarray(0, headersAt),
    encodeTable(headers),
    payload.subarray(headersEnd, expirationAt),
    payload.subarray(rest),
  ]);
  replaced.writeUInt16BE(flags, flagsAt);
  return replaced;
}

/** A copy of a content-header payload with another value for a short-string property that it has. */
export function replaceShort(payload: Buffer, bit: number, value: string): Buffer {
  const at = propertyStart(payload, PROPERTY_FLAGS_OFFSET, bit);
  const text = shortBytes(value);
  return Buffer.concat([
    payload.subarray(0, at),
    Buffer.of(text.length),
    text,
    payload.subarray(propertyEnd(payload, at, bit)),
  ]);
}

function skipProperty(bytes: Buffer, flagsAt: number, at: number, bit: number): number {
  return hasProperty(bytes, flagsAt, bit) ? propertyEnd(bytes, at, bit) : at;
}

function propertyEnd(bytes: Buffer, at: number, bit: number): number {
  switch (bit) {
    case BIT_HEADERS:
      return at + 4 + u32At(bytes, at);
    case BIT_DELIVERY_MODE:
    case BIT_PRIORITY:
      return at + 1;
    case BIT_TIMESTAMP:
      return at + 8;
    default:
      return at + 1 + (bytes[at] as number);
  }
}
