// Owns the tests of a queue that an operator holds: what it still takes, and what it gives to nobody.

import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { SmallBroker } from '../small-broker.ts';

const pause = (small: SmallBroker, paused: boolean): void =>
  small.vhost.as(ALL_RIGHTS).pauseQueue('q', paused);

test('a paused queue takes messages, and gives them to its consumers once it is resumed', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const given = small.consume(queue);
  pause(small, true);
  small.fill('q', 3);
  small.run();
  expect(queue.readyCount).toBe(3);
  expect(given).toEqual([]);
  pause(small, false);
  small.run();
  expect(given).toHaveLength(3);
});

test('what came before the pause is still for the consumers', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const given = small.consume(queue);
  small.fill('q', 2);
  pause(small, true);
  small.fill('q', 1);
  small.run();
  expect(given).toHaveLength(2);
  // What is given back while it is paused waits with the others.
  queue.requeue(given[0]?.seq as number);
  small.run();
  expect(given).toHaveLength(2);
  expect(queue.readyCount).toBe(2);
});

test('a client that asks a paused queue for a message finds it empty, and a tool gets one', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.publish({ routingKey: 'q' });
  pause(small, true);
  expect(queue.get()).toBeNull();
  expect(queue.counts.getEmpty).toBe(1);
  expect(queue.get(false, () => {}, true)).not.toBeNull();
});

test('messages of a paused queue expire, and its limits hold', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-max-length': { type: 'I', value: 2 } });
  small.consume(queue, 1);
  pause(small, true);
  small.fill('q', 5);
  small.run();
  expect(queue.readyCount).toBe(2);
  queue.applyPolicy(new Map([['message-ttl', 100]]), null);
  small.pass(100);
  expect(queue.readyCount).toBe(0);
});

test('a durable queue stays paused over a restart and a crash, and is resumed for good', () => {
  let small = new SmallBroker();
  small.declare('q');
  small.declare('other');
  pause(small, true);
  small.commit();
  for (const again of [small.crashed(), small.restarted()]) {
    expect(again.queue('q').paused).toBe(true);
    expect(again.queue('other').paused).toBe(false);
  }
  small = small.restarted();
  small.fill('q', 1);
  const given = small.consume(small.queue('q'));
  small.run();
  expect(given).toEqual([]);
  pause(small, false);
  small.run();
  expect(given).toHaveLength(1);
  expect(small.crashed().queue('q').paused).toBe(false);
});

test('a queue that is declared anew after a pause runs', () => {
  const small = new SmallBroker();
  small.declare('q');
  pause(small, true);
  small.vhost.as(ALL_RIGHTS).deleteQueue('q', {});
  expect(small.declare('q').paused).toBe(false);
  small.commit();
  expect(small.crashed().queue('q').paused).toBe(false);
});
