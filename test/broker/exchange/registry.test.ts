import { expect, test } from 'vitest';
import type { FieldTable } from '../../../src/amqp/field-table.ts';
import type { ExchangeRouter } from '../../../src/broker/exchange/exchange-router.ts';
import {
  EXCHANGE_TYPES,
  exchangeType,
  exchangeTypes,
} from '../../../src/broker/exchange/registry.ts';
import { bind, routed, withHeaders } from './support.ts';

const NO_ARGUMENTS: FieldTable = new Map();

const routerOf = (type: string): ExchangeRouter<string> =>
  exchangeType(type).create<string>({
    arguments: NO_ARGUMENTS,
    labelOf: (name) => name,
    isStream: () => true,
    random: () => 0,
  });

test('the types of the protocol and of RabbitMQ\u2019s plugins are in the table', () => {
  expect([...exchangeTypes].sort()).toEqual([
    'direct',
    'fanout',
    'headers',
    'topic',
    'x-consistent-hash',
    'x-delayed-message',
    'x-message-deduplication',
    'x-modulus-hash',
    'x-random',
  ]);
});

test('every type makes a router that is empty and its own', () => {
  for (const type of EXCHANGE_TYPES.keys()) {
    const router = routerOf(type);
    router.add(bind('q1', '1'));
    expect(routed(router, '1', withHeaders(null))).toEqual(['q1']);
    expect(routed(routerOf(type), '1', withHeaders(null))).toEqual([]);
  }
});

test('routes are remembered only where the routing key alone decides', () => {
  const byKeyOnly = exchangeTypes.filter((type) => exchangeType(type).byKeyOnly(NO_ARGUMENTS));
  expect(byKeyOnly).toEqual(['direct', 'fanout', 'topic', 'x-consistent-hash', 'x-modulus-hash']);
  for (const name of ['hash-header', 'hash-property']) {
    const args: FieldTable = new Map([[name, { type: 'S', value: 'message_id' }]]);
    expect(exchangeType('x-consistent-hash').byKeyOnly(args)).toBe(false);
  }
});

test('a weight is asked of the bindings of a hash exchange, and of no others', () => {
  const refuses = exchangeTypes.filter((type) => {
    try {
      exchangeType(type).checkBinding('no weight', NO_ARGUMENTS);
      return false;
    } catch {
      return true;
    }
  });
  expect(refuses).toEqual(['x-consistent-hash']);
});

test('an unknown type is a bug of the caller', () => {
  expect(() => exchangeType('x-unknown')).toThrow(/x-unknown is in the table/);
});
