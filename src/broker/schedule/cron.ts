// Owns cron expressions: whether a text is one, and the time of day after another that it names. Never reads a clock,
// and keeps nothing of an expression: what the library makes of one takes 80 KB.

import { Cron } from 'croner';
import { Refusal } from '../errors.ts';

/** Longer expressions, and longer names of time zones, are none. */
const CRON_CHARS_MAX = 255;
const ZONE_CHARS_MAX = 64;

/**
 * A search ends so many years on: 29 February comes on each day of the week within 40 years. So one that never comes
 * costs a millisecond or two.
 */
const YEARS_AHEAD = 48;

/** What comes at all comes within those years of any time. */
const ANY_MS = Date.UTC(2025, 0);
/** The last one that the library knows. */
const LAST_YEAR = 9999;

const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
]);

const FIELDS =
  'second (may be left out), minute, hour, day of the month, month, day of the week: such as 30 2 * * *';

/** The zone that a schedule goes by which names none. */
export const DEFAULT_ZONE = 'UTC';

/** Throws a Refusal that says what is wrong with an expression or with the zone. */
export function checkCron(expression: string, zone: string): void {
  checkZone(zone);
  if (fieldsOf(expression) === null) {
    const names = [...NICKNAMES.keys()].join(', ');
    throw invalid(expression, `it has to have 5 or 6 fields (${FIELDS}), or to be one of ${names}`);
  }
  let next: number | null;
  try {
    next = nextOfCron(expression, zone, ANY_MS);
  } catch (error) {
    throw invalid(expression, (error as Error).message.replace(/^CronPattern: /, ''));
  }
  if (next === null) throw invalid(expression, 'there is no such time');
}

/**
 * The first time that an expression names after `afterMs`, ms since the Unix epoch; null: there is none in the next
 * decades. A daily time that summer time leaves out comes as soon as the clock has jumped, and one that comes twice
 * comes once; what comes every few minutes or hours keeps its pace.
 */
export function nextOfCron(expression: string, zone: string, afterMs: number): number | null {
  const fields = fieldsOf(expression);
  if (fields === null) return null;
  const year = new Date(afterMs).getUTCFullYear();
  if (!(year <= LAST_YEAR)) return null;
  const pattern = `${fields.join(' ')} ${year}-${Math.min(LAST_YEAR, year + YEARS_AHEAD)}`;
  const cron = new Cron(pattern, { mode: '7-part', timezone: zone });
  return cron.nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** The six fields of an expression, or null. */
function fieldsOf(expression: string): readonly string[] | null {
  if (expression.length > CRON_CHARS_MAX) return null;
  const text = expression.trim();
  const fields = (NICKNAMES.get(text.toLowerCase()) ?? text).split(/\s+/);
  if (fields.length === 5) return ['0', ...fields];
  return fields.length === 6 ? fields : null;
}

function checkZone(zone: string): void {
  // Some versions of Node.js take offsets, too, and others do not.
  if (zone.length <= ZONE_CHARS_MAX && /^[A-Za-z][\w+\-/]*$/.test(zone)) {
    try {
      new Intl.DateTimeFormat('en', { timeZone: zone });
      return;
    } catch {
      // It is refused below.
    }
  }
  const shown = JSON.stringify(zone.slice(0, ZONE_CHARS_MAX));
  throw new Refusal('invalid', `there is no time zone ${shown}: such as Europe/Berlin, or UTC`);
}

function invalid(expression: string, why: string): Refusal {
  const shown = JSON.stringify(expression.slice(0, CRON_CHARS_MAX));
  return new Refusal('invalid', `${shown} is no cron expression: ${why}`);
}
