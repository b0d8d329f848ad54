// Owns the tests of the heap of numbers.

import { expect, test } from 'vitest';
import { NumberHeap } from '../../../src/util/numbers/heap.ts';
import { type Random, withSeed } from '../../amqp/random.ts';

test('numbers come out smallest first, as from a sorted list', () => {
  withSeed((random: Random) => {
    const heap = new NumberHeap();
    let list: number[] = [];
    for (let n = 0; n < 3_000; n++) {
      if (list.length === 0 || random.below(100) < 52) {
        const value = random.below(random.pick([5, 1_000, 2 ** 40]));
        heap.push(value);
        list.push(value);
        list.sort((a, b) => a - b);
        if (list.length > 300) list = list.slice(0, 0);
        if (list.length === 0) heap.clear();
      } else {
        expect(heap.first).toBe(list[0]);
        expect(heap.pop()).toBe(list.shift());
      }
      expect(heap.size).toBe(list.length);
    }
  });
});

test('a heap of one gives it back and is empty', () => {
  const heap = new NumberHeap();
  heap.push(3);
  expect(heap.pop()).toBe(3);
  expect(heap.size).toBe(0);
});
