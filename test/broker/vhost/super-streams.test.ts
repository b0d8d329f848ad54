// Owns the tests of groups that read super streams: order, places, and partitions and members that come and go.

import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { seeded } from '../exchange/random.ts';
import { SmallBroker } from '../small-broker.ts';
import { StreamWorker } from '../stream-worker.ts';
import {
  addPartitions,
  bindPartition,
  declareStream,
  declareSuper,
  GroupWorld,
  groupOf,
  readingOf,
  SUPER,
  send,
  streamNamed,
} from './super-stream-world.ts';

const KEYS = Array.from({ length: 12 }, (_, n) => `user-${n}`);
const RUNS = 30;
const STEPS = 400;

test('keys keep their order, and nothing is lost, while members come, go and crash', () => {
  const random = seeded();
  for (let run = 0; run < RUNS; run++) {
    const world = new GroupWorld('g');
    addPartitions(world.small, 0, 1, 2, 3);
    world.turn();
    for (let step = 0; step < STEPS; step++) {
      const worker = world.workers.length > 0 ? random.pick(world.workers) : null;
      const what = random.below(20);
      if (what < 6) world.publish(random.pick(KEYS));
      else if (what < 8) world.turn();
      else if (what === 8 && world.workers.length < 5) world.join(1 + random.below(5));
      else if (worker === null) continue;
      else if (what < 16 && worker.unacked.length > 0) {
        const at = random.below(worker.unacked.length);
        const left = worker.consumers.size === 0;
        if (left && random.below(3) === 0) world.giveBack(worker, at);
        else world.settle(worker, at, random.below(8) === 0 ? 'reject' : 'settle');
      } else if (what === 16) world.leave(worker);
      else if (what === 17) world.crash(worker);
      else if (what === 18 && random.below(6) === 0) world.powerLoss();
    }
    world.drain();
    for (const stream of world.streams) {
      expect(world.settledIn(stream.name).size).toBe(stream.entries.tail);
      expect(stream.places.of('g')?.offset).toBe(stream.entries.tail);
      expect(stream.unackedCount).toBe(0);
    }
    for (const numbers of world.firsts.values()) {
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  }
});

test('offsets keep their order, and nothing is lost, while partitions come and go as well', () => {
  const random = seeded();
  for (let run = 0; run < RUNS / 2; run++) {
    const world = new GroupWorld('g');
    addPartitions(world.small, 0, 1, 2, 3);
    world.turn();
    const bound = new Set([0, 1, 2, 3]);
    for (let step = 0; step < STEPS; step++) {
      const worker = world.workers.length > 0 ? random.pick(world.workers) : null;
      const what = random.below(20);
      const partition = random.below(4);
      if (what < 6) world.publish(random.pick(KEYS));
      else if (what < 8) world.turn();
      else if (what === 8 && bound.size > 0 && world.workers.length < 5) world.join(3);
      else if (what === 9 && bound.delete(partition)) unbind(world.small, partition);
      else if (what === 10 && !bound.has(partition)) {
        bound.add(partition);
        bindPartition(world.small, SUPER, `${SUPER}-${partition}`, partition);
      } else if (worker === null) continue;
      else if (what < 17 && worker.unacked.length > 0) {
        world.settle(worker, random.below(worker.unacked.length), 'settle');
      } else if (what === 17) world.leave(worker);
      else if (what === 18) world.crash(worker);
    }
    for (let n = 0; n < 4; n++) bindPartition(world.small, SUPER, `${SUPER}-${n}`, n);
    world.drain();
    for (const stream of world.streams) {
      expect(world.settledIn(stream.name).size).toBe(stream.entries.tail);
      expect(stream.unackedCount).toBe(0);
    }
  }
});

/** A super stream with so many partitions, and a message or more in each: its number and a letter. */
function filled(partitions: number, letters = 'ab'): SmallBroker {
  const small = new SmallBroker();
  declareSuper(small);
  addPartitions(small, ...Array(partitions).keys());
  for (let n = 0; n < partitions; n++) fill(small, n, letters);
  small.run();
  return small;
}

function fill(small: SmallBroker, partition: number, letters: string): void {
  for (const letter of letters) send(small, String(partition), `${partition}${letter}`);
}

function worker(small: SmallBroker, prefetch = 10, group = 'g'): StreamWorker {
  const made = new StreamWorker(small);
  made.consume(readingOf(small, groupOf(group)), prefetch);
  return made;
}

function unbind(small: SmallBroker, partition: number): void {
  const args = new Map([['x-stream-partition-order', { type: 'l', value: partition } as const]]);
  const to = { kind: 'queue', name: `${SUPER}-${partition}` } as const;
  small.vhost.as(ALL_RIGHTS, small).unbind(SUPER, to, String(partition), args);
}

const placeIn = (small: SmallBroker, partition: number, group = 'g'): number | undefined =>
  streamNamed(small, `${SUPER}-${partition}`).places.of(group)?.offset;

test('one consumer is given all partitions, each in its order, and which one it is', () => {
  const small = filled(3);
  const only = worker(small);
  small.run();
  expect(only.given.map(({ partition, offset }) => [partition, offset])).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
    [2, 0],
    [2, 1],
  ]);
  only.settleAll();
  expect([0, 1, 2].map((n) => placeIn(small, n))).toEqual([2, 2, 2]);
});

test('prefetch holds for all partitions together', () => {
  const small = filled(3);
  const only = worker(small, 3);
  small.run();
  expect(only.taken()).toHaveLength(3);
  only.settle();
  small.run();
  expect(only.taken()).toHaveLength(1);
});

test('one that joins gets its share at once where nothing is out of it', () => {
  const small = filled(2, 'abcdef');
  const first = worker(small, 4);
  small.run();
  const second = worker(small, 4);
  small.run();
  expect([first.taken(), second.taken()]).toEqual([
    ['0a', '0b', '0c', '0d'],
    ['1a', '1b', '1c', '1d'],
  ]);
  first.settleAll();
  small.run();
  expect(first.taken()).toEqual(['0e', '0f']);
});

test('where something is out its share waits for that, and the other gets no more of it', () => {
  const small = filled(2, 'a');
  const first = worker(small, 4);
  small.run();
  expect(first.taken()).toEqual(['0a', '1a']);
  const second = worker(small, 4);
  fill(small, 1, 'b');
  fill(small, 0, 'b');
  small.run();
  expect([first.taken(), second.taken()]).toEqual([['0b'], []]);
  first.settleAll();
  small.run();
  expect([first.taken(), second.taken()]).toEqual([[], ['1b']]);
});

test('what one that crashed had is given to the next, from its place on', () => {
  const small = filled(1, 'abcdef');
  const [first, second] = [worker(small, 3), worker(small, 3)];
  small.run();
  expect([first.taken(), second.taken()]).toEqual([['0a', '0b', '0c'], []]);
  first.settle();
  first.settle('settle', first.unacked[1]);
  first.close();
  small.run();
  // It settled c, too: b comes first again all the same.
  expect(second.taken()).toEqual(['0b', '0c', '0d']);
});

test('one that left and settles late keeps its partition from the next until then', () => {
  const small = filled(1, 'abcd');
  const [first, second] = [worker(small, 2), worker(small, 2)];
  small.run();
  for (const consumer of first.consumers) first.cancel(consumer);
  small.run();
  expect(second.taken()).toEqual([]);
  first.settleAll();
  small.run();
  expect(second.taken()).toEqual(['0c', '0d']);
  expect(placeIn(small, 0)).toBe(2);
});

test('the next one may leave before it begins, and then the first goes on', () => {
  const small = filled(2, 'abc');
  const first = worker(small, 1);
  small.run();
  const second = worker(small, 1);
  second.close();
  for (let n = 0; n < 6; n++) {
    small.run();
    first.settleAll();
  }
  expect(first.taken().sort()).toEqual(['0a', '0b', '0c', '1a', '1b', '1c']);
});

test('a partition that comes is read from its first message on, be the group there or not', () => {
  const small = filled(1, 'a');
  const next = groupOf('g', { start: { kind: 'next' } });
  const first = new StreamWorker(small);
  first.consume(readingOf(small, next));
  addPartitions(small, 1);
  fill(small, 1, 'ab');
  small.run();
  expect(first.taken()).toEqual(['1a', '1b']);
  first.settleAll();
  first.close();
  addPartitions(small, 2);
  fill(small, 2, 'ab');
  small.run();
  const second = new StreamWorker(small);
  second.consume(readingOf(small, next));
  small.run();
  expect(second.taken()).toEqual(['2a', '2b']);
});

test('a partition that goes is read no more, and what is out of it is settled still', () => {
  const small = filled(2, 'abcd');
  const only = worker(small, 4);
  small.run();
  expect(only.taken()).toEqual(['0a', '0b', '0c', '0d']);
  unbind(small, 0);
  only.settle();
  expect(placeIn(small, 0)).toBe(1);
  only.settleAll();
  expect(placeIn(small, 0)).toBe(4);
  small.run();
  expect(only.taken()).toEqual(['1a', '1b', '1c', '1d']);
  bindPartition(small, SUPER, `${SUPER}-0`, 0);
  fill(small, 0, 'e');
  only.settleAll();
  small.run();
  expect(only.taken()).toEqual(['0e']);
});

test('a partition that comes back while some of it is out goes on behind that', () => {
  const small = filled(2, 'abcd');
  const only = worker(small, 2);
  small.run();
  unbind(small, 0);
  bindPartition(small, SUPER, `${SUPER}-0`, 0);
  only.settle();
  only.close();
  const next = worker(small, 20);
  small.run();
  expect(next.taken().filter((body) => body.startsWith('0'))).toEqual(['0b', '0c', '0d']);
});

test('a stream that is deleted leaves the others, and settling what was of it means nothing', () => {
  const small = filled(2, 'ab');
  const only = worker(small, 2);
  small.run();
  small.vhost.removeQueue(small.vhost.queue(`${SUPER}-0`, small));
  only.settleAll();
  small.run();
  expect(only.taken()).toEqual(['0a', '0b', '1a', '1b']);
  expect(only.ended).toEqual([]);
  const after = small.restarted();
  expect([...after.vhost.queues.keys()]).toEqual([`${SUPER}-1`]);
});

test.each<[string, (small: SmallBroker) => void]>([
  [
    'its last partition',
    (small) => small.vhost.removeQueue(small.vhost.queue(`${SUPER}-0`, small)),
  ],
  ['its exchange', (small) => small.vhost.as(ALL_RIGHTS, small).deleteExchange(SUPER, false)],
])('consumers end when a super stream loses %s', (_, lose) => {
  const small = filled(1, 'ab');
  const only = worker(small, 1);
  small.run();
  lose(small);
  expect(only.ended).toHaveLength(1);
  only.settleAll();
  small.run();
  expect(small.vhost.superStreams.named(SUPER)?.partitions ?? []).toEqual([]);
});

test('a consumer that may not read a partition that comes is cancelled, and others go on', () => {
  const small = filled(1, 'a');
  const [one, other] = [worker(small), worker(small)];
  one.forbidden.add(`${SUPER}-1`);
  addPartitions(small, 1);
  fill(small, 1, 'a');
  small.run();
  expect([one.ended.length, other.ended.length]).toEqual([1, 0]);
  one.close();
  small.run();
  expect(other.taken().sort()).toEqual(['0a', '1a']);
});

test('a group reads a stream by itself or as a partition, not both at once', () => {
  const small = filled(2, 'ab');
  const stream = streamNamed(small, `${SUPER}-0`);
  const only = worker(small);
  expect(() => stream.reading(groupOf('g'))).toThrow(
    "group 'g' reads stream 'orders-0' as a partition of super stream 'orders' now",
  );
  stream.reading(groupOf('other'));
  small.run();
  only.settleAll();
  only.close();
  const alone = new StreamWorker(small);
  alone.consume(stream.reading(groupOf('g')));
  expect(() => readingOf(small, groupOf('g'))).toThrow(
    "group 'g' reads stream 'orders-0' by itself now",
  );
  expect(placeIn(small, 1, 'g')).toBe(2);
  alone.close();
  fill(small, 0, 'c');
  const again = worker(small);
  small.run();
  expect(again.taken()).toEqual(['0c']);
});

test('a partition that its group reads by itself joins when a consumer comes after that', () => {
  const small = filled(1, 'a');
  declareStream(small, `${SUPER}-1`);
  const alone = new StreamWorker(small);
  alone.consume(streamNamed(small, `${SUPER}-1`).reading(groupOf('g')));
  const only = worker(small);
  bindPartition(small, SUPER, `${SUPER}-1`, 1);
  fill(small, 1, 'ab');
  small.run();
  expect([alone.taken(), only.taken()]).toEqual([['1a', '1b'], ['0a']]);
  alone.settleAll();
  alone.close();
  worker(small).close();
  fill(small, 1, 'c');
  small.run();
  expect(only.taken()).toEqual(['1c']);
});

test('without partitions, or with too many, there is nothing to consume', () => {
  const small = filled(0);
  expect(() => readingOf(small, groupOf('g'))).toThrow("super stream 'orders' in vhost '/' has no");
  addPartitions(small, ...Array(513).keys());
  expect(() => readingOf(small, groupOf('g'))).toThrow('has more than 512 partitions');
  expect(small.vhost.superStreams.named('amq.direct')).toBe(null);
  expect(small.vhost.superStreams.named(`${SUPER}-0`)).toBe(null);
});

test('more partitions than one group can read are left out while they come', () => {
  const small = filled(2, '');
  const only = worker(small, 2_000);
  addPartitions(small, ...Array.from({ length: 513 }, (_, n) => n + 2));
  for (let n = 0; n < 515; n++) fill(small, n, 'a');
  small.run();
  expect(new Set(only.given.map(({ seq }) => seq)).size).toBe(512);
  expect(only.given.every(({ seq }) => Number.isSafeInteger(seq))).toBe(true);
  only.settleAll();
  expect(placeIn(small, 511)).toBe(1);
});

test('a replay of a group ends for all, and what one gives back at the end the others get', () => {
  const small = filled(2, 'ab');
  const spec = groupOf('g', { until: { kind: 'end' } });
  const workers = [1, 2].map(() => {
    const made = new StreamWorker(small);
    made.consume(readingOf(small, spec), 1);
    return made;
  });
  fill(small, 0, 'c');
  const [one, other] = workers as [StreamWorker, StreamWorker];
  small.run();
  other.settle();
  small.run();
  other.settle();
  one.settle();
  small.run();
  // All has been delivered: the one that has some of it is told, and the other waits for it.
  expect([one.ended.length, other.ended.length]).toEqual([1, 0]);
  const last = one.unacked[0]?.body;
  one.close();
  small.run();
  expect(other.taken().at(-1)).toBe(last);
  expect(other.ended).toHaveLength(1);
  other.settle();
  expect([placeIn(small, 0), placeIn(small, 1)]).toEqual([2, 2]);
});
