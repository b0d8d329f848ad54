import { expect, test } from 'vitest';
import { type FieldSpec, Series, TIERS } from '../../../../src/broker/stats/history/series.ts';

const FIELDS: readonly FieldSpec[] = [
  { name: 'count', counter: true },
  { name: 'level', counter: false },
  { name: 'still', counter: false },
];
const [FINE, COARSE] = TIERS;
/** A whole day of history time, some years after its epoch. */
const START = 1_795_910_400_000;
const HOUR = 3_600_000;

test('an hour is kept at 5 s, and a day at 1 min', () => {
  const series = new Series(FIELDS, [0, 0, 7], false);
  const end = START + 26 * HOUR;
  for (let ms = START; ms <= end; ms += FINE.stepMs) {
    const n = (ms - START) / FINE.stepMs;
    series.take(ms + 3, [n * 10, n % 5, 7]);
  }
  const hour = series.points(['count'], end - HOUR, end, FINE.stepMs);
  expect(hour).toHaveLength(721);
  expect([hour[0], hour[1], hour[720]]).toEqual([187_200, 187_190, 180_000]);
  const day = series.points(['count'], end - 24 * HOUR, end, COARSE.stepMs);
  expect(day).toHaveLength(1441);
  expect([day[0], day[1], day[1440]]).toEqual([187_200, 187_080, 14_400]);
  expect(series.points(['level'], end - 20_000, end, 5000)).toEqual([0, 4, 3, 2, 1]);
  expect(series.points(['still', 'level'], end - 10_000, end, 5000)).toEqual([7, 11, 10]);
  // What never moved takes nothing; the others a ring of 32-bit numbers for each tier.
  expect(series.bytes).toBe(2 * 4 * (721 + 1441));
});

test('counters beyond 32 bits come out whole, also where they grow by more than that in a day', () => {
  for (const wide of [false, true]) {
    const first = 2 ** 40;
    const series = new Series([FIELDS[0] as FieldSpec], [first], wide);
    for (let n = 0; n <= 1440; n++) {
      series.take(START + n * COARSE.stepMs, [first + n * 100_000_000]);
    }
    const end = START + 24 * HOUR;
    const [newest, oldest] = series.points(['count'], START, end, 24 * HOUR);
    expect([newest, oldest]).toEqual([first + 144_000_000_000, first]);
  }
});

test('before the first look the first value counts, and after the last one the newest', () => {
  const series = new Series(FIELDS, [5, 0, 0], false);
  series.take(START, [8, 2, 0]);
  series.take(START + 5000, [9, 1, 0]);
  const around = (name: string) => series.points([name], START - 5000, START + 15_000, 5000);
  expect(around('count')).toEqual([9, 9, 9, 8, 5]);
  expect(around('level')).toEqual([1, 1, 1, 2, 0]);
  expect(around('unknown')).toEqual([0, 0, 0, 0, 0]);
  expect(series.newest('count')).toBe(9);
});

test('looks that were missed have the value before, however many they are', () => {
  const series = new Series(FIELDS, [0, 0, 0], false);
  series.take(START, [1, 3, 0]);
  series.take(START + 20_000, [5, 4, 0]);
  expect(series.points(['count'], START, START + 20_000, 5000)).toEqual([5, 1, 1, 1, 1]);
  series.take(START + 1000 * HOUR, [6, 9, 0]);
  expect(series.points(['level'], START, START + 1000 * HOUR, 500 * HOUR)).toEqual([9, 4, 4]);
});

test('a counter that is less for once, since a channel was on its way, does not go back', () => {
  const series = new Series(FIELDS, [0, 0, 0], false);
  series.take(START, [10, 0, 0]);
  series.take(START + 5000, [7, 0, 0]);
  series.take(START + 10_000, [12, 0, 0]);
  expect(series.points(['count'], START, START + 10_000, 5000)).toEqual([12, 10, 10]);
});

test('two looks in one step are one', () => {
  const series = new Series(FIELDS, [0, 0, 0], false);
  series.take(START, [1, 1, 0]);
  series.take(START + 4999, [2, 2, 0]);
  expect(series.points(['count'], START, START, 5000)).toEqual([1]);
});

test('as many slots are read as the points reach back, and a day only for points beyond an hour', () => {
  const series = new Series([FIELDS[0] as FieldSpec], [0], false);
  for (let n = 0; n <= 2000; n++) series.take(START + n * FINE.stepMs, [n]);
  const end = START + 2000 * FINE.stepMs;
  const looks = [0, 0];
  const { tracks } = series as unknown as { tracks: { ring: Uint32Array }[][] };
  for (const [t, track] of (tracks[0] ?? []).entries()) {
    track.ring = new Proxy(track.ring, {
      get: (ring, key) => {
        if (/^\d+$/.test(String(key))) looks[t] = (looks[t] as number) + 1;
        return Reflect.get(ring, key, ring);
      },
    });
  }
  // A counter is read slot by slot, with the newest beside it.
  expect(series.points(['count'], end - 5000, end, 5000)).toEqual([2000, 1999]);
  expect(looks.splice(0, 2, 0, 0)).toEqual([1 + 1, 1]);
  expect(series.points(['count'], end - HOUR, end, HOUR)).toEqual([2000, 1280]);
  expect(looks.splice(0, 2, 0, 0)).toEqual([1 + 720, 1]);
  expect(series.points(['count'], end - 2 * HOUR, end, 2 * HOUR)).toEqual([2000, 552]);
  expect(looks.splice(0, 2, 0, 0)).toEqual([1, 1 + 120]);
});
