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

/** Brings all up to what changed for all at once. */
function renew(groups: Groups): void {
  while (groups.renewSome()) {}
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
  renew(groups);
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
  renew(groups);
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
  renew(purged);
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
        if (random.bool()) renew(groups);
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

/** A million groups would do the same: each has two messages, of which one is out, or waits. */
function very(many: number, waits: boolean): Groups {
  const groups = new Groups(1, 1);
  for (let key = 1; key <= many; key++) {
    groups.add(key, 2 * key);
    groups.add(key, 2 * key + 1);
  }
  for (let key = 1; key <= many; key++) {
    groups.take();
    if (!waits) continue;
    groups.waits(key);
    groups.ended(key);
  }
  expect(groups.next()).toBe(-1);
  return groups;
}

/** How many groups an act looks at. */
function looksAt(groups: Groups, act: () => unknown): number {
  const table = groups['table'];
  let looks = 0;
  const chunk = table.chunk.bind(table);
  table.chunk = (group) => {
    looks += 1;
    return chunk(group);
  };
  act();
  table.chunk = chunk;
  return looks;
}

const MANY = 20_000;

test('what changes for very many groups at once looks at none of them, and then at some at a time', () => {
  const changes: [waits: boolean, change: (groups: Groups) => void, out: number][] = [
    [true, (groups) => groups.noneWaits(), MANY],
    [false, (groups) => groups.noneReady(), 0],
    [false, (groups) => groups.setBound(2), MANY],
  ];
  for (const [waits, change, out] of changes) {
    const groups = very(MANY, waits);
    expect(looksAt(groups, () => change(groups))).toBe(0);
    let times = 1;
    for (let more = true; more; times++) {
      const looks = looksAt(groups, () => {
        more = groups.renewSome();
      });
      expect(looks).toBeLessThan(10_000);
    }
    expect(times).toBeGreaterThan(15);
    expect(takeAll(groups)).toHaveLength(out);
    for (let key = 1; key <= MANY; key++) for (let n = 0; n < 2; n++) groups.ended(key);
    expect(groups.count).toBe(0);
  }
});

test('a group that is looked at in between is up to what changed, and the others are all the same', () => {
  const purged = very(MANY, false);
  purged.noneReady();
  purged.add(7, 100_000);
  purged.ended(8);
  expect(purged.next()).toBe(-1);
  purged.ended(7);
  expect(takeAll(purged)).toEqual([100_000]);
  renew(purged);
  expect(purged.count).toBe(MANY - 1);
  const dropped = very(MANY, true);
  dropped.noneWaits();
  dropped.waits(7);
  dropped.waited(8);
  // What was dropped counts no more, and what waits since then does.
  expect(takeAll(dropped)).toEqual([2 * 8 + 1]);
  renew(dropped);
  expect(takeAll(dropped)).toHaveLength(MANY - 2);
  dropped.waited(7);
  expect(takeAll(dropped)).toEqual([2 * 7 + 1]);
  dropped.noneReady();
  dropped.noneWaits();
  renew(dropped);
  expect(dropped.count).toBe(MANY);
});
