// Owns the tests of long acts: how they share turns, their order, and what may be sealed meanwhile.

import { beforeEach, expect, test } from 'vitest';
import { Slices, type Steps } from '../../../src/broker/turn/slices.ts';
import { FakeClock } from '../../server/support.ts';

let clock: FakeClock;
let turns: number;
let slices: Slices;
let seen: string[];

beforeEach(() => {
  clock = new FakeClock();
  turns = 0;
  seen = [];
  slices = new Slices(clock, () => {
    turns += 1;
  });
});

/** An act of so many steps, each of which takes some time. */
function* act(name: string, steps: number, stepMs: number): Steps {
  for (let i = 0; i < steps; i++) {
    seen.push(`${name}${i}`);
    clock.nowMs += stepMs;
    yield;
  }
}

test('a short act is over at once', () => {
  let done = false;
  expect(
    slices.begin(act('a', 3, 0), () => {
      done = true;
    }),
  ).toBe(true);
  expect(done).toBe(true);
  expect(slices.any).toBe(false);
});

test('a long act takes a part of each turn, and asks for the next', () => {
  let done = 0;
  expect(slices.begin(act('a', 20, 1), () => done++)).toBe(false);
  expect(seen).toHaveLength(5);
  expect(turns).toBeGreaterThan(0);
  expect(slices.run()).toBe(true);
  expect(seen).toHaveLength(10);
  while (slices.run()) expect(done).toBe(0);
  expect(done).toBe(1);
  expect(seen).toHaveLength(20);
});

test('all acts together have one share of a turn, however many begin', () => {
  for (const name of ['a', 'b', 'c', 'd']) slices.begin(act(name, 100, 1), () => {});
  expect(seen.length).toBeLessThanOrEqual(5);
  const { length } = seen;
  slices.run();
  expect(seen.length - length).toBeLessThanOrEqual(5);
});

test('every act comes on, whatever the others do', () => {
  const over: string[] = [];
  slices.begin(act('long', 10_000, 1), () => over.push('long'));
  for (const name of ['a', 'b', 'c']) slices.begin(act(name, 10, 1), () => over.push(name));
  for (let i = 0; i < 40 && over.length < 3; i++) slices.run();
  expect([...over].sort()).toEqual(['a', 'b', 'c']);
});

test('nothing is sealed while an act is half done that has to be in one batch', () => {
  slices.begin(act('a', 8, 1), () => {}, true);
  expect(slices.sealable).toBe(false);
  while (slices.run());
  expect(slices.sealable).toBe(true);
});

test('what is to come later comes in the next turn', () => {
  let come = false;
  slices.later(() => {
    come = true;
  });
  expect(come).toBe(false);
  slices.run();
  expect(come).toBe(true);
});

test('at a stop all acts come to their end', () => {
  let done = 0;
  slices.begin(act('a', 50, 1), () => done++);
  slices.begin(act('b', 50, 1), () => done++, true);
  slices.finish();
  expect(done).toBe(2);
  expect(seen).toHaveLength(100);
  expect(slices.sealable).toBe(true);
});

test('acts that have to be whole go one after the other, and a batch that is awaited is sealed between', () => {
  let awaited = true;
  slices = new Slices(
    clock,
    () => {
      turns += 1;
    },
    () => awaited,
  );
  const ended: string[] = [];
  const begin = (name: string) => slices.begin(act(name, 8, 1), () => ended.push(name), true);
  for (const name of ['a', 'b', 'c']) expect(begin(name)).toBe(false);
  while (slices.run()) expect(slices.sealable).toBe(false);
  expect(ended).toEqual(['a']);
  expect(slices.sealable).toBe(true);
  expect(slices.any).toBe(true);
  expect(begin('d'), 'one that is short waits behind them').toBe(false);
  turns = 0;
  slices.sealed();
  expect(turns).toBe(1);
  while (slices.run()) expect(slices.sealable).toBe(false);
  expect(ended).toEqual(['a', 'b']);
  // Nobody waits any more: they need not either.
  awaited = false;
  while (slices.run()) {}
  expect(ended).toEqual(['a', 'b', 'c', 'd']);
  expect(slices.any).toBe(false);
  expect(seen.map((step) => step[0]).join('')).toMatch(/^a+b+c+d+$/);
});

test('a broker that stops ends acts that have not begun', () => {
  const ended: string[] = [];
  for (const name of ['a', 'b']) slices.begin(act(name, 20, 1), () => ended.push(name), true);
  slices.finish();
  expect(ended).toEqual(['a', 'b']);
  expect(slices.sealable).toBe(true);
});
