import { expect, test } from 'vitest';
import { BrokerTime } from '../../../src/broker/turn/broker-time.ts';
import { openMemoryStore } from '../../../src/store/memory/engine.ts';
import { TABLE_META } from '../../../src/store/tables.ts';
import { commit } from '../../store/contract.ts';
import { SmallBroker } from '../small-broker.ts';

const DAY_MS = 86_400_000;

class Clock {
  wall = 1_700_000_000_000;
  monotonic = 5000.25;
  wallMs(): number {
    return this.wall;
  }
  monotonicMs(): number {
    return this.monotonic;
  }
  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

test('goes on with the monotonic clock, whatever the time of day is set to', () => {
  const clock = new Clock();
  const time = new BrokerTime(clock, openMemoryStore());
  const startMs = time.now();
  for (const jump of [DAY_MS, -3 * DAY_MS, 1000, -1000, 10 * 365 * DAY_MS]) {
    const before = time.now();
    clock.wall += jump;
    clock.pass(1500);
    expect(Math.abs(time.now() - before - 1500)).toBeLessThanOrEqual(1);
    expect(time.wallOf(time.now())).toBe(clock.wall);
  }
  expect(Math.abs(time.now() - startMs - 5 * 1500)).toBeLessThanOrEqual(5);
});

test('follows a time of day that is slewed, and never goes back', () => {
  const clock = new Clock();
  const time = new BrokerTime(clock, openMemoryStore());
  let lastMs = time.now();
  for (let n = 0; n < 1000; n++) {
    clock.pass(10);
    clock.wall += n % 3 === 0 ? -12 : 5;
    const nowMs = time.now();
    expect(nowMs).toBeGreaterThanOrEqual(lastMs);
    lastMs = nowMs;
  }
  expect(time.unsavedJumpMs).toBe(0);
});

test('goes on from the time that the queues lived by on another machine, whatever the time of day is here', async () => {
  for (const apart of [DAY_MS, -3 * DAY_MS, 300]) {
    const clock = new Clock();
    const store = openMemoryStore();
    const before = new BrokerTime(clock, store);
    clock.wall += DAY_MS / 2;
    const knownMs = before.now();
    before.save();
    await commit(store);
    const here = new Clock();
    here.wall += DAY_MS / 2 + apart;
    const time = new BrokerTime(here, store, knownMs);
    time.recover();
    expect(Math.abs(time.now() - knownMs)).toBeLessThanOrEqual(1);
    expect(time.wallOf(time.now())).toBe(here.wall);
    // The next start on this machine goes on from what is stored.
    expect(time.unsavedJumpMs).not.toBe(0);
    time.save();
    await commit(store);
    const again = new BrokerTime(here, store);
    again.recover();
    expect(Math.abs(again.now() - knownMs)).toBeLessThanOrEqual(1);
  }
});

test('what another machine told a moment late changes nothing where its time of day is that of this one', () => {
  const store = openMemoryStore();
  const clock = new Clock();
  const time = new BrokerTime(clock, store, clock.wall - 40);
  time.recover();
  expect(time.now()).toBe(clock.wall);
  expect(time.unsavedJumpMs).toBe(0);
});

test('times before and after a jump lie on one line after a restart too', () => {
  for (const jump of [DAY_MS, -DAY_MS]) {
    let small = new SmallBroker();
    const hour = { 'x-message-ttl': { type: 'l', value: 3_600_000 } } as const;
    const queue = small.declare('q', true, hour);
    small.fill('q', 1);
    small.commit();
    small.jumpedMs += jump;
    small.broker.core.time.now();
    expect(small.broker.core.time.unsavedJumpMs).toBe(jump);
    small.broker.core.time.save();
    small.commit();
    expect(queue.readyCount).toBe(1);
    small = small.crashed();
    small.pass(3_000_000);
    expect(small.queue('q').readyCount).toBe(1);
    small.pass(700_000);
    expect(small.queue('q').readyCount).toBe(0);
  }
});

test('the time that a broker was away counts as the time of day says', () => {
  const first = new SmallBroker();
  first.declare('q', true, { 'x-message-ttl': { type: 'l', value: 3_600_000 } });
  first.fill('q', 1);
  first.commit();
  first.nowMs += 3_700_000;
  const second = first.crashed();
  second.pass(0);
  expect(second.queue('q').readyCount).toBe(0);
});

test.each([
  ['cut short', (row: Buffer): Buffer => row.subarray(0, 7)],
  [
    'changed',
    (row: Buffer): Buffer => Buffer.from(row.map((byte, at) => (at === 2 ? byte ^ 1 : byte))),
  ],
  ['of another length', (row: Buffer): Buffer => Buffer.concat([row, row])],
])('a stored correction that is %s counts as none, and the broker starts', (_how, damage) => {
  const small = new SmallBroker();
  small.jumpedMs = DAY_MS;
  small.broker.core.time.now();
  small.broker.core.time.save();
  small.commit();
  const table = small.disk.table(TABLE_META);
  const key = Buffer.from('clock');
  table.put(key, damage(table.get(key) as Buffer));
  expect(small.crashed().broker.core.time.now()).toBe(small.nowMs + DAY_MS);
});
