// Owns the tests of how arguments and policies become the rules of a queue.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { type PolicyDefinition, rulesOf } from '../../../src/broker/queue/rules.ts';

const int = (value: number): Field => ({ type: 'I', value });
const text = (value: string): Field => ({ type: 'S', value });
const args = (fields: Record<string, Field>): Map<string, Field> => new Map(Object.entries(fields));
const policy = (values: Record<string, string | number>): PolicyDefinition =>
  new Map(Object.entries(values));

test('a queue without arguments and policies has no limits', () => {
  expect(rulesOf(args({}), null, null)).toEqual({
    messageTtlMs: Infinity,
    expiresMs: Infinity,
    lengthMax: Infinity,
    lengthBytesMax: Infinity,
    overflow: 'drop-head',
    deadLetterExchange: null,
    deadLetterRoutingKey: null,
    deadLetterStrategy: 'disabled',
    messageDelayMs: 0,
    deliveryLimit: Infinity,
    deliveryLimitMax: Infinity,
    retry: null,
    limitsReturns: false,
    consumerTimeoutMs: null,
    consumerTimeoutAction: null,
    priorityMax: 0,
    priorityDefault: 0,
    singleActiveConsumer: false,
    singleActiveSpread: false,
    deliveryRate: null,
    duplicates: null,
    deliversAfterCommit: false,
    groupHeader: null,
    groupUnackedMax: 1,
    unackedMax: Infinity,
  });
});

test.each([
  ['message-ttl', 'messageTtlMs'],
  ['expires', 'expiresMs'],
  ['max-length', 'lengthMax'],
  ['max-length-bytes', 'lengthBytesMax'],
  ['delivery-limit', 'deliveryLimit'],
  ['consumer-timeout', 'consumerTimeoutMs'],
] as const)('of argument, policy and operator policy the smallest %s holds', (key, rule) => {
  const orders = [
    [1, 2, 3],
    [2, 1, 3],
    [3, 2, 1],
  ] as const;
  for (const [argument, ours, operators] of orders) {
    const rules = rulesOf(
      args({ [`x-${key}`]: int(argument) }),
      policy({ [key]: ours }),
      policy({ [key]: operators }),
    );
    expect(rules[rule]).toBe(1);
  }
  expect(rulesOf(args({}), null, policy({ [key]: 9 }))[rule]).toBe(9);
});

test('the slowest rate holds, and an operator who sets a rate alone bounds what goes out at once', () => {
  const rate = (value: string): PolicyDefinition => policy({ 'delivery-rate': value });
  const own = { 'x-delivery-rate': text('100/s') };
  const of = (...given: Parameters<typeof rulesOf>) => rulesOf(...given).deliveryRate;
  expect(of(args(own), null, null)).toMatchObject({ count: 100, burst: 100 });
  expect(of(args(own), rate('20/s'), rate('30/s'))).toMatchObject({ count: 20, burst: 20 });
  expect(of(args({}), null, rate('30/s'))).toMatchObject({ count: 30, burst: 30 });
  const large = { 'x-delivery-rate': text('10/s'), 'x-delivery-burst': int(500) };
  expect(of(args(large), null, null)).toMatchObject({ count: 10, burst: 500 });
  expect(of(args(large), null, rate('30/s'))).toMatchObject({ count: 10, burst: 30 });
  const operators = policy({ 'delivery-rate': '30/s', 'delivery-burst': 90 });
  expect(of(args(large), null, operators)).toMatchObject({ count: 10, burst: 90 });
});

test('an argument wins over policies where there is no smaller and larger', () => {
  const both = rulesOf(
    args({ 'x-dead-letter-exchange': text('own'), 'x-overflow': text('reject-publish') }),
    policy({ 'dead-letter-exchange': 'theirs', 'dead-letter-routing-key': 'key' }),
    policy({ overflow: 'drop-head' }),
  );
  expect(both).toMatchObject({
    deadLetterExchange: 'own',
    deadLetterRoutingKey: 'key',
    overflow: 'reject-publish',
  });
});

test('a delivery limit of -1 is none, and any limits returns', () => {
  const none = rulesOf(args({ 'x-delivery-limit': int(-1) }), null, null);
  expect(none).toMatchObject({ deliveryLimit: Infinity, limitsReturns: false });
  const some = rulesOf(args({}), policy({ 'delivery-limit': 0 }), null);
  expect(some).toMatchObject({ deliveryLimit: 0, limitsReturns: true });
});

test('a quorum queue knows 32 priorities with 4 as that of most messages', () => {
  const quorum = text('quorum');
  expect(rulesOf(args({ 'x-queue-type': quorum }), null, null)).toMatchObject({
    priorityMax: 31,
    priorityDefault: 4,
  });
  const few = rulesOf(args({ 'x-queue-type': quorum, 'x-max-priority': int(2) }), null, null);
  expect(few).toMatchObject({ priorityMax: 2, priorityDefault: 2 });
});

test('a least delay alone switches retries on, for all, with a limit of 20 where none is set', () => {
  const min = { 'x-delayed-retry-min': int(500) };
  expect(rulesOf(args(min), null, null)).toMatchObject({
    retry: { type: 'all', minMs: 500, multiplier: null, jitter: 0 },
    deliveryLimit: 20,
    limitsReturns: true,
  });
  expect(rulesOf(args({ ...min, 'x-delivery-limit': int(-1) }), null, null)).toMatchObject({
    retry: { minMs: 500 },
    deliveryLimit: Infinity,
  });
  expect(rulesOf(args(min), policy({ 'delivery-limit': 4 }), null).deliveryLimit).toBe(4);
  const type = text('disabled');
  expect(rulesOf(args({ ...min, 'x-delayed-retry-type': type }), null, null).retry).toBeNull();
  expect(rulesOf(args({ 'x-delayed-retry-type': text('all') }), null, null).retry).toBeNull();
});
