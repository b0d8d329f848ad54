// Owns random numbers that can be had again: the seed is printed, and SEED=... repeats a run.
// Never used outside tests.

/** Whole numbers below a bound, and picks from a list. */
export interface SeededRandom {
  below(bound: number): number;
  pick<T>(list: readonly T[]): T;
}

/** A source of random numbers (mulberry32) with a new seed each run, or with SEED. */
export function seeded(): SeededRandom {
  const given = process.env['SEED'];
  let state = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  console.log(`seed: SEED=${state}`);
  const below = (bound: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
  return { below, pick: <T>(list: readonly T[]) => list[below(list.length)] as T };
}
