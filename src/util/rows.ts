// Owns going over many rows a few at a time: where other work may have its turn, and the order of rows.
// Never decides whether it has that turn: the code that goes over the rows does.

/**
 * Rows one by one, and null for each that was looked at and is none of them: others may have their turn
 * behind each of both. What comes between two takes some microseconds.
 */
export type Rows<T> = Iterable<T | null>;

/** A look at many things with one answer at its end; others may have their turn at each step. */
export type Walk<T> = Generator<null, T, undefined>;

/** So many rows are sorted or merged in one step. */
const RUN = 512;

/** The rows themselves, for tools that no other work waits for. */
export function* found<T>(rows: Rows<T>): Generator<T, void, undefined> {
  for (const row of rows) if (row !== null) yield row;
}

/** The answer of a walk at once, where no other work waits for it. */
export function atOnce<T>(walk: Walk<T>): T {
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value;
  }
}

/** Rows in order. Equals stay as they came. */
export function* inOrder<T>(
  rows: Rows<T>,
  compare: (a: T, b: T) => number,
): Generator<T | null, void, undefined> {
  const all: T[] = [];
  for (const row of rows) {
    if (row !== null) all.push(row);
    yield null;
  }
  yield* yield* sorting(all, compare);
}

/** Sorts rows; equals stay as they came. */
export function* sorting<T>(rows: readonly T[], compare: (a: T, b: T) => number): Walk<T[]> {
  // A copy by `slice` costs next to nothing, a spread as much as a look at each.
  let from = rows.slice();
  for (let start = 0; start < from.length; start += RUN) {
    const run = from.slice(start, start + RUN).sort(compare);
    for (let i = 0; i < run.length; i++) from[start + i] = run[i] as T;
    yield null;
  }
  for (let width = RUN; width < from.length; width *= 2) {
    const to: T[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      const merging = new Merging(from, start, width);
      while (merging.some(compare, to)) yield null;
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
