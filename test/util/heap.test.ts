// Owns the tests of the heap of numbers.

import { expect, test } from 'vitest';
import { NumberHeap } from '../../src/util/heap.ts';
import { type Random, withSeed } from '../amqp/random.ts';

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

test('numbers are taken out wherever they are, and may come again', () => {
  withSeed((random: Random) => {
    const heap = new NumberHeap();
    const list: number[] = [];
    let next = 0;
    const out: number[] = [];
    for (let n = 0; n < 3_000; n++) {
      const act = random.below(4);
      if (act === 0 || list.length === 0) {
        const again = out.length > 0 && random.bool();
        const value = again ? (out.splice(random.below(out.length), 1)[0] as number) : next++;
        heap.push(value);
        list.push(value);
        list.sort((a, b) => a - b);
      } else if (act === 1) {
        expect(heap.first).toBe(list[0]);
        expect(heap.pop()).toBe(list[0]);
        out.push(list.shift() as number);
      } else if (act === 2) {
        const [value] = list.splice(random.below(list.length), 1) as [number];
        heap.remove(value);
        expect(heap.has(value)).toBe(false);
        out.push(value);
      } else expect(heap.has(list[random.below(list.length)] as number)).toBe(true);
      expect(heap.size).toBe(list.length);
      if (n % 1_000 === 999) {
        heap.clear();
        out.push(...list.splice(0));
      }
    }
  });
});

test('taking out all of very many, the smallest last, looks at each a few times', () => {
  const heap = new NumberHeap();
  const count = 2_000;
  for (let n = 0; n < count; n++) heap.push(n);
  const items = heap['items'];
  let looks = 0;
  heap['items' as never] = new Proxy(items, {
    get(target, key) {
      looks += 1;
      return Reflect.get(target, key);
    },
  }) as never;
  for (let n = count - 1; n > 0; n--) heap.remove(n);
  expect(heap.size).toBe(1);
  expect(heap.pop()).toBe(0);
  expect(heap.size).toBe(0);
  expect(looks).toBeLessThan(count * 80);
});
