// Owns the tests of queues that are longer than memory: pages that leave and come back, purges and
// deletions of many pages, and walks over all that is there.

import { expect, test } from 'vitest';
import { PAGE_ENTRIES } from '../../../src/broker/queue/messages/pages/page.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { TABLE_MARKS, TABLE_PAGES, TABLE_PURGES } from '../../../src/store/tables.ts';
import { type Random, withSeed } from '../../amqp/random.ts';
import { limitPages, pagesAway, positionsOf, walk, wrongReferences } from '../inspect.ts';
import { purgeIn } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';

const PAGES = 20;

function filled(loadedMax = 4_096, sweptPerBatch = 3): SmallBroker {
  const small = new SmallBroker();
  limitPages(small.broker, loadedMax, sweptPerBatch);
  small.declare('q');
  small.fill('q', PAGES * PAGE_ENTRIES + 10);
  return small;
}

/** Settles `count` messages from the head. */
function drain(queue: Queue, small: SmallBroker, count: number): number[] {
  const seqs: number[] = [];
  while (seqs.length < count) {
    const taken = queue.take();
    if (taken === null) {
      small.commit();
      continue;
    }
    seqs.push(taken.seq);
    queue.settle(taken.seq);
  }
  return seqs;
}

test('pages stay in memory until their batch is durable, and come back in order', () => {
  const small = filled(4);
  const queue = small.queue('q');
  expect(pagesAway(queue)).toBe(0);
  small.broker.core.seal();
  small.fill('q', PAGE_ENTRIES);
  expect(pagesAway(queue), 'sealed, but not durable').toBe(0);
  small.store.sync();
  expect(pagesAway(queue)).toBeGreaterThanOrEqual(PAGES - 4);
  const count = (PAGES + 1) * PAGE_ENTRIES + 10;
  expect(drain(queue, small, count)).toEqual(Array.from({ length: count }, (_, seq) => seq));
  small.commit();
  expect(small.disk.keys(TABLE_PAGES)).toHaveLength(0);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
});

test('a page that came back is written again when it changes, and right after a crash', () => {
  const small = filled(1);
  const queue = small.queue('q');
  small.commit();
  small.fill('q', 3 * PAGE_ENTRIES);
  small.commit();
  const seqs = drain(queue, small, PAGE_ENTRIES + 7);
  small.commit();
  expect(pagesAway(queue)).toBeGreaterThan(PAGES - 4);
  const again = small.crashed();
  expect(again.queue('q').readyCount).toBe((PAGES + 3) * PAGE_ENTRIES + 10 - seqs.length);
  expect(drain(again.queue('q'), again, 1)).toEqual([PAGE_ENTRIES + 7]);
});

test('counts of returns survive that their page leaves memory', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 1, 3);
  const queue = small.declare('q', true, { 'x-queue-type': { type: 'S', value: 'quorum' } });
  small.fill('q', 3 * PAGE_ENTRIES);
  queue.requeue(queue.take()?.seq as number);
  small.commit();
  small.fill('q', 4 * PAGE_ENTRIES);
  small.commit();
  small.fill('q', 4 * PAGE_ENTRIES);
  small.commit();
  expect(pagesAway(queue)).toBeGreaterThan(5);
  expect(queue.messages.returnsOf(queue.take()?.seq as number)).toBe(1);
});

test('a tail page that left memory is gone on with, transient messages in between or not', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 0, 3);
  const queues = ['a', 'b', 'c'].map((name) => small.declare(name));
  for (let round = 0; round < 6; round++) {
    for (const queue of queues) {
      small.fill(queue.name, 50);
      for (let n = 0; n < 10; n++) small.publish({ routingKey: queue.name });
      drain(queue, small, 60 - round);
      small.commit();
    }
    small.commit();
  }
  for (const queue of queues) {
    expect(queue.readyCount).toBe(15);
    expect(positionsOf(queue)).toHaveLength(15);
    expect(drain(queue, small, 15).at(-1)).toBe(6 * 60 - 1);
  }
  expect(wrongReferences(small.broker, queues)).toBeNull();
});

test('a queue that keeps a message here and there needs few bytes for each on disk', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 10_000);
  for (let n = 0; n < 10_000; n++) {
    const taken = queue.take();
    if (taken !== null && taken.seq % 500 !== 0) queue.settle(taken.seq);
  }
  small.commit();
  const table = small.disk.table(TABLE_PAGES);
  let bytes = 0;
  for (const key of small.disk.keys(TABLE_PAGES)) bytes += (table.get(key) as Buffer).length;
  expect(bytes).toBeLessThanOrEqual(20 * 21);
});

test('a purge of many pages counts at once, and is over batches later', () => {
  const small = filled();
  const queue = small.queue('q');
  small.commit();
  expect(purgeIn(small.vhost, queue)).toBe(PAGES * PAGE_ENTRIES + 10);
  expect([queue.readyCount, queue.readyBytes]).toEqual([0, 0]);
  expect(positionsOf(queue)).toEqual([]);
  expect(walk(queue), 'what is purged is not visited').toEqual([]);
  small.fill('q', 5);
  const batches: number[] = [];
  while (small.broker.core.sweeps.any) {
    small.commit();
    batches.push(small.disk.keys(TABLE_PAGES).length);
    expect(small.disk.keys(TABLE_PURGES).length).toBe(small.broker.core.sweeps.any ? 1 : 0);
    expect(wrongReferences(small.broker, [queue])).toBeNull();
  }
  expect(batches.length).toBeGreaterThan(4);
  expect(batches.at(-1)).toBe(1);
  expect(drain(queue, small, 5)).toHaveLength(5);
});

test('unacked messages survive a purge, in memory and over a crash, and return to their places', () => {
  const small = filled();
  const queue = small.queue('q');
  const seqs = Array.from({ length: 300 }, () => queue.take()?.seq as number);
  for (const seq of seqs.slice(0, 290)) queue.settle(seq);
  small.commit();
  expect(purgeIn(small.vhost, queue)).toBe(PAGES * PAGE_ENTRIES + 10 - 300);
  small.fill('q', 1);
  small.broker.core.seal();
  small.store.sync();
  const again = small.crashed();
  expect(again.broker.core.sweeps.any).toBe(true);
  expect(drain(again.queue('q'), again, 11).slice(0, 10)).toEqual(seqs.slice(290));
  for (const seq of seqs.slice(290)) queue.requeue(seq);
  expect(drain(queue, small, 11).slice(0, 10)).toEqual(seqs.slice(290));
});

test('a purge that a crash cut short is finished by the next start, whatever came meanwhile', () => {
  const small = filled();
  small.commit();
  purgeIn(small.vhost, small.queue('q'));
  small.commit();
  const left = small.disk.keys(TABLE_PAGES).length;
  expect(left).toBeGreaterThan(PAGES / 2);
  const again = small.crashed();
  limitPages(again.broker, 4_096, 1);
  const queue = again.queue('q');
  expect(queue.readyCount).toBe(0);
  again.fill('q', 300);
  again.broker.core.seal();
  again.store.sync();
  // Once more, before the first purge is over.
  const third = again.crashed();
  expect(third.queue('q').readyCount).toBe(300);
  third.run();
  expect(third.disk.keys(TABLE_PURGES)).toHaveLength(0);
  expect(third.disk.keys(TABLE_PAGES)).toHaveLength(2);
  expect(drain(third.queue('q'), third, 300)).toHaveLength(300);
});

test('a purge is undone by a crash before its batch is durable', () => {
  const small = filled();
  small.commit();
  purgeIn(small.vhost, small.queue('q'));
  small.broker.core.seal();
  expect(small.crashed().queue('q').readyCount).toBe(PAGES * PAGE_ENTRIES + 10);
});

test('the id of a deleted queue is not given out before its pages are swept', () => {
  const small = filled();
  const queue = small.queue('q');
  queue.take();
  small.commit();
  expect(small.disk.keys(TABLE_MARKS)).toHaveLength(1);
  small.vhost.removeQueue(queue);
  small.commit();
  expect(small.disk.keys(TABLE_MARKS)).toHaveLength(0);
  const again = small.crashed();
  limitPages(again.broker, 4_096, 1);
  const other = again.declare('other');
  expect(other.id).toBeGreaterThan(queue.id);
  again.fill('other', 400);
  again.commit();
  const third = again.crashed();
  third.run();
  expect(third.queue('other').readyCount).toBe(400);
  expect(third.disk.keys(TABLE_PAGES)).toHaveLength(2);
  expect(third.disk.keys(TABLE_PURGES)).toHaveLength(0);
});

test('a lane of which only a purge is left starts behind it', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 4_096, 1);
  const args = { 'x-max-priority': { type: 'I', value: 3 } } as const;
  small.declare('q', true, args);
  for (let n = 0; n < 4 * PAGE_ENTRIES; n++) {
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, priority: 2 } });
  }
  small.commit();
  purgeIn(small.vhost, small.queue('q'));
  small.commit();
  const again = small.crashed();
  expect(again.broker.core.sweeps.any).toBe(true);
  limitPages(again.broker, 4_096, 0);
  again.publish({ routingKey: 'q', properties: { deliveryMode: 2, priority: 2 } });
  again.commit();
  const third = again.crashed();
  expect(third.queue('q').readyCount).toBe(1);
});

test('purging and deleting queues that do not last writes nothing', () => {
  const small = new SmallBroker();
  limitPages(small.broker, 4_096, 1);
  const queue = small.declare('q', false);
  small.commit();
  for (let n = 0; n < 2; n++) {
    small.fill('q', 4 * PAGE_ENTRIES);
    expect(purgeIn(small.vhost, queue)).toBe(4 * PAGE_ENTRIES);
    expect(small.store.dirty).toBe(false);
  }
  small.fill('q', 4 * PAGE_ENTRIES);
  small.vhost.removeQueue(queue);
  expect(small.store.dirty).toBe(false);
  small.run();
  expect(wrongReferences(small.broker, [])).toBeNull();
});

test('a walk visits whatever is there from its beginning to its end', () => {
  withSeed((random: Random) => {
    const small = new SmallBroker();
    limitPages(small.broker, random.pick([0, 3, 4_096]), 1);
    const args = { 'x-max-priority': { type: 'I', value: 2 } } as const;
    const queue = small.declare('q', true, args);
    const publish = (count: number): void => {
      for (let n = 0; n < count; n++) {
        const deliveryMode = random.below(9) === 0 ? 1 : 2;
        const priority = random.below(3);
        small.publish({ routingKey: 'q', properties: { deliveryMode, priority } });
      }
    };
    publish(3_000);
    small.commit();
    const unacked: number[] = [];
    const stays = new Set(positionsOf(queue));
    const visited = new Set<number>();
    for (let cursor = 0; cursor >= 0; ) {
      cursor = queue.messages.visitPage(cursor, (position) => visited.add(position));
      publish(random.below(100));
      for (let n = random.below(300); n > 0; n--) {
        const taken = queue.take();
        if (taken !== null) unacked.push(taken.seq);
      }
      for (let n = random.below(200); n > 0 && unacked.length > 0; n--) {
        const [seq] = unacked.splice(random.below(unacked.length), 1) as [number];
        if (random.bool()) queue.settle(seq);
        else queue.requeue(seq);
      }
      if (random.below(30) === 0) purgeIn(small.vhost, queue);
      if (random.bool()) small.commit();
      const there = new Set(positionsOf(queue));
      for (const position of stays) if (!there.has(position)) stays.delete(position);
    }
    expect([...stays].filter((position) => !visited.has(position))).toEqual([]);
  });
});
