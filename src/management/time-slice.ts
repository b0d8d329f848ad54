// Owns leaving the event loop to others during work that takes long. Never decides what the work is.

import type { Clock } from '../util/clock.ts';
import { type Rows, sorting } from '../util/rows.ts';
import { type TurnShare, turnShareOf } from './turn-share.ts';

/**
 * The time of some work, which rests when its slice of a turn is used up. All of them share some of each turn of the
 * event loop.
 */
export class TimeSlice {
  private readonly clock: Clock;
  private readonly share: TurnShare;
  private untilMs: number;
  private fresh = true;

  constructor(clock: Clock) {
    this.clock = clock;
    this.share = turnShareOf(clock);
    this.untilMs = this.share.begin();
  }

  /** Whether it is time to call `rest`. Costs little, so it may be asked after each small step. */
  get due(): boolean {
    return this.clock.monotonicMs() >= this.untilMs;
  }

  /** Resolves once others have had their turn. */
  async rest(): Promise<void> {
    const { share, fresh } = this;
    this.fresh = false;
    this.untilMs = await new Promise<number>((resolve) => share.wait(fresh, resolve));
  }
}

/** Takes the steps of some work, with rests between them; returns what it comes to. */
export async function walked<T>(walk: Iterator<unknown, T>, timeSlice: TimeSlice): Promise<T> {
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value;
    if (timeSlice.due) await timeSlice.rest();
  }
}

/** All rows of a list, with rests on the way. */
export async function collected<T>(rows: Rows<T>, timeSlice: TimeSlice): Promise<T[]> {
  const all: T[] = [];
  for (const row of rows) {
    if (row !== null) all.push(row);
    if (timeSlice.due) await timeSlice.rest();
  }
  return all;
}

/** Sorts by keys that compare with `<`; stable. Rests on the way. */
export function sortInSlices<T>(
  rows: readonly T[],
  compare: (a: T, b: T) => number,
  timeSlice: TimeSlice,
): Promise<T[]> {
  return walked(sorting(rows, compare), timeSlice);
}
