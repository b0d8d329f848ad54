// Owns how a bench is measured: operations per second, and bytes allocated and kept per operation.
// Never knows what is measured: each *.bench.ts exports a list, and run.ts names the lists.

/** Does the operation `count` times, in a loop of its own so that the kit costs nothing. */
export type Run = (count: number) => void | Promise<void>;

/**
 * One line of the report. `prepare` makes the state and returns the loop over it. V8 learns types
 * per function in the source, so two benches that must not spoil each other's call sites need two
 * functions; two that share one, as all exchange types share a call in the broker, measure that.
 */
export interface Bench {
  readonly name: string;
  prepare(): Run | Promise<Run>;
}

/** What a bench came to. */
export interface Figures {
  readonly name: string;
  readonly opsPerSecond: number;
  /** Half the distance between the best and the worst round, as a part of the median. */
  readonly spread: number;
  /** JavaScript objects allocated, kept or not. */
  readonly heapBytes: number;
  /** Buffers and other memory outside the heap, allocated and not yet freed at the end of a round. */
  readonly externalBytes: number;
  /** What is still there after a collection, heap and external together. */
  readonly keptBytes: number;
}

const ROUNDS = 7;
const ROUND_MS = 150;
/** A round that counts bytes allocates this much, and at most four times as much. */
const ALLOCATED_MIN_BYTES = 2 * 1024 * 1024;
/** Flags under which the figures hold: the young generation must hold a counted round. */
export const NODE_FLAGS = ['--expose-gc', '--max-semi-space-size=64', '--min-semi-space-size=64'];

let sink: unknown;

/** Keeps V8 from dropping work whose result nobody reads. */
export function keep(value: unknown): void {
  sink = value;
}

/** Measures one bench. */
async function measure(bench: Bench): Promise<Figures> {
  const run = await bench.prepare();
  const count = await calibrate(run);
  const rounds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    collect();
    rounds.push((count * 1_000) / (await timeMs(run, count)));
  }
  rounds.sort((a, b) => a - b);
  const opsPerSecond = median(rounds);
  const spread = ((rounds.at(-1) as number) - (rounds[0] as number)) / 2 / opsPerSecond;
  const bytes = await countBytes(run, count);
  keep(sink);
  return { name: bench.name, opsPerSecond, spread, ...bytes };
}

/** Measures all and prints a table, a line as soon as it is there. */
export async function report(title: string, benches: readonly Bench[]): Promise<void> {
  const wide = Math.max(40, ...benches.map((bench) => bench.name.length));
  const head = ['ops/s', 'ns/op', '±', 'heap B/op', 'external B/op', 'kept B/op'];
  console.log(`\n${title.padEnd(wide)}${head.map((name) => name.padStart(14)).join('')}`);
  for (const bench of benches) {
    const f = await measure(bench);
    const cells = [
      Math.round(f.opsPerSecond).toLocaleString('en'),
      (1e9 / f.opsPerSecond).toFixed(1),
      `${(f.spread * 100).toFixed(0)} %`,
      f.heapBytes.toFixed(1),
      f.externalBytes.toFixed(1),
      f.keptBytes.toFixed(1),
    ];
    console.log(f.name.padEnd(wide) + cells.map((cell) => cell.padStart(14)).join(''));
  }
}

/** Finds how many operations fill a round, and lets V8 optimise the loop on the way. */
async function calibrate(run: Run): Promise<number> {
  let count = 1;
  for (;;) {
    const ms = await timeMs(run, count);
    if (ms >= ROUND_MS / 2) {
      const full = Math.max(1, Math.round((count * ROUND_MS) / ms));
      await run(full);
      return full;
    }
    count *= ms < ROUND_MS / 20 ? 4 : 2;
  }
}

async function timeMs(run: Run, count: number): Promise<number> {
  const start = performance.now();
  const running = run(count);
  if (running !== undefined) await running;
  return performance.now() - start;
}

type Bytes = Pick<Figures, 'heapBytes' | 'externalBytes' | 'keptBytes'>;

/** The medians of what rounds leave behind, before and after a collection. */
async function countBytes(run: Run, countMax: number): Promise<Bytes> {
  // So few operations that no collection comes between, so many that V8's own steps do not show.
  let count = Math.min(countMax, 1_000);
  while (count < countMax && (await bytesOf(run, count)).heapBytes * count < ALLOCATED_MIN_BYTES) {
    count = Math.min(countMax, count * 4);
  }
  const rounds: Bytes[] = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await bytesOf(run, count));
  const middle = (of: (round: Bytes) => number) =>
    Math.max(0, median(rounds.map(of).sort((a, b) => a - b)));
  return {
    heapBytes: middle((round) => round.heapBytes),
    externalBytes: middle((round) => round.externalBytes),
    keptBytes: middle((round) => round.keptBytes),
  };
}

async function bytesOf(run: Run, count: number): Promise<Bytes> {
  collect();
  const before = process.memoryUsage();
  const running = run(count);
  if (running !== undefined) await running;
  const after = process.memoryUsage();
  collect();
  const kept = process.memoryUsage();
  // `external` counts array buffers as well.
  return {
    heapBytes: (after.heapUsed - before.heapUsed) / count,
    externalBytes: (after.external - before.external) / count,
    keptBytes: (kept.heapUsed + kept.external - before.heapUsed - before.external) / count,
  };
}

/** Operations of a counted round: so many that what V8 does once hardly shows, and no collection comes between. */
const COUNTED_OPERATIONS = 64_000;
/** Before them: V8 has seen enough to optimise what runs. */
const WARM_UP_ROUNDS = 4;
/** V8 optimises on a thread of its own, which a busy machine may keep waiting. */
const COUNTED_ROUNDS_MAX = 40;

/**
 * Bytes that one operation allocates, heap and external together: the least that a round came to, since all that
 * disturbs adds to it. Counting ends as soon as a round has no more than `enough`. No part of it measures time.
 */
export async function allocatedBytes(bench: Bench, enough: number): Promise<number> {
  const run = await bench.prepare();
  for (let i = 0; i < WARM_UP_ROUNDS; i++) await run(COUNTED_OPERATIONS);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COUNTED_ROUNDS_MAX && least > enough; i++) {
    const { heapBytes, externalBytes } = await bytesOf(run, COUNTED_OPERATIONS);
    least = Math.min(least, heapBytes + Math.max(0, externalBytes));
  }
  keep(sink);
  return least;
}

function collect(): void {
  if (globalThis.gc === undefined) throw new Error(`run node with ${NODE_FLAGS.join(' ')}`);
  globalThis.gc();
}

function median(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] as number;
}
