import { expect, test } from 'vitest';
import { MovableClock, systemClock } from '../../src/util/clock.ts';

test('a movable clock goes as the machine does, and ahead of it by what was skipped', () => {
  const clock = new MovableClock();
  const wall = systemClock.wallMs();
  const monotonic = systemClock.monotonicMs();
  expect(clock.wallMs()).toBeGreaterThanOrEqual(wall);
  clock.skip(5000);
  clock.skip(1_000_000);
  expect(clock.wallMs()).toBeGreaterThanOrEqual(wall + 1_005_000);
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(monotonic + 1_005_000);
  expect(clock.wallMs() - systemClock.wallMs()).toBeLessThan(1_006_000);
});
