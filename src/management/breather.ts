// Owns leaving the event loop to others during work that takes long. Never decides what the work is.

import type { Clock } from '../util/clock.ts';
import { setImmediate } from '../util/runtime.ts';

/** How long one may go on before others have their turn. */
const SLICE_MS = 4;

/** Takes breath between steps of some work. */
export class Breather {
  private readonly clock: Clock;
  private untilMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.untilMs = clock.monotonicMs() + SLICE_MS;
  }

  /** Whether it is time to call `rest`. Costs little, so it may be asked after each small step. */
  get due(): boolean {
    return this.clock.monotonicMs() >= this.untilMs;
  }

  /** Resolves once others have had their turn. */
  async rest(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.untilMs = this.clock.monotonicMs() + SLICE_MS;
  }
}

/** So many rows are sorted at a time without a look at the clock. */
const RUN = 512;

/** Sorts by keys that compare with `<`; stable. Rests on the way. */
export async function sortSlowly<T>(
  rows: readonly T[],
  compare: (a: T, b: T) => number,
  breather: Breather,
): Promise<T[]> {
  let from = [...rows];
  for (let start = 0; start < from.length; start += RUN) {
    const run = from.slice(start, start + RUN).sort(compare);
    for (let i = 0; i < run.length; i++) from[start + i] = run[i] as T;
    if (breather.due) await breather.rest();
  }
  for (let width = RUN; width < from.length; width *= 2) {
    const to: T[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      const merging = new Merging(from, start, width);
      while (merging.some(compare, to)) if (breather.due) await breather.rest();
    }
    from = to;
  }
  return from;
}

/** Two runs side by side that become one. They may be all rows there are, so that it is done in parts. */
class Merging<T> {
  private readonly from: readonly T[];
  private left: number;
  private right: number;
  private readonly leftEnd: number;
  private readonly rightEnd: number;

  constructor(from: readonly T[], start: number, width: number) {
    this.from = from;
    this.left = start;
    this.leftEnd = Math.min(start + width, from.length);
    this.right = this.leftEnd;
    this.rightEnd = Math.min(start + 2 * width, from.length);
  }

  /** Adds the next rows in order to `to`; returns whether there were any. */
  some(compare: (a: T, b: T) => number, to: T[]): boolean {
    const { from, leftEnd, rightEnd } = this;
    const end = to.length + Math.min(RUN, leftEnd - this.left + rightEnd - this.right);
    if (end === to.length) return false;
    while (to.length < end) {
      const takeRight =
        this.left === leftEnd ||
        (this.right < rightEnd && compare(from[this.right] as T, from[this.left] as T) < 0);
      to.push(from[takeRight ? this.right++ : this.left++] as T);
    }
    return true;
  }
}
