// Owns the tests of messages that cannot be looked at: each is set aside alone, and the others go on.

import { expect, test } from 'vitest';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { QueueWalk } from '../../../src/broker/view/browse/queue-walk.ts';
import { View } from '../../../src/broker/view.ts';
import { wrongReferences } from '../inspect.ts';
import { SimChannel } from '../peers.ts';
import { purgeIn } from '../purge.ts';
import { SmallBroker } from '../small-broker.ts';
import {
  damage,
  lettersIn,
  long,
  publishEach,
  restartedWithout,
  setAsideIn,
  text,
} from './damage.ts';

const TO_DEAD = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('dead') };

function start(args = {}): SmallBroker {
  const small = new SmallBroker();
  small.declare('dead');
  small.declare('work', true, { ...TO_DEAD, ...args });
  return small;
}

function expectSound(small: SmallBroker): void {
  expect(wrongReferences(small.broker, small.vhost.queues.values())).toBeNull();
}

function takeAll(small: SmallBroker, queue: Queue): number[] {
  small.run();
  const seqs: number[] = [];
  for (let entry = queue.take(); entry !== null || queue.waitsForMark; entry = queue.take()) {
    if (entry === null) small.commit();
    else seqs.push(entry.seq);
  }
  return seqs;
}

test('a message that cannot be read as it expires is set aside, and those behind it expire', () => {
  const first = start({ 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'abc');
  const small = restartedWithout(first, 'a');
  small.pass(2000);
  expect(small.queue('work').readyCount).toBe(0);
  expect(small.queue('work').readyBytes).toBe(0);
  expect(lettersIn(small, 'dead')).toBe('bc');
  expect(setAsideIn(small)).toEqual(['work expiry CorruptRecordError']);
  expect(small.broker.core.setAside.total).toBe(1);
  expectSound(small);
});

test('a message that cannot be read as it is rejected is set aside, and its consumer has its credit', () => {
  const first = start();
  publishEach(first, 'work', 'ab');
  const small = restartedWithout(first, 'a');
  const queue = small.queue('work');
  for (const seq of takeAll(small, queue)) queue.reject(seq);
  small.run();
  expect(queue.unackedCount).toBe(0);
  expect(lettersIn(small, 'dead')).toBe('b');
  expect(setAsideIn(small)).toEqual(['work rejected CorruptRecordError']);
  expectSound(small);
});

test('a message that cannot be read as it is one too many is set aside, and the length holds', () => {
  const first = start();
  publishEach(first, 'work', 'abc');
  const small = restartedWithout(first, 'a');
  const queue = small.queue('work');
  queue.applyPolicy(new Map([['max-length', 1]]), null);
  small.run();
  expect(queue.readyCount).toBe(1);
  expect(lettersIn(small, 'dead')).toBe('b');
  expect(setAsideIn(small)).toEqual(['work maxlen CorruptRecordError']);
  expectSound(small);
});

test('a message that cannot be read as it came back too often is set aside', () => {
  const first = start({ 'x-queue-type': text('quorum'), 'x-delivery-limit': long(0) });
  publishEach(first, 'work', 'ab');
  const small = restartedWithout(first, 'a');
  const queue = small.queue('work');
  for (const seq of takeAll(small, queue)) queue.requeue(seq);
  small.run();
  expect(lettersIn(small, 'dead')).toBe('b');
  expect(setAsideIn(small)).toEqual(['work delivery_limit CorruptRecordError']);
  expectSound(small);
});

test('what is set aside outlasts restarts, keeps its bytes, and goes back when it can be read', () => {
  const first = start({ 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'ab');
  let small = restartedWithout(first, 'a');
  small.pass(2000);
  small = small.restarted().restarted().crashed();
  expect(setAsideIn(small)).toEqual(['work expiry CorruptRecordError']);
  expectSound(small);
  damage(small, 'a');
  const [message] = small.broker.core.setAside.list();
  expect(small.broker.core.setAside.retry(message as never, small.queue('work'))).toBe(true);
  small.pass(1000);
  expect(lettersIn(small, 'dead')).toBe('ba');
  expect(setAsideIn(small.restarted())).toEqual([]);
  expectSound(small);
});

test('what is dropped is gone after a restart, and so are its bytes', () => {
  const first = start({ 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'a');
  let small = restartedWithout(first, 'a');
  small.pass(2000);
  const [message] = small.broker.core.setAside.list();
  small.broker.core.setAside.drop(message as never);
  expectSound(small);
  small = small.restarted();
  expect(setAsideIn(small)).toEqual([]);
  expect(small.disk.keys(3)).toEqual([]);
});

test('a purge leaves what is set aside', () => {
  const first = start({ 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'a');
  const small = restartedWithout(first, 'a');
  small.pass(2000);
  purgeIn(small.vhost, small.queue('work'));
  expect(setAsideIn(small.restarted())).toEqual(['work expiry CorruptRecordError']);
});

test('a message that cannot be read as it is got is set aside, and the next is given', () => {
  const first = start();
  publishEach(first, 'work', 'abc');
  const small = restartedWithout(first, 'b');
  const queue = small.queue('work');
  const seen: string[] = [];
  for (let n = 0; n < 3; n++) {
    queue.get(false, ({ position }) => seen.push(small.bodyAt(position)[0] as string));
    small.run();
  }
  expect(seen).toEqual(['a', 'c']);
  expect(queue.unackedCount).toBe(2);
  expect(queue.counts.got).toBe(2);
  expect(setAsideIn(small)).toEqual(['work basic.get CorruptRecordError']);
  expectSound(small);
});

test('a message that its channel cannot read is set aside, and the consumer keeps its credit', () => {
  const first = start();
  publishEach(first, 'work', 'abc');
  const small = restartedWithout(first, 'b');
  const queue = small.queue('work');
  const given: string[] = [];
  const channel = new SimChannel(
    small.broker.core.lines,
    (_channel, _consumer, _queue, _seq, position) => {
      given.push(small.bodyAt(position)[0] as string);
    },
  );
  const consumer = new Consumer(queue, channel, 'tag', false, false, 2, new Map());
  queue.addConsumer(consumer);
  small.run();
  expect(given).toEqual(['a', 'c']);
  expect(consumer.unacked).toBe(2);
  expect(queue.counts.delivered).toBe(2);
  expect(setAsideIn(small)).toEqual(['work delivery CorruptRecordError']);
  expectSound(small);
});

test('what throws in the midst of a delivery is not caught: its half is not known', () => {
  const small = start();
  publishEach(small, 'work', 'a');
  const channel = new SimChannel(small.broker.core.lines, () => {
    small.broker.core.line.begin();
    throw new Error('half done');
  });
  const queue = small.queue('work');
  queue.addConsumer(new Consumer(queue, channel, 'tag', false, false, 0, new Map()));
  expect(() => small.run()).toThrow('half done');
  expect(small.broker.core.line.underWay).toBe(true);
  expect(setAsideIn(small)).toEqual([]);
});

test('a message that cannot be read as its queue is browsed is set aside, and the others are shown', () => {
  const first = start();
  publishEach(first, 'work', 'abc');
  const small = restartedWithout(first, 'b');
  const queue = small.queue('work');
  const { log, clock } = small.broker.core;
  const shown: string[] = [];
  new QueueWalk(queue, log, clock, '').run((_entry, { body }) => {
    shown.push(String.fromCharCode(body[0] as number));
    return true;
  });
  expect(shown).toEqual(['a', 'c']);
  expect(queue.readyCount).toBe(2);
  expect(setAsideIn(small)).toEqual(['work browse CorruptRecordError']);
  expect(lettersIn(small, 'work')).toBe('ac');
  expectSound(small);
});

test('deleting a queue drops what is set aside of it', () => {
  const first = start({ 'x-message-ttl': long(1000) });
  publishEach(first, 'work', 'a');
  const small = restartedWithout(first, 'a');
  small.pass(2000);
  const view = new View(small.broker, '1');
  view.deleteQueue('/', 'work', {});
  expect(setAsideIn(small)).toEqual([]);
  expect(setAsideIn(small.restarted())).toEqual([]);
});

test('one that is tried again though it cannot be read yet goes back, also where its queue looks for duplicates', () => {
  const first = start({
    'x-message-ttl': long(1000),
    'x-message-deduplication': { type: 't', value: true },
    'x-deduplication-header': text('key'),
  });
  publishEach(first, 'work', 'a');
  const small = restartedWithout(first, 'a');
  small.pass(2000);
  const [message] = small.broker.core.setAside.list();
  expect(small.broker.core.setAside.retry(message as never, small.queue('work'))).toBe(true);
  expect(small.broker.core.line.underWay).toBe(false);
  small.run();
  expect(setAsideIn(small)).toEqual(['work expiry CorruptRecordError']);
  expectSound(small);
});
