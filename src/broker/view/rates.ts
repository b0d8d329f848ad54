// Owns rates: what counts were when they were looked at last, and how fast they grew. Never counts:
// the data path does, and is never told of it.

import type { MessageCounts } from '../counts.ts';
import type { RateView } from './host.ts';

/** The counts of a queue or a channel under RabbitMQ's names, each with its rate. */
export type CountsView = { readonly [name: string]: number | RateView };

const NOTHING: RateView = { rate: 0 };

interface Sample {
  atMs: number;
  readonly values: number[];
  readonly rates: number[];
}

/** The names of the counts, in the order in which they are kept. */
const NAMES = [
  'publish',
  'confirm',
  'return_unroutable',
  'drop_unroutable',
  'deliver',
  'deliver_no_ack',
  'get',
  'get_no_ack',
  'get_empty',
  'redeliver',
  'ack',
] as const;

/** The counts in the order of NAMES. */
export function valuesOf(counts: MessageCounts): number[] {
  return [
    counts.published,
    counts.confirmed,
    counts.returned,
    counts.dropped,
    counts.delivered,
    counts.deliveredNoAck,
    counts.got,
    counts.gotNoAck,
    counts.getEmpty,
    counts.redelivered,
    counts.acked,
  ];
}

/** How fast counts grow, by the object that they are of. */
export class Rates {
  private readonly samples = new WeakMap<object, Sample>();

  /** Takes in what the values of an object are now; the rates are since the last time. */
  take(key: object, values: readonly number[], nowMs: number): void {
    const sample = this.samples.get(key);
    if (sample === undefined) {
      // What is seen for the first time may have begun long ago: no rate can be told.
      this.samples.set(key, { atMs: nowMs, values: [...values], rates: values.map(() => 0) });
      return;
    }
    const seconds = (nowMs - sample.atMs) / 1000;
    if (seconds <= 0) return;
    for (const [i, value] of values.entries()) {
      sample.rates[i] = (value - (sample.values[i] as number)) / seconds;
      sample.values[i] = value;
    }
    sample.atMs = nowMs;
  }

  /** The rate of the value at `index` of an object. */
  of(key: object, index: number): RateView {
    const rate = this.samples.get(key)?.rates[index] ?? 0;
    return rate === 0 ? NOTHING : { rate: Math.round(rate * 10) / 10 };
  }

  /**
   * Counts with their rates, which are those of `key`; counts that never moved are left out, as
   * RabbitMQ does.
   */
  view(counts: MessageCounts, key: object = counts): CountsView {
    const view: Record<string, number | RateView> = {};
    const values = valuesOf(counts);
    for (const [i, name] of NAMES.entries()) {
      const value = values[i] as number;
      if (value === 0) continue;
      view[name] = value;
      view[`${name}_details`] = this.of(key, i);
    }
    const gets = [4, 5, 6, 7];
    const total = gets.reduce((sum, i) => sum + (values[i] as number), 0);
    if (total > 0) {
      view['deliver_get'] = total;
      const rate = gets.reduce((sum, i) => sum + this.of(key, i).rate, 0);
      view['deliver_get_details'] = { rate: Math.round(rate * 10) / 10 };
    }
    return view;
  }
}
