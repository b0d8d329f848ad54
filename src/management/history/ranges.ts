// Owns which stretches of the past a request asks for, in RabbitMQ's parameters. Never reads the past.

import type { TimeRange } from '../../broker/view/history/past.ts';
import type { Call } from '../call.ts';
import { HttpError } from '../http-error.ts';

/** What the parameters are called by: each has an age and a step. */
type RangeName = 'lengths' | 'msg_rates' | 'data_rates' | 'node_stats';

/** So many steps are shown at most. */
const STEPS_MAX = 500;
/** Ages beyond it, about 30 years, are more than clocks have. */
const SECONDS_MAX = 1e9;

/**
 * The stretch that `NAME_age` and `NAME_incr` ask for, both in seconds; null where one is missing or no whole number.
 * Refuses with 400 what is no stretch, or one of too many steps.
 */
export function rangeOf(call: Call, name: RangeName, error = 'bad_request'): TimeRange | null {
  const age = wholeNumber(call.query[`${name}_age`]);
  const incr = wholeNumber(call.query[`${name}_incr`]);
  if (age === null || incr === null) return null;
  const fine = age > 0 && incr > 0 && age <= SECONDS_MAX && incr <= SECONDS_MAX;
  if (!fine || Math.floor(age / incr) > STEPS_MAX) {
    const given = `age ${call.query[`${name}_age`]}, incr ${call.query[`${name}_incr`]}`;
    throw new HttpError(400, error, `Invalid range parameters: ${given}`);
  }
  return call.view.past.range(age * 1000, incr * 1000);
}

/** Refuses with 400 what is asked for wrongly, also where no past is shown; some lists of RabbitMQ's have an own word. */
export function checkRanges(call: Call, error?: 'invalid_range_parameters'): void {
  for (const name of ['lengths', 'msg_rates', 'data_rates', 'node_stats'] as const) {
    rangeOf(call, name, error);
  }
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : null;
}
