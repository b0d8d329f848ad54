import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { TimeSlice } from '../../src/management/time-slice.ts';

/** A clock that moves when work is done. */
class WorkClock {
  ms = 0;
  wallMs = (): number => 0;
  monotonicMs = (): number => this.ms;
}

/** Does so many ms of work with rests, and says when it is done. */
async function work(clock: WorkClock, ms: number): Promise<void> {
  const timeSlice = new TimeSlice(clock);
  for (let done = 0; done < ms; done++) {
    clock.ms += 1;
    if (timeSlice.due) await timeSlice.rest();
  }
}

/** How many ms of work were done in each turn until all is done. */
async function turnsOf(clock: WorkClock, all: Promise<unknown>): Promise<number[]> {
  const turns: number[] = [];
  let over = false;
  void all.then(() => {
    over = true;
  });
  let before = clock.ms;
  while (!over) {
    await turn();
    turns.push(clock.ms - before);
    before = clock.ms;
  }
  return turns;
}

test('however many answers are made at once, together they have one share of each turn', async () => {
  const clock = new WorkClock();
  const all = Promise.all(Array.from({ length: 50 }, () => work(clock, 20)));
  const turns = await turnsOf(clock, all);
  expect(clock.ms).toBe(50 * 20);
  // The first look at the clock of each comes after a step of 1 ms.
  expect(Math.max(...turns.slice(1))).toBeLessThanOrEqual(6);
});

test('a short answer does not wait for long ones', async () => {
  const clock = new WorkClock();
  const long = Array.from({ length: 20 }, () => work(clock, 500));
  // All of them have rested by then.
  for (let n = 0; n < 30; n++) await turn();
  const beganMs = clock.ms;
  await work(clock, 2);
  expect(clock.ms - beganMs).toBeLessThan(20);
  await Promise.all(long);
});

test('however many short answers come, a long one ends', async () => {
  const clock = new WorkClock();
  let over = false;
  const long = work(clock, 100).then(() => {
    over = true;
  });
  let turns = 0;
  while (!over) {
    for (let n = 0; n < 10; n++) void work(clock, 2);
    await turn();
    turns += 1;
  }
  await long;
  expect(turns).toBeLessThan(200);
});

test('a rest is one, even where there is time left', async () => {
  const clock = new WorkClock();
  const timeSlice = new TimeSlice(clock);
  let turns = 0;
  const counting = async (): Promise<void> => {
    for (; turns < 5; turns++) await turn();
  };
  const counted = counting();
  for (let n = 0; n < 4; n++) await timeSlice.rest();
  expect(turns).toBeGreaterThanOrEqual(3);
  await counted;
});
