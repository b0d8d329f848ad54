// Owns the tests of the queues that direct replies go to.

import { expect, test } from 'vitest';
import { isReplyName } from '../../../src/broker/routing/reply-names.ts';
import { SmallBroker } from '../small-broker.ts';

test('a queue for replies is found by the default exchange alone, and never remembered', () => {
  const { vhost } = new SmallBroker();
  const { topology } = vhost.router;
  const queue = vhost.replies.open();
  expect(isReplyName(queue.name)).toBe(true);
  expect(vhost.queues.has(queue.name)).toBe(false);
  const message = { header: () => null, property: () => null };
  const route = vhost.router.route('', queue.name, message);
  expect(route?.queues).toEqual([queue]);
  expect(route?.byKeyOnly).toBe(false);
  expect(vhost.replies.close(queue.name)).toBe(true);
  expect(vhost.router.route('', queue.name, message)?.queues).toEqual([]);
  expect(vhost.router.topology).toBe(topology);
});

test('what was not delivered goes with the queue', () => {
  const small = new SmallBroker();
  const queue = small.vhost.replies.open();
  small.publish({ routingKey: queue.name });
  expect(queue.readyCount).toBe(1);
  small.vhost.lastConsumerLeft(queue);
  expect(queue.deleted).toBe(true);
  expect(small.broker.core.log.placed.liveWeight).toBe(0);
});

test('other queues are none of these', () => {
  const small = new SmallBroker();
  const queue = small.declare('amq');
  expect(small.vhost.replies.close(queue.name)).toBe(false);
  expect(queue.deleted).toBe(false);
});
