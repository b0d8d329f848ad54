// Owns what tools see of the past: which stretch of it, and the samples beside the values of now. Never takes samples:
// history.ts does.

import type { Broker } from '../../broker.ts';
import { COUNT_FIELDS, COUNT_TRAITS } from '../../stats/counts.ts';
import { STEP_MS } from '../../stats/history/history.ts';
import { type PastView, pastOf, type TimeRange, viewPast } from '../../stats/history/range.ts';
import type { Series } from '../../stats/history/series.ts';

/** Fields that are the sum of others. */
const SUMS: Readonly<Record<string, readonly string[]>> = {
  deliver_get: ['deliver', 'deliver_no_ack', 'get', 'get_no_ack'],
  messages: ['messages_ready', 'messages_unacknowledged'],
};

export type { TimeRange };

const DETAILS = '_details';

/** The past of one broker. */
export class Past {
  private readonly broker: Broker;

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** The past of the broker as a whole. */
  get whole(): Series {
    return this.broker.history.broker;
  }

  /** The past of a queue or a vhost; null where none is kept. */
  ofQueue(vhost: string, name: string): Series | null {
    const queue = this.broker.vhosts.get(vhost)?.queues.get(name);
    return queue?.activity?.series ?? null;
  }

  ofVhost(name: string): Series | null {
    return this.broker.vhosts.get(name)?.activity?.series ?? null;
  }

  /** What the history takes in memory, in bytes. */
  get bytes(): number {
    return this.broker.history.bytes;
  }

  /** The last step, which rates of now are taken from. */
  get now(): TimeRange {
    return this.range(STEP_MS, STEP_MS);
  }

  /** The last `ageMs` in steps of `stepMs`, which end at whole steps of the time of day, up to the last look. */
  range(ageMs: number, stepMs: number): TimeRange {
    const { history, core } = this.broker;
    // Whole seconds: the two clocks are read one after the other, and a hair would be another slot.
    const aheadMs = Math.round((history.now(core.clock) - core.clock.wallMs()) / 1000) * 1000;
    const lookedMs = history.lookedMs < 0 ? history.now(core.clock) : history.lookedMs;
    const untilMs = Math.floor(lookedMs / STEP_MS) * STEP_MS - aheadMs;
    const lastMs = Math.floor(untilMs / stepMs) * stepMs;
    return { firstMs: lastMs - ageMs, lastMs, stepMs, aheadMs };
  }
}

/**
 * A row whose `..._details` have their past, for each name that `series` has; as it is where no range is asked for. Where
 * no past is kept, there are no samples.
 */
export function withPast<T extends object>(
  row: T,
  series: Series | null,
  range: TimeRange | null,
): T {
  if (range === null) return row;
  const changed: Record<string, unknown> = {};
  for (const [key, details] of Object.entries(row)) {
    if (!key.endsWith(DETAILS)) continue;
    const names = namesOf(key.slice(0, -DETAILS.length));
    if (series === null) changed[key] = { ...details, samples: [] };
    else if (names.every((name) => series.has(name))) changed[key] = pastOf(series, names, range);
  }
  return { ...row, ...changed };
}

/** The values of some levels as RabbitMQ shows levels with their past: each with its details. */
export function detailsOf(
  series: Series,
  names: readonly string[],
  range: TimeRange,
): Record<string, PastView> {
  return Object.fromEntries(
    names.map((name) => [`${name}${DETAILS}`, pastOf(series, namesOf(name), range)]),
  );
}

/** Which stretches of the past of a vhost are asked for, and `now` for rates where there is none. */
export interface VhostRanges {
  readonly now: TimeRange;
  readonly lengths: TimeRange | null;
  readonly msgRates: TimeRange | null;
  readonly dataRates: TimeRange | null;
}

/**
 * What is known of a vhost by its past, as RabbitMQ shows it: rates of messages and bytes, and of its lengths. What is not
 * `wanted` by its name may be left out.
 */
export function statisticsOfVhost(
  series: Series,
  { now, lengths, msgRates, dataRates }: VhostRanges,
  wanted: (name: string) => boolean,
): object {
  const messages = wanted('message_stats') && MESSAGE_NAMES.some((name) => series.newest(name) > 0);
  const bytes = BYTE_KEYS.some(wanted) && series.newest('recv_oct') > 0;
  return {
    ...(bytes ? statistics(series, BYTE_NAMES, now, dataRates) : {}),
    message_stats: messages ? statistics(series, MESSAGE_NAMES, now, msgRates) : {},
    ...(LENGTH_KEYS.some(wanted) ? statisticsDetails(series, LENGTH_NAMES, now, lengths) : {}),
  };
}

const MESSAGE_NAMES = [...COUNT_FIELDS.map((field) => COUNT_TRAITS[field].name), 'deliver_get'];
const LENGTH_NAMES = ['messages', 'messages_ready', 'messages_unacknowledged'];
const BYTE_NAMES = ['recv_oct', 'send_oct'];
const LENGTH_KEYS = LENGTH_NAMES.map((name) => name + DETAILS);
const BYTE_KEYS = BYTE_NAMES.flatMap((name) => [name, name + DETAILS]);

/** Values with their details: those of a stretch of the past, or the rate of now alone. */
function statistics(
  series: Series,
  names: readonly string[],
  now: TimeRange,
  range: TimeRange | null,
): object {
  const values = names.map((name): [string, number] => {
    const sum = namesOf(name).reduce((all, each) => all + series.newest(each), 0);
    return [name, sum];
  });
  return { ...Object.fromEntries(values), ...statisticsDetails(series, names, now, range) };
}

function statisticsDetails(
  series: Series,
  names: readonly string[],
  now: TimeRange,
  range: TimeRange | null,
): object {
  if (range !== null) return detailsOf(series, names, range);
  const rates = Object.entries(detailsOf(series, names, now));
  return Object.fromEntries(rates.map(([name, { rate }]) => [name, { rate }]));
}

/** What `growing` grew by for each one that `counter` grew by, in each step: a mean time, for example. */
export function meanOf(
  series: Series,
  growing: string,
  counter: string,
  range: TimeRange,
): PastView {
  const { firstMs, lastMs, stepMs, aheadMs } = range;
  // One more step back, so that the oldest has one to be compared with.
  const points = (name: string): number[] =>
    series.points([name], firstMs - stepMs + aheadMs, lastMs + aheadMs, stepMs);
  const sums = points(growing);
  const counts = points(counter);
  const means = sums.slice(0, -1).map((sum, i) => {
    const count = (counts[i] as number) - (counts[i + 1] as number);
    return count <= 0 ? 0 : (sum - (sums[i + 1] as number)) / count;
  });
  return { ...viewPast(means, range), rate: means[0] ?? 0 };
}

function namesOf(name: string): readonly string[] {
  return SUMS[name] ?? [name];
}
