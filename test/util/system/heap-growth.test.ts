import { expect, test } from 'vitest';
import { growthPercent } from '../../../src/util/system/heap-growth.ts';

const MIB = 1024 * 1024;

test('the headroom is large beside a small heap and never more than 192 MiB beside a larger one', () => {
  expect(growthPercent(1)).toBe(1500);
  expect(growthPercent(12 * MIB)).toBe(1500);
  for (const mib of [13, 20, 50, 64, 100, 128, 200, 256, 384]) {
    const percent = growthPercent(mib * MIB);
    expect((mib * percent) / 100).toBeLessThanOrEqual(192);
    expect((mib * percent) / 100).toBeGreaterThan(0);
  }
});

test('beside a heap of more than 384 MiB the engine decides', () => {
  expect(growthPercent(385 * MIB)).toBe(0);
  expect(growthPercent(4096 * MIB)).toBe(0);
});
