import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ExpiryTimer } from '../../../src/server/turn/expiry-timer.ts';

vi.mock('../../../src/util/system/runtime.ts', () => import('../../support/fakeable-runtime.ts'));

/** Something with one deadline, which is gone once it has been looked at in time. */
class Thing {
  readonly time = { now: (): number => clock.wallMs() };
  nextDeadlineMs = Infinity;
  readonly looks: number[] = [];

  tick(): void {
    this.looks.push(clock.wallMs());
    if (this.nextDeadlineMs <= clock.wallMs()) this.nextDeadlineMs = Infinity;
  }
}

let aheadMs = 0;
const clock = { wallMs: () => Date.now() + aheadMs, monotonicMs: () => Date.now() + aheadMs };
let thing: Thing;
let alarm: ExpiryTimer;

beforeEach(() => {
  vi.useFakeTimers({ now: 1000 });
  aheadMs = 0;
  thing = new Thing();
  // As the server does: what wants a turn gets one.
  alarm = new ExpiryTimer(thing, () => alarm.turnEnded());
});

afterEach(() => {
  alarm.clear();
  vi.useRealTimers();
});

test('looks when the next thing expires, and not before', () => {
  thing.nextDeadlineMs = 1500;
  alarm.turnEnded();
  vi.advanceTimersByTime(499);
  expect(thing.looks).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(thing.looks).toHaveLength(1);
  vi.advanceTimersByTime(60_000);
  expect(thing.looks).toHaveLength(1);
});

test('looks sooner when something comes that expires sooner', () => {
  thing.nextDeadlineMs = 61_000;
  alarm.turnEnded();
  thing.nextDeadlineMs = 1500;
  alarm.turnEnded();
  vi.advanceTimersByTime(501);
  expect(thing.looks).toHaveLength(1);
});

test('waits for what comes next after a clock that was moved past what it waited for', () => {
  thing.nextDeadlineMs = 3_601_000;
  alarm.turnEnded();
  aheadMs = 3_600_000;
  alarm.passed();
  expect(thing.looks).toHaveLength(1);
  thing.nextDeadlineMs = clock.wallMs() + 50;
  alarm.turnEnded();
  vi.advanceTimersByTime(51);
  expect(thing.looks).toHaveLength(2);
});

test('looks again when it was woken too early', () => {
  thing.nextDeadlineMs = 2000;
  alarm.turnEnded();
  aheadMs = -500;
  vi.advanceTimersByTime(1001);
  expect(thing.looks).toHaveLength(1);
  vi.advanceTimersByTime(501);
  expect(thing.looks).toHaveLength(2);
  expect(thing.nextDeadlineMs).toBe(Infinity);
});
