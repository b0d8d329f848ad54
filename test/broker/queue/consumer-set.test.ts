// Owns the tests of whose turn it is among the consumers of a queue.

import { expect, test, vi } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { Consumer } from '../../../src/broker/queue/consumer.ts';
import { ConsumerSet } from '../../../src/broker/queue/consumer-set.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { rulesOf } from '../../../src/broker/queue/rules.ts';
import { CalledLines } from '../../../src/broker/queue/waiting-line.ts';
import { MessageCounts } from '../../../src/broker/stats/counts.ts';
import { SimChannel } from '../peers.ts';

const NO_LINES = new CalledLines({ touch: () => {} }, { turnWanted: () => {} });

/** A queue with a single active consumer. */
const SINGLE = { counts: new MessageCounts(), rules: rulesOf(new Map(), null, null) };

/** A consumer that is ready until its link is full. */
function consumer(tag: string, priority = 0): Consumer & { channel: SimChannel } {
  const channel = new SimChannel(NO_LINES, () => {});
  const args = new Map<string, Field>([['x-priority', { type: 'I', value: priority }]]);
  return new Consumer(null as unknown as Queue, channel, tag, true, false, 0, args) as Consumer & {
    channel: SimChannel;
  };
}

function picks(set: ConsumerSet, count: number): (string | undefined)[] {
  return Array.from({ length: count }, () => set.pick()?.tag);
}

test('equals take turns', () => {
  const set = new ConsumerSet(null);
  for (const tag of ['a', 'b', 'c']) set.add(consumer(tag));
  expect(picks(set, 4)).toEqual(['a', 'b', 'c', 'a']);
});

test('a higher priority goes first while it can take messages, and equals of it take turns', () => {
  const set = new ConsumerSet(null);
  const [low, high, other] = [consumer('low', -3), consumer('high', 5), consumer('other', 5)];
  for (const each of [low, high, other]) set.add(each);
  expect(picks(set, 3)).toEqual(['high', 'other', 'high']);
  high.channel.link.full = true;
  expect(picks(set, 2)).toEqual(['other', 'other']);
  other.channel.link.full = true;
  expect(picks(set, 1)).toEqual(['low']);
  high.channel.link.full = false;
  expect(picks(set, 1)).toEqual(['high']);
  set.remove([high]);
  set.remove([other]);
  expect(picks(set, 1)).toEqual(['low']);
});

test.each([[0], [-3]])(
  'a pick in vain leaves all turns as they were (another of priority %i)',
  (low) => {
    const set = new ConsumerSet(null);
    const [a, b] = [consumer('a'), consumer('b')];
    for (const each of [a, b]) set.add(each);
    if (low < 0) set.add(consumer('low', low));
    expect(picks(set, 3)).toEqual(['a', 'b', 'a']);
    b.channel.link.full = true;
    for (let n = 0; n < 2; n++) {
      expect(set.pick()).toBe(a);
      set.pickedInVain(a);
    }
    b.channel.link.full = false;
    expect(picks(set, 2)).toEqual(['b', 'a']);
    set.pick();
    set.pickedInVain(b);
    expect(picks(set, 2)).toEqual(['b', 'a']);
  },
);

test('a single active consumer is served alone until it leaves; then the next of the highest', () => {
  const set = new ConsumerSet(SINGLE);
  const [first, second, third] = [consumer('1'), consumer('2'), consumer('3', 9)];
  for (const each of [first, second, third]) set.add(each);
  expect(picks(set, 2)).toEqual(['1', '1']);
  first.channel.link.full = true;
  expect(picks(set, 1)).toEqual([undefined]);
  set.remove([second]);
  expect(set.active).toBe(first);
  set.add(second);
  set.remove([first]);
  expect(picks(set, 2)).toEqual(['3', '3']);
  set.remove([third]);
  expect(picks(set, 1)).toEqual(['2']);
  expect(set.clear()).toEqual([second]);
  expect(set.active).toBeNull();
});

test.each([[[0, 0]], [[0, 9]]])(
  'a search among many that are busy pauses now and then, and still finds everybody (%j)',
  ([usual, other]) => {
    const set = new ConsumerSet(null);
    const many = Array.from({ length: 70_000 }, (_, i) => consumer(`${i}`, usual));
    for (const each of many) {
      each.channel.link.full = true;
      set.add(each);
    }
    const outsider = consumer('outsider', other);
    outsider.channel.link.full = true;
    set.add(outsider);
    const ready = [many[20_000], many[60_000]] as const;
    for (const each of ready) if (each !== undefined) each.channel.link.full = false;
    const found: (string | undefined)[] = [];
    const pauses: number[] = [];
    for (let n = 0; found.length < 12; n++) {
      const next = set.pick();
      if (next !== null) found.push(next.tag);
      else if (set.paused) pauses.push(n);
      expect(n).toBeLessThan(25);
    }
    expect(found).toEqual(new Array(6).fill(['20000', '60000']).flat());
    expect(pauses.length).toBeGreaterThan(1);
    for (const each of ready) if (each !== undefined) each.channel.link.full = true;
    expect(set.pick()).toBeNull();
    expect(set.paused).toBe(false);
  },
);

test('consumers come by priority and then by time, however many leave together', () => {
  for (const leavingMost of [1, 5, 60]) {
    const set = new ConsumerSet(null);
    const model: Consumer[] = [];
    for (let round = 0; round < 40; round++) {
      for (let n = 0; n < 10; n++) {
        const each = consumer(`${round}.${n}`, ((round * 7 + n * 3) % 5) - 2);
        const at = model.findIndex((other) => other.priority < each.priority);
        model.splice(at < 0 ? model.length : at, 0, each);
        set.add(each);
      }
      const leaving = model.filter((_, i) => (i * 11 + round) % 7 < 2).slice(0, leavingMost);
      set.remove(leaving);
      for (const each of leaving) model.splice(model.indexOf(each), 1);
      expect(set.list).toEqual(model);
    }
  }
});

test('whose turn it is stays so when many leave together', () => {
  const set = new ConsumerSet(null);
  const all = Array.from({ length: 100 }, (_, i) => consumer(String(i)));
  for (const each of all) set.add(each);
  expect(picks(set, 51).at(-1)).toBe('50');
  set.remove(all.filter((_, i) => i % 2 === 0));
  expect(picks(set, 3)).toEqual(['51', '53', '55']);
});

test('thousands of consumers between others leave in one walk, and none moves the others along', () => {
  const set = new ConsumerSet(null);
  const all = Array.from({ length: 5_000 }, (_, i) => consumer(String(i), i < 2_500 ? 1 : 0));
  for (const each of all) set.add(each);
  const splice = vi.spyOn(set.list, 'splice');
  set.remove(all.filter((_, i) => i % 4 < 2));
  expect(set.list.length).toBe(2_500);
  expect(splice).not.toHaveBeenCalled();
});

/** A consumer that acks, with a prefetch. */
function worker(tag: string, prefetch: number): Consumer {
  const channel = new SimChannel(NO_LINES, () => {});
  const queue = null as unknown as Queue;
  return new Consumer(queue, channel, tag, false, false, prefetch, new Map<string, Field>());
}

test('one that is late is given no more than it had, while others are not late', () => {
  const set = new ConsumerSet(null);
  const [late, good] = [worker('late', 0), worker('good', 10)];
  set.add(late);
  set.add(good);
  late.unacked = 2;
  set.fellBehind(late);
  good.unacked = 10;
  expect(picks(set, 2)).toEqual([undefined, undefined]);
  late.unacked = 1;
  expect(picks(set, 1)).toEqual(['late']);
  late.unacked = 2;
  // Now all are: each has what its prefetch allows.
  set.fellBehind(good);
  expect(picks(set, 2)).toEqual(['late', 'late']);
  good.unacked = 9;
  expect(picks(set, 2)).toEqual(['good', 'late']);
  const fresh = worker('fresh', 1);
  set.add(fresh);
  expect(late.room).toBe(2);
  expect(good.room).toBe(10);
  expect(new Set(picks(set, 4))).toEqual(new Set(['fresh', 'good']));
  set.remove([fresh]);
  expect([late.room, good.room]).toEqual([0, 10]);
  set.caughtUp(late);
  set.add(fresh);
  expect([late.room, late.heldLate]).toEqual([0, 0]);
});

test('a late consumer that leaves is no more counted, whatever it settles then', () => {
  const set = new ConsumerSet(null);
  const [late, other] = [worker('late', 1), worker('other', 1)];
  for (const each of [late, other]) set.add(each);
  late.unacked = 1;
  set.fellBehind(late);
  set.remove([late]);
  set.caughtUp(late);
  other.unacked = 1;
  set.fellBehind(other);
  // It is alone, and all are late.
  expect(other.room).toBe(1);
  set.add(worker('fresh', 1));
  expect(set.pick()?.tag).toBe('fresh');
  set.clear();
  expect(other.heldLate).toBe(0);
});

test('a single active consumer that is late hands over to one that is not, and takes its turn behind it', () => {
  const set = new ConsumerSet(SINGLE);
  const [first, second] = [worker('1', 1), worker('2', 1)];
  set.add(first);
  first.unacked = 1;
  set.fellBehind(first);
  expect(set.active).toBe(first);
  set.add(second);
  expect(set.active).toBe(second);
  set.caughtUp(first);
  expect(set.active).toBe(second);
  set.remove([second]);
  expect(set.active).toBe(first);
});
