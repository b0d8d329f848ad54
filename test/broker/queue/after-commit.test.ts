// Owns the tests of queues that deliver after the commit: nothing that a crash would undo is seen by any consumer.

import { describe, expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { browsePage } from '../../../src/broker/queue/messages/visiting.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { redriveMessage } from '../../../src/broker/republish/redrive.ts';
import { readMessage } from '../../../src/message/read-message.ts';
import { SmallBroker } from '../small-broker.ts';

const yes: Field = { type: 't', value: true };
const text = (value: string): Field => ({ type: 'S', value });
const int = (value: number): Field => ({ type: 'I', value });
const AFTER: Record<string, Field> = { 'x-deliver-after-commit': yes };
const TO_DEAD = {
  'x-dead-letter-exchange': text(''),
  'x-dead-letter-routing-key': text('dead'),
};

/** Declares queues that one publish to `amq.fanout` reaches all together. */
function fanOut(small: SmallBroker, ...names: string[]): Queue[] {
  return names.map((name) => {
    const queue = small.declare(name, true, AFTER);
    small.vhost.bindings.bind(small.vhost.exchange('amq.fanout'), queue, '', new Map());
    return queue;
  });
}

function send(
  small: SmallBroker,
  routingKey: string,
  body: string,
  { persistent = true, exchange = '', ...properties }: Record<string, unknown> = {},
): void {
  const kept = persistent === true ? { deliveryMode: 2 } : {};
  const sent = { exchange: exchange as string, routingKey, properties: { ...kept, ...properties } };
  small.publish(sent, Buffer.from(body));
}

/** Ends turns, without a seal. */
function turns(small: SmallBroker): void {
  for (let n = 0; n < 3; n++) small.broker.core.deliver();
}

/** What a consumer of a queue was given, as bodies. */
function bodiesTo(small: SmallBroker, queue: Queue, prefetch = 0, noAck = false): () => string[] {
  const given = small.consume(queue, prefetch, noAck);
  return () => given.map(({ position }) => small.bodyAt(position));
}

describe.each([[false], [true]])('with consumers whose deliveries have no ack: %s', (noAck) => {
  test('what one consumer of a fan-out has seen, all others get, whenever the power goes', () => {
    const small = new SmallBroker();
    const [a, b] = fanOut(small, 'a', 'b') as [Queue, Queue];
    small.commit();
    const seen = bodiesTo(small, a, 0, noAck);
    send(small, '', 'm1', { exchange: 'amq.fanout' });
    send(small, '', 'm2', { exchange: 'amq.fanout' });
    turns(small);
    expect(seen(), 'not sealed').toEqual([]);
    expect([a.readyCount, b.readyCount]).toEqual([2, 2]);
    small.broker.core.seal();
    turns(small);
    expect(seen(), 'not durable').toEqual([]);
    const lost = small.crashed();
    expect([lost.queue('a').readyCount, lost.queue('b').readyCount]).toEqual([0, 0]);
    small.store.sync();
    turns(small);
    expect(seen(), 'durable').toEqual(['m1', 'm2']);
    const crashed = small.crashed();
    expect(crashed.readyNow(crashed.queue('b'))).toEqual(['m1', 'm2']);
  });
});

test('a queue without it delivers before the batch is sealed', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.commit();
  const seen = bodiesTo(small, queue);
  send(small, 'q', 'm1');
  turns(small);
  expect(seen()).toEqual(['m1']);
});

test('batch by batch, in order, each as soon as it is durable', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, AFTER);
  small.commit();
  const seen = bodiesTo(small, queue);
  for (const body of ['1', '2', '3']) {
    send(small, 'q', body);
    turns(small);
    small.broker.core.seal();
  }
  for (const all of [['1'], ['1', '2'], ['1', '2', '3']]) {
    small.store.sync(1);
    turns(small);
    expect(seen()).toEqual(all);
  }
});

test('a consumer that waits presses the batch; where none does, it may gather', () => {
  const small = new SmallBroker();
  const { core } = small.broker;
  const queue = small.declare('q', true, AFTER);
  small.commit();
  send(small, 'q', '1');
  turns(small);
  expect(core.sealUrgent).toBe(false);
  small.consume(queue);
  turns(small);
  expect([core.sealUrgent, core.sealDeferrable]).toEqual([true, false]);
  small.commit();
  turns(small);
  expect(queue.unackedCount, 'one commit is all that it takes').toBe(1);
});

test('a client that asks for it waits for the batch', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, AFTER);
  small.commit();
  send(small, 'q', '1');
  expect(queue.get()).toBeNull();
  expect([queue.waitsForMark, small.broker.core.sealUrgent]).toEqual([true, true]);
  small.commit();
  expect(small.bodyAt((queue.get() as { position: number }).position)).toBe('1');
});

test('a transient message has nothing to wait for, but for those before it', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, AFTER);
  small.commit();
  const seen = bodiesTo(small, queue);
  send(small, 'q', 't1', { persistent: false });
  turns(small);
  expect(seen()).toEqual(['t1']);
  send(small, 'q', 'p2');
  send(small, 'q', 't3', { persistent: false });
  turns(small);
  expect(seen()).toEqual(['t1']);
  small.commit();
  turns(small);
  expect(seen()).toEqual(['t1', 'p2', 't3']);
});

test('in a queue that no restart brings back it has no effect', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', false, AFTER);
  const seen = bodiesTo(small, queue);
  send(small, 'q', '1');
  turns(small);
  expect(seen()).toEqual(['1']);
});

test.each([
  ['priorities', { 'x-max-priority': int(9) }, ['9', '5', '0']],
  ['groups', { 'x-group-header': text('g') }, ['0', '5', '9']],
  ['a quorum queue', { 'x-queue-type': text('quorum') }, ['9', '5', '0']],
  ['one unacked at a time of each consumer', { 'x-single-active-consumer': yes }, ['0', '5', '9']],
  ['a bound of what is unacked', { 'x-group-concurrency': int(10) }, ['0', '5', '9']],
  ['a rate', { 'x-delivery-rate': text('100/s') }, ['0', '5', '9']],
  ['keys', { 'x-message-deduplication': yes }, ['0', '5', '9']],
  ['limits', { 'x-max-length': int(3), 'x-overflow': text('reject-publish') }, ['0', '5', '9']],
])('goes together with %s', (_with, args, order) => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...AFTER, ...args });
  small.pass(10_000);
  const seen = bodiesTo(small, queue);
  for (const priority of [0, 5, 9]) {
    const headers = new Map([['g', text(`${priority}`)]]);
    send(small, 'q', `${priority}`, { priority, headers });
  }
  turns(small);
  expect(seen()).toEqual([]);
  small.broker.core.seal();
  turns(small);
  expect(seen()).toEqual([]);
  small.store.sync();
  small.run();
  expect(seen()).toEqual(order);
  expect(small.crashed().queue('q').readyCount).toBe(3);
});

test('what comes back goes out again at once, and so does what a restart finds', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, AFTER);
  small.fill('q', 2);
  small.run();
  const given = small.consume(queue, 1);
  small.run();
  const held = given[0] as { seq: number };
  send(small, 'q', 'behind');
  queue.requeue(held.seq);
  (queue.consumers[0] as { unacked: number }).unacked -= 1;
  turns(small);
  expect(given.map(({ redelivered }) => redelivered)).toEqual([false, true]);
  queue.requeue(held.seq);
  queue.removeConsumers([...queue.consumers]);
  const after = small.restarted();
  const again = after.consume(after.queue('q'));
  after.run();
  expect(again.map(({ redelivered }) => redelivered)).toEqual([true, false, false]);
});

test('retries and delays lose nothing of it', () => {
  const small = new SmallBroker();
  const args = { 'x-delayed-retry-min': int(100), 'x-delayed-retry-multiplier': int(1) };
  const queue = small.declare('q', true, { ...AFTER, ...args });
  small.commit();
  const seen = bodiesTo(small, queue, 1);
  send(small, 'q', 'late', { headers: new Map([['x-delay', int(50)]]) });
  small.run();
  small.nowMs += 50;
  small.broker.core.tick();
  turns(small);
  expect(seen(), 'the disk has it, but not that it is ready').toEqual([]);
  small.run();
  expect(seen()).toEqual(['late']);
  queue.requeue(0, true);
  (queue.consumers[0] as { unacked: number }).unacked -= 1;
  expect(queue.delayedCount).toBe(1);
  small.pass(100);
  expect(seen()).toEqual(['late', 'late']);
});

describe('a policy', () => {
  const POLICY = new Map([['deliver-after-commit', true]]);

  test('holds for what comes from then on, and what waits as it ends still waits', () => {
    const small = new SmallBroker();
    const queue = small.declare('q');
    small.commit();
    const seen = bodiesTo(small, queue);
    send(small, 'q', '1');
    turns(small);
    queue.applyPolicy(POLICY, null);
    send(small, 'q', '2');
    turns(small);
    expect(seen()).toEqual(['1']);
    queue.applyPolicy(null, null);
    send(small, 'q', '3');
    turns(small);
    expect(seen()).toEqual(['1']);
    small.broker.core.seal();
    turns(small);
    expect(seen()).toEqual(['1']);
    send(small, 'q', '4');
    small.store.sync();
    turns(small);
    expect(seen(), 'they were in that batch').toEqual(['1', '2', '3', '4']);
  });

  test('has less to say than the argument', () => {
    const small = new SmallBroker();
    const off = { 'x-deliver-after-commit': { type: 't', value: false } as const };
    const queue = small.declare('q', true, off);
    queue.applyPolicy(POLICY, null);
    expect(queue.rules.deliversAfterCommit).toBe(false);
  });
});

describe('what goes on to another queue is not seen there before', () => {
  /** A queue whose dead letters are consumed, with a durable past. */
  function mortal(args: Record<string, Field>) {
    const small = new SmallBroker();
    const queue = small.declare('q', true, { ...AFTER, ...TO_DEAD, ...args });
    const dead = small.declare('dead');
    small.commit();
    const seen = bodiesTo(small, dead);
    /** Expects that bodies come once the batch is durable, and not before. */
    const expectAfter = (bodies: string[]): void => {
      turns(small);
      expect(seen()).toEqual([]);
      small.broker.core.seal();
      turns(small);
      expect(seen()).toEqual([]);
      small.store.sync();
      turns(small);
      expect(seen()).toEqual(bodies);
    };
    return { small, queue, dead, seen, expectAfter };
  }

  test('when it expires', () => {
    const { small, expectAfter } = mortal({ 'x-message-ttl': int(10) });
    send(small, 'q', '1');
    small.nowMs += 11;
    small.broker.core.tick();
    expectAfter(['1']);
  });

  test('when it is too much', () => {
    const { small, expectAfter } = mortal({ 'x-max-length': int(1) });
    send(small, 'q', '1');
    send(small, 'q', '2');
    expectAfter(['1']);
  });

  test('when it is refused', () => {
    const overflow = { 'x-overflow': text('reject-publish-dlx') };
    const { small, expectAfter } = mortal({ 'x-max-length': int(1), ...overflow });
    send(small, 'q', '1');
    send(small, 'q', '2');
    expectAfter(['2']);
  });

  test.each([
    ['when it dies again there, which knows nothing of it', 'drop-head'],
    ['when a queue refuses it there, which knows nothing of it', 'reject-publish-dlx'],
  ])('%s', (_when, overflow) => {
    const { small, queue, dead, seen } = mortal({ 'x-message-ttl': int(10) });
    const last = small.declare('last');
    small.commit();
    const lastSeen = bodiesTo(small, last);
    dead.applyPolicy(
      new Map<string, string | number>([
        ['max-length', 0],
        ['overflow', overflow],
        ['dead-letter-exchange', ''],
        ['dead-letter-routing-key', 'last'],
      ]),
      null,
    );
    send(small, 'q', '1');
    small.nowMs += 11;
    small.broker.core.tick();
    turns(small);
    expect([queue.readyCount, dead.readyCount, last.readyCount]).toEqual([0, 0, 1]);
    expect([seen(), lastSeen()]).toEqual([[], []]);
    small.run();
    expect([seen(), lastSeen()]).toEqual([[], ['1']]);
  });

  test('when an operator moves it', () => {
    const { small, queue, dead, expectAfter } = mortal({});
    send(small, 'q', '1');
    browsePage(queue.messages.lanes, 0, (entry) => {
      const message = readMessage(small.broker.core.log, entry.position);
      redriveMessage(small.broker.core, small.vhost, queue, entry, message, dead);
    });
    expect([queue.readyCount, dead.readyCount]).toEqual([0, 1]);
    expectAfter(['1']);
  });

  test('one that was delivered is a dead letter at once', () => {
    const { small, queue, seen } = mortal({});
    send(small, 'q', '1');
    const given = small.consume(queue);
    small.run();
    queue.reject((given[0] as { seq: number }).seq);
    turns(small);
    expect(seen()).toEqual(['1']);
  });
});
