// Owns the tests of pages of waiting messages that are damaged while the broker runs: they are set aside, and all others
// go on.

import { expect, test } from 'vitest';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { TABLE_DELAYS } from '../../../../src/store/tables.ts';
import { limitPages, wrongReferences } from '../../inspect.ts';
import { SmallBroker } from '../../small-broker.ts';

const HOUR = 3_600_000;
/** So many wait, each an hour after the one before, with bodies of so many bytes. */
const COUNT = 120;
const BODY_BYTES = 3;

const BOUNDS = { heapMax: 40, heapKept: 10, awayMin: 30, openMax: 20, openPages: 1 };

/** A broker whose queue has nearly all that waits on the disk alone. */
function prepared(): { small: SmallBroker; queue: Queue } {
  const small = new SmallBroker();
  small.broker.core.delayRows.bounds = BOUNDS;
  const queue = small.declare('q');
  for (let n = 0; n < COUNT; n++) {
    const headers = new Map([['x-delay', { type: 'l', value: (n + 1) * HOUR } as const]]);
    const properties = { headers, deliveryMode: 2 };
    small.publish({ routingKey: 'q', properties }, Buffer.from(String(n).padStart(BODY_BYTES)));
  }
  small.commit();
  return { small, queue };
}

/** Spoils the row of the last page of a bucket that the store has; returns how many messages it has. */
function spoil(small: SmallBroker): number {
  const table = small.disk.table(TABLE_DELAYS);
  const key = small.disk.keys(TABLE_DELAYS).findLast((each) => (table.get(each)?.[1] ?? 0) > 0);
  const row = key === undefined ? null : table.get(key);
  if (key === undefined || row === null) throw new Error('no page of a bucket is on the disk');
  const spoilt = Buffer.from(row);
  spoilt[spoilt.length - 1] = (spoilt.at(-1) as number) ^ 1;
  table.put(key, spoilt);
  return row.readUInt16BE(2);
}

const asideIn = (small: SmallBroker) =>
  [...small.broker.core.setAsideRows.list()].map(({ kind, error }) => [kind, error]);
const DAMAGED = [
  ['page of waiting messages', expect.stringContaining('its checksum does not match')],
];

/** What the queue says of what waits. */
const waiting = ({ delays }: Queue) => ({ count: delays.count, next: delays.nextAt });

test.each(['', ' of a broker that was started anew'])(
  'when its time comes near, a page%s is set aside, and the others become ready in order',
  (again) => {
    let { small, queue } = prepared();
    if (again !== '') {
      small = small.restarted();
      small.broker.core.delayRows.bounds = BOUNDS;
      queue = small.queue('q');
    }
    const lost = spoil(small);
    expect(lost).toBeGreaterThan(1);
    const came: number[] = [];
    for (let hour = 0; hour <= COUNT; hour++) {
      small.pass(HOUR);
      came.push(...small.readyNow(queue).map(Number));
    }
    expect(came).toEqual(came.toSorted((a, b) => a - b));
    expect(came).toHaveLength(COUNT - lost);
    expect(asideIn(small)).toEqual(DAMAGED);
    expect(waiting(queue)).toEqual({ count: 0, next: null });
    // It had them, and takes new ones.
    expect(queue.messages.pushedCount + queue.delays.neverReady).toBe(COUNT);
    queue.applyPolicy(new Map([['max-length-bytes', 0]]), null);
    expect(queue.delays.isOver(0, 0)).toBe(false);
    queue.applyPolicy(null, null);
    // Its row stays, for an operator to decide.
    small.commit();
    expect(small.disk.keys(TABLE_DELAYS)).toHaveLength(1);
    small.fill('q', 1);
    expect(queue.readyCount).toBe(1);
  },
);

test('where all are made ready at once, the others are', () => {
  const { small, queue } = prepared();
  const lost = spoil(small);
  queue.delays.hasten();
  small.run();
  expect(small.readyNow(queue).map(Number)).toHaveLength(COUNT - lost);
  expect(asideIn(small)).toEqual(DAMAGED);
  expect(waiting(queue).count).toBe(0);
});

test('a queue with a limit drops the others, and does not wait for those that are gone', () => {
  const { small, queue } = prepared();
  const lost = spoil(small);
  queue.applyPolicy(new Map([['max-length', 1]]), null);
  small.run();
  expect(queue.delays.count + queue.readyCount).toBeLessThanOrEqual(1);
  expect(queue.counts.droppedDead + queue.delays.count + queue.readyCount).toBe(COUNT - lost);
  expect(asideIn(small)).toEqual(DAMAGED);
});

test('a walk over all that hold records passes over it, and lets go of none of its messages', () => {
  const { small, queue } = prepared();
  const lost = spoil(small);
  let seen = 0;
  queue.delays.visitWaiting(() => {
    seen += 1;
  });
  expect(seen).toBe(COUNT - lost);
  expect(asideIn(small)).toEqual([]);
  expect(queue.delays.count).toBe(COUNT);
});

test('it goes with its queue, and with all that wait', () => {
  for (const end of ['delete', 'drop'] as const) {
    const { small, queue } = prepared();
    spoil(small);
    if (end === 'delete') small.vhost.removeQueue(queue);
    else queue.delays.drop();
    small.run();
    expect(small.disk.keys(TABLE_DELAYS), end).toEqual([]);
    // The next start finds that nothing holds what was in it.
    expect(wrongReferences(small.restarted().broker, []), end).toBeNull();
  }
});

test('one that was set aside goes with its queue, too', () => {
  const { small, queue } = prepared();
  spoil(small);
  queue.delays.hasten();
  small.run();
  expect(asideIn(small)).toEqual(DAMAGED);
  small.vhost.removeQueue(queue);
  small.run();
  expect(asideIn(small)).toEqual([]);
  expect(small.disk.keys(TABLE_DELAYS)).toEqual([]);
});

test('where the note of pages that are gone is damaged, a start has their messages once more', () => {
  const { small, queue } = prepared();
  limitPages(small.broker, 1, 1);
  queue.delays.drop();
  small.commit();
  const table = small.disk.table(TABLE_DELAYS);
  const gone = small.disk.keys(TABLE_DELAYS).find((key) => key[4] === 0xff) as Buffer;
  const spoilt = Buffer.from(table.get(gone) as Buffer);
  spoilt[2] = (spoilt[2] as number) ^ 1;
  table.put(gone, spoilt);
  const after = small.crashed();
  expect(asideIn(after)).toEqual(DAMAGED);
  expect(after.queue('q').delays.count).toBeGreaterThan(0);
});

test('one that some were taken out of just before is set aside with the others', () => {
  const { small, queue } = prepared();
  const lost = spoil(small);
  const table = small.disk.table(TABLE_DELAYS);
  const key = small.disk.keys(TABLE_DELAYS).findLast((each) => (table.get(each)?.[1] ?? 0) > 0);
  const spoilt = table.get(key as Buffer) as Buffer;
  // It can be read once more, as one of it is dropped, and not as the batch is made.
  spoil(small);
  const place = { dueMs: spoilt.readUIntBE(12, 6), id: spoilt.readUIntBE(18, 6) };
  expect(queue.delays.handle('drop', place)).toBe(true);
  table.put(key as Buffer, spoilt);
  small.commit();
  expect(table.get(key as Buffer)).toEqual(spoilt);
  queue.delays.hasten();
  small.run();
  expect(small.readyNow(queue)).toHaveLength(COUNT - lost);
  expect(queue.delays.waiting?.bytes).toBe(0);
  expect(waiting(queue).count).toBe(0);
  expect(queue.messages.pushedCount + queue.delays.neverReady).toBe(COUNT);
});
