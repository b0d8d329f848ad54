// Owns the tests of a cursor among pages that are gone. Where it reads messages is tested with the readings.

import { expect, test } from 'vitest';
import { Cursor } from '../../../../../src/broker/queue/stream/reading/cursor.ts';
import type { ReadStream } from '../../../../../src/broker/queue/stream/reading/read-stream.ts';

const PAGE = 256;

test('it passes by so many damaged pages at a time, and says that it goes on', () => {
  let asked = 0;
  const page = (): null => {
    asked += 1;
    return null;
  };
  const entries = { first: 0, durableTail: 1_000 * PAGE, holds: () => false, page };
  const stream = { deleted: false, paused: false, entries } as unknown as ReadStream;
  const cursor = new Cursor(stream, -1, 0, Infinity, null);
  expect([cursor.find(), cursor.passing, asked]).toEqual([-1, true, 512]);
  expect([cursor.find(), cursor.passing, asked]).toEqual([-1, false, 1_000]);
  expect(cursor.next).toBe(1_000 * PAGE);
});
