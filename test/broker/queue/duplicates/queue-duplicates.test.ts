// Owns the tests of queues that look for duplicates: which messages are some, and how long a key is known, over restarts
// and crashes.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../../src/amqp/field-table.ts';
import { readPolicy } from '../../../../src/broker/policy/policy.ts';
import { Consumer } from '../../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { wrongReferences } from '../../inspect.ts';
import { SimChannel } from '../../peers.ts';
import { purgeNow } from '../../purge.ts';
import { SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });
const YES: Field = { type: 't', value: true };
const ONCE = { 'x-message-deduplication': YES };
const TIMED = { ...ONCE, 'x-cache-ttl': int(10_000) };

interface Told {
  readonly persistent?: boolean;
  readonly headers?: Record<string, Field>;
  readonly expiration?: string;
  readonly queue?: string;
}

/** Publishes a message with that key. */
function publish(small: SmallBroker, key: Field | string | null, told: Told = {}): void {
  const headers: FieldTable = new Map(Object.entries(told.headers ?? {}));
  if (key !== null) {
    headers.set('x-deduplication-header', typeof key === 'string' ? text(key) : key);
  }
  small.publish({
    routingKey: told.queue ?? 'q',
    properties: {
      headers,
      deliveryMode: (told.persistent ?? true) ? 2 : 1,
      ...(told.expiration === undefined ? {} : { expiration: told.expiration }),
    },
  });
}

/** Takes the message at the head out; its delivery may have to wait for a mark on the disk. */
function take(small: SmallBroker, queue: Queue): number {
  small.commit();
  let taken = queue.get();
  if (taken === null) {
    small.commit();
    taken = queue.get();
  }
  if (taken === null) throw new Error('there is none');
  return taken.seq;
}

/** Takes the message at the head out and acks it. */
function ack(small: SmallBroker, queue: Queue): void {
  queue.settle(take(small, queue));
}

const keysOf = (queue: Queue): number => queue.duplicates?.keys.count ?? -1;

test('a message whose key is that of one in the queue is dropped and counted; one without a key is not', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, ONCE);
  for (const key of ['a', 'a', 'b', 'a', null, null]) publish(small, key);
  expect(queue.readyCount).toBe(4);
  expect(queue.counts.duplicates).toBe(2);
  small.commit();
  expect(wrongReferences(small.broker, small.vhost.everyQueue())).toBeNull();
});

test('as in the plugin, values are compared, whatever their type on the wire', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, ONCE);
  const counts = [
    ...[text('42'), { type: 'x', value: Buffer.from('42') }],
    ...[int(42), { type: 'B', value: 42 }, { type: 'I', value: 42 }, { type: 'T', value: 42 }],
    ...[
      { type: 'd', value: 42 },
      { type: 'f', value: 42 },
    ],
    ...[
      { type: 't', value: true },
      { type: 't', value: false },
      { type: 'V', value: null },
    ],
    ...[int(-1), { type: 'b', value: -1 }],
    { type: 'A', value: [int(42)] },
    { type: 'F', value: new Map([['a', int(42)]]) },
    { type: 'F', value: new Map([['a', int(43)]]) },
  ].map((key) => {
    publish(small, key as Field);
    return queue.readyCount;
  });
  expect(counts).toEqual([1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9, 10]);
});

test('however a message leaves the queue, its key leaves with it', () => {
  const endings: Record<string, (small: SmallBroker, queue: Queue) => void> = {
    acked: ack,
    rejected: (small, queue) => {
      queue.reject(take(small, queue));
    },
    expired: (small) => small.pass(5_000),
    'pushed out': (small) => {
      publish(small, 'b');
      small.run();
    },
    purged: (_small, queue) => {
      expect(purgeNow(queue)).toBe(1);
    },
  };
  for (const [ending, end] of Object.entries(endings)) {
    const args = { ...ONCE, 'x-message-ttl': int(5_000), 'x-max-length': int(1) };
    const small = new SmallBroker();
    const queue = small.declare('q', true, args);
    publish(small, 'a');
    publish(small, 'a');
    expect(queue.counts.duplicates, ending).toBe(1);
    end(small, queue);
    publish(small, 'a');
    expect(queue.counts.duplicates, ending).toBe(1);
    publish(small, 'a');
    expect(queue.counts.duplicates, ending).toBe(2);
  }
});

test('an unacked message keeps its key, over a purge too, and one that goes back does', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, ONCE);
  publish(small, 'a');
  publish(small, 'b');
  const seq = take(small, queue);
  purgeNow(queue);
  publish(small, 'b');
  publish(small, 'a');
  expect(queue.counts.duplicates).toBe(1);
  queue.requeue(seq);
  publish(small, 'a');
  expect(queue.counts.duplicates).toBe(2);
  expect(queue.readyCount).toBe(2);
});

test('a key lasts for its time, whatever becomes of its message; a header gives it its own', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TIMED);
  publish(small, 'a');
  publish(small, 'own', { headers: { 'x-cache-ttl': int(500) } });
  publish(small, 'never', { headers: { 'x-cache-ttl': int(0) } });
  for (const _key of ['a', 'own', 'never']) ack(small, queue);
  const again = (): number => {
    const { readyCount } = queue;
    for (const key of ['a', 'own', 'never']) publish(small, key, { persistent: false });
    return queue.readyCount - readyCount;
  };
  small.pass(499);
  expect(again()).toBe(1);
  small.pass(1);
  expect(again()).toBe(1);
  small.pass(9_499);
  expect(again()).toBe(0);
  small.pass(1);
  expect(again()).toBe(1);
});

test('times of years are kept, and none ends too early', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...ONCE, 'x-cache-ttl': int(315_360_000_000) });
  publish(small, 'a');
  small.commit();
  small.pass(315_360_000_000 - 1);
  const after = small.crashed();
  publish(after, 'a');
  expect(after.queue('q').counts.duplicates).toBe(1);
  after.pass(1_000);
  publish(after, 'a');
  expect(after.queue('q').counts.duplicates).toBe(1);
  expect(queue.readyCount).toBe(1);
});

test('of more keys than there may be the oldest is forgotten', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...ONCE, 'x-cache-size': int(3) });
  for (const key of ['a', 'b', 'c', 'd']) publish(small, key);
  expect(keysOf(queue)).toBe(3);
  publish(small, 'b');
  expect(queue.counts.duplicates).toBe(1);
  publish(small, 'a');
  expect(queue.counts.duplicates).toBe(1);
  small.commit();
  const after = small.crashed();
  for (const key of ['c', 'd', 'a']) publish(after, key);
  expect(after.queue('q').counts.duplicates).toBe(3);
  publish(after, 'b');
  expect(after.queue('q').counts.duplicates).toBe(3);
});

test('another header may have the key', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...ONCE, 'x-deduplication-header': text('job') });
  for (const job of ['a', 'a', 'b']) publish(small, 'same', { headers: { job: text(job) } });
  publish(small, 'same');
  expect(queue.counts.duplicates).toBe(1);
  expect(queue.readyCount).toBe(3);
});

test('a key is on the disk if and only if its message is', () => {
  for (const args of [TIMED, ONCE]) {
    const small = new SmallBroker();
    const queue = small.declare('q', true, args);
    publish(small, 'a');
    small.commit();
    publish(small, 'b');
    publish(small, 'transient', { persistent: false });
    expect(keysOf(queue)).toBe(3);
    const after = small.crashed();
    const found = after.queue('q');
    expect(found.readyCount).toBe(1);
    expect(keysOf(found)).toBe(1);
    for (const key of ['a', 'b', 'transient']) publish(after, key);
    expect(found.counts.duplicates).toBe(1);
    expect(found.readyCount).toBe(3);
  }
});

test('what was acked before a crash has no key after it, unless keys last for a time', () => {
  for (const [args, duplicates] of [
    [ONCE, 1],
    [TIMED, 2],
  ] as const) {
    const small = new SmallBroker();
    const queue = small.declare('q', true, args);
    for (const key of ['a', 'b']) publish(small, key);
    ack(small, queue);
    small.commit();
    const after = small.crashed();
    for (const key of ['a', 'b']) publish(after, key);
    expect(after.queue('q').counts.duplicates).toBe(duplicates);
  }
});

test('keys of more messages than a page has come back, and pages go with the last of theirs', () => {
  let small = new SmallBroker();
  let queue = small.declare('q', true, ONCE);
  for (let n = 0; n < 1_000; n++) publish(small, `k${n}`);
  small.commit();
  small = small.restarted();
  queue = small.queue('q');
  expect(keysOf(queue)).toBe(1_000);
  for (let n = 0; n < 1_000; n++) publish(small, `k${n}`);
  expect(queue.counts.duplicates).toBe(1_000);
  for (let n = 0; n < 1_000; n++) ack(small, queue);
  for (let n = 0; n < 700; n++) publish(small, `l${n}`);
  expect(queue.counts.duplicates).toBe(1_000);
  expect(keysOf(queue)).toBe(700);
  small.commit();
  small = small.crashed();
  expect(keysOf(small.queue('q'))).toBe(700);
});

test('a message that waits has its key, from its arrival on, and keeps it through retries', () => {
  const args = { 'x-delayed-retry-min': int(1_000), 'x-delivery-limit': int(5) };
  for (const stops of [false, true]) {
    let small = new SmallBroker();
    let queue = small.declare('q', true, { ...ONCE, ...args });
    const stop = (): void => {
      small.commit();
      if (!stops) return;
      small = small.crashed();
      queue = small.queue('q');
    };
    const isKnown = (): boolean => {
      const { duplicates } = queue.counts;
      const count = queue.readyCount + queue.delayedCount;
      publish(small, 'a', { headers: { 'x-delay': int(2_000) } });
      return (
        queue.counts.duplicates > duplicates && queue.readyCount + queue.delayedCount === count
      );
    };
    expect(isKnown()).toBe(false);
    stop();
    expect(queue.delayedCount).toBe(1);
    expect(isKnown()).toBe(true);
    small.pass(2_000);
    expect(queue.readyCount).toBe(1);
    stop();
    expect(isKnown()).toBe(true);
    queue.requeue(take(small, queue));
    expect(queue.delayedCount).toBe(1);
    stop();
    expect(isKnown()).toBe(true);
    small.pass(2_000);
    stop();
    expect(isKnown()).toBe(true);
    ack(small, queue);
    stop();
    expect(isKnown()).toBe(false);
    small.commit();
    queue.delays.drop();
    expect(isKnown()).toBe(false);
    stop();
    expect(isKnown()).toBe(true);
    const { entries } = queue.delays.soonest(1, null);
    queue.delays.handle('drop', entries[0] as { dueMs: number; id: number });
    expect(isKnown()).toBe(false);
    small.commit();
    expect(wrongReferences(small.broker, small.vhost.everyQueue())).toBeNull();
  }
});

test('a dead letter that comes back to its queue is no duplicate of itself', () => {
  const small = new SmallBroker();
  const dead = (to: string) => ({
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text(to),
  });
  const queue = small.declare('q', true, { ...TIMED, ...dead('later') });
  small.declare('later', true, { 'x-message-ttl': int(1_000), ...dead('q') });
  publish(small, 'a');
  queue.reject(take(small, queue));
  small.pass(1_000);
  expect(queue.readyCount).toBe(1);
  publish(small, 'a');
  expect(queue.counts.duplicates).toBe(1);
  expect(queue.readyCount).toBe(1);
});

test('a key that ends with its message stays with a dead letter that goes straight back, over a crash too', () => {
  const small = new SmallBroker();
  const dead = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('q') };
  const queue = small.declare('q', true, { ...ONCE, ...dead });
  publish(small, 'a');
  queue.reject(take(small, queue));
  expect(queue.readyCount).toBe(1);
  publish(small, 'a');
  expect(queue.counts.duplicates).toBe(1);
  small.commit();
  const after = small.crashed();
  const again = after.queue('q');
  publish(after, 'a');
  expect([again.counts.duplicates, again.readyCount]).toEqual([1, 1]);
  ack(after, again);
  publish(after, 'a');
  expect(again.readyCount).toBe(1);
});

test('a key goes over to the dead letter that comes back, though one that came meanwhile is there, over a crash too', () => {
  const dead = (to: string) => ({
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text(to),
  });
  for (const stops of [false, true]) {
    let small = new SmallBroker();
    const retry = { 'x-delayed-retry-min': int(60_000), 'x-delivery-limit': int(5) };
    let queue = small.declare('q', true, { ...ONCE, ...retry, ...dead('later') });
    small.declare('later', true, { 'x-message-ttl': int(1_000), ...dead('q') });
    publish(small, 'a');
    queue.reject(take(small, queue));
    publish(small, 'a');
    queue.requeue(take(small, queue));
    small.pass(1_000);
    expect([queue.readyCount, queue.delayedCount]).toEqual([1, 1]);
    small.commit();
    if (stops) {
      small = small.crashed();
      queue = small.queue('q');
    }
    queue.delays.drop();
    publish(small, 'a');
    expect([queue.readyCount, queue.counts.duplicates]).toEqual([1, 1]);
    ack(small, queue);
    publish(small, 'a');
    expect(queue.readyCount).toBe(1);
  }
});

test('a full queue that refuses a message does not know its key, and drops a duplicate without refusing it', () => {
  const small = new SmallBroker();
  const args = { ...TIMED, 'x-max-length': int(1), 'x-overflow': text('reject-publish') };
  const queue = small.declare('q', true, args);
  for (const key of ['a', 'b', 'a']) publish(small, key);
  expect(queue.counts.duplicates).toBe(1);
  ack(small, queue);
  publish(small, 'b');
  expect(queue.readyCount).toBe(1);
});

test('priorities make no difference', () => {
  let small = new SmallBroker();
  small.declare('q', true, { ...ONCE, 'x-max-priority': int(5) });
  const send = (key: string, priority: number): void => {
    const headers: FieldTable = new Map([['x-deduplication-header', text(key)]]);
    small.publish({ routingKey: 'q', properties: { deliveryMode: 2, priority, headers } });
  };
  for (let n = 0; n < 20; n++) send(`k${n % 10}`, n % 4);
  expect(small.queue('q').counts.duplicates).toBe(10);
  small.commit();
  small = small.crashed();
  for (let n = 0; n < 10; n++) send(`k${n}`, n % 3);
  expect(small.queue('q').counts.duplicates).toBe(10);
  ack(small, small.queue('q'));
  for (let n = 0; n < 10; n++) send(`k${n}`, 0);
  expect(small.queue('q').counts.duplicates).toBe(19);
});

test('groups make no difference', () => {
  let small = new SmallBroker();
  small.declare('q', true, { ...ONCE, 'x-group-header': text('group') });
  const send = (key: string, group: string): void =>
    publish(small, key, { headers: { group: text(group) } });
  for (let n = 0; n < 20; n++) send(`k${n % 10}`, `g${n % 3}`);
  expect(small.queue('q').counts.duplicates).toBe(10);
  small.commit();
  small = small.crashed();
  for (let n = 0; n < 10; n++) send(`k${n}`, `g${n % 2}`);
  expect(small.queue('q').counts.duplicates).toBe(10);
  ack(small, small.queue('q'));
  for (let n = 0; n < 10; n++) send(`k${n}`, 'g');
  expect(small.queue('q').counts.duplicates).toBe(19);
});

test('a message is no less known where others came in as room was made for it', () => {
  for (const told of [{}, { headers: { 'x-delay': int(60_000) } }]) {
    for (const args of [TIMED, ONCE]) {
      const small = new SmallBroker();
      const full = { 'x-max-length': int(2), 'x-overflow': text('reject-publish') };
      const queue = small.declare('q', true, { ...args, ...full });
      // As the trace of a delivery does, which may go to the same queue.
      let others = ['c'];
      const channel = new SimChannel(small.broker.core.lines, () => {
        for (const other of others.splice(0)) publish(small, other);
      });
      queue.addConsumer(new Consumer(queue, channel, 'tag', true, false, 0, new Map()));
      publish(small, 'a');
      publish(small, 'b');
      others = ['c'];
      publish(small, 'd', told);
      expect(others).toEqual([]);
      expect(queue.counts.duplicates).toBe(0);
      publish(small, 'd', told);
      expect(queue.counts.duplicates).toBe(1);
    }
  }
});

test('a key that made room for another is forgotten on the disk, too', () => {
  let small = new SmallBroker();
  small.declare('q', true, TIMED);
  const size = { pattern: '.*', definition: { 'x-cache-size': 2 } };
  small.vhost.policies.set('policy', readPolicy('policy', 'p', size));
  small.run();
  publish(small, 'a');
  publish(small, 'b');
  // From now on keys go into another page.
  small = small.restarted();
  publish(small, 'c');
  small.commit();
  small.vhost.policies.clear('policy', 'p');
  small.run();
  small = small.restarted();
  const { counts } = small.queue('q');
  for (const key of ['b', 'c']) publish(small, key);
  expect(counts.duplicates).toBe(2);
  publish(small, 'a');
  expect(counts.duplicates).toBe(2);
});
