// Owns the table of exchange arguments: name, values, the types that read them, and which of them
// redeclaration compares. Never acts on an argument: the file that owns the behaviour reads it.

import { AmqpError } from '../../amqp/errors.ts';
import { describeFieldType } from '../../amqp/field-equality.ts';
import { isIntegerField } from '../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../amqp/field-table.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { exchangeIn } from '../names-in-texts.ts';
import { NO_EFFECT } from '../queue/arguments/queue-setting.ts';
import {
  A_BOOLEAN,
  A_STRING,
  choiceShape,
  integerShape,
  type ValueShape,
} from '../queue/arguments/value-shape.ts';
import { positiveOf } from '../queue/duplicates/duplicate-rule.ts';
import { DELAYED_TYPE, DUPLICATES_TYPE, EXCHANGE_TYPES } from './registry.ts';
import { HASH_HEADER, HASH_PROPERTY, HASHED_PROPERTIES } from './types/hash-source.ts';
import { SUPER_STREAM } from './types/super-stream.ts';

/** One argument that exchanges know. */
export interface ExchangeArgument {
  readonly name: string;
  /** The exchange type that reads it; null: all do. */
  readonly type: string | null;
  /** The values it takes, for people. */
  readonly expects: string;
  /** The same for a form. */
  readonly shape: ValueShape;
  /** The key that sets the same in the definition of a policy, if one can. */
  readonly policyKey: string | null;
  /** Whether redeclaring the exchange with another value is an error. */
  readonly compared: boolean;
  /** What it does, for people. */
  readonly about: string;
  /** Whether a value is of a type that it takes. */
  fits(field: Field): boolean;
  /** Says what is wrong with a value of a fitting type in RabbitMQ's words, or null when nothing is. */
  check(text: string, args: FieldTable): string | null;
}

export const ALTERNATE_EXCHANGE = 'alternate-exchange';
const DELAYED_BY = 'x-delayed-type';
const CACHE_SIZE = 'x-cache-size';
const NO_DELAYED_TYPE = `Invalid argument, '${DELAYED_BY}' must be an existing exchange type`;

const isText = ({ type }: Field): boolean => type === 'S';
/** As RabbitMQ's plugin has it, a number may be a text of digits. */
const isNumber = (field: Field): boolean => isIntegerField(field) || isText(field);

const atLeastOne = (name: string, text: string): string | null =>
  positiveOf(text) === null
    ? `Invalid argument, '${name}' must be an integer greater than 0`
    : null;

const shortText = (name: string, text: string): string | null =>
  isShort(text) ? null : `${name} must not be longer than ${SHORT_BYTES_MAX} bytes`;

/** Every argument that exchanges know. Others are kept, and never looked at. */
export const EXCHANGE_ARGUMENTS: readonly ExchangeArgument[] = [
  {
    name: ALTERNATE_EXCHANGE,
    type: null,
    expects: 'a string of at most 255 bytes',
    shape: A_STRING,
    fits: isText,
    policyKey: 'alternate-exchange',
    compared: true,
    about:
      'Where a message goes that matches no binding of this exchange. One that is not there is ignored.',
    check: (text) => shortText(ALTERNATE_EXCHANGE, text),
  },
  {
    name: SUPER_STREAM,
    type: 'direct',
    expects: 'a boolean',
    shape: A_BOOLEAN,
    policyKey: null,
    compared: false,
    about:
      'Whether it is a super stream, whose partitions are the streams bound to it: a message whose routing key equals no binding key goes to the partition that the hash of its routing key picks. See [streams.md](streams.md).',
    fits: ({ type }) => type === 't',
    check: () => null,
  },
  {
    name: HASH_HEADER,
    type: 'x-consistent-hash',
    expects: 'a string of at most 255 bytes',
    shape: A_STRING,
    fits: isText,
    policyKey: null,
    compared: false,
    about: 'The header that is hashed instead of the routing key.',
    check: (text, args) =>
      args.has(HASH_PROPERTY)
        ? 'hash-header and hash-property are mutually exclusive'
        : shortText(HASH_HEADER, text),
  },
  {
    name: HASH_PROPERTY,
    type: 'x-consistent-hash',
    expects: [...HASHED_PROPERTIES.keys()].map((name) => `\`${name}\``).join(', '),
    shape: choiceShape([...HASHED_PROPERTIES.keys()]),
    fits: isText,
    policyKey: null,
    compared: false,
    about: 'The property that is hashed instead of the routing key.',
    check: (text) => (HASHED_PROPERTIES.has(text) ? null : `Unsupported property: ${text}`),
  },
  {
    name: DELAYED_BY,
    type: DELAYED_TYPE,
    expects: 'the name of another exchange type',
    shape: choiceShape([...EXCHANGE_TYPES.keys()].filter((type) => type !== DELAYED_TYPE)),
    fits: isText,
    policyKey: null,
    compared: true,
    about: 'Needed: the type by whose rules it routes.',
    check: (text) => (EXCHANGE_TYPES.has(text) && text !== DELAYED_TYPE ? null : NO_DELAYED_TYPE),
  },
  {
    name: 'x-message-deduplication',
    type: null,
    expects: 'a boolean',
    shape: A_BOOLEAN,
    policyKey: 'message-deduplication',
    compared: false,
    about:
      'Whether a message is dropped, and confirmed, whose key the exchange knows: the value of its header `x-deduplication-header`. The type `x-message-deduplication` does so without it.',
    fits: ({ type }) => type === 't',
    check: () => null,
  },
  {
    name: CACHE_SIZE,
    type: null,
    expects: 'an integer from 1 on, or a text of digits',
    shape: integerShape(1),
    policyKey: 'cache-size',
    compared: false,
    about:
      'How many keys are known at most; the oldest is forgotten first. The type `x-message-deduplication` needs it.',
    fits: isNumber,
    check: (text) => atLeastOne(CACHE_SIZE, text),
  },
  {
    name: 'x-cache-ttl',
    type: null,
    expects: 'an integer from 1 on, in milliseconds, or a text of digits',
    shape: integerShape(1, Infinity, 'in milliseconds'),
    policyKey: 'cache-ttl',
    compared: false,
    about:
      'How long a key is known; the header `x-cache-ttl` of a message says another time for its own.',
    fits: isNumber,
    check: (text) => atLeastOne('x-cache-ttl', text),
  },
  {
    name: 'x-deduplication-header',
    type: null,
    expects: 'a string of at most 255 bytes',
    shape: A_STRING,
    policyKey: 'deduplication-header',
    compared: false,
    about: 'The header that has the key, instead of `x-deduplication-header`.',
    fits: isText,
    check: (text) => shortText('x-deduplication-header', text),
  },
  {
    name: 'x-cache-persistence',
    type: DUPLICATES_TYPE,
    expects: '`disk` or `memory`',
    shape: choiceShape(['disk', 'memory']),
    policyKey: null,
    compared: false,
    about: NO_EFFECT,
    fits: isText,
    check: (text) =>
      text === 'disk' || text === 'memory'
        ? null
        : "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
  },
];

/** The type by whose rules exchanges of a type route and take bindings, given their arguments. */
export function routingType(type: string, args: FieldTable): string {
  return type === DELAYED_TYPE ? (textArgument(args, DELAYED_BY) ?? type) : type;
}

/** Throws PRECONDITION_FAILED for the first argument whose type or value is not allowed. */
export function checkExchangeArguments(
  exchange: string,
  vhost: string,
  type: string,
  args: FieldTable,
): void {
  if (type === DELAYED_TYPE && !args.has(DELAYED_BY)) {
    throw new AmqpError('PRECONDITION_FAILED', `${NO_DELAYED_TYPE}, and is missing`);
  }
  if (type === DUPLICATES_TYPE && !args.has(CACHE_SIZE)) {
    const text = `Missing or invalid argument, '${CACHE_SIZE}' must be an integer greater than 0`;
    throw new AmqpError('PRECONDITION_FAILED', text);
  }
  if (args.size === 0) return;
  for (const argument of EXCHANGE_ARGUMENTS) {
    const field = args.get(argument.name);
    if (field === undefined || (argument.type !== null && argument.type !== type)) continue;
    const wrong = argument.fits(field)
      ? argument.check(String(field.value), args)
      : wrongType(argument.name, field, exchangeIn(vhost, exchange));
    if (wrong !== null) throw new AmqpError('PRECONDITION_FAILED', wrong);
  }
}

/** The value of an argument that is a string, or null. */
export function textArgument(args: FieldTable, name: string): string | null {
  const field = args.get(name);
  return field?.type === 'S' ? String(field.value) : null;
}

function wrongType(name: string, field: Field, where: string): string {
  return `invalid type '${describeFieldType(field)}' for arg '${name}' in ${where}`;
}
