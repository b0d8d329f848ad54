import { expect, test } from 'vitest';
import { growthPercent } from '../../src/util/heap-growth.ts';

const MIB = 1024 * 1024;

test('the headroom is large beside a small heap and never more than 128 MiB beside a larger one', () => {
  expect(growthPercent(1)).toBe(400);
  expect(growthPercent(20 * MIB)).toBe(400);
  for (const mib of [32, 50, 64, 100, 128, 200, 256]) {
    const percent = growthPercent(mib * MIB);
    expect((mib * percent) / 100).toBeLessThanOrEqual(128);
    expect((mib * percent) / 100).toBeGreaterThan(0);
  }
});

test('beside a heap of more than 256 MiB the engine decides', () => {
  expect(growthPercent(257 * MIB)).toBe(0);
  expect(growthPercent(4096 * MIB)).toBe(0);
});
