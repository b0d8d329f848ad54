// Owns the tests of what becomes of messages that come back: how long they wait, how often they may come back, and what a
// message may say of that itself.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import {
  chanceOf,
  type RetryRule,
  retryDelayMs,
} from '../../../../src/broker/queue/delay/retry.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import { wrongReferences } from '../../inspect.ts';
import { SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const text = (value: string): Field => ({ type: 'S', value });
const RULE: RetryRule = {
  type: 'all',
  minMs: 3_000,
  maxMs: 1e9,
  multiplier: null,
  jitter: 0,
  ownMinMs: Infinity,
  ownMultiplier: Infinity,
};

const delays = (rule: Partial<RetryRule>, count = 4): number[] =>
  Array.from({ length: count }, (_, n) => retryDelayMs({ ...RULE, ...rule }, null, n + 1, 0));

test('the time grows by the least one, or by a factor, up to the longest', () => {
  expect(delays({})).toEqual([3_000, 6_000, 9_000, 12_000]);
  expect(delays({ multiplier: 1 })).toEqual([3_000, 3_000, 3_000, 3_000]);
  expect(delays({ multiplier: 2 })).toEqual([3_000, 6_000, 12_000, 24_000]);
  expect(delays({ multiplier: 2, maxMs: 10_000 })).toEqual([3_000, 6_000, 10_000, 10_000]);
  expect(retryDelayMs({ ...RULE, multiplier: 9 }, null, 1e9, 0)).toBe(RULE.maxMs);
});

test('what a message asks for is a time, however large or small its numbers are', () => {
  const numbers = [0, 1, 3_000, 1e15, Number.MAX_SAFE_INTEGER, 1e300, Number.MAX_VALUE];
  for (const minMs of numbers) {
    for (const multiplier of [null, ...numbers.slice(1)]) {
      for (const returns of [1, 2, 20, 1_000, 1e9]) {
        const waited = retryDelayMs(RULE, { limit: null, minMs, multiplier }, returns, 0.5);
        expect(waited).toBeGreaterThanOrEqual(0);
        expect(waited).toBeLessThanOrEqual(RULE.maxMs);
      }
    }
  }
});

test('a part of the time is left to chance, the same for the same message', () => {
  const chances = Array.from({ length: 1_000 }, (_, n) => chanceOf(n * 977, 1 + (n % 5)));
  const mean = chances.reduce((sum, chance) => sum + chance, 0) / chances.length;
  expect(Math.min(...chances)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...chances)).toBeLessThan(1);
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
  expect(chanceOf(5, 2)).toBe(chanceOf(5, 2));
  expect(retryDelayMs({ ...RULE, jitter: 0.5 }, null, 1, 0.5)).toBe(2_250);
});

function retrying(args: Record<string, Field> = {}): { small: SmallBroker; queue: Queue } {
  const small = new SmallBroker();
  const all = { 'x-delayed-retry-min': int(1_000), 'x-dead-letter-exchange': text(''), ...args };
  const dead = { 'x-dead-letter-routing-key': text('dead') };
  const queue = small.declare('q', true, { ...all, ...dead });
  small.declare('dead');
  return { small, queue };
}

/** Takes the message at the head and puts it back; returns what was told of it. */
function comeBack({ small, queue }: ReturnType<typeof retrying>, failed = false) {
  let taken = queue.get();
  if (taken === null) {
    // The delivery waits for a mark on the disk.
    small.commit();
    taken = queue.get();
  }
  if (taken === null) return null;
  const { seq, redelivered } = taken;
  const returns = queue.returnsOf(seq);
  queue.requeue(seq, failed);
  return { redelivered, returns };
}

function publish(small: SmallBroker, headers: Record<string, Field> = {}): void {
  const properties = { deliveryMode: 2, headers: new Map(Object.entries(headers)) };
  small.publish({ routingKey: 'q', properties });
}

test('what comes back waits, and goes out again as redelivered with its count', () => {
  const world = retrying({ 'x-delivery-limit': int(2) });
  publish(world.small);
  expect(comeBack(world)).toEqual({ redelivered: false, returns: 0 });
  expect(comeBack(world)).toBeNull();
  expect(world.queue.delays.count).toBe(1);
  world.small.pass(1_000);
  expect(comeBack(world)).toEqual({ redelivered: true, returns: 1 });
  world.small.pass(1_999);
  expect(comeBack(world)).toBeNull();
  world.small.pass(1);
  expect(comeBack(world)).toEqual({ redelivered: true, returns: 2 });
  expect(world.small.queue('dead').readyCount, 'after the limit it is dead').toBe(1);
  expect(world.queue.delays.count).toBe(0);
  world.small.commit();
  const queues = [world.queue, world.small.queue('dead')];
  expect(wrongReferences(world.small.broker, queues)).toBeNull();
});

test('its count, its place ahead of others and what is left of its time survive a crash', () => {
  const world = retrying();
  publish(world.small);
  comeBack(world);
  for (let n = 0; n < 3; n++) publish(world.small);
  world.small.commit();
  const small = world.small.crashed();
  const again = { small, queue: small.queue('q') };
  expect(again.queue.readyCount).toBe(3);
  small.pass(1_000);
  small.commit();
  const third = small.crashed();
  third.queue('q').get();
  third.commit();
  const head = third.queue('q').get();
  expect(head?.redelivered).toBe(true);
  expect(third.queue('q').returnsOf(head?.seq as number)).toBe(1);
});

test('returns and failures wait as the type says', () => {
  for (const [type, returned, failed] of [
    ['all', 1, 1],
    ['failed', 0, 1],
    ['returned', 1, 0],
    ['disabled', 0, 0],
  ] as const) {
    for (const [how, waits] of [
      [false, returned],
      [true, failed],
    ] as const) {
      const world = retrying({ 'x-delayed-retry-type': text(type) });
      publish(world.small);
      comeBack(world, how);
      expect(world.queue.delays.count, `${type}, failed: ${how}`).toBe(waits);
      expect(world.queue.readyCount).toBe(1 - waits);
    }
  }
});

test('a message may say its own attempts, up to the limit of the operator', () => {
  const world = retrying({ 'x-delivery-limit': int(9) });
  publish(world.small, { 'x-delivery-limit': int(0) });
  comeBack(world);
  expect(world.small.queue('dead').readyCount).toBe(1);
  publish(world.small, {
    'x-delayed-retry-min': int(50),
    'x-delayed-retry-multiplier': int(3),
    'x-delivery-limit': int(-1),
  });
  for (const waitsMs of [50, 150, 450]) {
    comeBack(world);
    world.small.pass(waitsMs - 1);
    expect(world.queue.readyCount, `${waitsMs}`).toBe(0);
    world.small.pass(1);
    expect(world.queue.readyCount, `${waitsMs}`).toBe(1);
  }
  world.queue.applyPolicy(null, new Map([['delivery-limit', 2]]));
  comeBack(world);
  expect(world.small.queue('dead').readyCount, 'the operator has the last word').toBe(2);
});

test('the operator bounds what a message may ask of its delays, and not what it leaves alone', () => {
  const world = retrying({ 'x-delivery-limit': int(9) });
  const caps = new Map([
    ['delayed-retry-min', 100],
    ['delayed-retry-multiplier', 2],
  ]);
  world.queue.applyPolicy(null, caps);
  publish(world.small, {
    'x-delayed-retry-min': int(3_600_000),
    'x-delayed-retry-multiplier': int(1_000),
  });
  for (const waitsMs of [100, 200, 400]) {
    comeBack(world);
    world.small.pass(waitsMs - 1);
    expect(world.queue.readyCount, `${waitsMs}`).toBe(0);
    world.small.pass(1);
    expect(world.queue.readyCount, `${waitsMs}`).toBe(1);
  }
  world.queue.get();
  publish(world.small, { 'x-delayed-retry-min': int(7), 'x-delayed-retry-multiplier': int(1) });
  comeBack(world);
  world.small.pass(7);
  expect(world.queue.readyCount, 'less may be asked for').toBe(1);
});

test('what waits counts against the limits of length', () => {
  const { small, queue } = retrying({ 'x-max-length': int(2), 'x-message-delay': int(5_000) });
  for (let n = 0; n < 3; n++) publish(small);
  small.run();
  expect(queue.delays.count + queue.readyCount).toBe(2);
  expect(small.queue('dead').readyCount).toBe(1);
  const refusing = retrying({ 'x-max-length': int(1), 'x-overflow': text('reject-publish') });
  publish(refusing.small);
  comeBack(refusing);
  publish(refusing.small);
  refusing.small.run();
  expect(refusing.queue.delays.count).toBe(1);
  expect(refusing.queue.readyCount).toBe(0);
});

test('a time to live goes on while a message waits to be tried again', () => {
  const world = retrying({ 'x-message-ttl': int(1_500) });
  publish(world.small);
  comeBack(world);
  world.small.pass(1_000);
  expect(world.queue.readyCount).toBe(1);
  comeBack(world);
  world.small.pass(2_000);
  expect(world.queue.readyCount).toBe(0);
  expect(world.small.queue('dead').readyCount).toBe(1);
});
