import { beforeEach, expect, test } from 'vitest';
import { Heartbeat } from '../../../src/server/connection/heartbeat.ts';
import { TimerWheel } from '../../../src/util/timers.ts';
import { FakeClock } from '../support.ts';

const INTERVAL_S = 10;
const TICK_MS = 100;

let clock: FakeClock;
let wheel: TimerWheel;
let heartbeat: Heartbeat;
let frames: Buffer[];
let aborted: { atMs: number; reason: string }[];
let paused: boolean;
let startMs: number;

beforeEach(() => {
  clock = new FakeClock();
  wheel = new TimerWheel(clock);
  frames = [];
  aborted = [];
  paused = false;
  startMs = clock.nowMs;
  const outbox = {
    beat: (frame: Buffer) => {
      frames.push(frame);
      // As the outbox of a connection does: a heartbeat is something that goes out.
      heartbeat.sent();
    },
  };
  const connection = {
    outbox,
    get paused() {
      return paused;
    },
    abort: (reason: string) => {
      aborted.push({ atMs: clock.nowMs - startMs, reason });
      heartbeat.stop();
    },
  };
  heartbeat = new Heartbeat(connection, wheel, clock);
});

/** Lets time pass tick by tick, as the wheel's interval would. */
function pass(ms: number, eachTick: () => void = () => {}): void {
  for (let gone = 0; gone < ms; gone += TICK_MS) {
    clock.nowMs += TICK_MS;
    eachTick();
    wheel.advance();
  }
}

test('an interval of 0 sends nothing and expects nothing', () => {
  heartbeat.start(0);
  pass(600_000);
  expect(frames).toEqual([]);
  expect(aborted).toEqual([]);
  expect(wheel.size).toBe(0);
});

test('a frame goes out each half interval when nothing else does', () => {
  heartbeat.start(INTERVAL_S);
  pass(60_000, () => heartbeat.received());
  expect(frames.length).toBe(12);
  expect(frames[0]).toEqual(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]));
  expect(aborted).toEqual([]);
});

test('no frame goes out while other output does', () => {
  heartbeat.start(INTERVAL_S);
  pass(60_000, () => {
    heartbeat.received();
    heartbeat.sent();
  });
  expect(frames).toEqual([]);
});

test('the first frame comes half an interval after the last output, whatever went before', () => {
  heartbeat.start(INTERVAL_S);
  // The answer to connection.open.
  pass(100, () => heartbeat.received());
  heartbeat.sent();
  pass(4900, () => heartbeat.received());
  expect(frames.length).toBe(0);
  pass(200, () => heartbeat.received());
  expect(frames.length).toBe(1);
});

test.each([1, 2, 3, 10, 60, 600])(
  'with an interval of %i s, no frame is later than half of it and a tick after the last output',
  (seconds) => {
    heartbeat.start(seconds);
    let lastMs = clock.nowMs;
    let ticks = 0;
    let longestMs = 0;
    const sentBy = (count: number): boolean => frames.length > count;
    for (let i = 0; i < seconds * 200; i++) {
      const before = frames.length;
      clock.nowMs += 50;
      heartbeat.received();
      // Output at odd times, and often at none.
      ticks += 1;
      if (ticks % 37 === 0) {
        heartbeat.sent();
        longestMs = Math.max(longestMs, clock.nowMs - lastMs);
        lastMs = clock.nowMs;
      }
      wheel.advance();
      if (!sentBy(before)) continue;
      longestMs = Math.max(longestMs, clock.nowMs - lastMs);
      lastMs = clock.nowMs;
    }
    expect(longestMs).toBeLessThanOrEqual(seconds * 500 + TICK_MS);
    expect(aborted).toEqual([]);
  },
);

test('a peer that says nothing is given up after two intervals, within half a one', () => {
  heartbeat.start(INTERVAL_S);
  pass(60_000);
  expect(aborted).toEqual([
    { atMs: expect.any(Number), reason: 'missed heartbeats: nothing came for 20 s' },
  ]);
  expect(aborted[0]?.atMs).toBeGreaterThan(20_000);
  expect(aborted[0]?.atMs).toBeLessThanOrEqual(25_000 + TICK_MS);
});

test('a peer that speaks once in nearly two intervals is kept', () => {
  heartbeat.start(INTERVAL_S);
  let ticks = 0;
  pass(600_000, () => {
    ticks += 1;
    if (ticks % 195 === 0) heartbeat.received();
  });
  expect(aborted).toEqual([]);
});

test('a connection that is not read is not silent; once read again, it may become so', () => {
  heartbeat.start(INTERVAL_S);
  paused = true;
  pass(100_000);
  expect(aborted).toEqual([]);
  expect(frames.length).toBe(20);
  paused = false;
  pass(19_000);
  expect(aborted).toEqual([]);
  pass(10_000);
  expect(aborted.length).toBe(1);
});

test('after a stop nothing fires', () => {
  heartbeat.start(INTERVAL_S);
  heartbeat.stop();
  expect(wheel.size).toBe(0);
  pass(100_000);
  expect(frames).toEqual([]);
  expect(aborted).toEqual([]);
});

test('a jump of the wall clock changes nothing', () => {
  const jumping = {
    wallMs: () => clock.nowMs + (clock.nowMs % 2 === 0 ? 86_400_000 : -86_400_000),
    monotonicMs: () => clock.nowMs,
  };
  const reasons: string[] = [];
  const connection = {
    outbox: { beat: () => {} },
    paused: false,
    abort: (reason: string) => reasons.push(reason),
  };
  const other = new Heartbeat(connection, wheel, jumping);
  other.start(INTERVAL_S);
  pass(100_000, () => other.received());
  expect(reasons).toEqual([]);
});
