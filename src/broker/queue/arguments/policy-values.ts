// Owns the kinds of values that keys of policies take, and what RabbitMQ says of a wrong one. Never knows which key is
// of which kind.

import { describeTerm, isInteger, type JsonValue } from '../../../util/json/json.ts';
import { INT64_MAX, isShort, SHORT_BYTES_MAX } from '../../../util/limits.ts';
import { RATE_COUNT_MAX, RATE_FORMS, readRate } from '../pace/delivery-rate.ts';
import { AGE_FORMS, readAge } from '../stream/age.ts';
import type { QueueTypeName } from '../types/registry.ts';
import { listOf } from './argument-values.ts';
import {
  A_BOOLEAN,
  A_STRING,
  ANYTHING,
  choiceShape,
  integerShape,
  type ValueShape,
} from './value-shape.ts';

/** What a key takes in the definition of a policy. */
export interface PolicyValue {
  /** The values, for people. */
  readonly expects: string;
  /** The same for a form. */
  readonly shape: ValueShape;
  /** Says what is wrong with a value in RabbitMQ's words, or null when nothing is. */
  check(value: JsonValue): string | null;
  /** Whether an operator policy may set it. */
  readonly operator: boolean;
  /** The types of queues that know it: a policy that has it leaves other queues alone, wholly. Null: all do. */
  readonly onlyFor: readonly QueueTypeName[] | null;
}

/** Which policies and queues a key is for. */
interface Scope {
  readonly operator?: true;
  readonly onlyFor?: readonly QueueTypeName[];
}

export const OPERATOR: Scope = { operator: true };

/** `refusal` follows the value: `-1 is not a valid maximum length`. */
function kind(
  expects: string,
  shape: ValueShape,
  refusal: string,
  { operator, onlyFor }: Scope,
  allows: (value: JsonValue) => boolean,
): PolicyValue {
  return {
    expects,
    shape,
    check: (given) => (allows(given) ? null : `${describeTerm(given)} ${refusal}`),
    operator: operator === true,
    onlyFor: onlyFor ?? null,
  };
}

/** `unit` is for people, as in `in milliseconds`. */
export const anIntegerFrom = (
  min: number,
  refusal: string,
  scope: Scope = {},
  unit = '',
): PolicyValue =>
  kind(
    `an integer from ${min} on${unit === '' ? '' : `, ${unit}`}`,
    integerShape(min, Infinity, unit),
    refusal,
    scope,
    // Arguments have no greater ones.
    (value) => isInteger(value) && value >= min && value <= INT64_MAX,
  );

/** A part of something. */
export const aPart = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind(
    'a number from 0 to 1',
    { type: 'number', min: 0, max: 1 },
    refusal,
    scope,
    (value) => typeof value === 'number' && value >= 0 && value <= 1,
  );

/** How many of something in which time. */
export const aRate = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind(
    RATE_FORMS,
    A_STRING,
    refusal,
    scope,
    (value) => typeof value === 'string' && readRate(value) !== null,
  );

export const anIntegerWithin = (
  min: number,
  max: number,
  refusal: string,
  scope: Scope = {},
): PolicyValue =>
  kind(
    `an integer from ${min} to ${max}`,
    integerShape(min, max),
    refusal,
    scope,
    (value) => isInteger(value) && value >= min && value <= max,
  );

/** How many of them may go out at once. */
export const aBurst = (refusal: string, scope: Scope = {}): PolicyValue =>
  anIntegerWithin(1, RATE_COUNT_MAX, refusal, scope);

/** A span of time, as streams have it. */
export const anAge = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind(
    AGE_FORMS,
    A_STRING,
    refusal,
    scope,
    (value) => typeof value === 'string' && readAge(value) !== null,
  );

export const aFlag = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind('a boolean', A_BOOLEAN, refusal, scope, (value) => typeof value === 'boolean');

export const aString = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind('a string', A_STRING, refusal, scope, (value) => typeof value === 'string');

/** A text that goes onto the wire as a short string, or names what does. */
export const aShortString = (refusal: string, scope: Scope = {}): PolicyValue =>
  kind(
    `a string of at most ${SHORT_BYTES_MAX} bytes`,
    A_STRING,
    refusal,
    scope,
    (value) => typeof value === 'string' && isShort(value),
  );

export const anything = (scope: Scope = {}): PolicyValue =>
  kind('anything', ANYTHING, '', scope, () => true);

export const anyOf = (
  words: readonly (string | number)[],
  refusal: string,
  scope: Scope = {},
): PolicyValue =>
  kind(listOf(words), choiceShape(words), refusal, scope, (value) =>
    words.some((word) => word === value),
  );
