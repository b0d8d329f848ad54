// Owns the tests of purges that take many steps: what is out for delivery lies among what goes.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { withSeed } from '../../../amqp/random.ts';
import { wrongReferences } from '../../inspect.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const GROUPS = 500;
const EACH = 10;

/** A queue with groups of ten messages in a row, of each of which the first is out. */
function prepared(): { small: SmallBroker; queue: Queue; out: number[] } {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-group-header': { type: 'S', value: 'group' } });
  for (let n = 0; n < GROUPS * EACH; n++) {
    const value = Math.floor(n / EACH);
    const headers = new Map<string, Field>([['group', { type: 'l', value }]]);
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, headers } });
  }
  small.commit();
  const given = small.consume(queue);
  small.run();
  queue.endConsumers();
  expect(given).toHaveLength(GROUPS);
  return { small, queue, out: given.map(({ seq }) => seq) };
}

const countsOf = ({ readyCount, readyBytes, unackedCount, messages }: Queue) => ({
  readyCount,
  readyBytes,
  unackedCount,
  bytes: messages.bytes,
  stored: messages.storedCount,
});
const OUT = {
  readyCount: 0,
  readyBytes: 0,
  unackedCount: GROUPS,
  bytes: 4 * GROUPS,
  stored: GROUPS,
};

test('it is told at once, and goes on in steps, between which nothing of it is there', () => {
  const { small, queue, out } = prepared();
  let told = -1;
  const steps = queue.purging((count) => {
    told = count;
  });
  let taken = 0;
  for (; steps.next().done !== true; taken++) {
    expect(told).toBe(GROUPS * (EACH - 1));
    expect(countsOf(queue)).toEqual(OUT);
    expect(queue.take()).toBeNull();
    expect(small.broker.core.line.underWay).toBe(false);
  }
  expect(taken).toBeGreaterThan(5);
  expect(countsOf(queue)).toEqual(OUT);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
  const after = small.restarted();
  expect(after.queue('q').readyCount).toBe(GROUPS);
  for (const seq of out) queue.settle(seq);
  expect(countsOf(queue)).toEqual({
    readyCount: 0,
    readyBytes: 0,
    unackedCount: 0,
    bytes: 0,
    stored: 0,
  });
  expect(queue.messages.grouped?.groups.count).toBe(0);
});

test('others may do anything to the queue meanwhile', () => {
  withSeed((random) => {
    const { small, queue, out } = prepared();
    const steps = queue.purging(() => {});
    const kept = new Set(out);
    let ready = 0;
    let n = 0;
    while (steps.next().done !== true) {
      n += 1;
      for (let acts = random.below(20); acts > 0; acts--) {
        const seq = random.pick([...kept]);
        const act = random.below(3);
        if (act === 0) {
          queue.settle(seq);
          kept.delete(seq);
        } else if (act === 1) {
          queue.requeue(seq);
          kept.delete(seq);
          ready += 1;
        } else {
          small.publish({ routingKey: 'q', properties: { deliveryMode: 2 } });
          ready += 1;
        }
      }
      if (n === 4) {
        expect(purgeNow(queue)).toBe(ready);
        ready = 0;
      }
    }
    expect(countsOf(queue)).toMatchObject({ readyCount: ready, unackedCount: kept.size });
    expect(queue.messages.bytes).toBe(4 * (ready + kept.size));
    expect(wrongReferences(small.broker, [queue])).toBeNull();
    const given = small.consume(queue);
    small.run();
    for (const seq of kept) queue.settle(seq);
    small.run();
    expect(given).toHaveLength(ready);
    for (const { seq } of given) queue.settle(seq);
    expect(countsOf(queue)).toEqual({ ...OUT, unackedCount: 0, bytes: 0, stored: 0 });
    small.run();
    expect(wrongReferences(small.broker, [queue])).toBeNull();
    expect(small.restarted().queue('q').readyCount).toBe(0);
  });
});

test('a deletion in the midst of it ends it', () => {
  const { small, queue } = prepared();
  const steps = queue.purging(() => {});
  steps.next();
  small.vhost.removeQueue(queue);
  while (steps.next().done !== true) {}
  small.run();
  expect(wrongReferences(small.broker, [])).toBeNull();
  const late = queue.purging(() => expect.fail('it is gone'));
  expect(late.next().done).toBe(true);
});
