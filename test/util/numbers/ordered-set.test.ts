// Owns the tests of the ordered set of numbers.

import { expect, test } from 'vitest';
import { OrderedSet } from '../../../src/util/numbers/ordered-set.ts';
import { type Random, withSeed } from '../../amqp/random.ts';

test('numbers come out smallest first, are taken out wherever they are, and may come again', () => {
  withSeed((random: Random) => {
    const set = new OrderedSet();
    let list: number[] = [];
    for (let n = 0; n < 3_000; n++) {
      const act = random.below(5);
      const span = random.pick([40, 1_000, 2 ** 50]);
      const value = random.below(span);
      if (act <= 1) {
        set.add(value);
        if (!list.includes(value)) list.push(value);
        list.sort((a, b) => a - b);
      } else if (act === 2 && list.length > 0) {
        expect(set.takeFirst()).toBe(list.shift());
      } else if (act === 3) {
        const wanted = list.length > 0 && random.bool() ? random.pick(list) : value;
        expect(set.delete(wanted)).toBe(list.includes(wanted));
        list = list.filter((each) => each !== wanted);
        expect(set.has(wanted)).toBe(false);
      } else expect(set.has(value)).toBe(list.includes(value));
      expect(set.size).toBe(list.length);
      if (list.length > 0) {
        expect(set.first).toBe(list[0]);
        expect(set.has(random.pick(list))).toBe(true);
      }
      if (n % 1_000 === 999) {
        set.clear();
        list = [];
      }
    }
  });
});

/** How often a set looks at a block while `act` runs. */
function looksOf(set: OrderedSet, act: () => void): number {
  const masks = set['masks'];
  let looks = 0;
  const get = masks.get.bind(masks);
  masks.get = (block) => {
    looks += 1;
    return get(block);
  };
  act();
  return looks;
}

test('to ask for each of very many looks at one block each', () => {
  const set = new OrderedSet();
  const count = 100_000;
  for (let n = 0; n < count; n++) set.add(3 * n);
  const looks = looksOf(set, () => {
    for (let n = 0; n < count; n++) if (!set.has(3 * n) || set.has(3 * n + 1)) throw new Error();
  });
  expect(looks).toBe(2 * count);
});

test('taking out all of very many, the smallest last, looks at few blocks for each', () => {
  const set = new OrderedSet();
  const count = 20_000;
  for (let n = 0; n < count; n++) set.add(n);
  const looks = looksOf(set, () => {
    for (let n = count - 1; n > 0; n--) set.delete(n);
  });
  expect(set.size).toBe(1);
  expect(set.takeFirst()).toBe(0);
  expect(looks).toBeLessThan(3 * count);
});
