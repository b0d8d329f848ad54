import { expect, test } from 'vitest';
import { piecesOfResult } from '../../src/management/answers/json-pieces.ts';
import { TimeSlice } from '../../src/management/time-slice.ts';

const STILL = new TimeSlice({ wallMs: () => 0, monotonicMs: () => 0 });
const asIs = (row: object): object => row;
const LONG = Array.from({ length: 3000 }, (_, n) => ({ n, text: `row "${n}"`, left: undefined }));

test.each([
  ['an empty object', {}],
  ['an empty list', []],
  ['a short object', { a: 1, b: [1, 2], c: undefined, d: null }],
  ['a long list', LONG],
  ['a long list of what JSON has no words for', [...LONG, undefined, Number.NaN]],
  ['a long list at first', { rows: LONG, name: 'q' }],
  [
    'a long list in the midst',
    { name: 'q', rows: LONG, gone: undefined, other: [], deep: { a: 1 } },
  ],
  ['a long list at last', { gone: undefined, name: 'q', 'a "key"': LONG }],
  ['several long lists', { a: LONG, b: LONG }],
])('%s is the same JSON in pieces', async (_, value) => {
  const pieces = await piecesOfResult(value, STILL, asIs);
  expect(pieces.join('')).toBe(JSON.stringify(value));
  expect(pieces.length > 1).toBe(JSON.stringify(value).length > 64 * 1024);
});

test('a long list rests while it is written, a short one does not', async () => {
  let rests = 0;
  const rest = async (): Promise<void> => {
    rests += 1;
  };
  const timeSlice = { due: true, rest } as unknown as TimeSlice;
  await piecesOfResult({ rows: LONG.slice(0, 64) }, timeSlice, asIs);
  expect(rests).toBe(0);
  await piecesOfResult({ rows: LONG }, timeSlice, asIs);
  expect(rests).toBe(LONG.length);
});
