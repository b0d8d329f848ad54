// Owns the tests of waiting messages that leave ahead of their time: what their pages are until and after the next batch.

import { expect, test, vi } from 'vitest';
import { DelayPage } from '../../../../src/broker/queue/delay/delay-page.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { TABLE_SEGMENTS } from '../../../../src/store/tables.ts';
import { wrongReferences } from '../../inspect.ts';
import { SmallBroker } from '../../small-broker.ts';

const COUNT = 2_000;
const KEPT = 1_200;
const SECOND = 1_000;

function prepared(bounds = {}): { small: SmallBroker; queue: Queue } {
  const small = new SmallBroker();
  Object.assign(small.broker.core.delayRows, {
    bounds: { ...small.broker.core.delayRows.bounds, ...bounds },
  });
  const queue = small.declare('q');
  for (let n = 0; n < COUNT; n++) {
    const headers = new Map([['x-delay', { type: 'l', value: 3_600_000 + n * SECOND } as const]]);
    small.publish(
      { routingKey: 'q', properties: { headers, deliveryMode: 2 } },
      Buffer.from(String(n)),
    );
  }
  small.commit();
  return { small, queue };
}

function lower(queue: Queue): void {
  queue.applyPolicy(new Map([['max-length', KEPT]]), null);
}

/** What becomes ready in the end. */
function rest(small: SmallBroker, queue: Queue): number[] {
  small.pass(3_600_000 + COUNT * SECOND);
  return small.readyNow(queue).map(Number);
}

const LAST = Array.from({ length: KEPT }, (_, n) => n + COUNT - KEPT);
const SMALL_HEAP = { heapMax: 100, heapKept: 50, openMax: 60, openPages: 1 };

test('of all that a limit drops from a page in one batch the page is made anew once', () => {
  const { small, queue } = prepared();
  const replaced = vi.spyOn(DelayPage.prototype, 'replace');
  lower(queue);
  small.run();
  expect(queue.delays.count).toBe(KEPT);
  expect(queue.readyCount).toBe(0);
  expect(replaced.mock.calls.length).toBeLessThan(20);
  replaced.mockRestore();
  expect(rest(small, queue)).toEqual(LAST);
});

test.each([{}, SMALL_HEAP])(
  'the others are as before, also after a start, with bounds %o',
  (bounds) => {
    const { small, queue } = prepared(bounds);
    lower(queue);
    small.run();
    expect(wrongReferences(small.broker, small.vhost.everyQueue())).toBeNull();
    const after = small.crashed();
    expect(after.queue('q').delays.count).toBe(KEPT);
    expect(rest(after, after.queue('q'))).toEqual(LAST);
  },
);

test.each(['drop', 'delete'] as const)(
  'what left is let go of once, where a %s comes before the batch',
  (end) => {
    const { small, queue } = prepared(SMALL_HEAP);
    const { entries } = queue.delays.soonest(COUNT, null);
    const places = entries.filter((_, n) => n % 3 > 0);
    expect(places.length).toBeGreaterThan(1_000);
    for (const place of places) expect(queue.delays.handle('drop', place)).toBe(true);
    for (const place of places) expect(queue.delays.handle('drop', place)).toBe(false);
    expect(queue.delays.count).toBe(COUNT - places.length);
    expect(queue.delays.soonest(COUNT, null).entries).toHaveLength(COUNT - places.length);
    if (end === 'drop') expect(queue.delays.drop()).toBe(COUNT - places.length);
    else small.vhost.removeQueue(queue);
    small.run();
    expect(wrongReferences(small.broker, small.vhost.everyQueue())).toBeNull();
    const after = small.restarted();
    after.commit();
    expect(after.disk.keys(TABLE_SEGMENTS)).toEqual([]);
  },
);
