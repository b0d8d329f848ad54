// Random choices that a printed seed repeats: one generator a purpose, named after it.
// Never used for anything that must be hard to guess.
import { createHash } from 'node:crypto';

/**
 * @typedef {object} Random
 * @property {() => number} next a number from 0 to just below 1
 * @property {(low: number, high: number) => number} int an integer, both ends included
 * @property {(probability: number) => boolean} chance
 * @property {<T>(list: readonly T[]) => T} pick
 */

/**
 * @param {string} seed
 * @returns {Random}
 */
export function createRandom(seed) {
  const digest = createHash('sha256').update(seed).digest();
  let a = digest.readUInt32LE(0);
  let b = digest.readUInt32LE(4);
  let c = digest.readUInt32LE(8);
  let counter = 1;
  // sfc32: small, fast and good enough to vary a test.
  function next() {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum / 4294967296;
  }
  const int = (low, high) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => list[int(0, list.length - 1)],
  };
}
