import { expect, test } from 'vitest';
import { atOnce, found, inOrder, type Walk } from '../../src/util/rows.ts';

test('rows in order are sorted, with null for each that was looked at meanwhile', () => {
  const numbers = Array.from({ length: 2000 }, (_, n) => (n * 48_271) % 2003);
  const rows = [...inOrder([...numbers, null], (a, b) => a - b)];
  const sorted = [...numbers].sort((a, b) => a - b);
  expect([...found(rows)]).toEqual(sorted);
  expect(rows.slice(0, numbers.length)).toEqual(numbers.map(() => null));
  // Others may have their turn while thousands are sorted.
  expect(rows.length - 2 * numbers.length).toBeGreaterThan(4);
});

test('no rows are no rows', () => {
  expect([...found([])]).toEqual([]);
  expect([...found(inOrder<number>([null], () => 0))]).toEqual([]);
});

test('a walk comes to its answer at once where that is wanted', () => {
  function* sum(): Walk<number> {
    let all = 0;
    for (const n of [1, 2, 3]) {
      all += n;
      yield null;
    }
    return all;
  }
  expect(atOnce(sum())).toBe(6);
});
