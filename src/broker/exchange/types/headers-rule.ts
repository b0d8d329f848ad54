// Owns what the arguments of a binding to a headers exchange mean, and whether a message meets them
// (§3.1.3.4). Never keeps bindings: headers.ts does.

import { AmqpError } from '../../../amqp/errors.ts';
import {
  describeFieldType,
  describeFieldValue,
  erlangBinary,
  sameValue,
} from '../../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { assert } from '../../../util/assert.ts';
import type { Binding } from '../binding.ts';
import type { RoutedMessage } from '../exchange-router.ts';
import type { HeaderName, HeaderNames } from './header-name.ts';

/** The argument that says how many of the others must hold. */
export const X_MATCH = 'x-match';

/** The values of `x-match`: whether all conditions must hold, and whether `x-` keys are some. */
const MODES = {
  all: { all: true, withX: false },
  any: { all: false, withX: false },
  'all-with-x': { all: true, withX: true },
  'any-with-x': { all: false, withX: true },
} as const;

/** The same words, in the order in which people are told of them. */
export const MATCH_WORDS = Object.keys(MODES);

/** A binding with its arguments taken apart once, so that messages need not. */
export interface HeadersRule<D> {
  readonly destination: D;
  readonly all: boolean;
  /** The conditions: the header `names[i]` must be there and, unless void, equal `values[i]`. */
  readonly names: readonly HeaderName[];
  readonly values: readonly Field[];
  /** Its place among the rules it is kept with; belongs to headers.ts. */
  at: number;
}

/** Refuses the arguments of a binding whose `x-match` means nothing. */
export function checkHeadersBinding(table: FieldTable): void {
  const mode = table.get(X_MATCH);
  if (mode === undefined) return;
  if (mode.type !== 'S') {
    const type = describeFieldType(mode);
    throw new AmqpError(
      'PRECONDITION_FAILED',
      `Invalid x-match field type ${type} (value ${describeFieldValue(mode)}); expected longstr`,
    );
  }
  if (Object.hasOwn(MODES, String(mode.value))) return;
  throw new AmqpError(
    'PRECONDITION_FAILED',
    `Invalid x-match field value ${erlangBinary(String(mode.value))}; ` +
      'expected all, any, all-with-x, or any-with-x',
  );
}

/** The rule of a binding, which takes its names from those of the exchange. */
export function readRule<D>(binding: Binding<D>, names: HeaderNames): HeadersRule<D> {
  const table = binding.arguments;
  const mode = String(table.get(X_MATCH)?.value ?? 'all');
  assert(Object.hasOwn(MODES, mode), 'the arguments of a binding are checked before it is added');
  const { all, withX } = MODES[mode as keyof typeof MODES];
  const keys = [...table.keys()].filter(
    (key) => key !== X_MATCH && (withX || !key.startsWith('x-')),
  );
  return {
    destination: binding.destination,
    all,
    names: keys.map((key) => names.take(key)),
    values: keys.map((key) => table.get(key) as Field),
    at: 0,
  };
}

/** Without conditions `all` holds for every message and `any` for none, as in RabbitMQ. */
export function isMet<D>(rule: HeadersRule<D>, message: RoutedMessage): boolean {
  const { names, values, all } = rule;
  for (let i = 0; i < names.length; i++) {
    const wanted = values[i] as Field;
    const header = message.header(names[i] as HeaderName);
    const met = header !== null && (wanted.type === 'V' || sameValue(wanted, header));
    if (met !== all) return met;
  }
  return all;
}
