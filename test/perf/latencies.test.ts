import { expect, test } from 'vitest';
import { Latencies } from '../../src/perf/latencies.ts';

test('percentiles are those of a sorted list, to two percent', () => {
  const latencies = new Latencies();
  const all: number[] = [];
  let value = 1;
  for (let n = 0; n < 5000; n++) {
    value = (value * 48_271) % 2_147_483_647;
    const us = value % 10 ** (1 + (n % 6));
    all.push(us);
    latencies.add(us / 1000);
  }
  all.sort((a, b) => a - b);
  for (const percent of [1, 25, 50, 75, 95, 99, 99.9, 100]) {
    const exact = all[Math.ceil((percent / 100) * all.length) - 1] as number;
    const found = latencies.percentile(percent) as number;
    expect(found).toBeGreaterThanOrEqual(exact);
    expect(found).toBeLessThanOrEqual(exact * 1.02 + 1);
  }
  expect(latencies.min).toBe(all[0]);
  expect(latencies.max).toBe(all[all.length - 1]);
  const sum = latencies.powers().reduce((total, { count }) => total + count, 0);
  expect(sum).toBe(5000);
});

test('of nothing there are no percentiles, and a clock that went back counts as none', () => {
  const latencies = new Latencies();
  expect([latencies.min, latencies.percentile(50), latencies.mean]).toEqual([null, null, null]);
  latencies.add(-5);
  expect(latencies.max).toBe(0);
  latencies.clear();
  expect(latencies.count).toBe(0);
});
