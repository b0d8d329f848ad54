// Owns routing by the headers of a message (§3.1.3.4): the type `headers`, behind `amq.match` too.
// Never looks at keys, and asks for the headers only when a binding sets a condition on them.

import { AmqpError } from '../../amqp/errors.ts';
import {
  describeFieldType,
  describeFieldValue,
  erlangBinary,
  sameValue,
} from '../../amqp/field-equality.ts';
import type { Field, FieldTable } from '../../amqp/field-table.ts';
import { assert } from '../../util/assert.ts';
import type { Binding } from './binding.ts';
import type { Found, RoutedMessage, Router } from './router.ts';

const MODE = 'x-match';

/** The values of `x-match`: whether all conditions must hold, and whether `x-` keys are some. */
const MODES = {
  all: { all: true, withX: false },
  any: { all: false, withX: false },
  'all-with-x': { all: true, withX: true },
  'any-with-x': { all: false, withX: true },
} as const;

/** A binding with its arguments taken apart once, so that messages need not. */
interface Rule<D> {
  readonly binding: Binding<D>;
  readonly destination: D;
  readonly all: boolean;
  /** The conditions: the header `keys[i]` must be there and, unless void, equal `values[i]`. */
  readonly keys: readonly string[];
  readonly values: readonly Field[];
}

/** Refuses the arguments of a binding whose `x-match` means nothing. */
export function checkHeadersBinding(table: FieldTable): void {
  const mode = table.get(MODE);
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

/** A message goes to every destination that has a binding whose conditions its headers meet. */
export class HeadersRouter<D> implements Router<D> {
  private readonly rules: Rule<D>[] = [];

  add(binding: Binding<D>): void {
    this.rules.push(readRule(binding));
  }

  remove(binding: Binding<D>): void {
    const at = this.rules.findIndex((rule) => rule.binding === binding);
    assert(at >= 0, 'a binding to remove was added before');
    const last = this.rules.pop() as Rule<D>;
    if (at < this.rules.length) this.rules[at] = last;
  }

  route(_routingKey: string, message: RoutedMessage, found: Found<D>): boolean {
    let matched = false;
    for (let i = 0; i < this.rules.length; i++) {
      const rule = this.rules[i] as Rule<D>;
      // What another exchange has found already counts as a match here only if it is one.
      if (matched && found.has(rule.destination)) continue;
      if (!isMet(rule, message)) continue;
      matched = true;
      found.add(rule.destination);
    }
    return matched;
  }

  /** How many bindings are held. */
  get size(): number {
    return this.rules.length;
  }
}

function readRule<D>(binding: Binding<D>): Rule<D> {
  const table = binding.arguments;
  const mode = String(table.get(MODE)?.value ?? 'all');
  assert(Object.hasOwn(MODES, mode), 'the arguments of a binding are checked before it is added');
  const { all, withX } = MODES[mode as keyof typeof MODES];
  const keys = [...table.keys()].filter((key) => key !== MODE && (withX || !key.startsWith('x-')));
  const values = keys.map((key) => table.get(key) as Field);
  return { binding, destination: binding.destination, all, keys, values };
}

/** Without conditions `all` holds for every message and `any` for none, as in RabbitMQ. */
function isMet<D>(rule: Rule<D>, message: RoutedMessage): boolean {
  const { keys, values, all } = rule;
  if (keys.length === 0) return all;
  const headers = message.headers();
  if (headers === null) return false;
  for (let i = 0; i < keys.length; i++) {
    const wanted = values[i] as Field;
    const header = headers.get(keys[i] as string);
    const met = header !== undefined && (wanted.type === 'V' || sameValue(wanted, header));
    if (met !== all) return met;
  }
  return all;
}
