// Owns the tests of how tools write a place in a stream.

import { expect, test } from 'vitest';
import { readStreamStart } from '../../../../src/broker/view/queues/stream-start.ts';
import type { JsonValue } from '../../../../src/util/json/json.ts';

test.each<[JsonValue, object]>([
  ['first', { kind: 'first' }],
  ['last', { kind: 'last' }],
  ['next', { kind: 'next' }],
  [7, { kind: 'offset', offset: 7 }],
  ['7', { kind: 'offset', offset: 7 }],
  [-7, { kind: 'back', count: 7 }],
  [10n ** 30n, { kind: 'offset', offset: 2 ** 44 - 1 }],
])('offset %s', (offset, start) => {
  expect(readStreamStart(offset, undefined)).toEqual(start);
});

test.each<[string, object]>([
  ['2026-01-31T08:00:00Z', { kind: 'time', ms: Date.UTC(2026, 0, 31, 8) }],
  ['2026-01-31T08:00+02:00', { kind: 'time', ms: Date.UTC(2026, 0, 31, 6) }],
  ['2026-01-31T08:00:00.250Z', { kind: 'time', ms: Date.UTC(2026, 0, 31, 8) + 250 }],
  ['2026-01-31', { kind: 'time', ms: Date.UTC(2026, 0, 31) }],
  ['1h', { kind: 'ago', ms: 3_600_000 }],
])('time %s', (time, start) => {
  expect(readStreamStart(undefined, time)).toEqual(start);
});

test.each<[JsonValue | undefined, JsonValue | undefined, string]>([
  [undefined, undefined, 'give offset or time'],
  [1, '1h', 'not both'],
  ['middle', undefined, 'offset must be a whole number, first, last or next, not middle'],
  [1.5, undefined, 'not 1.5'],
  ['', undefined, 'offset must'],
  [null, undefined, 'not null'],
  [undefined, '2026-02-31 08:00', 'time must be a time'],
  // Without a zone it may be any of 24 moments.
  [undefined, '2026-01-31T08:00:00', 'time must be a time'],
  [undefined, 5, 'not 5'],
])('offset %s with time %s is refused', (offset, time, text) => {
  expect(() => readStreamStart(offset, time)).toThrow(text);
});
