// Owns the tests of queues that give out their messages at a rate: never more at once than the bucket holds, never fewer
// on average, and nothing too early after a restart.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { leastRate, readRate } from '../../../../src/broker/queue/pace/delivery-rate.ts';
import { TokenBucket } from '../../../../src/broker/queue/pace/token-bucket.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { type Given, SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });

function paced(
  rate: string,
  args: Record<string, Field> = {},
): { small: SmallBroker; queue: Queue } {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-delivery-rate': text(rate), ...args });
  return { small, queue };
}

/** Lets time go by in steps and returns how many deliveries came in each. */
function steps(
  small: SmallBroker,
  given: readonly Given[],
  stepMs: number,
  count: number,
): number[] {
  return Array.from({ length: count }, () => {
    const before = given.length;
    small.pass(stepMs);
    return given.length - before;
  });
}

test.each([
  ['50/60s', { count: 50, perMs: 60_000, per: '60 s', burst: 50 }],
  ['10/s', { count: 10, perMs: 1_000, per: '1 s', burst: 10 }],
  ['7/m', { count: 7, perMs: 60_000, per: '1 min', burst: 7 }],
  ['100/24h', { count: 100, perMs: 86_400_000, per: '24 h', burst: 100 }],
  ['1000000/1s', { count: 1_000_000, perMs: 1_000, per: '1 s', burst: 1_000_000 }],
])('%s is a rate', (written, rate) => {
  expect(readRate(written)).toEqual(rate);
});

test.each([
  '',
  '50',
  '50/',
  '/s',
  '0/s',
  '5/0s',
  '-1/s',
  '1.5/s',
  '5/d',
  '5/25h',
  '1000001/s',
  ' 5/s',
  '5/s ',
])("'%s' is no rate", (written) => {
  expect(readRate(written)).toBeNull();
});

test('of several rates the slowest holds', () => {
  const rates = ['2/s', '100/m', '5/s'].map(readRate);
  expect(leastRate(rates)).toBe(rates[1]);
  expect(leastRate([null, rates[2] ?? null])).toBe(rates[2]);
  expect(leastRate([null])).toBeNull();
});

test('over any time a bucket gives what runs into it, exactly, and never more at once than it holds', () => {
  const rate = { count: 7, perMs: 1_000, per: '1 s', burst: 7 };
  const bucket = new TokenBucket(rate, 0);
  let given = 0;
  let worst = 0;
  for (let nowMs = 0; nowMs <= 100_000; nowMs += 1 + ((nowMs * 7919) % 140)) {
    const tokens = bucket.tokens(nowMs);
    worst = Math.max(worst, tokens);
    bucket.spend(tokens);
    given += tokens;
    // The full bucket that it began with, and all whole tokens that ran in since.
    expect(given).toBe(7 + Math.floor((nowMs * 7) / 1_000));
    const { nextMs } = bucket;
    expect(nextMs).toBe(Math.ceil(((given - 6) * 1_000) / 7));
  }
  expect(worst).toBe(7);
});

test('a rate that is set again and again goes on to refill the bucket, and gives nothing', () => {
  const rate = readRate('1/h') as NonNullable<ReturnType<typeof readRate>>;
  const other = { ...rate, count: 3, perMs: 3 * 3_600_000, burst: 5 };
  const bucket = new TokenBucket(rate, 0);
  bucket.empty(0);
  for (let minute = 1; minute <= 600; minute++) {
    const nowMs = minute * 60_000;
    bucket.change(minute % 2 === 0 ? rate : other, nowMs);
    const tokens = bucket.tokens(nowMs);
    expect(tokens, `${minute} min`).toBe(minute % 60 === 0 ? 1 : 0);
    bucket.spend(tokens);
  }
});

test('a queue gives out its bucket at once, and then as it is refilled', () => {
  const { small, queue } = paced('50/60s');
  small.fill('q', 200);
  const given = small.consume(queue);
  small.run();
  expect(given).toHaveLength(50);
  expect([queue.readyCount, queue.unackedCount]).toEqual([150, 50]);
  expect(steps(small, given, 1_200, 5)).toEqual([1, 1, 1, 1, 1]);
  expect(steps(small, given, 600, 4)).toEqual([0, 1, 0, 1]);
  expect(steps(small, given, 60_000, 1)).toEqual([50]);
  // A quiet time fills the bucket, and no more than that.
  expect(steps(small, given, 3_600_000, 2)).toEqual([50, 43]);
  small.fill('q', 80);
  expect(steps(small, given, 0, 1)).toEqual([7]);
});

test('the broker is told when the next message may go out, and only while one could', () => {
  const { small, queue } = paced('1/s');
  const { core } = small.broker;
  small.run();
  expect(core.nextDeadlineMs).toBe(Infinity);
  small.fill('q', 2);
  small.run();
  expect(core.nextDeadlineMs).toBe(Infinity);
  const given = small.consume(queue);
  small.run();
  expect(given).toHaveLength(1);
  expect(core.nextDeadlineMs).toBe(small.nowMs + 1_000);
  small.pass(999);
  expect(given).toHaveLength(1);
  small.pass(1);
  expect(given).toHaveLength(2);
  small.pass(5_000);
  expect(core.nextDeadlineMs).toBe(Infinity);
});

test('a burst of one spaces deliveries evenly; a larger one gives more at once', () => {
  const even = paced('10/s', { 'x-delivery-burst': int(1) });
  even.small.fill('q', 30);
  const given = even.small.consume(even.queue);
  even.small.run();
  expect(given).toHaveLength(1);
  expect(steps(even.small, given, 100, 3)).toEqual([1, 1, 1]);
  even.small.pass(10_000);
  expect(given).toHaveLength(5);
  const large = paced('10/s', { 'x-delivery-burst': int(25) });
  large.small.fill('q', 30);
  const many = large.small.consume(large.queue);
  large.small.run();
  expect(many).toHaveLength(25);
});

test('what comes back and goes out again counts, and a wait spends no prefetch', () => {
  const { small, queue } = paced('2/s');
  small.fill('q', 3);
  const given = small.consume(queue, 2);
  small.run();
  expect(given).toHaveLength(2);
  queue.requeue((given[0] as Given).seq);
  queue.settle((given[1] as Given).seq);
  for (const consumer of queue.consumers) consumer.unacked = 0;
  small.run();
  expect([given.length, queue.readyCount, queue.unackedCount]).toEqual([2, 2, 0]);
  small.pass(1_000);
  expect(given.map(({ redelivered }) => redelivered)).toEqual([false, false, true, false]);
});

test('basic.get finds the queue empty until a token is there; a look by a tool takes none', () => {
  const { small, queue } = paced('1/m');
  small.fill('q', 3);
  expect(queue.get()).not.toBeNull();
  expect(queue.get()).toBeNull();
  expect([queue.readyCount, queue.counts.getEmpty]).toEqual([2, 1]);
  expect(queue.get(false, () => {}, true)).not.toBeNull();
  small.pass(59_999);
  expect(queue.get()).toBeNull();
  small.pass(1);
  expect(queue.get()).not.toBeNull();
});

test('after a crash or a restart the bucket is empty', () => {
  const { small } = paced('2/s');
  small.fill('q', 10);
  small.commit();
  for (const again of [small.crashed(), small.restarted()]) {
    const given = again.consume(again.queue('q'));
    again.run();
    expect(given).toHaveLength(0);
    expect(steps(again, given, 500, 3)).toEqual([1, 1, 1]);
  }
});

test('a policy sets a rate for a queue that is there, and an operator caps it', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  small.fill('q', 100);
  queue.applyPolicy(new Map([['delivery-rate', '10/s']]), null);
  const given = small.consume(queue);
  small.run();
  expect(given).toHaveLength(10);
  queue.applyPolicy(new Map([['delivery-rate', '10/s']]), new Map([['delivery-rate', '2/s']]));
  expect(steps(small, given, 500, 3)).toEqual([1, 1, 1]);
  // A change back and forth gives no tokens.
  for (const rate of ['5/s', '9/m', '5/s'])
    queue.applyPolicy(new Map([['delivery-rate', rate]]), null);
  expect(steps(small, given, 0, 1)).toEqual([0]);
  queue.applyPolicy(null, null);
  small.run();
  expect(given).toHaveLength(100);
});

test('messages expire while they wait for their turn', () => {
  const { small, queue } = paced('1/h', { 'x-message-ttl': int(1_000) });
  small.fill('q', 5);
  const given = small.consume(queue);
  small.run();
  expect([given.length, queue.readyCount]).toEqual([1, 4]);
  small.pass(1_001);
  expect(queue.readyCount).toBe(0);
});
