// Owns how often a simulation is run: from a seed of its own until all that may happen has happened. SEED=... plays
// one run again, SIMULATION_RUNS=... looks for longer.

import { expect } from 'vitest';

const SEED = process.env['SEED'];

/** What a run counted: how often each event came about. */
export type EventCounts = Record<string, number>;

/** How often a simulation runs at least. */
export function runsMin(usual: number): number {
  return Number(process.env['SIMULATION_RUNS'] ?? usual);
}

/**
 * Runs a simulation with one seed after the other: `min` times, and up to `more` times more until each event it
 * counts has come about. A simulation in which something never happens would prove nothing about it; one run may.
 */
export function runSimulation(
  min: number,
  more: number,
  simulate: (seed: number) => EventCounts,
): void {
  const first = Number(SEED ?? Math.floor(Math.random() * 2 ** 32));
  const totals = new Map<string, number>();
  let missing: string[] = [];
  let runs = 0;
  do {
    for (const [what, count] of Object.entries(simulate(first + runs))) {
      totals.set(what, (totals.get(what) ?? 0) + count);
    }
    runs += 1;
    missing = [...totals].filter(([, count]) => count === 0).map(([what]) => what);
  } while (SEED === undefined && (runs < min || (missing.length > 0 && runs < min + more)));
  console.log(`${runs} runs from SEED=${first}:`, Object.fromEntries(totals));
  if (SEED === undefined) expect(missing).toEqual([]);
}

/** Runs `steps` with a random seed; a failure names the seed and where it came. */
export function withSeed<T>(seed: number, at: () => number, steps: () => T): T {
  try {
    return steps();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`SEED=${seed}, step ${at()}: ${reason}`, { cause });
  }
}
