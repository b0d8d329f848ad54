// Owns the tests of the table of groups, against a Map.

import { expect, test } from 'vitest';
import { GroupTable, slotOf } from '../../../../src/broker/queue/groups/group-table.ts';
import { withSeed } from '../../../amqp/random.ts';

test('groups are found by their keys, as in a Map, whichever come and go', () => {
  withSeed((random) => {
    const table = new GroupTable(random.below(2 ** 32));
    const map = new Map<number, number>();
    // Keys that are alike in their low bits or in their high ones, too.
    const keyOf = (n: number): number =>
      n % 3 === 0 ? n : n % 3 === 1 ? n * 2 ** 20 : n * 2 ** 32;
    for (let step = 0; step < 60_000; step++) {
      const key = keyOf(1 + random.below(step % 20_000 < 10_000 ? 5_000 : 300));
      if (random.below(5) < 3) {
        const group = table.findOrMake(key);
        expect(map.get(key) ?? group).toBe(group);
        map.set(key, group);
      } else {
        const group = map.get(key) ?? 0;
        expect(table.find(key)).toBe(group);
        if (group !== 0) table.remove(group);
        map.delete(key);
      }
      if (table.count !== map.size) throw new Error('the counts differ');
    }
    expect(new Set(map.values()).size).toBe(map.size);
    for (const [key, group] of map) {
      expect(table.find(key)).toBe(group);
      expect(table.chunk(group).keys[slotOf(group)]).toBe(key);
    }
    for (const group of [...map.values()]) table.remove(group);
    expect([table.count, table.end]).toEqual([0, 1]);
  });
});

test('numbers of groups that are gone are used again', () => {
  const table = new GroupTable(7);
  const kept = table.findOrMake(2 ** 40);
  for (let round = 0; round < 100; round++) {
    const groups = Array.from({ length: 1_000 }, (_, n) => table.findOrMake(round * 1_000 + n));
    expect(table.end).toBe(1_002);
    for (const group of groups) table.remove(group);
  }
  expect(table.find(2 ** 40)).toBe(kept);
});
