import { describe, expect, test } from 'vitest';
import {
  FOLLOWER_KEPT_MS,
  isTrimDue,
  type TrimFacts,
  trimPoint,
} from '../../../src/cluster/snapshots/trim.ts';

const NOW = 1_700_000_000_000;

const follower = (node: string, appliedSeq: number, agoMs = 0) => ({
  node,
  appliedSeq,
  seenMs: NOW - agoMs,
});

const facts = (changed: Partial<TrimFacts>): TrimFacts => ({
  followers: [follower('a', 1000), follower('b', 1000), follower('c', 1000)],
  snapshots: [
    { node: 'a', seqs: [500, 300] },
    { node: 'b', seqs: [400] },
  ],
  nowMs: NOW,
  lastTrimmed: 1,
  margin: 0,
  ...changed,
});

describe('the log is trimmed', () => {
  test('behind what the newest snapshots of two nodes cover, and what is in them goes', () => {
    expect(trimPoint(facts({}))).toBe(401);
  });

  test('not behind snapshots of one node alone, however many', () => {
    expect(trimPoint(facts({ snapshots: [{ node: 'a', seqs: [500, 499] }] }))).toBeNull();
    const twice = [
      { node: 'a', seqs: [500] },
      { node: 'a', seqs: [499] },
    ];
    expect(trimPoint(facts({ snapshots: twice }))).toBeNull();
    expect(trimPoint(facts({ snapshots: [] }))).toBeNull();
  });

  test('no further than before, once a snapshot is deleted', () => {
    const one = [
      { node: 'a', seqs: [500] },
      { node: 'b', seqs: [] },
    ];
    expect(trimPoint(facts({ snapshots: one }))).toBeNull();
    const older = [
      { node: 'a', seqs: [500] },
      { node: 'b', seqs: [200] },
    ];
    expect(trimPoint(facts({ snapshots: older, lastTrimmed: 401 }))).toBeNull();
  });

  test('up to the follower that is furthest behind, while it is seen', () => {
    const behind = (agoMs: number) => [follower('a', 1000), follower('b', 90, agoMs)];
    expect(trimPoint(facts({ followers: behind(FOLLOWER_KEPT_MS) }))).toBe(91);
    expect(trimPoint(facts({ followers: behind(FOLLOWER_KEPT_MS + 1) }))).toBe(401);
    // By a clock that was set back it was seen in the future.
    expect(trimPoint(facts({ followers: behind(-FOLLOWER_KEPT_MS * 2) }))).toBe(91);
    expect(trimPoint(facts({ followers: [follower('b', 0)] }))).toBeNull();
  });

  test('less by the margin, and only where that is more than before', () => {
    expect(trimPoint(facts({ margin: 100 }))).toBe(301);
    expect(trimPoint(facts({ margin: 100, lastTrimmed: 301 }))).toBeNull();
    expect(trimPoint(facts({ margin: 100, lastTrimmed: 300 }))).toBe(301);
    expect(trimPoint(facts({ margin: 5000 }))).toBeNull();
  });

  test('by nothing that cannot be a place', () => {
    for (const wrong of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY]) {
      const snapshots = [
        { node: 'a', seqs: [wrong, 500] },
        { node: 'b', seqs: [wrong] },
      ];
      expect(trimPoint(facts({ snapshots }))).toBeNull();
      expect(trimPoint(facts({ followers: [follower('a', wrong)] }))).toBeNull();
    }
  });

  test('little and often', () => {
    expect(isTrimDue(64 * 2 ** 20 - 1)).toBe(false);
    expect(isTrimDue(64 * 2 ** 20)).toBe(true);
  });
});

test('of random facts, all that is trimmed is in snapshots of two nodes and in all tables', () => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let trimmed = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const nodes = ['a', 'b', 'c', 'd'].slice(0, 1 + random(4));
    const given = facts({
      followers: nodes.map((node) => follower(node, random(30), random(2 * FOLLOWER_KEPT_MS))),
      snapshots: nodes.map((node) => ({
        node,
        seqs: Array.from({ length: random(3) }, () => random(30)),
      })),
      lastTrimmed: random(20),
      margin: random(3),
    });
    const point = trimPoint(given);
    if (point === null) continue;
    trimmed += 1;
    const covering = given.snapshots.filter(({ seqs }) => seqs.some((seq) => seq >= point - 1));
    expect(covering.length).toBeGreaterThanOrEqual(2);
    for (const { appliedSeq, seenMs } of given.followers) {
      if (NOW - seenMs <= FOLLOWER_KEPT_MS) expect(appliedSeq).toBeGreaterThanOrEqual(point - 1);
    }
    expect(point).toBeGreaterThan(given.lastTrimmed);
  }
  expect(trimmed).toBeGreaterThan(1000);
});
