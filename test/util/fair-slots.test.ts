import { expect, test } from 'vitest';
import type { Clock } from '../../src/util/clock.ts';
import { FairSlots } from '../../src/util/fair-slots.ts';

/** Slots, and a clock that the test moves. */
class Stage {
  nowMs = 0;
  wakes = 0;
  turns = 0;
  readonly begun: string[] = [];
  readonly cut: string[] = [];
  readonly slots: FairSlots;

  constructor(max = 4) {
    const clock: Clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    const wake = (): void => {
      this.wakes += 1;
    };
    const soon = (): void => {
      this.turns += 1;
    };
    this.slots = new FairSlots({ clock, wake, soon }, 5000, max);
  }

  /** Lets the turns pass that were asked for, or one of them. */
  pump(all = true): void {
    while (this.turns > 0) {
      this.turns -= 1;
      this.slots.pump();
      if (!all) return;
    }
  }

  come(name: string, address: string): object {
    const peer = {};
    const begin = (): unknown => this.begun.push(name);
    const cut = (): unknown => this.cut.push(name);
    this.slots.came(peer, address, begin, cut);
    return peer;
  }

  passes(ms: number): void {
    this.pump();
    this.nowMs += ms;
    this.slots.look();
  }
}

test('some begin at once, the others when a slot is left', () => {
  const stage = new Stage();
  const peers = Array.from({ length: 6 }, (_, n) => stage.come(`p${n}`, '10.0.0.2'));
  stage.pump();
  expect(stage.begun).toEqual(['p0', 'p1', 'p2', 'p3']);
  stage.slots.left(peers[1] as object);
  stage.pump();
  expect(stage.begun.at(-1)).toBe('p4');
  for (const peer of peers) stage.slots.left(peer);
  stage.pump();
  expect([stage.slots.size, stage.cut.length]).toEqual([0, 0]);
});

test('the address with fewest slots is next', () => {
  const stage = new Stage();
  const peers = Array.from({ length: 500 }, (_, n) => stage.come(`m${n}`, '10.0.0.2'));
  stage.pump();
  stage.come('alice', '10.0.0.1');
  stage.slots.left(peers[0] as object);
  stage.pump();
  expect(stage.begun.at(-1)).toBe('alice');
});

test('an address that holds all slots and does nothing loses some to another one after a second', () => {
  const stage = new Stage();
  for (let n = 0; n < 500; n++) stage.come(`m${n}`, '10.0.0.2');
  stage.pump();
  stage.come('alice', '10.0.0.1');
  expect(stage.wakes).toBe(1);
  stage.passes(900);
  expect([stage.begun.includes('alice'), stage.cut]).toEqual([false, []]);
  stage.passes(100);
  expect([stage.begun.includes('alice'), stage.cut]).toEqual([true, ['m0']]);
  expect(stage.wakes).toBe(3);
});

test('addresses with an equal share take nothing from one another', () => {
  const stage = new Stage();
  for (const address of ['10.0.0.2', '10.0.0.3']) {
    for (let n = 0; n < 10; n++) stage.come('p', address);
    stage.pump();
  }
  stage.passes(1000);
  stage.passes(1000);
  // Of the first, two slots went to the second.
  expect(stage.cut).toHaveLength(2);
});

test('a peer that waits too long is cut', () => {
  const stage = new Stage();
  for (let n = 0; n < 6; n++) stage.come(`m${n}`, '10.0.0.2');
  stage.passes(4999);
  expect(stage.cut).toEqual([]);
  stage.passes(1);
  expect(stage.cut).toEqual(['m4', 'm5']);
  // Those that have a slot have a deadline of their own.
  expect(stage.slots.size).toBe(4);
});

test('one that leaves the line is not begun', () => {
  const stage = new Stage(1);
  const first = stage.come('first', '10.0.0.2');
  stage.pump();
  stage.slots.left(stage.come('gone', '10.0.0.2'));
  stage.come('next', '10.0.0.2');
  stage.slots.left(first);
  stage.pump();
  expect(stage.begun).toEqual(['first', 'next']);
});

test('16 begin in one turn, however many come and go', () => {
  const stage = new Stage(1000);
  for (let n = 0; n < 100; n++) stage.come(`m${n}`, '10.0.0.2');
  expect([stage.begun.length, stage.turns]).toEqual([0, 1]);
  stage.pump(false);
  expect([stage.begun.length, stage.turns]).toEqual([16, 1]);
  stage.pump();
  expect(stage.begun).toHaveLength(100);
});

test('addresses with as many slots take turns, also where each slot is left at once', () => {
  const stage = new Stage(1);
  const peers: object[] = [];
  for (const name of ['a', 'b', 'c']) {
    for (let n = 0; n < 3; n++) peers.push(stage.come(name, `10.0.0.${name}`));
  }
  stage.pump();
  while (stage.begun.length < 9) {
    // Names and peers are in the same order: the one that began last is the first of its name that is there.
    const at = 'abc'.indexOf(stage.begun.at(-1) as string) * 3;
    const nth = stage.begun.filter((each) => each === stage.begun.at(-1)).length - 1;
    stage.slots.left(peers[at + nth] as object);
    stage.pump();
  }
  expect(stage.begun.join('')).toBe('abcabcabc');
});
