import { expect, test, vi } from 'vitest';
import type { Clock } from '../../src/util/clock.ts';
import { TimerWheel, WheelTimer } from '../../src/util/timers.ts';
import { seeded } from '../broker/exchange/random.ts';

/** A wheel on a clock that the test moves. */
function wheelAt(startMs: number, tickMs = 100) {
  let nowMs = startMs;
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const wheel = new TimerWheel(clock, tickMs);
  const pass = (ms: number) => {
    nowMs += ms;
    wheel.advance();
  };
  return { wheel, pass, now: () => nowMs };
}

test('a timer fires never early and at most one tick late', () => {
  const { wheel, pass } = wheelAt(12_345.6);
  const fire = vi.fn();
  pass(33);
  wheel.schedule(new WheelTimer(fire), 1_000);
  pass(999);
  expect(fire).not.toHaveBeenCalled();
  pass(101);
  expect(fire).toHaveBeenCalledTimes(1);
  pass(60_000);
  expect(fire).toHaveBeenCalledTimes(1);
});

test('a delay of nothing fires with the next tick, never at once', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  wheel.schedule(new WheelTimer(fire), 0);
  wheel.advance();
  expect(fire).not.toHaveBeenCalled();
  pass(100);
  expect(fire).toHaveBeenCalledTimes(1);
});

test('a delay of many rounds of the wheel waits them out', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  wheel.schedule(new WheelTimer(fire), 600_000);
  for (let i = 0; i < 5_999; i++) pass(100);
  expect(fire).not.toHaveBeenCalled();
  pass(100);
  expect(fire).toHaveBeenCalledTimes(1);
});

test('scheduling again moves the timer, both ways', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  const timer = new WheelTimer(fire);
  wheel.schedule(timer, 1_000);
  wheel.schedule(timer, 5_000);
  expect(wheel.size).toBe(1);
  pass(4_900);
  expect(fire).not.toHaveBeenCalled();
  wheel.schedule(timer, 10_000);
  wheel.schedule(timer, 200);
  pass(200);
  expect(fire).toHaveBeenCalledTimes(1);
  expect(timer.armed).toBe(false);
  expect(wheel.size).toBe(0);
});

test('a cancelled timer does not fire and can be scheduled again', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  const timer = new WheelTimer(fire);
  wheel.cancel(timer);
  wheel.schedule(timer, 500);
  wheel.cancel(timer);
  expect(wheel.size).toBe(0);
  pass(1_000);
  expect(fire).not.toHaveBeenCalled();
  wheel.schedule(timer, 500);
  pass(500);
  expect(fire).toHaveBeenCalledTimes(1);
});

test('a timer re-arms itself for the rest when its owner was active meanwhile', () => {
  const { wheel, pass, now } = wheelAt(0);
  let activeAtMs = now();
  let timedOutAtMs = -1;
  const timer: WheelTimer = new WheelTimer(() => {
    const leftMs = activeAtMs + 10_000 - now();
    if (leftMs > 0) wheel.schedule(timer, leftMs);
    else timedOutAtMs = now();
  });
  wheel.schedule(timer, 10_000);
  for (let i = 0; i < 300; i++) {
    pass(100);
    if (i < 99) activeAtMs = now();
  }
  expect(timedOutAtMs).toBe(19_900);
});

test('a timer that fires may cancel or move others due in the same tick', () => {
  const { wheel, pass } = wheelAt(0);
  const cancelled = new WheelTimer(vi.fn());
  const moved = new WheelTimer(vi.fn());
  wheel.schedule(
    new WheelTimer(() => {
      wheel.cancel(cancelled);
      wheel.schedule(moved, 1_000);
    }),
    100,
  );
  wheel.schedule(cancelled, 100);
  wheel.schedule(moved, 100);
  pass(100);
  expect(cancelled.fire).not.toHaveBeenCalled();
  expect(moved.fire).not.toHaveBeenCalled();
  pass(1_000);
  expect(moved.fire).toHaveBeenCalledTimes(1);
});

test('a timer that throws does not keep the others from firing with the next tick', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  wheel.schedule(
    new WheelTimer(() => {
      throw new Error('broken owner');
    }),
    100,
  );
  wheel.schedule(new WheelTimer(fire), 100);
  expect(() => pass(100)).toThrow('broken owner');
  expect(fire).not.toHaveBeenCalled();
  pass(100);
  expect(fire).toHaveBeenCalledTimes(1);
  expect(wheel.size).toBe(0);
});

test('after a long pause everything that is due fires once', () => {
  const { wheel, pass } = wheelAt(0);
  const fire = vi.fn();
  for (let i = 1; i <= 1_000; i++) wheel.schedule(new WheelTimer(fire), i * 100);
  pass(1_000_000);
  expect(fire).toHaveBeenCalledTimes(1_000);
  wheel.schedule(new WheelTimer(fire), 100);
  pass(100);
  expect(fire).toHaveBeenCalledTimes(1_001);
});

test('timers at random times with a clock that jumps fire in their window', () => {
  const random = seeded();
  const { wheel, pass, now } = wheelAt(random.below(100_000), 50);
  const dueMs = new Map<WheelTimer, number>();
  let lastMs = now();
  let fired = 0;
  const arm = (timer: WheelTimer) => {
    const delayMs = random.below(100_000);
    dueMs.set(timer, now() + delayMs);
    wheel.schedule(timer, delayMs);
  };
  for (let i = 0; i < 200; i++) {
    const timer: WheelTimer = new WheelTimer(() => {
      const due = dueMs.get(timer) as number;
      expect(due).toBeLessThanOrEqual(now());
      // Due within one tick before the advance before this one, or later: else it came late.
      expect(due + 50).toBeGreaterThan(lastMs);
      fired++;
      arm(timer);
    });
    arm(timer);
  }
  const timers = [...dueMs.keys()];
  for (let i = 0; i < 5_000; i++) {
    lastMs = now();
    pass(random.below(random.below(100) === 0 ? 60_000 : 120));
    if (random.below(3) === 0) arm(random.pick(timers));
  }
  expect(wheel.size).toBe(200);
  expect(fired).toBeGreaterThan(1_000);
});

test('a started wheel advances by itself and a stopped one does not', () => {
  vi.useFakeTimers();
  try {
    const { wheel, now } = wheelAt(0);
    const advance = vi.spyOn(wheel, 'advance');
    wheel.start();
    wheel.start();
    vi.advanceTimersByTime(1_000);
    expect(advance).toHaveBeenCalledTimes(10);
    wheel.stop();
    vi.advanceTimersByTime(1_000);
    expect(advance).toHaveBeenCalledTimes(10);
    expect(now()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
