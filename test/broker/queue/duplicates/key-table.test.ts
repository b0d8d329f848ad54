// Owns the tests of finding keys by their fingerprints: through the division of parts, through parts that grow and get smaller,
// and with fingerprints that no hash would give.

import { expect, test } from 'vitest';
import { KEY_WORDS, KeyPage } from '../../../../src/broker/queue/duplicates/key-page.ts';
import { KeyTable, NO_KEY } from '../../../../src/broker/queue/duplicates/key-table.ts';
import { withSeed } from '../../../amqp/random.ts';

type Fingerprint = readonly [number, number, number];

/** Pages with keys of these fingerprints, each in a place of its own; and how many of them the table took. */
function fill(table: KeyTable, count: number, of: (n: number) => Fingerprint): number {
  let page: KeyPage | null = null;
  let taken = 0;
  for (let n = 0; n < count; n++) {
    if (page === null || page.full) {
      page = new KeyPage(n, 'time', 0, 0);
      if (!table.addPage(page)) throw new Error('no more pages');
    }
    page.makeRoom();
    page.words.set([...of(n), 1], page.count * KEY_WORDS);
    page.count += 1;
    if (table.link(page, page.count - 1)) taken += 1;
  }
  return taken;
}

test('each of very many keys is found at its place, also once tags have been taken anew, and those alone', () => {
  withSeed((random) => {
    // Parts are divided seven times over: at the fifth their tags tell nothing more.
    const count = 300_000;
    const words = Uint32Array.from({ length: 3 * count }, () => random.below(2 ** 32));
    const of = (n: number): Fingerprint => [...words.subarray(3 * n, 3 * n + 3)] as never;
    const table = new KeyTable();
    expect(fill(table, count, of)).toBe(count);
    const found = (n: number): boolean => {
      const [a, b, c] = of(n);
      const ref = table.find(a, b, c);
      if (ref === NO_KEY) return false;
      const { words: there } = table.pageOf(ref);
      return there[(ref & 255) * KEY_WORDS] === a && there[(ref & 255) * KEY_WORDS + 2] === c;
    };
    for (let n = 0; n < count; n++) {
      if (!found(n)) throw new Error(`key ${n} is not found`);
      const [a, b, c] = of(n);
      if (table.find(a, b ^ 1, c) !== NO_KEY) throw new Error(`another than key ${n} is found`);
    }
    // All but each hundredth go, in an order of their own.
    for (let step = 0; step < count; step++) {
      const n = (step * 7) % count;
      const [a, b, c] = of(n);
      if (n % 100 !== 0) table.remove(table.find(a, b, c));
    }
    expect(table.size).toBe(count / 100);
    for (let n = 0; n < count; n++) {
      if (found(n) !== (n % 100 === 0)) throw new Error(`key ${n}`);
    }
  });
});

test('keys whose fingerprints begin alike are taken up to a bound, and refused beyond it', () => {
  const table = new KeyTable();
  const of = (n: number): Fingerprint => [n * 0x1_0000, n, n];
  const taken = fill(table, 60_000, of);
  expect(taken).toBeGreaterThan(50_000);
  expect(taken).toBeLessThan(60_000);
  expect(table.size).toBe(taken);
  for (let n = 0; n < taken; n++) {
    const [a, b, c] = of(n);
    if (table.find(a >>> 0, b, c) === NO_KEY) throw new Error(`key ${n} is not found`);
  }
  const [a, b, c] = of(taken);
  expect(table.find(a >>> 0, b, c)).toBe(NO_KEY);
});

test('what a table made room for and did not get, it gives back', () => {
  const room = (table: KeyTable): number => {
    const { parts } = table as unknown as { parts: { capacity: number }[] };
    return [...new Set(parts)].reduce((sum, { capacity }) => sum + capacity, 0);
  };
  const table = new KeyTable();
  table.reserve(100_000);
  fill(table, 1_000, (n) => [n * 2_654_435_761, n, n * 40_503]);
  table.trim();
  expect(room(table)).toBeLessThan(10_000);
  expect(table.find((999 * 2_654_435_761) >>> 0, 999, 999 * 40_503)).not.toBe(NO_KEY);
  const empty = new KeyTable();
  empty.reserve(100_000);
  empty.trim();
  expect(room(empty)).toBeLessThan(100);
});
