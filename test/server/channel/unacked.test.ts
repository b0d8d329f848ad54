// Owns the tests of the ring of deliveries that are not settled.

import { expect, test } from 'vitest';
import type { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { Unacked } from '../../../src/server/channel/unacked.ts';
import { type Random, withSeed } from '../../amqp/random.ts';

const named = <T>(name: string): T => ({ name, tag: name }) as T;
const QUEUES = ['a', 'b', 'c'].map((name) => named<Queue>(name));
const CONSUMERS = [null, named<Consumer>('x'), named<Consumer>('y')];

interface Delivery {
  readonly queue: Queue;
  readonly consumer: Consumer | null;
  readonly seq: number;
}

/** The ring beside a Map of what is outstanding. */
class Pair {
  readonly unacked = new Unacked();
  readonly model = new Map<number, Delivery>();
  nextTag = 1;

  add(random: Random): void {
    const delivery = {
      queue: random.pick(QUEUES),
      consumer: random.pick(CONSUMERS),
      seq: random.below(2 ** 40),
    };
    const tag = this.unacked.add(delivery.queue, delivery.consumer, delivery.seq);
    expect(tag).toBe(this.nextTag++);
    this.model.set(tag, delivery);
  }

  skip(): void {
    expect(this.unacked.skip()).toBe(this.nextTag++);
  }

  remove(tag: number): void {
    expect(this.unacked.take(tag)).toEqual(this.model.get(tag));
    expect(this.unacked.take(tag)).toBeNull();
    this.model.delete(tag);
  }

  compare(): void {
    const { unacked, model } = this;
    expect(unacked.count).toBe(model.size);
    expect(unacked.next).toBe(this.nextTag);
    const lowest = model.size === 0 ? this.nextTag : Math.min(...model.keys());
    expect(visited(unacked, Infinity)).toEqual([...model.keys()].sort((a, b) => a - b));
    const after = lowest + 40;
    const last = this.nextTag - 30;
    expect(unacked.tagsBetween(after, last)).toEqual(
      [...model.keys()].filter((tag) => tag > after && tag <= last).sort((a, b) => a - b),
    );
    const found: unknown[] = [];
    const expected: unknown[] = [];
    for (let tag = Math.max(0, lowest - 20); tag < this.nextTag + 5; tag++) {
      const queue = unacked.queueOf(tag);
      if (queue !== null) {
        found.push([tag, queue.name, unacked.consumerOf(tag)?.tag]);
      }
      const delivery = model.get(tag);
      if (delivery === undefined) continue;
      expected.push([tag, delivery.queue.name, delivery.consumer?.tag]);
    }
    expect(found).toEqual(expected);
  }
}

test('deliveries are found by their tags until they are settled, in whatever order', () => {
  withSeed((random: Random) => {
    for (let run = 0; run < 10; run++) {
      const pair = new Pair();
      for (let n = 0; n < 200; n++) {
        const dice = random.below(100);
        const tags = [...pair.model.keys()];
        if (dice < 45) pair.add(random);
        else if (dice < 55) pair.skip();
        else if (dice < 75 && tags.length > 0) pair.remove(random.pick(tags));
        else if (dice < 97 && tags.length > 0) pair.remove(tags[0] as number);
        else for (const tag of tags) if (random.below(4) > 0) pair.remove(tag);
        pair.compare();
      }
    }
  });
});

/** The outstanding tags up to one, in the order they are visited. */
function visited(unacked: Unacked, last: number): number[] {
  const tags: number[] = [];
  unacked.forEachUpTo(last, (tag) => tags.push(tag));
  return tags;
}

test('one old delivery stays to be found behind thousands that came and went', () => {
  const unacked = new Unacked();
  const [queue] = QUEUES as [Queue];
  const old = unacked.add(queue, null, 42);
  for (let n = 0; n < 5_000; n++) unacked.take(unacked.add(queue, null, n));
  for (let n = 0; n < 5_000; n++) unacked.skip();
  const young = unacked.add(queue, CONSUMERS[1] as Consumer, 43);
  expect(visited(unacked, Infinity)).toEqual([old, young]);
  expect(visited(unacked, young - 1)).toEqual([old]);
  expect([unacked.queueOf(old), unacked.consumerOf(old)]).toEqual([queue, null]);
  expect(unacked.take(old)).toEqual({ queue, consumer: null, seq: 42 });
  expect(unacked.queueOf(old)).toBeNull();
  expect(visited(unacked, Infinity)).toEqual([young]);
  expect(unacked.count).toBe(1);
  expect(unacked.take(young)).toEqual({ queue, consumer: CONSUMERS[1], seq: 43 });
});

test('a long job beside many quick ones does not make the ring grow', () => {
  const unacked = new Unacked();
  const [queue] = QUEUES as [Queue];
  const held: number[] = [];
  for (let round = 0; round < 5; round++) {
    held.push(unacked.add(queue, null, round));
    for (let n = 0; n < 100_000; n++) unacked.take(unacked.add(queue, null, n));
  }
  expect(unacked['queues'].length).toBeLessThanOrEqual(2048);
  expect(visited(unacked, Infinity)).toEqual(held);
});

test('tags 0 and those never given out are not outstanding', () => {
  const unacked = new Unacked();
  expect(unacked.queueOf(0)).toBeNull();
  expect(unacked.queueOf(1)).toBeNull();
  unacked.add(QUEUES[0] as Queue, null, 1);
  expect(unacked.queueOf(0)).toBeNull();
  expect(unacked.queueOf(2)).toBeNull();
  expect(unacked.queueOf(2 ** 33)).toBeNull();
  for (const tag of [0, 2, 2 ** 33]) expect(unacked.take(tag)).toBeNull();
});
