// Owns the tests of cases of a queue that the simulation meets too seldom, or could not name.

import { expect, test } from 'vitest';
import { PAGE_ENTRIES } from '../../../src/broker/queue/messages/pages/page.ts';
import { TABLE_MARKS, TABLE_PAGES } from '../../../src/store/tables.ts';
import { pagePlaces, positionsOf, wrongReferences } from '../inspect.ts';
import { purgeNow } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';

/** A queue after a crash, with a mark far beyond its last page. */
function crashedFarAhead(): SmallBroker {
  const before = new SmallBroker();
  const queue = before.declare('q');
  before.fill('q', 700);
  before.commit();
  const given = before.consume(queue);
  before.run();
  for (const { seq } of given.slice(0, 620)) queue.settle(seq);
  before.commit();
  return before.crashed();
}

test('a requeued message returns to its place before those that were never given out', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 10);
  const seqs = [0, 1, 2, 3].map(() => queue.take()?.seq as number);
  for (const seq of [2, 0, 3]) queue.requeue(seqs[seq] as number);
  const again = Array.from({ length: 9 }, () => {
    const { seq, redelivered } = queue.take() as { seq: number; redelivered: boolean };
    return [seq, redelivered];
  });
  expect(again.slice(0, 4)).toEqual([
    [0, true],
    [2, true],
    [3, true],
    [4, false],
  ]);
  expect(queue.take()).toBeNull();
});

test('consumers take turns, and one without credit is passed over', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const [few, many] = [small.consume(queue, 2), small.consume(queue, 0)];
  small.fill('q', 9);
  small.run();
  expect(few.map(({ seq }) => seq)).toEqual([0, 2]);
  expect(many.map(({ seq }) => seq)).toEqual([1, 3, 4, 5, 6, 7, 8]);
});

test('a backlog is not given out before the disk knows that it may have been', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 5);
  small.commit();
  const given = small.consume(queue);
  small.broker.core.deliver();
  expect(given).toHaveLength(0);
  expect(queue.waitsForMark).toBe(true);
  expect(small.broker.core.sealUrgent).toBe(true);
  small.broker.core.seal();
  small.broker.core.deliver();
  expect(given, 'sealed, but not durable').toHaveLength(0);
  small.store.sync();
  small.broker.core.deliver();
  expect(given.length).toBeGreaterThan(0);
});

test('after a crash the messages come back in order, those given out as redelivered', () => {
  const small = crashedFarAhead();
  const queue = small.queue('q');
  expect(queue.readyCount).toBe(80);
  const given = small.consume(queue);
  small.run();
  expect(given).toHaveLength(80);
  expect(given.map(({ seq }) => seq)).toEqual(Array.from({ length: 80 }, (_, n) => 620 + n));
  expect(given.every(({ redelivered }) => redelivered)).toBe(true);
});

test('messages that come after a crash are not redelivered, however far the mark had run', () => {
  const small = crashedFarAhead();
  purgeNow(small.queue('q'));
  small.fill('q', 3);
  const given = small.consume(small.queue('q'));
  small.run();
  expect(given.map(({ redelivered }) => redelivered)).toEqual([false, false, false]);
});

test('a queue whose mark had run past its last page can be purged after a crash', () => {
  const small = crashedFarAhead();
  const queue = small.queue('q');
  small.fill('q', 10);
  expect(purgeNow(queue)).toBe(90);
  small.commit();
  expect(positionsOf(queue)).toEqual([]);
  expect(small.disk.keys(TABLE_PAGES)).toHaveLength(0);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
});

test('pages from before a crash go when their last message is settled', () => {
  const small = crashedFarAhead();
  const queue = small.queue('q');
  small.consume(queue, 0, true);
  small.fill('q', PAGE_ENTRIES);
  small.run();
  expect(queue.readyCount).toBe(0);
  expect(pagePlaces(queue)).toBeLessThanOrEqual(1);
});

test('after a clean stop nothing is redelivered that nobody was given', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 100);
  small.commit();
  // A consumer comes and goes while its first message waits for the disk.
  small.consume(queue);
  small.broker.core.deliver();
  queue.removeConsumers([queue.consumers[0] as (typeof queue.consumers)[0]]);
  const again = small.restarted();
  const given = again.consume(again.queue('q'));
  again.run();
  expect(given).toHaveLength(100);
  expect(given.filter(({ redelivered }) => redelivered)).toEqual([]);
});

test('after a clean stop what was given back is redelivered, and nothing else', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 100);
  const seqs = Array.from({ length: 5 }, () => queue.take()?.seq as number);
  small.commit();
  for (const seq of seqs) queue.requeue(seq);
  const again = small.restarted();
  const given = again.consume(again.queue('q'));
  again.run();
  expect(given.filter(({ redelivered }) => redelivered)).toHaveLength(5);
  expect(given.slice(0, 5).every(({ redelivered }) => redelivered)).toBe(true);
});

test('what was given out and given back within one batch is redelivered after a crash', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 3);
  queue.requeue(queue.take()?.seq as number);
  small.commit();
  const again = small.crashed();
  const given = again.consume(again.queue('q'));
  again.run();
  expect(given).toHaveLength(3);
  expect(given[0]?.redelivered).toBe(true);
});

test('a queue that is deleted takes its messages, pages and mark along', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 600);
  queue.take();
  small.commit();
  expect(small.disk.keys(TABLE_MARKS)).toHaveLength(1);
  small.fill('q', 10);
  expect(small.vhost.removeQueue(queue)).toBe(609);
  small.commit();
  expect(small.disk.keys(TABLE_PAGES)).toHaveLength(0);
  expect(small.disk.keys(TABLE_MARKS)).toHaveLength(0);
  expect(wrongReferences(small.broker, [])).toBeNull();
  expect(small.crashed().vhost.queues.size).toBe(0);
});

test('a page is written only when a batch changes it', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 3 * PAGE_ENTRIES);
  small.commit();
  const put = small.store.put.bind(small.store);
  const written: number[] = [];
  small.store.put = (table, key, value) => {
    if (table === TABLE_PAGES) written.push(key.readUIntBE(4, 6));
    put(table, key, value);
  };
  const given = small.consume(queue);
  small.run();
  expect(written, 'delivering changes no page').toEqual([]);
  queue.settle(given[300]?.seq as number);
  queue.settle(given[301]?.seq as number);
  small.commit();
  expect(written).toEqual([1]);
});

test('transient messages of a durable queue are gone after a crash, the others are there', () => {
  const small = new SmallBroker();
  small.declare('q');
  for (let n = 0; n < 600; n++) {
    const properties = n % 3 === 0 ? { deliveryMode: 2 } : {};
    small.publish({ routingKey: 'q', properties }, Buffer.from(`${n}`));
  }
  small.commit();
  const again = small.crashed();
  expect(again.queue('q').readyCount).toBe(200);
  purgeNow(again.queue('q'));
  expect(wrongReferences(again.broker, [again.queue('q')])).toBeNull();
});
