import { expect, test } from 'vitest';
import { HISTOGRAM_BOUNDS_MS, Histogram } from '../../src/util/histogram.ts';

test('a value is counted in the first bucket whose bound it does not exceed', () => {
  const at = (ms: number): number => {
    const histogram = new Histogram();
    histogram.add(ms);
    return histogram.buckets.indexOf(1);
  };
  expect([0, 0.2, 1, 1.5, 2, 3, 4, 5, 1024, 1025].map(at)).toEqual([
    0, 0, 0, 1, 1, 2, 2, 3, 10, 11,
  ]);
  expect(at(-7)).toBe(0);
  expect(at(2 ** 20)).toBe(20);
  expect(at(2 ** 20 + 1)).toBe(HISTOGRAM_BOUNDS_MS.length);
  expect(at(Infinity)).toBe(HISTOGRAM_BOUNDS_MS.length);
});

test('two histograms add up', () => {
  const [one, two] = [new Histogram(), new Histogram()];
  one.add(3);
  two.add(3);
  two.add(100);
  one.merge(two);
  expect(one).toMatchObject({ count: 3, sumMs: 106 });
  expect(one.buckets[2]).toBe(2);
});
