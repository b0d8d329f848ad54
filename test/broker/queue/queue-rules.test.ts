// Owns the tests of what a queue does by its rules, as far as the simulation does not see it: unused
// queues, policies that change, lanes and counts after a restart.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import type { TakenEntry } from '../../../src/broker/queue/messages/queue-entries.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { SmallBroker } from '../small-broker.ts';

const int = (value: number): Field => ({ type: 'I', value });
const text = (value: string): Field => ({ type: 'S', value });

/** Publishes persistent messages with priorities; their bodies are the priorities. */
function publish(small: SmallBroker, queue: string, ...priorities: (number | null)[]): void {
  for (const priority of priorities) {
    const properties = { deliveryMode: 2, ...(priority === null ? {} : { priority }) };
    small.publish({ routingKey: queue, properties }, Buffer.from(String(priority)));
  }
}

/** Takes the next message, once the disk knows of it. */
function take(small: SmallBroker, queue: Queue): TakenEntry | null {
  const entry = queue.get();
  if (entry !== null || !queue.waitsForMark) return entry;
  small.commit();
  return queue.get();
}

/** Takes and settles all that is ready; returns the bodies. */
function drain(small: SmallBroker, queue: Queue): string[] {
  const bodies: string[] = [];
  for (let entry = take(small, queue); entry !== null; entry = take(small, queue)) {
    bodies.push(small.bodyAt(entry.position));
    queue.settle(entry.seq);
  }
  return bodies;
}

test('messages go out by priority, and in order among equals', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-max-priority': int(5) });
  publish(small, 'q', 1, null, 9, 5, 0, 3, 1);
  expect(drain(small, queue)).toEqual(['9', '5', '3', '1', '1', 'null', '0']);
});

test('in a quorum queue a message without a priority goes between 3 and 5', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-queue-type': text('quorum') });
  publish(small, 'q', 3, null, 5, 4, 200);
  expect(drain(small, queue)).toEqual(['200', '5', 'null', '4', '3']);
});

test('priorities survive a crash, and what was delivered comes back as redelivered', () => {
  const before = new SmallBroker();
  const queue = before.declare('q', true, { 'x-max-priority': int(9) });
  publish(before, 'q', 2, 7, 7, null);
  before.commit();
  before.consume(queue, 1);
  before.run();
  const after = before.crashed();
  const recovered = after.queue('q');
  const first = recovered.get();
  expect(first?.redelivered).toBe(true);
  expect(after.bodyAt(first?.position as number)).toBe('7');
  recovered.requeue(first?.seq as number);
  expect(drain(after, recovered)).toEqual(['7', '7', '2', 'null']);
  after.commit();
  expect(after.crashed().queue('q').readyCount).toBe(0);
});

test('how often a message came back survives a crash and a clean stop', () => {
  const before = new SmallBroker();
  const queue = before.declare('q', true, { 'x-delivery-limit': int(3) });
  publish(before, 'q', null);
  before.commit();
  for (let n = 0; n < 2; n++) {
    queue.requeue(take(before, queue)?.seq as number);
  }
  before.commit();
  for (const after of [before.crashed(), before.restarted()]) {
    const recovered = after.queue('q');
    const entry = recovered.get();
    expect(recovered.messages.returnsOf(entry?.seq as number)).toBe(2);
  }
});

test('an unused queue is deleted once its time has come, and not before', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-expires': int(1_000) });
  small.pass(600);
  queue.use();
  small.pass(600);
  expect(queue.deleted).toBe(false);
  small.consume(queue);
  small.pass(5_000);
  expect(queue.deleted).toBe(false);
  queue.removeConsumers([queue.consumers[0] as never]);
  small.pass(999);
  expect(queue.deleted).toBe(false);
  small.pass(1);
  expect(queue.deleted).toBe(true);
  expect(small.vhost.queues.has('q')).toBe(false);
});

test('a policy holds at once for messages that are there, and its end ends it', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const dead = small.declare('dead');
  small.fill('q', 10);
  const limit = { 'max-length': 4, 'dead-letter-exchange': '', 'dead-letter-routing-key': 'dead' };
  queue.applyPolicy(new Map(Object.entries(limit)), null);
  small.run();
  expect(queue.readyCount).toBe(4);
  expect(dead.readyCount).toBe(6);
  queue.applyPolicy(new Map([['max-length', 9]]), new Map([['max-length', 2]]));
  small.run();
  expect(queue.readyCount).toBe(2);
  expect(dead.readyCount).toBe(6);
  queue.applyPolicy(null, null);
  small.fill('q', 20);
  small.run();
  expect(queue.readyCount).toBe(22);
});

test('a time to live given by a policy counts from the arrival of each message', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 3);
  small.pass(500);
  small.fill('q', 2);
  queue.applyPolicy(new Map([['message-ttl', 700]]), null);
  small.pass(199);
  expect(queue.readyCount).toBe(5);
  small.pass(1);
  expect(queue.readyCount).toBe(2);
  small.pass(500);
  expect(queue.readyCount).toBe(0);
});

test('full queues that feed each other with dead letters come to rest', () => {
  const small = new SmallBroker();
  const ring = (to: string): Record<string, Field> => ({
    'x-max-length': int(100),
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text(to),
  });
  const [a, b] = [small.declare('a', true, ring('b')), small.declare('b', true, ring('a'))];
  small.fill('a', 100);
  small.fill('b', 100);
  small.fill('a', 50);
  small.run();
  expect([a.readyCount, b.readyCount]).toEqual([100, 100]);
});
