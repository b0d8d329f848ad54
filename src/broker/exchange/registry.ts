// Owns the table of exchange types: a name, how to make the router behind it, and what holds for all
// exchanges of the type. Never routes: a new type is a file of its own and a row here.

import type { FieldTable } from '../../amqp/field-table.ts';
import { assert } from '../../util/assert.ts';
import type { ExchangeRouter } from './exchange-router.ts';
import { ConsistentHashRouter, checkWeight } from './types/consistent-hash.ts';
import { DirectRouter } from './types/direct.ts';
import { FanoutRouter } from './types/fanout.ts';
import { hashesKey } from './types/hash-source.ts';
import { HeadersRouter } from './types/headers.ts';
import { checkHeadersBinding } from './types/headers-rule.ts';
import { ModulusHashRouter } from './types/modulus-hash.ts';
import { RandomRouter } from './types/random.ts';
import { isSuperStream, SuperStreamRouter } from './types/super-stream.ts';
import { TopicRouter } from './types/topic.ts';

/** What a router is made with. */
export interface RouterSetup<D> {
  /** The arguments of the exchange. */
  readonly arguments: FieldTable;
  /** Names a destination among all of a vhost, the same after a restart. */
  labelOf(destination: D): string;
  /** Whether a destination is a stream. */
  isStream(destination: D): boolean;
  /** Gives numbers from 0 to below 1. */
  random(): number;
}

/** One row of the table. */
export interface ExchangeType {
  /** What it does, for people. */
  readonly about: string;
  /** What the binding key means, for people. */
  readonly bindingKey: string;
  /** Whether a message with several routing keys is asked about with each; else the first counts. */
  readonly eachKey: boolean;
  /**
   * Whether a route holds for all messages with the same routing key, for an exchange with these
   * arguments. Where it does not, routes cannot be remembered and each message is looked at.
   */
  byKeyOnly(args: FieldTable): boolean;
  /** Makes a router without bindings. */
  create<D>(setup: RouterSetup<D>): ExchangeRouter<D>;
  /** Throws the AmqpError that refuses such a binding; call it before `add`. */
  checkBinding(bindingKey: string, args: FieldTable): void;
}

const always = (): boolean => true;
const never = (): boolean => false;
/** Most types take a binding with any key and arguments. */
const anyBinding = (): void => {};

/** Every type that `exchange.declare` knows, by its name on the wire. */
export const EXCHANGE_TYPES: ReadonlyMap<string, ExchangeType> = new Map<string, ExchangeType>([
  [
    'direct',
    {
      about: 'To every destination whose binding key equals the routing key.',
      bindingKey: 'compared with the routing key',
      eachKey: true,
      byKeyOnly: always,
      create: <D>(setup: RouterSetup<D>) =>
        isSuperStream(setup.arguments)
          ? new SuperStreamRouter<D>(setup.isStream, setup.labelOf)
          : new DirectRouter<D>(),
      checkBinding: anyBinding,
    },
  ],
  [
    'fanout',
    {
      about: 'To every destination.',
      bindingKey: 'not looked at',
      eachKey: false,
      byKeyOnly: always,
      create: <D>() => new FanoutRouter<D>(),
      checkBinding: anyBinding,
    },
  ],
  [
    'headers',
    {
      about: 'To every destination with a binding whose arguments the headers of the message meet.',
      bindingKey: 'not looked at',
      eachKey: false,
      byKeyOnly: never,
      create: <D>() => new HeadersRouter<D>(),
      checkBinding: (_bindingKey, args) => checkHeadersBinding(args),
    },
  ],
  [
    'topic',
    {
      about: 'To every destination whose pattern matches the routing key.',
      bindingKey: 'words between dots; `*` stands for one word, `#` for zero or more',
      eachKey: true,
      byKeyOnly: always,
      create: <D>() => new TopicRouter<D>(),
      checkBinding: anyBinding,
    },
  ],
  [
    'x-consistent-hash',
    {
      about:
        'To one destination, by a hash of the routing key, a header or a property. A change of the bindings moves no more than its share.',
      bindingKey: 'the weight, an integer from 1 on',
      eachKey: false,
      byKeyOnly: hashesKey,
      create: <D>(setup: RouterSetup<D>) =>
        new ConsistentHashRouter<D>(setup.arguments, setup.labelOf),
      checkBinding: checkWeight,
    },
  ],
  [
    'x-delayed-message',
    {
      about:
        'As the type that `x-delayed-type` names. A message with a header `x-delay` waits so many milliseconds, in the queues that it goes to.',
      bindingKey: 'as for the type that `x-delayed-type` names',
      // What its exchanges are made of is the row of that type: see `routingType` in arguments.ts.
      eachKey: true,
      byKeyOnly: never,
      create: <D>() => new DirectRouter<D>(),
      checkBinding: anyBinding,
    },
  ],
  [
    'x-message-deduplication',
    {
      about: 'To every destination, unless it is a duplicate: see `x-cache-size`.',
      bindingKey: 'not looked at',
      eachKey: false,
      byKeyOnly: never,
      create: <D>() => new FanoutRouter<D>(),
      checkBinding: anyBinding,
    },
  ],
  [
    'x-modulus-hash',
    {
      about: 'To one destination, by the hash of the routing key modulo the number of bindings.',
      bindingKey: 'not looked at',
      eachKey: false,
      byKeyOnly: always,
      create: <D>(setup: RouterSetup<D>) => new ModulusHashRouter<D>(setup.labelOf),
      checkBinding: anyBinding,
    },
  ],
  [
    'x-random',
    {
      about: 'To one destination at random.',
      bindingKey: 'not looked at',
      eachKey: false,
      byKeyOnly: never,
      create: <D>(setup: RouterSetup<D>) => new RandomRouter<D>(setup.random),
      checkBinding: anyBinding,
    },
  ],
]);

/** The type whose exchanges route as another one does, that they name, and whose messages may wait. */
export const DELAYED_TYPE = 'x-delayed-message';

/** The type whose exchanges always look for duplicates. */
export const DUPLICATES_TYPE = 'x-message-deduplication';

/** The names of all types, as the management overview lists them. */
export const exchangeTypes: readonly string[] = [...EXCHANGE_TYPES.keys()];

/** The row of a type that was looked up before: an unknown name is the caller's bug. */
export function exchangeType(name: string): ExchangeType {
  const row = EXCHANGE_TYPES.get(name);
  assert(row !== undefined, `exchange type ${name} is in the table`);
  return row;
}
