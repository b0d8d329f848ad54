// Owns the tests of what waits for a batch.

import { expect, test } from 'vitest';
import { DurableWaiters } from '../../../src/server/turn/durable-waiters.ts';

test('what waits goes on in order once its batch is durable, and not before', () => {
  const held = new DurableWaiters();
  const gone: number[] = [];
  for (const batch of [1, 1, 2, 3]) held.add(batch, () => gone.push(batch));
  expect(held.resume(0)).toBe(false);
  expect(gone).toEqual([]);
  expect(held.resume(2)).toBe(false);
  expect(gone).toEqual([1, 1, 2]);
  expect(held.any).toBe(true);
  held.resume(3);
  expect(gone).toEqual([1, 1, 2, 3]);
  expect(held.any).toBe(false);
});

test('of very many some go on at once, and the others later', () => {
  const held = new DurableWaiters();
  const gone: number[] = [];
  for (let n = 0; n < 600; n++) held.add(1, () => gone.push(n));
  expect(held.resume(1)).toBe(true);
  expect(gone.length).toBeLessThan(600);
  while (held.resume(1));
  expect(gone).toEqual(Array.from({ length: 600 }, (_, n) => n));
});

test('who waits again while it goes on has to wait', () => {
  const held = new DurableWaiters();
  let times = 0;
  const again = (): void => {
    times += 1;
    held.add(2, again);
  };
  held.add(1, again);
  held.resume(1);
  expect(times).toBe(1);
  expect(held.any).toBe(true);
});
