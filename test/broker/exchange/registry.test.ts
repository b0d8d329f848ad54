import { expect, test } from 'vitest';
import {
  createRouter,
  EXCHANGE_TYPES,
  exchangeTypes,
} from '../../../src/broker/exchange/registry.ts';
import { bind, routed, withHeaders } from './support.ts';

test('the four types of the protocol are in the table', () => {
  expect([...exchangeTypes].sort()).toEqual(['direct', 'fanout', 'headers', 'topic']);
});

test('every type makes a router that is empty and its own', () => {
  for (const type of EXCHANGE_TYPES.keys()) {
    const router = createRouter<string>(type);
    router.add(bind('q1', 'key'));
    expect(routed(router, 'key', withHeaders(null))).toEqual(['q1']);
    expect(routed(createRouter<string>(type), 'key', withHeaders(null))).toEqual([]);
  }
});

test('an unknown type is a bug of the caller', () => {
  expect(() => createRouter('x-unknown')).toThrow(/x-unknown is in the table/);
});
