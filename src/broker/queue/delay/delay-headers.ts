// Owns what the headers of one message say of when it is due, and of its attempts. Never waits.

import { integerOf } from '../../../amqp/field-integers.ts';
import { type Field, type FieldTable, integerAt, readField } from '../../../amqp/field-table.ts';
import { headerAt, replaceHeaders } from '../../../amqp/property-walk.ts';
import { EXPIRY_MAX_MS } from '../arguments/argument-values.ts';

/** How long a message waits before it is ready, ms: the header of RabbitMQ's plugin. */
const DELAY_HEADER = 'x-delay';
/** When it is ready: a timestamp, or milliseconds since the Unix epoch. */
const DELIVER_AT_HEADER = 'x-deliver-at';

/** The longest time that a message may wait, ms: ten years. */
export const DELAY_MAX_MS = EXPIRY_MAX_MS;

const DELAY_NAME = Buffer.from(DELAY_HEADER);
const DELIVER_AT_NAME = Buffer.from(DELIVER_AT_HEADER);

/**
 * How long a message is to wait, ms, given the time of day; 0 or less: not at all. Null: its headers do not say. As in
 * RabbitMQ's plugin, a text of digits is a number, and what is none is as good as nothing.
 */
export function delayOf(headers: FieldTable, wallMs: number): number | null {
  const delay = numberIn(headers.get(DELAY_HEADER));
  return delay ?? untilMs(headers.get(DELIVER_AT_HEADER), wallMs);
}

/**
 * The same of a message whose properties begin at `flagsAt`, without decoding its other headers. `negated`: its `x-delay`
 * may be so, having passed an exchange of the type `x-delayed-message`.
 */
export function delayAt(
  bytes: Buffer,
  flagsAt: number,
  wallMs: number,
  negated: boolean,
): number | null {
  const places = {
    delay: headerAt(bytes, flagsAt, DELAY_NAME),
    deliverAt: headerAt(bytes, flagsAt, DELIVER_AT_NAME),
  };
  return delayIn(bytes, places, wallMs, negated);
}

/** The same where the values of these headers are known to stand, their type octets; -1: there is none. */
export function delayIn(
  bytes: Buffer,
  places: { readonly delay: number; readonly deliverAt: number },
  wallMs: number,
  negated: boolean,
): number | null {
  const delay = places.delay < 0 ? null : numberAt(bytes, places.delay);
  if (delay !== null) return negated ? Math.abs(delay) : delay;
  const { deliverAt } = places;
  if (deliverAt < 0) return null;
  // A timestamp is no integer, and rare.
  const at = integerAt(bytes, deliverAt);
  return Number.isNaN(at) ? untilMs(readField(bytes, deliverAt), wallMs) : at - wallMs;
}

function untilMs(at: Field | undefined, wallMs: number): number | null {
  if (at === undefined) return null;
  if (at.type === 'T') return Number(at.value) * 1000 - wallMs;
  const ms = numberIn(at);
  return ms === null ? null : ms - wallMs;
}

/** The payload of a content header with these headers whose `x-delay` is negated, where it is a positive number. */
export function withDelayNegated(payload: Buffer, headers: FieldTable): Buffer {
  const delayMs = headers.has(DELAY_HEADER) ? (delayOf(headers, 0) ?? 0) : 0;
  if (delayMs <= 0) return payload;
  const negated: FieldTable = new Map(headers);
  negated.set(DELAY_HEADER, { type: 'l', value: -delayMs });
  return replaceHeaders(payload, negated, false);
}

/** What a message asks for that may be tried only so often; what is left out, the queue says. */
export interface OwnAttempts {
  readonly limit: number | null;
  readonly minMs: number | null;
  readonly multiplier: number | null;
}

/** The attempts of one message, as its headers have them. */
export function attemptsOf(headers: FieldTable): OwnAttempts {
  const limit = numberIn(headers.get('x-delivery-limit'));
  return {
    limit: limit === null || limit >= 0 ? limit : Infinity,
    minMs: atLeast(0, numberIn(headers.get('x-delayed-retry-min'))),
    multiplier: atLeast(1, numberIn(headers.get('x-delayed-retry-multiplier'))),
  };
}

function atLeast(min: number, value: number | null): number | null {
  return value !== null && value >= min ? value : null;
}

/** As numberIn, without an object for the commonest types. */
function numberAt(bytes: Buffer, at: number): number | null {
  const integer = integerAt(bytes, at);
  return Number.isNaN(integer) ? numberIn(readField(bytes, at)) : integer;
}

function numberIn(field: Field | undefined): number | null {
  if (field === undefined) return null;
  if (field.type === 'S') {
    const text = String(field.value);
    return /^[+-]?\d{1,18}$/.test(text) ? Number(text) : null;
  }
  if (field.type === 'f' || field.type === 'd') {
    return Number.isFinite(field.value) ? Math.trunc(field.value) : null;
  }
  const integer = integerOf(field);
  return integer === null ? null : Number(integer);
}
