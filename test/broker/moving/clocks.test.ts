// Owns the tests of a vhost that moves between brokers whose clocks are apart: what is due, expires or ticks at a time of
// day does so at the same time of day there.

import { expect, test } from 'vitest';
import { checkStore } from '../../../src/broker/check/check-store.ts';
import { ControlledStore } from '../controlled-store.ts';
import type { SmallBroker } from '../small-broker.ts';
import { after, filled, moved, other, snapshotOf, toldOf, wrongIn } from './full-vhost.ts';

const HOUR = 3_600_000;

for (const jumpedMs of [HOUR, -HOUR, 17_123_457]) {
  test(`nothing comes sooner or later where a clock was set by ${jumpedMs} ms`, async () => {
    const a = filled({ jumpedMs });
    expect(a.broker.core.time.brokerOf(0)).toBe(-jumpedMs);
    const snapshot = snapshotOf(a);
    const expected = toldOf(after({ ...a, disk: a.disk.copy() } as SmallBroker));
    const b = other(a.nowMs, jumpedMs);
    expect(b.broker.core.time.brokerOf(0)).toBe(0);
    await moved(snapshot, b);
    expect(wrongIn(b)).toBeNull();
    expect(checkStore(new ControlledStore(b.disk.copy())).damage).toEqual([]);
    const again = after({ ...b, disk: b.disk.copy() } as SmallBroker);
    const third = after({ ...b, disk: b.disk.copy() } as SmallBroker);
    const { delays } = third.queue('later');
    const waiting = delays.soonest(1_000, null).entries;
    expect(waiting.map((place) => delays.handle('drop', place))).toEqual(waiting.map(() => true));
    expect([waiting.length > 40, delays.count]).toEqual([true, 0]);
    expect(toldOf(b)).toEqual(expected);
    expect(toldOf(again)).toEqual(expected);
  });
}

test('the time that the queues lived by is known from elsewhere, whatever the time of day says', async () => {
  const a = filled();
  const expected = toldOf(after({ ...a, disk: a.disk.copy() } as SmallBroker)) as {
    expiries: [string, number[]][];
  };
  // The other machine's clock is an hour ahead.
  const b = other(a.nowMs + HOUR);
  await moved(snapshotOf(a), b, () => {}, { timeThereMs: a.nowMs });
  const { expiries } = toldOf(b) as typeof expected;
  const later = expected.expiries.map(([name, times]) => [name, times.map((ms) => ms + HOUR)]);
  expect(expiries).toEqual(later);
});

test('clocks that are as good as the same leave all times as they are', async () => {
  const a = filled();
  const expected = toldOf(after({ ...a, disk: a.disk.copy() } as SmallBroker));
  const b = other(a.nowMs);
  await moved(snapshotOf(a), b, () => {}, { timeThereMs: a.nowMs - 249 });
  expect(toldOf(b)).toEqual(expected);
});
