import { expect, test } from 'vitest';
import type { Call } from '../../src/management/call.ts';
import { list, nameFilter, pick } from '../../src/management/listing.ts';
import { sortInSlices, TimeSlice } from '../../src/management/time-slice.ts';

const STILL = { wallMs: () => 0, monotonicMs: () => 0 };

test('sorting slowly is sorting, and keeps the order of equals', async () => {
  for (const length of [0, 1, 511, 512, 513, 1024, 5000]) {
    let value = 7;
    const rows = Array.from({ length }, (_, place) => {
      value = (value * 48_271) % 2_147_483_647;
      return { key: value % 100, place };
    });
    const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
    const sorted = await sortInSlices(rows, compare, new TimeSlice(STILL));
    expect(sorted).toEqual([...rows].sort(compare));
  }
});

test('however many rows are sorted, few are compared between two rests', async () => {
  let compared = 0;
  let most = 0;
  const rest = async (): Promise<void> => {
    most = Math.max(most, compared);
    compared = 0;
  };
  const rows = Array.from({ length: 50_000 }, (_, n) => (n * 48_271) % 50_021);
  const compare = (a: number, b: number): number => {
    compared += 1;
    return a - b;
  };
  const sorted = await sortInSlices(rows, compare, { due: true, rest } as unknown as TimeSlice);
  expect(sorted).toEqual([...rows].sort((a, b) => a - b));
  expect(Math.max(most, compared)).toBeLessThan(512 * 10);
});

test('work that takes long leaves the loop to others', async () => {
  let ms = 0;
  const timeSlice = new TimeSlice({ wallMs: () => 0, monotonicMs: () => ms++ });
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 0);
  await sortInSlices(
    Array.from({ length: 50_000 }, (_, n) => -n),
    (a, b) => a - b,
    timeSlice,
  );
  for (let n = 0; n < 50; n++) await timeSlice.rest();
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});

test('a list leaves the loop to others while it looks at rows that are not wanted', async () => {
  let ms = 0;
  const timeSlice = new TimeSlice({ wallMs: () => 0, monotonicMs: () => ms });
  const seen: number[] = [];
  function* rows() {
    for (let n = 0; n < 40; n++) {
      seen.push(n);
      ms += 1;
      yield n % 2 === 0 ? null : { name: 'other' };
    }
  }
  const call = { query: { name: 'wanted' }, timeSlice } as unknown as Call;
  const listed = list(call, rows());
  // What it does before it lets others be served, it does at once.
  expect(seen.length).toBeLessThan(10);
  expect((await listed).pieces.join('')).toBe('[]');
  expect(seen.length).toBe(40);
});

test('columns are what a row has itself, however deep, and never what all objects have', () => {
  const row = { name: 'q', stats: { publish: 3, details: { rate: 1 } } };
  expect(JSON.stringify(pick(row, 'name,stats.details.rate'))).toBe(
    '{"name":"q","stats":{"details":{"rate":1}}}',
  );
  expect(JSON.stringify(pick(row, '__proto__.x,constructor,toString,stats.none'))).toBe('{}');
  expect(pick(row, '')).toBe(row);
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});

test('names are found by a part of them, or by a pattern that cannot hold anybody up', () => {
  expect(nameFilter('ORD', false)('new-orders')).toBe(true);
  expect(nameFilter('^new', true)('new-orders')).toBe(true);
  expect(nameFilter('^(a+)+$', true)(`${'a'.repeat(5000)}b`)).toBe(false);
  expect(() => nameFilter('(', true)).toThrow('is not a valid regular expression');
  expect(nameFilter(undefined, true)('any')).toBe(true);
});

test.each([1, 2, 7, 40, 41])(
  'page %i of many rows has those that are in its place',
  async (page) => {
    const rows = Array.from({ length: 20_400 }, (_, n) => ({
      name: `r${n}`,
      rank: (n * 48_271) % 97,
    }));
    const ordered = [...rows].sort((a, b) => b.rank - a.rank);
    const query = { page: String(page), page_size: '500', sort: 'rank', sort_reverse: 'true' };
    const call = { query, timeSlice: new TimeSlice(STILL) } as unknown as Call;
    const { pieces } = await list(call, rows);
    expect(JSON.parse(pieces.join(''))).toEqual({
      filtered_count: 20_400,
      item_count: Math.min(500, 20_400 - 500 * (page - 1)),
      page,
      page_count: 41,
      page_size: 500,
      total_count: 20_400,
      items: ordered.slice(500 * (page - 1), 500 * page),
    });
  },
);

test('all rows come in order, whatever their texts are', async () => {
  const names = [
    'plain',
    'ünïcödé',
    '…'.repeat(30_000),
    '\ud800',
    '"',
    '',
    'x'.repeat(200_000),
    'y'.repeat(900),
  ];
  const rows = Array.from({ length: 3000 }, (_, n) => ({
    name: names[n % names.length],
    rank: (n * 48_271) % 97,
  })).filter(({ name }, n) => (name ?? '').length < 1000 || n < 100);
  const call = { query: { sort: 'rank' }, timeSlice: new TimeSlice(STILL) } as unknown as Call;
  const { pieces } = await list(call, rows);
  expect(JSON.parse(pieces.join(''))).toEqual([...rows].sort((a, b) => a.rank - b.rank));
});
