// Owns how a span of time is written for streams: `7D`, `1h`. Never knows what is as old as that.

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS: ReadonlyMap<string, number> = new Map([
  ['Y', 365 * DAY_MS],
  ['M', 30 * DAY_MS],
  ['D', DAY_MS],
  ['h', HOUR_MS],
  ['m', 60 * SECOND_MS],
  ['s', SECOND_MS],
]);
const FORM = /^(\d+)([YMDhms])$/;

/** What such a span looks like, for people. */
export const AGE_FORMS =
  'a string of a whole number above 0 and `Y`, `M`, `D`, `h`, `m` or `s`, as in `7D` (a year has 365 days, a month 30)';

/** Reads a span such as `7D`: ms, Infinity where no number holds it. Null: it is none. */
export function readAge(text: string): number | null {
  const [, count = '', unit = ''] = FORM.exec(text) ?? [];
  const ms = Number(count) * (UNITS.get(unit) ?? 0);
  return ms > 0 ? ms : null;
}
