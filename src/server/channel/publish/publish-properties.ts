// Owns what the properties of a publish ask of the broker, or claim, beyond being handed on. Never
// routes or stores.

import { AmqpError } from '../../../amqp/errors.ts';
import { decodeTable, type FieldTable } from '../../../amqp/field-table.ts';
import {
  BIT_EXPIRATION,
  BIT_HEADERS,
  BIT_REPLY_TO,
  BIT_USER_ID,
  hasProperty,
  propertyStart,
  shortProperty,
} from '../../../amqp/property-walk.ts';
import { STORED_LIMITS } from '../../../amqp/table-limits.ts';
import type { User } from '../../../broker/access/user.ts';
import { EXPIRY_MAX_MS } from '../../../broker/queue/arguments/argument-values.ts';
import { DELAY_MAX_MS, delayAt } from '../../../broker/queue/delay/delay-headers.ts';
import { REPLY_TO } from '../../../broker/routing/reply-names.ts';

/** The flags of properties that may ask for more than what `publish` reads by itself. */
export const SPECIAL_FLAGS = (1 << BIT_HEADERS) | (1 << BIT_REPLY_TO) | (1 << BIT_USER_ID);

/** What `expiryOf` answers for a text that is no time. */
export const BAD_EXPIRY = -2;

/** The value of a one-octet property; 0 when it is not there. */
export function octetProperty(bytes: Buffer, flagsAt: number, bit: number): number {
  if (!hasProperty(bytes, flagsAt, bit)) return 0;
  return bytes[propertyStart(bytes, flagsAt, bit)] as number;
}

/** The `expiration` in ms, or BAD_EXPIRY for what is none: `checkExpiry` says why. */
export function expiryOf(bytes: Buffer, flagsAt: number): number {
  const text = shortProperty(bytes, flagsAt, BIT_EXPIRATION) as string;
  // Not `-0`, which is a time as well.
  return wrongWithExpiry(text) === null ? Math.abs(Number(text)) : BAD_EXPIRY;
}

/** Throws PRECONDITION_FAILED for an `expiration` that is none. */
export function checkExpiry(bytes: Buffer, flagsAt: number): void {
  const text = shortProperty(bytes, flagsAt, BIT_EXPIRATION);
  const wrong = text === null ? null : wrongWithExpiry(text);
  if (wrong === null) return;
  throw new AmqpError('PRECONDITION_FAILED', `invalid expiration '${text}': ${wrong}`);
}

function wrongWithExpiry(text: string): string | null {
  const [, sign, digits, rest] = /^([+-]?)(\d+)(.*)$/s.exec(text) ?? [];
  if (digits === undefined) return 'no_integer';
  if (rest !== '') return `{leftover_string,"${rest}"}`;
  if (sign === '-' && Number(digits) > 0) return `{value_negative,${text}}`;
  return Number(digits) > EXPIRY_MAX_MS ? `{value_too_large,${Number(digits)}}` : null;
}

/** Throws PRECONDITION_FAILED for a message that asks to wait longer than any may. */
export function checkDelay(bytes: Buffer, flagsAt: number, wallMs: number): void {
  const delayMs = delayAt(bytes, flagsAt, wallMs, false) ?? 0;
  if (delayMs <= DELAY_MAX_MS) return;
  const text = `invalid delay of ${delayMs} ms: a message may wait for ${DELAY_MAX_MS} ms at most`;
  throw new AmqpError('PRECONDITION_FAILED', text);
}

/** The headers of a content header that has some. */
export function headersIn(bytes: Buffer, flagsAt: number): FieldTable {
  const at = propertyStart(bytes, flagsAt, BIT_HEADERS);
  return decodeTable(bytes, at, bytes.length, STORED_LIMITS).table;
}

/** Throws PRECONDITION_FAILED when the message names another user than the one that publishes. */
export function checkUserId(bytes: Buffer, flagsAt: number, user: User): void {
  const claimed = shortProperty(bytes, flagsAt, BIT_USER_ID);
  if (claimed === null || mayClaim(claimed, user)) return;
  const text = `user_id property set to '${claimed}' but authenticated user was '${user.name}'`;
  throw new AmqpError('PRECONDITION_FAILED', text);
}

/** Whether the message names the user that publishes, or no user. */
export function claimsOwnName(bytes: Buffer, flagsAt: number, user: User): boolean {
  const claimed = shortProperty(bytes, flagsAt, BIT_USER_ID);
  return claimed === null || mayClaim(claimed, user);
}

function mayClaim(claimed: string, user: User): boolean {
  return claimed === user.name || user.has('impersonator');
}

/** Whether the reply is to come to the channel of the request. */
export function wantsDirectReply(bytes: Buffer, flagsAt: number): boolean {
  if (!hasProperty(bytes, flagsAt, BIT_REPLY_TO)) return false;
  const at = propertyStart(bytes, flagsAt, BIT_REPLY_TO);
  if (bytes[at] !== REPLY_TO.length) return false;
  return bytes.toString('latin1', at + 1, at + 1 + REPLY_TO.length) === REPLY_TO;
}
