// Random numbers that a seed repeats.
import { createRandom } from '../crash/random.mjs';

/** `next()` is below 1, `below(n)` a whole number below n. */
export function randomOf(seed) {
  const { next, int } = createRandom(seed);
  return { next, below: (n) => int(0, n - 1) };
}
