// Owns the benches of the timer wheel, beside the timeouts of Node.
// Never waits: the wheel's clock is moved by the bench.

import type { Clock } from '../../src/util/clock.ts';
import { systemClock } from '../../src/util/clock.ts';
import { TimerWheel, WheelTimer } from '../../src/util/timers.ts';
import { type Bench, keep, type Run } from './kit.ts';

const TIMERS = 10_000;

function fakeClock() {
  const clock = { nowMs: 0, wallMs: () => clock.nowMs, monotonicMs: () => clock.nowMs };
  return clock satisfies Clock & { nowMs: number };
}

/** Moves one of 10,000 armed timers to a later time. */
function reschedule(): Run {
  const wheel = new TimerWheel(systemClock);
  const timers = Array.from({ length: TIMERS }, () => new WheelTimer(() => {}));
  for (const timer of timers) wheel.schedule(timer, 30_000);
  let at = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      wheel.schedule(timers[at] as WheelTimer, 30_000);
      at = (at + 1) % TIMERS;
    }
    keep(wheel.size);
  };
}

/** One tick of a wheel with 10,000 heartbeats of 30 s, each armed again when it fires. */
function tick(): Run {
  const clock = fakeClock();
  const wheel = new TimerWheel(clock);
  for (let i = 0; i < TIMERS; i++) {
    const timer: WheelTimer = new WheelTimer(() => wheel.schedule(timer, 30_000));
    wheel.schedule(timer, i * 3);
  }
  return (count) => {
    for (let i = 0; i < count; i++) {
      clock.nowMs += 100;
      wheel.advance();
    }
    keep(wheel.size);
  };
}

function tickIdle(): Run {
  const clock = fakeClock();
  const wheel = new TimerWheel(clock);
  return (count) => {
    for (let i = 0; i < count; i++) {
      clock.nowMs += 100;
      wheel.advance();
    }
    keep(wheel.size);
  };
}

/** What the wheel is measured against. */
function refreshNodeTimeouts(): Run {
  const timeouts = Array.from({ length: TIMERS }, () => setTimeout(() => {}, 30_000).unref());
  let at = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      (timeouts[at] as NodeJS.Timeout).refresh();
      at = (at + 1) % TIMERS;
    }
    keep(timeouts.length);
  };
}

export const timerBenches: readonly Bench[] = [
  { name: 'schedule again, 10,000 timers', prepare: reschedule },
  { name: 'Node: refresh, 10,000 timeouts', prepare: refreshNodeTimeouts },
  { name: 'a tick with 10,000 heartbeats of 30 s', prepare: tick },
  { name: 'a tick of an empty wheel', prepare: tickIdle },
];
