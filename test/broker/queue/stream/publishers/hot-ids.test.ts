// Owns the tests of how much is kept in memory of what the store has of publishers.

import { expect, test } from 'vitest';
import { HotIds } from '../../../../../src/broker/queue/stream/publishers/hot-ids.ts';

const BOUND = 2 * 16_384;

test('of many names, in many streams, few are kept, and those that are asked for are among them', () => {
  const ids = new HotIds();
  ids.set(1, 'hot', 7);
  for (let n = 0; n < 200_000; n++) {
    ids.set(2 + (n % 1000), `name-${n}`, n);
    if (n % 10_000 === 0) expect(ids.get(1, 'hot')).toBe(7);
    if (n % 5000 === 0) expect(ids.count).toBeLessThanOrEqual(BOUND);
  }
  expect(ids.get(1, 'hot')).toBe(7);
  expect(ids.get(2, 'name-0')).toBeUndefined();
  expect(ids.get(1, 'name-199999')).toBeUndefined();
});

test('the newer id counts, also where the one before is of the older generation', () => {
  const ids = new HotIds();
  ids.set(1, 'a', 1);
  for (let n = 0; n < 16_384; n++) ids.set(2, `name-${n}`, n);
  ids.set(1, 'a', 2);
  expect(ids.get(1, 'a')).toBe(2);
  ids.forget(1);
  expect(ids.get(1, 'a')).toBeUndefined();
});

test('of very many that come together none is kept, and what was known of them is forgotten', () => {
  const ids = new HotIds();
  ids.setAll(1, new Map([['a', 1]]));
  expect(ids.get(1, 'a')).toBe(1);
  const many = new Map<string, number>();
  for (let n = 0; n < 5000; n++) many.set(`name-${n}`, n);
  ids.setAll(1, many.set('a', 2));
  expect(ids.get(1, 'a')).toBeUndefined();
  expect(ids.count).toBe(0);
});
