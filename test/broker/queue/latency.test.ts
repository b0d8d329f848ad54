import { expect, test } from 'vitest';
import { QueueLatency } from '../../../src/broker/queue/latency.ts';
import { SmallBroker } from '../small-broker.ts';

test('a quiet queue times each message: how long it waited, and how long its ack took', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const given = small.consume(queue);
  for (let n = 0; n < 3; n++) {
    small.fill('q', 1);
    small.nowMs += 50;
    small.broker.core.tick();
    small.run();
    small.nowMs += 10;
    small.broker.core.tick();
    for (const { seq } of given.splice(0)) queue.settle(seq);
  }
  expect(queue.latency?.enqueueToDeliver).toMatchObject({ count: 3, sumMs: 150 });
  expect(queue.latency?.deliverToAck).toMatchObject({ count: 3, sumMs: 30 });
});

test('of a round of deliveries one message is timed', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 500);
  small.consume(queue, 0, true);
  small.run();
  expect(queue.counts.deliveredNoAck).toBe(500);
  const timed = queue.latency?.enqueueToDeliver.count as number;
  expect(timed).toBeGreaterThan(0);
  expect(timed).toBeLessThan(20);
});

test('a delivery that comes back is not timed any more, and its slot is free again', () => {
  const latency = new QueueLatency();
  latency.delivered(5, 0, 10, false);
  latency.forget(5);
  latency.acked(5, 99);
  expect(latency.deliverToAck.count).toBe(0);
  latency.delivered(21, 0, 100, false);
  latency.delivered(37, 0, 100, false);
  latency.acked(37, 150);
  latency.acked(21, 130);
  expect(latency.deliverToAck).toMatchObject({ count: 1, sumMs: 30 });
});
