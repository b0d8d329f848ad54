// Owns the tests of how much a stream keeps, of what is said of it in several places.

import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import type { PolicyDefinition } from '../../../../src/broker/queue/rules.ts';
import { streamRulesOf } from '../../../../src/broker/queue/stream/stream-rules.ts';

const int = (value: number): Field => ({ type: 'l', value });
const policy = (rules: Record<string, string | number | bigint>): PolicyDefinition =>
  new Map(Object.entries(rules));

const HOUR_MS = 3_600_000;
const ARGUMENTS = new Map([
  ['x-max-age', textField('2h')],
  ['x-max-length', int(20)],
  ['x-max-length-bytes', int(200)],
]);
const MORE = policy({ 'max-age': '3h', 'max-length': 30, 'max-length-bytes': 300n });
const LESS = policy({ 'max-age': '1h', 'max-length': 10, 'max-length-bytes': 100 });

const rules = (times: number) => ({
  maxAgeMs: times * HOUR_MS,
  lengthMax: times * 10,
  lengthBytesMax: times * 100,
});

test('a stream of which nothing is said keeps all', () => {
  const none = { maxAgeMs: Infinity, lengthMax: Infinity, lengthBytesMax: Infinity };
  expect(streamRulesOf(new Map(), null, null)).toEqual(none);
  expect(streamRulesOf(new Map(), policy({ 'dead-letter-exchange': 'x' }), null)).toEqual(none);
});

test('a policy wins over the arguments, be it more or less', () => {
  expect(streamRulesOf(ARGUMENTS, null, null)).toEqual(rules(2));
  expect(streamRulesOf(ARGUMENTS, MORE, null)).toEqual(rules(3));
  expect(streamRulesOf(ARGUMENTS, LESS, null)).toEqual(rules(1));
});

test("the operator's policy bounds both, and never gives more", () => {
  expect(streamRulesOf(ARGUMENTS, null, LESS)).toEqual(rules(1));
  expect(streamRulesOf(ARGUMENTS, null, MORE)).toEqual(rules(2));
  expect(streamRulesOf(ARGUMENTS, MORE, LESS)).toEqual(rules(1));
  expect(streamRulesOf(ARGUMENTS, LESS, MORE)).toEqual(rules(1));
  expect(streamRulesOf(new Map(), null, LESS)).toEqual(rules(1));
});

test('each limit is merged by itself', () => {
  const { maxAgeMs, lengthMax } = streamRulesOf(ARGUMENTS, policy({ 'max-length': 5 }), null);
  expect([maxAgeMs, lengthMax]).toEqual([2 * HOUR_MS, 5]);
});

test('what is no limit is none, and 0 is one', () => {
  const odd = new Map([
    ['x-max-age', int(5)],
    ['x-max-length', int(0)],
    ['x-max-length-bytes', textField('5')],
  ]);
  expect(streamRulesOf(odd, null, null)).toEqual({
    maxAgeMs: Infinity,
    lengthMax: 0,
    lengthBytesMax: Infinity,
  });
});
