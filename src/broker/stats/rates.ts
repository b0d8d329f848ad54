// Owns rates: what counts were when they were looked at last, and how fast they grew. Never counts:
// the data path does, and is never told of it.

import { COUNT_FIELDS, COUNT_TRAITS, type CountField, type MessageCounts } from './counts.ts';

/** A change a second. */
export interface RateView {
  readonly rate: number;
}

/** The counts of a queue or a channel under RabbitMQ's names, each with its rate. */
export type CountsView = { readonly [name: string]: number | RateView };

/** What counts are of. */
export type CountsOf = 'channels' | 'queues' | 'all';

const NOTHING: RateView = { rate: 0 };

interface Sample {
  atMs: number;
  /** The time of day of the last sample in which a value had changed; Infinity: that was the last one. */
  idleMs: number;
  readonly values: number[];
  readonly rates: number[];
}

/** The counts in the order of COUNT_FIELDS. */
export function valuesOf(counts: MessageCounts): number[] {
  return COUNT_FIELDS.map((field) => counts[field]);
}

/** Which of COUNT_FIELDS count deliveries. */
const DELIVERIES = [...COUNT_FIELDS.keys()].filter(
  (i) => COUNT_TRAITS[COUNT_FIELDS[i] as CountField].delivery,
);

/** How fast counts grow, by the object that they are of. */
export class Rates {
  /** The time of day of the samples that are taken, ms since the Unix epoch. */
  wallMs = 0;
  private readonly samples = new WeakMap<object, Sample>();

  /** Takes in what the values of an object are now; the rates are since the last time. */
  take(key: object, values: readonly number[], nowMs: number): void {
    const sample = this.samples.get(key);
    if (sample === undefined) {
      // What is seen for the first time may have begun long ago: no rate can be told.
      const rates = values.map(() => 0);
      this.samples.set(key, { atMs: nowMs, idleMs: Infinity, values: [...values], rates });
      return;
    }
    const seconds = (nowMs - sample.atMs) / 1000;
    if (seconds <= 0) return;
    let moved = false;
    for (const [i, value] of values.entries()) {
      const change = value - (sample.values[i] as number);
      if (change !== 0) moved = true;
      sample.rates[i] = change / seconds;
      sample.values[i] = value;
    }
    if (moved) sample.idleMs = Infinity;
    else if (sample.idleMs === Infinity) sample.idleMs = this.wallMs;
    sample.atMs = nowMs;
  }

  /**
   * Since when no value of an object has changed, as RabbitMQ writes it; null while they do, or as long
   * as that is unknown. It is as exact as samples are frequent.
   */
  idleSince(key: object): string | null {
    const idleMs = this.samples.get(key)?.idleMs ?? Infinity;
    return idleMs === Infinity ? null : new Date(idleMs).toISOString().replace('Z', '+00:00');
  }

  /** The rate of the value at `index` of an object. */
  of(key: object, index: number): RateView {
    const rate = this.samples.get(key)?.rates[index] ?? 0;
    return rate === 0 ? NOTHING : { rate: Math.round(rate * 10) / 10 };
  }

  /**
   * Counts with their rates, which are those of `key`; nothing at all where none ever moved, as RabbitMQ
   * does. What only channels count, or only queues, is left out for the others.
   */
  view(counts: MessageCounts, key: object = counts, of: CountsOf = 'all'): CountsView {
    const view: Record<string, number | RateView> = {};
    const values = valuesOf(counts);
    if (values.every((value) => value === 0)) return view;
    for (const [i, field] of COUNT_FIELDS.entries()) {
      const { name, of: alone } = COUNT_TRAITS[field];
      if (alone !== undefined && of !== 'all' && alone !== of) continue;
      view[name] = values[i] as number;
      view[`${name}_details`] = this.of(key, i);
    }
    view['deliver_get'] = DELIVERIES.reduce((sum, i) => sum + (values[i] as number), 0);
    const rate = DELIVERIES.reduce((sum, i) => sum + this.of(key, i).rate, 0);
    view['deliver_get_details'] = { rate: Math.round(rate * 10) / 10 };
    return view;
  }
}
