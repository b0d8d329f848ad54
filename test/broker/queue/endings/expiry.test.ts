// Owns the tests of when messages expire: on time, however little of a turn there is, and never given out
// behind it.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { Consumer } from '../../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { View } from '../../../../src/broker/view.ts';
import { SimChannel } from '../../peers.ts';
import { SmallBroker } from '../../small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const TO_DEAD = {
  'x-dead-letter-exchange': text(''),
  'x-dead-letter-routing-key': text('dead'),
};

/** Lets each dead letter take a millisecond. */
function slowLetters(small: SmallBroker): void {
  const { vhost } = small;
  const deadLetter = vhost.deadLetter.bind(vhost);
  vhost.deadLetter = (...args) => {
    small.nowMs += 1;
    return deadLetter(...args);
  };
}

function expiring(small: SmallBroker, count: number): Queue {
  const queue = small.declare('q', true, TO_DEAD);
  small.declare('dead');
  for (let i = 0; i < count; i++) {
    small.publish({ routingKey: 'q', properties: { expiration: '10' } });
  }
  small.publish({ routingKey: 'q' }, Buffer.from('lives'));
  slowLetters(small);
  small.nowMs += 20;
  small.broker.core.nowMs = small.nowMs;
  return queue;
}

test('a get is given nothing that expired, also where more did than one turn has time for', () => {
  const small = new SmallBroker();
  const queue = expiring(small, 50);
  expect(queue.get()).toBeNull();
  expect(queue.endings.overdue).toBe(true);
  expect(queue.counts.getEmpty).toBe(0);
  let over = false;
  small.broker.core.slices.begin(queue.endings.droppingExpired(), () => {
    over = true;
  });
  let turns = 0;
  for (; !over && turns < 50; turns++) small.broker.core.deliver();
  expect(turns).toBeGreaterThan(1);
  expect(small.bodyAt(queue.get()?.position as number)).toBe('lives');
  expect(small.queue('dead').readyCount).toBe(50);
});

test('a tool that gets messages is given what lives, after the turns that the rest takes', async () => {
  const small = new SmallBroker();
  const queue = expiring(small, 50);
  const { access } = small.broker;
  access.putUserWithHash({ name: 'tool', tags: [] }, '', 'rabbit_password_hashing_sha256');
  access.setPermission({ user: 'tool', vhost: '/', configure: '', write: '', read: '.*' });
  const actor = new View(small.broker, '1.2.3').actor('tool', '/');
  const taking = actor.take('q', 5, 'auto', 100, null);
  while (queue.endings.overdue || small.broker.core.slices.any) small.broker.core.deliver();
  expect((await taking).messages.map(({ payload }) => payload)).toEqual(['lives']);
});

test('a message expires on time though all consumers wait for credit that others have', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const dead = small.declare('dead');
  const other = small.declare('other');
  const channel = new SimChannel(small.broker.core.lines, ({ credit }) => {
    credit.unacked += 1;
  });
  channel.credit.setLimit(1);
  for (const each of [other, queue]) {
    each.addConsumer(new Consumer(each, channel, each.name, false, false, 0, new Map()));
  }
  small.publish({ routingKey: 'other' });
  small.run();
  small.publish({ routingKey: 'q' });
  small.publish({ routingKey: 'q', properties: { expiration: '10' } });
  small.run();
  expect([queue.readyCount, queue.unackedCount]).toEqual([2, 0]);
  channel.credit.giveBack();
  small.run();
  expect([queue.readyCount, queue.unackedCount]).toEqual([1, 1]);
  small.pass(20);
  expect([queue.readyCount, dead.readyCount]).toEqual([0, 1]);
});

test('a consumer whose turn came as a message expired is given the next one', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const given: string[] = [];
  const channel = new SimChannel(small.broker.core.lines, (_channel, { tag }, _queue, seq) => {
    given.push(tag);
    queue.settle(seq);
  });
  const consumers = ['a', 'b'].map((tag) => {
    const consumer = new Consumer(queue, channel, tag, false, false, 1, new Map());
    queue.addConsumer(consumer);
    return consumer;
  });
  small.publish({ routingKey: 'q' });
  small.publish({ routingKey: 'q' });
  small.run();
  small.publish({ routingKey: 'q', properties: { expiration: '10' } });
  small.run();
  small.nowMs += 20;
  small.broker.core.tick();
  // Both can take a message again.
  for (const consumer of consumers) consumer.unacked = 0;
  queue.wake();
  small.run();
  expect(queue.readyCount).toBe(0);
  small.publish({ routingKey: 'q' });
  small.run();
  expect(given).toEqual(['a', 'b', 'a']);
});
