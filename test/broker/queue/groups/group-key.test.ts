// Owns the tests of which values of a header are one group.

import { expect, test } from 'vitest';
import { encodeTable } from '../../../../src/amqp/encode-table.ts';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { groupKeyAt, NO_GROUP } from '../../../../src/broker/queue/groups/group-key.ts';

function keyOf(field: Field): number {
  const table = encodeTable(new Map([['g', field]]));
  // Behind the length of the table and the name.
  return groupKeyAt(table, table.length === 0 ? 0 : 4 + 2);
}

const text = (value: string): Field => ({ type: 'S', value });

test('a text and its bytes are one group, and so are an integer and its digits', () => {
  const key = keyOf(text('tenant 7'));
  expect(keyOf({ type: 'x', value: Buffer.from('tenant 7') })).toBe(key);
  expect(keyOf(text('tenant 8'))).not.toBe(key);
  const digits = keyOf(text('42'));
  for (const type of ['b', 'B', 's', 'u', 'I', 'i', 'l'] as const) {
    expect(keyOf({ type, value: 42 })).toBe(digits);
  }
  expect(keyOf({ type: 'l', value: -42n })).toBe(keyOf(text('-42')));
  expect(keyOf({ type: 'l', value: 2n ** 62n })).toBe(keyOf(text('4611686018427387904')));
});

test('no value and an empty one are no group, and any other value is one', () => {
  expect(keyOf({ type: 'V', value: null })).toBe(NO_GROUP);
  expect(keyOf(text(''))).toBe(NO_GROUP);
  const yes = keyOf({ type: 't', value: true });
  expect(yes).not.toBe(NO_GROUP);
  expect(keyOf({ type: 't', value: true })).toBe(yes);
  expect(keyOf({ type: 't', value: false })).not.toBe(yes);
  expect(keyOf({ type: 'd', value: 1.5 })).not.toBe(keyOf({ type: 'd', value: 2.5 }));
  const table: Field = { type: 'F', value: new Map([['a', text('b')]]) };
  expect(keyOf(table)).toBe(keyOf(table));
});

test('keys are what they were in earlier versions, since they are stored', () => {
  expect(keyOf(text('a'))).toBe(47998453774593);
  expect(keyOf(text('tenant 7'))).toBe(216945178333215);
  expect(keyOf(text('x'.repeat(10_000)))).toBe(249080786956865);
});

test('keys of values that are alike differ, and fill 48 bits', () => {
  const keys = new Set<number>();
  for (let n = 0; n < 100_000; n++) keys.add(keyOf(text(`customer-${n}`)));
  expect(keys.size).toBe(100_000);
  const mean = [...keys].reduce((sum, key) => sum + key / 2 ** 48, 0) / keys.size;
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  expect(Math.max(...[...keys].slice(0, 1_000))).toBeLessThan(2 ** 48);
});
