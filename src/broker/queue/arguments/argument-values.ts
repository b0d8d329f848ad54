// Owns the kinds of values that arguments of queues and consumers take, and what RabbitMQ says of a wrong one. Never
// knows which argument is of which kind.

import { describeFieldType } from '../../../amqp/field-equality.ts';
import { isIntegerField } from '../../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { isShort, SHORT_BYTES_MAX } from '../../../util/limits.ts';
import { RATE_COUNT_MAX, RATE_FORMS, readRate } from '../pace/delivery-rate.ts';
import type { QueueTypeName } from '../types/registry.ts';
import { A_BOOLEAN, A_STRING, choiceShape, integerShape, type ValueShape } from './value-shape.ts';

/** Says what is wrong with a value in RabbitMQ's words, or null when nothing is. */
type Check = (field: Field, args: FieldTable) => string | null;

/** What an argument takes. */
export interface ArgumentValue {
  /** The values, for people. */
  readonly expects: string;
  /** The same for a form. */
  readonly shape: ValueShape;
  readonly check: Check;
  /** The types of queues that know the argument, and for others it is refused; null: all do. */
  readonly onlyFor: readonly QueueTypeName[] | null;
}

const MS = 'in milliseconds';
/** Ten years, the longest time that RabbitMQ takes for a message or a queue. */
export const EXPIRY_MAX_MS = 315_360_000_000;

/** Values as `expects` says, that a form enters as `shape` does, of which `check` tells what is wrong. */
export const kind = (expects: string, shape: ValueShape, check: Check): ArgumentValue => ({
  expects,
  shape,
  check,
  onlyFor: null,
});

const isInteger: Check = (field) =>
  isIntegerField(field) ? null : `"expected integer, got ${describeFieldType(field)}"`;

const isNotNegative: Check = (field, args) =>
  isInteger(field, args) ?? (Number(field.value) < 0 ? `{value_negative,${field.value}}` : null);

const isPositive: Check = (field, args) =>
  isNotNegative(field, args) ?? (Number(field.value) === 0 ? '{value_zero,0}' : null);

const isNoLongerThanMax: Check = (field) =>
  Number(field.value) > EXPIRY_MAX_MS ? `{value_too_large,${field.value}}` : null;

const isText: Check = (field) =>
  field.type === 'S' ? null : `{unacceptable_type,${describeFieldType(field)}}`;

export const integer = kind('an integer', { type: 'integer' }, isInteger);
export const count = kind('an integer from 0 on', integerShape(0), isNotNegative);
export const positive = kind('an integer from 1 on', integerShape(1), isPositive);

export const limit = kind(
  'an integer from -1 on; -1 sets no limit',
  integerShape(-1),
  (field, args) =>
    isInteger(field, args) ?? (Number(field.value) < -1 ? `{value_negative,${field.value}}` : null),
);

export const expiry = kind(
  `an integer from 0 to ${EXPIRY_MAX_MS}, ${MS}`,
  integerShape(0, EXPIRY_MAX_MS, MS),
  (field, args) => isNotNegative(field, args) ?? isNoLongerThanMax(field, args),
);

export const positiveExpiry = kind(
  `an integer from 1 to ${EXPIRY_MAX_MS}, ${MS}`,
  integerShape(1, EXPIRY_MAX_MS, MS),
  (field, args) => isPositive(field, args) ?? isNoLongerThanMax(field, args),
);

export const upTo = (max: number): ArgumentValue =>
  kind(
    `an integer from 0 to ${max}`,
    integerShape(0, max),
    (field, args) =>
      isNotNegative(field, args) ??
      (Number(field.value) > max ? `{max_value_exceeded,${field.value}}` : null),
  );

export const burst = kind(
  `an integer from 1 to ${RATE_COUNT_MAX}`,
  integerShape(1, RATE_COUNT_MAX),
  (field, args) =>
    isPositive(field, args) ??
    (Number(field.value) > RATE_COUNT_MAX ? `{max_value_exceeded,${field.value}}` : null),
);

export const oneOrTwo = (refusal: (value: unknown) => string): ArgumentValue =>
  kind('1 or 2', choiceShape([1, 2]), (field, args) => {
    const wrong = isNotNegative(field, args);
    if (wrong !== null) return wrong;
    const value = Number(field.value);
    return value === 1 || value === 2 ? null : refusal(field.value);
  });

/** A part of something: a float, or an integer. */
export const part = kind('a number from 0 to 1', { type: 'number', min: 0, max: 1 }, (field) => {
  const isNumber = field.type === 'f' || field.type === 'd' || isIntegerField(field);
  if (!isNumber) return `"expected number, got ${describeFieldType(field)}"`;
  const value = Number(field.value);
  return value >= 0 && value <= 1 ? null : `{value_out_of_range,${field.value}}`;
});

export const text = kind('a string', A_STRING, isText);

export const rate = kind(
  RATE_FORMS,
  A_STRING,
  (field, args) =>
    isText(field, args) ?? (readRate(String(field.value)) === null ? 'invalid_rate' : null),
);

/** A text that goes onto the wire as a short string. */
export const shortText = kind(
  `a string of at most ${SHORT_BYTES_MAX} bytes`,
  A_STRING,
  (field, args) => {
    const wrong = isText(field, args);
    if (wrong !== null || isShort(field.value as string | Buffer)) return wrong;
    return `"longer than ${SHORT_BYTES_MAX} bytes"`;
  },
);

/** The same for an argument that means nothing without another, of which `refusal` says that it lacks. */
export const shortTextWith = (other: string, refusal: string): ArgumentValue =>
  kind(
    `${shortText.expects}; needs \`${other}\``,
    A_STRING,
    (field, args) => shortText.check(field, args) ?? (args.has(other) ? null : refusal),
  );

/** The name of a header. */
export const groupHeader = kind(
  `a string of 1 to ${SHORT_BYTES_MAX} bytes; not with \`x-max-priority\``,
  A_STRING,
  (field, args) => {
    const wrong = shortText.check(field, args);
    if (wrong !== null) return wrong;
    if (field.value === '') return 'empty_group_header';
    return args.has('x-max-priority') ? 'group_header_with_max_priority' : null;
  },
);

export const flag = kind('a boolean', A_BOOLEAN, (field) =>
  field.type === 't' ? null : `{unacceptable_type,${describeFieldType(field)}}`,
);

export const oneOf = (words: readonly string[], refusal: (word: string) => string): ArgumentValue =>
  kind(listOf(words), choiceShape(words), (field, args) => {
    const wrong = isText(field, args);
    if (wrong !== null) return wrong;
    const word = String(field.value);
    return words.includes(word) ? null : refusal(word);
  });

/** A value of an argument that queues of these types alone know. */
export const onlyFor = (value: ArgumentValue, ...types: QueueTypeName[]): ArgumentValue => ({
  ...value,
  onlyFor: types,
});

/** Words as people list them: `a`, `b` or `c`. */
export function listOf(words: readonly (string | number)[]): string {
  const marked = words.map((word) => `\`${word}\``);
  return [marked.slice(0, -1).join(', '), marked.at(-1)].filter(Boolean).join(' or ');
}
