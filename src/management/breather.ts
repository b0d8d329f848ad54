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
      merge(from, start, start + width, start + 2 * width, compare, to);
      if (breather.due) await breather.rest();
    }
    from = to;
  }
  return from;
}

function merge<T>(
  from: readonly T[],
  left: number,
  middle: number,
  end: number,
  compare: (a: T, b: T) => number,
  to: T[],
): void {
  let a = left;
  let b = Math.min(middle, from.length);
  const [aEnd, bEnd] = [b, Math.min(end, from.length)];
  while (a < aEnd && b < bEnd) {
    const takeB = compare(from[b] as T, from[a] as T) < 0;
    to.push(from[takeB ? b++ : a++] as T);
  }
  while (a < aEnd) to.push(from[a++] as T);
  while (b < bEnd) to.push(from[b++] as T);
}
