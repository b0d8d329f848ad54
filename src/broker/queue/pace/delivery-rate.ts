// Owns what a rate of deliveries is, and how it is written. Never counts deliveries: token-bucket.ts does.

/** How many deliveries may go out in which time, refilled evenly. */
export interface DeliveryRate {
  /** So many deliveries ... */
  readonly count: number;
  /** ... in so many ms. */
  readonly perMs: number;
  /** The time as it was written, for people: `60 s`. */
  readonly per: string;
  /** So many may go out at once, after a quiet time. */
  readonly burst: number;
}

/** The most deliveries, and the longest time, ms: their product is counted exactly. */
export const RATE_COUNT_MAX = 1_000_000;
const RATE_MS_MAX = 86_400_000;

const UNITS = new Map<string, readonly [ms: number, name: string]>([
  ['s', [1_000, 's']],
  ['m', [60_000, 'min']],
  ['h', [3_600_000, 'h']],
]);
const FORM = /^(\d{1,7})\/(\d{0,5})([smh])$/;

/** What a rate looks like, for people. */
export const RATE_FORMS = `\`N/s\`, \`N/m\`, \`N/h\` or a longer time as in \`50/60s\`, N from 1 to ${RATE_COUNT_MAX}, the time at most a day`;

/** Reads a rate such as `50/60s`, `10/s` or `100/h`; null: it is none. */
export function readRate(text: string): DeliveryRate | null {
  const [, countText = '', times = '', unit = ''] = FORM.exec(text) ?? [];
  const [unitMs, name] = UNITS.get(unit) ?? [0, ''];
  const count = Number(countText);
  const perMs = (times === '' ? 1 : Number(times)) * unitMs;
  if (count < 1 || count > RATE_COUNT_MAX || perMs < 1 || perMs > RATE_MS_MAX) return null;
  return { count, perMs, per: `${perMs / unitMs} ${name}`, burst: count };
}

/** The least of several rates; null: there is none. */
export function leastRate(rates: readonly (DeliveryRate | null)[]): DeliveryRate | null {
  let least: DeliveryRate | null = null;
  for (const rate of rates) {
    if (rate === null) continue;
    if (least === null || rate.count * least.perMs < least.count * rate.perMs) least = rate;
  }
  return least;
}
