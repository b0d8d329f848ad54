// Owns the tests of which segments stay listed as in memory.

import { expect, test } from 'vitest';
import { ResidentSegments } from '../../../src/message/log/resident-segments.ts';
import { Segment } from '../../../src/message/log/segment.ts';

/** A closed segment in memory. */
function segmentOf(id: number): Segment {
  return new Segment(id, false, Buffer.alloc(100), false);
}

test('segments that are gone do not stay listed, with a limit and without', () => {
  for (const limit of [Number.POSITIVE_INFINITY, 2 ** 40]) {
    const residents = new ResidentSegments(limit, null);
    for (let id = 0; id < 50_000; id++) {
      const segment = segmentOf(id);
      residents.enter(segment);
      segment.bytes = null;
    }
    expect(residents.listed).toBeLessThan(2_100);
  }
});

test('segments that are in memory stay listed, and count', () => {
  const residents = new ResidentSegments(100_000, null);
  const kept = Array.from({ length: 5_000 }, (_, id) => segmentOf(id));
  for (const segment of kept) {
    residents.enter(segment);
    const other = segmentOf(1_000_000 + segment.id);
    residents.enter(other);
    other.bytes = null;
  }
  expect(residents.overLimit).toBe(true);
  const unstored = residents.evict(() => expect.unreachable('no store has any of them'));
  expect(unstored.length).toBeGreaterThan(4_000);
  expect(residents.listed).toBe(5_000);
});
