// Owns the tests of the order in which groups are served, without a queue around it.

import { expect, test } from 'vitest';
import { NO_GROUP } from '../../../../src/broker/queue/groups/group-key.ts';
import { Groups } from '../../../../src/broker/queue/groups/groups.ts';
import { LANE_SEQS, RETURNED_LANES } from '../../../../src/broker/queue/messages/lane.ts';
import { withSeed } from '../../../amqp/random.ts';

const [A, B, C] = [11, 22, 33];

function filled(bound: number, ...keys: number[]): Groups {
  const groups = new Groups(bound, 1);
  keys.forEach((key, seq) => {
    groups.add(key, seq);
  });
  return groups;
}

/** Takes what may go out now, up to so many. */
function takeAll(groups: Groups, most = Infinity): number[] {
  const taken: number[] = [];
  for (let seq = groups.next(); seq >= 0 && taken.length < most; seq = groups.next()) {
    groups.take();
    taken.push(seq);
  }
  return taken;
}

test('groups take turns, and one with very many holds up no other', () => {
  const groups = filled(1, A, A, A, A, B, C);
  expect(takeAll(groups)).toEqual([0, 4, 5]);
  groups.ended(A);
  groups.ended(B);
  groups.ended(C);
  expect(takeAll(groups)).toEqual([1]);
  groups.add(B, 6);
  groups.ended(A);
  expect(takeAll(groups)).toEqual([6, 2]);
});

test('as many of a group may be out as it is said', () => {
  const groups = filled(2, A, A, A, B, B, B);
  expect(takeAll(groups)).toEqual([0, 3, 1, 4]);
  groups.ended(B);
  expect(takeAll(groups)).toEqual([5]);
  groups.setBound(3);
  expect(takeAll(groups)).toEqual([2]);
  groups.setBound(1);
  groups.add(A, 6);
  groups.ended(A);
  groups.ended(A);
  expect(takeAll(groups)).toEqual([]);
  groups.ended(A);
  expect(takeAll(groups)).toEqual([6]);
});

test('what comes back is the first of its group again, and in order among others that do', () => {
  const groups = filled(3, A, A, A, A, B);
  expect(takeAll(groups)).toEqual([0, 4, 1, 2]);
  for (const seq of [2, 0, 1]) {
    groups.put(A, seq);
    groups.ended(A);
  }
  expect(takeAll(groups, 4)).toEqual([0, 1, 2]);
  groups.put(A, RETURNED_LANES * LANE_SEQS + 5);
  groups.ended(A);
  expect(takeAll(groups)).toEqual([RETURNED_LANES * LANE_SEQS + 5]);
});

test('what waits to be tried again holds its group up', () => {
  const groups = filled(1, A, A, B);
  expect(takeAll(groups)).toEqual([0, 2]);
  groups.waits(A);
  groups.ended(A);
  expect(takeAll(groups)).toEqual([]);
  groups.put(A, RETURNED_LANES * LANE_SEQS);
  groups.waited(A);
  expect(takeAll(groups)).toEqual([RETURNED_LANES * LANE_SEQS]);
  groups.waits(A);
  groups.ended(A);
  groups.noneWaits();
  expect(takeAll(groups)).toEqual([1]);
});

test('messages without a group have one turn in common, and wait for none of their own', () => {
  const groups = filled(1, NO_GROUP, NO_GROUP, NO_GROUP, A, A);
  expect(takeAll(groups)).toEqual([0, 3, 1, 2]);
});

test('messages are taken out wherever they stand, and groups without any are forgotten', () => {
  const groups = filled(1, A, B, A, A, C);
  groups.remove(A, 2, false);
  groups.remove(B, 1, true);
  groups.remove(C, 4, false);
  expect(groups.count).toBe(2);
  expect(takeAll(groups)).toEqual([0]);
  groups.ended(A);
  groups.ended(B);
  expect(takeAll(groups)).toEqual([3]);
  groups.ended(A);
  expect(groups.count).toBe(0);
  const purged = filled(1, A, A, B);
  expect(purged.next()).toBe(0);
  purged.take();
  purged.noneReady();
  expect([purged.next(), purged.count]).toEqual([-1, 1]);
  purged.add(A, 9);
  purged.ended(A);
  expect(takeAll(purged)).toEqual([9]);
});

/** Groups with so many messages, all out; and how many places of lines are passed by from then on. */
function allOut(count: number, ...keys: number[]): { groups: Groups; steps: () => number } {
  const groups = new Groups(Infinity, 1);
  for (let seq = 0; seq < count; seq++) groups.add(keys[seq % keys.length] as number, seq);
  expect(takeAll(groups)).toHaveLength(count);
  let steps = 0;
  const lines = groups['lines'];
  const next = lines.next.bind(lines);
  lines.next = (place) => {
    steps += 1;
    return next(place);
  };
  return { groups, steps: () => steps };
}

test('of very many that come back together none is searched for through all others', () => {
  const count = 100_000;
  const { groups, steps } = allOut(count, NO_GROUP);
  for (let seq = 0; seq < count; seq++) {
    groups.put(NO_GROUP, seq);
    groups.ended(NO_GROUP);
  }
  expect(steps()).toBeLessThan(count * 3);
  expect(takeAll(groups)).toEqual(Array.from({ length: count }, (_, seq) => seq));
});

test('in whatever order very many come back, leave and go out, none is searched for through all others', () => {
  const count = 30_000;
  const keys = [A, B];
  const keyOf = (seq: number): number => keys[seq % 2] as number;
  const inOrder = Array.from({ length: count }, (_, seq) => seq);
  const fromBothEnds = inOrder.map((n) => (n % 2 === 0 ? n / 2 : count - (n + 1) / 2));
  const mixed = inOrder.map((n) => (n * 7_919) % count);
  for (const order of [inOrder, fromBothEnds, mixed]) {
    const { groups, steps } = allOut(count, ...keys);
    for (const seq of order) {
      groups.put(keyOf(seq), seq);
      groups.ended(keyOf(seq));
    }
    // Half of them leave, those in the midst first; some of these come back.
    const leaving = mixed.filter((seq) => seq % 3 === 0);
    for (const seq of leaving) groups.remove(keyOf(seq), seq, true);
    for (const seq of leaving.filter((each) => each % 2 === 0)) {
      groups.put(keyOf(seq), seq);
      groups.ended(keyOf(seq));
    }
    const left = inOrder.filter((seq) => seq % 3 !== 0 || seq % 2 === 0);
    const taken = takeAll(groups);
    for (const key of keys) {
      const of = (seqs: readonly number[]): number[] => seqs.filter((seq) => keyOf(seq) === key);
      expect(of(taken)).toEqual(of(left));
    }
    expect(steps()).toBeLessThan(count * 200);
    for (const seq of [...taken, ...leaving.filter((each) => each % 2 !== 0)]) {
      groups.ended(keyOf(seq));
    }
    expect(groups.count).toBe(0);
  }
});

test('groups whose messages come and go in any way give them out in order, as a list would', () => {
  withSeed((random) => {
    const groups = new Groups(1_000, 1);
    const model = new Map<number, { ready: number[]; out: number[] }>([
      [A, { ready: [], out: [] }],
      [B, { ready: [], out: [] }],
    ]);
    let seq = 0;
    for (let n = 0; n < 3_000; n++) {
      const key = random.bool() ? A : B;
      const { ready, out } = model.get(key) as { ready: number[]; out: number[] };
      const act = random.below(10);
      if (act < 4) {
        groups.add(key, seq);
        ready.push(seq);
        seq += 1;
      } else if (act < 6 && ready.length > 0) {
        const unacked = random.bool();
        const [gone] = ready.splice(random.below(ready.length), 1) as [number];
        groups.remove(key, gone, unacked);
        if (unacked) out.push(gone);
      } else if (act < 8 && out.length > 0) {
        const [back] = out.splice(random.below(out.length), 1) as [number];
        groups.put(key, back);
        groups.ended(key);
        ready.push(back);
        ready.sort((a, b) => a - b);
      } else if (random.below(20) === 0) {
        for (const given of takeAll(groups, 1 + random.below(400))) {
          const its = [...model.values()].find((each) => each.ready[0] === given);
          expect(its, `${given} is the first of its group`).toBeDefined();
          its?.ready.shift();
          its?.out.push(given);
        }
      } else if (random.below(100) === 0) {
        groups.noneReady();
        for (const each of model.values()) each.ready = [];
      }
    }
    for (const given of takeAll(groups)) {
      const its = [...model.values()].find((each) => each.ready[0] === given);
      expect(its, `${given} is the first of its group`).toBeDefined();
      its?.ready.shift();
      its?.out.push(given);
    }
    for (const [key, { out, ready }] of model) {
      if (out.length < 1_000) expect(ready).toEqual([]);
      for (const _ of out) groups.ended(key);
    }
  });
});
