// Owns what RabbitMQ's API shows of a stretch of the past: samples, the newest first, their mean, and how fast they
// grew. Never keeps values: series.ts does.

import type { Series } from './series.ts';

/** A stretch of the past, in ms of the time of day: points at `lastMs` and every `stepMs` back to `firstMs`. */
export interface TimeRange {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly stepMs: number;
  /** History time less the time of day. */
  readonly aheadMs: number;
}

/** One value of the past. */
export interface SampleView {
  readonly sample: number;
  /** Ms since the Unix epoch. */
  readonly timestamp: number;
}

/** A value's past, as RabbitMQ's API shows it. */
export interface PastView {
  /** A change a second between the last two samples. */
  readonly rate: number;
  readonly samples: readonly SampleView[];
  /** A change a second between the first and the last sample; left out where there is one alone. */
  readonly avg_rate?: number;
  /** The mean of all samples. */
  readonly avg?: number;
}

/** What some fields of an object, added up, were in a stretch of the past. */
export function pastOf(series: Series, names: readonly string[], range: TimeRange): PastView {
  const { firstMs, lastMs, stepMs, aheadMs } = range;
  const values = series.points(names, firstMs + aheadMs, lastMs + aheadMs, stepMs);
  return viewPast(values, range);
}

/** The same of values that are known already, the newest first. */
export function viewPast(values: readonly number[], { lastMs, stepMs }: TimeRange): PastView {
  const samples = values.map((sample, i) => ({ sample, timestamp: lastMs - i * stepMs }));
  const { length } = values;
  if (length < 2) return { rate: 0, samples };
  const [newest, before] = values as [number, number];
  const oldest = values[length - 1] as number;
  const seconds = ((length - 1) * stepMs) / 1000;
  return {
    rate: ((newest - before) * 1000) / stepMs,
    samples,
    avg_rate: (newest - oldest) / seconds,
    avg: values.reduce((sum, value) => sum + value, 0) / length,
  };
}
