// Owns the tests of where messages that wait lie: not yet in a page, in one of all times, or in one of their bucket.

import { expect, test } from 'vitest';
import { type DelayEntry, emptyEntry } from '../../../../src/broker/queue/delay/delay-entry.ts';
import { DelayPage, entriesOf, readEntry } from '../../../../src/broker/queue/delay/delay-page.ts';
import { TABLE_DELAYS } from '../../../../src/store/tables.ts';
import { wrongReferences } from '../../inspect.ts';
import { NOW_MS, SmallBroker } from '../../small-broker.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BOUNDS = { heapMax: 40, heapKept: 10, awayMin: 30, openMax: 20, openPages: 1 };

function delayed(small: SmallBroker, body: string, delayMs: number, stored = true): void {
  const headers = new Map([['x-delay', { type: 'l', value: delayMs } as const]]);
  const properties = { headers, ...(stored ? { deliveryMode: 2 } : {}) };
  small.publish({ routingKey: 'q', properties }, Buffer.from(body));
}

test('whatever is done with messages that came a moment ago, as with others', () => {
  const dueOf = (n: number): number => 1_000 + (n % 50) * 3 * DAY;
  for (const seals of [false, true]) {
    const small = new SmallBroker();
    small.broker.core.delayRows.bounds = BOUNDS;
    const queue = small.declare('q');
    const fill = (): void => {
      for (let n = 0; n < 35; n++) delayed(small, `${n}`, dueOf(n), n % 4 > 0);
      if (seals) small.commit();
    };
    const { delays } = queue;
    fill();
    expect(delays.soonest(2, null).entries.map(({ id }) => id)).toEqual([1, 2]);
    expect(delays.handle('send', { dueMs: NOW_MS + dueOf(7), id: 8 })).toBe(true);
    expect(delays.handle('drop', { dueMs: NOW_MS + dueOf(8), id: 9 })).toBe(true);
    expect(delays.promoteFirst()).toBe(true);
    expect(small.readyNow(queue)).toEqual(['7', '0']);
    expect(wrongReferences(small.broker, [queue])).toBeNull();
    fill();
    expect(delays.drop()).toBe(67);
    expect(wrongReferences(small.broker, [queue])).toBeNull();
    fill();
    expect(delays.hasten()).toBe(35);
    small.pass(0);
    expect(new Set(small.readyNow(queue)).size).toBe(35);
    fill();
    small.pass(DAY);
    expect(small.readyNow(queue)).toEqual(['0']);
    small.pass(200 * DAY);
    expect(small.readyNow(queue)).toHaveLength(34);
    expect(delays.count).toBe(0);
    small.commit();
    expect(wrongReferences(small.broker, [queue])).toBeNull();
    expect(small.disk.keys(TABLE_DELAYS)).toEqual([]);
  }
});

test('those that came a moment ago stay as they are when others before them go', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  for (let n = 0; n < 10; n++) delayed(small, `${n}`, n < 5 ? 100 : 5_000);
  small.commit();
  small.nowMs += 100;
  small.broker.core.tick();
  for (const body of ['a', 'b', 'c']) delayed(small, body, 1_000);
  queue.deliver();
  expect(queue.readyCount).toBe(5);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
  expect(queue.delays.handle('drop', { dueMs: NOW_MS + 5_000, id: 8 })).toBe(true);
  small.commit();
  expect(small.readyNow(queue)).toEqual(['0', '1', '2', '3', '4']);
  const again = small.crashed();
  again.pass(1_000);
  const back = again.readyNow(again.queue('q'));
  expect(back).toEqual(['0', '1', '2', '3', '4', 'a', 'b', 'c']);
  again.pass(4_000);
  expect(again.readyNow(again.queue('q'))).toEqual(['5', '6', '8', '9']);
});

test('what is made ready at once after a start is not put away', () => {
  const small = new SmallBroker();
  small.declare('q');
  for (let n = 0; n < 40; n++) delayed(small, `${n}`, n * DAY + 1);
  small.commit();
  const again = small.crashed();
  again.broker.core.delayRows.bounds = BOUNDS;
  again.queue('q').delays.hasten();
  again.broker.core.seal();
  again.store.sync();
  expect(onDisk(again)).toEqual({ 0: 40 });
});

/** How many messages the rows of pages have, by the levels of these. */
function onDisk(small: SmallBroker): Record<number, number> {
  const levels: Record<number, number> = {};
  const table = small.disk.table(TABLE_DELAYS);
  for (const key of small.disk.keys(TABLE_DELAYS)) {
    const row = table.get(key) as Buffer;
    if (key.readUIntBE(4, 6) === 0) continue;
    const level = row[1] as number;
    levels[level] = (levels[level] ?? 0) + row.readUInt16BE(2);
  }
  return levels;
}

test('of a batch with many, those far off are written once, and what is due soon stays in memory', () => {
  const small = new SmallBroker();
  small.broker.core.delayRows.bounds = { ...small.broker.core.delayRows.bounds, awayMin: 1_000 };
  const queue = small.declare('q');
  for (let n = 0; n < 2_000; n++) delayed(small, `${n}`, n * 4 * HOUR + 1);
  small.commit();
  // An eighth stays, with 41 days; from 48 days on spans are of 16 days.
  const { 0: any = 0, 1: days = 0, 6: weeks = 0 } = onDisk(small);
  expect(any).toBeGreaterThan(200);
  expect(any).toBeLessThan(300);
  expect(days).toBeLessThan(100);
  expect(any + days + weeks).toBe(2_000);
  for (let n = 0; n < 900; n++) delayed(small, `${n}`, 300 * DAY);
  small.commit();
  expect(onDisk(small)[0], 'few make no page for each span').toBe(any + 900);
  for (let n = 0; n < 2_000; n++) delayed(small, `${n}`, 1 + (n % 50_000));
  small.commit();
  expect(onDisk(small)[0], 'soon').toBe(any + 2_900);
  const again = small.crashed();
  const last = again.queue('q');
  expect(last.delays.count).toBe(4_900);
  expect(queue.delays.count).toBe(4_900);
  expect(wrongReferences(again.broker, [last])).toBeNull();
});

test('pages of single days that lie far off, as they were written before, are read and become ready in order', () => {
  const small = new SmallBroker();
  small.broker.core.delayRows.bounds = BOUNDS;
  small.declare('q');
  for (let n = 0; n < 300; n++) delayed(small, `${n}`, 60 * DAY + ((n * 7) % 300) * HOUR);
  small.commit();
  const table = small.disk.table(TABLE_DELAYS);
  const byDay = new Map<number, DelayEntry[]>();
  const [anyKey] = small.disk.keys(TABLE_DELAYS);
  for (const key of small.disk.keys(TABLE_DELAYS)) {
    const row = table.get(key) as Buffer;
    if (row[1] !== 6) continue;
    for (let n = 0; n < entriesOf(row); n++) {
      const entry = emptyEntry();
      readEntry(row, n, entry);
      const day = Math.floor(entry.dueMs / DAY) * DAY;
      byDay.set(day, [...(byDay.get(day) ?? []), entry]);
    }
    table.remove(key);
  }
  expect(byDay.size).toBeGreaterThan(5);
  for (const [n, [day, entries]] of [...byDay].entries()) {
    const page = new DelayPage(1_000 + n, 1, day, true);
    for (const entry of entries) page.add(entry);
    const key = Buffer.from(anyKey as Buffer);
    key.writeUIntBE(page.number, 4, 6);
    table.put(key, page.toRow(true));
  }
  const again = small.crashed();
  again.broker.core.delayRows.bounds = BOUNDS;
  const queue = again.queue('q');
  expect(queue.delays.count).toBe(300);
  const came: number[] = [];
  for (let day = 0; day < 80; day++) {
    again.pass(DAY);
    came.push(...again.readyNow(queue).map((body) => (Number(body) * 7) % 300));
  }
  expect(came).toEqual(Array.from({ length: 300 }, (_, n) => n));
});
