import { expect, test } from 'vitest';
import { shareOut } from '../../../../../src/broker/queue/stream/reading/assignment.ts';
import { seeded } from '../../../exchange/random.ts';

const RUNS = 500;

const countsOf = (members: readonly string[], shares: readonly (string | null)[]): number[] =>
  members.map((member) => shares.filter((share) => share === member).length);

test.each<[string, string[], (string | null)[], (string | null)[]]>([
  ['nobody is there', [], ['a', null], [null, null]],
  ['one is alone', ['a'], [null, null, null], ['a', 'a', 'a']],
  ['one joins', ['a', 'b'], ['a', 'a', 'a', 'a'], ['a', 'a', 'b', 'b']],
  ['one joins and the number is odd', ['a', 'b'], ['a', 'a', 'a'], ['a', 'a', 'b']],
  ['one left', ['b', 'c'], ['a', 'b', 'c', 'a'], ['b', 'b', 'c', 'c']],
  ['there are more than partitions', ['a', 'b', 'c'], ['c', 'a'], ['c', 'a']],
  ['there is nothing to share', ['a'], [], []],
])('where %s', (_, members, owners, shares) => {
  expect(shareOut(members, owners)).toEqual(shares);
});

test('shares are even, and no more moves than has to', () => {
  const random = seeded();
  for (let run = 0; run < RUNS; run++) {
    const members = Array.from({ length: 1 + random.below(6) }, (_, n) => `m${n}`);
    const owners = Array.from({ length: random.below(20) }, () =>
      random.pick([...members, 'gone', null]),
    );
    const shares = shareOut(members, owners);
    const counts = countsOf(members, shares);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(owners.length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    // Each keeps what it had, up to the least share and one more for so many as there are larger shares.
    const least = Math.floor(owners.length / members.length);
    const larger = owners.length % members.length;
    const before = countsOf(members, owners);
    const most =
      before.reduce((sum, count) => sum + Math.min(count, least), 0) +
      Math.min(larger, before.filter((count) => count > least).length);
    const kept = shares.filter((share, i) => share === owners[i]).length;
    expect([run, kept]).toEqual([run, most]);
    // What is shared out anew to the same members stays.
    expect(shareOut(members, shares)).toEqual(shares);
  }
});
