// Owns what a metric is, and what metrics are read from. Never has a metric: the other files of this folder do.

import type { MessageCounts } from '../../broker/stats/counts.ts';
import type { Totals } from '../../broker/view/snapshots.ts';
import type { Context } from '../../management/context.ts';

/** Labels of one value. */
export type Labels = Readonly<Record<string, string>>;

/** A value with its labels. */
export type Sample = readonly [labels: Labels, value: number];

/** What all metrics have. The name is without `rabbitmq_`, or whole where it is our own. */
export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

/** A metric of the broker as a whole. */
export interface BrokerMetric extends Metric {
  read(facts: Facts): readonly Sample[];
}

/** A metric of each object of a kind, which `/metrics` adds up. */
export interface ObjectMetric<T> extends Metric {
  /** NaN: it has no value. */
  read(row: T, context: Context): number;
  /** A sum says nothing, or takes too long: it is of each object alone. */
  readonly alone?: true;
  /** Most objects have nothing of it: those have no line of their own. */
  readonly rare?: true;
}

/** Metrics that `/metrics/detailed` gives together, by RabbitMQ's name for them. */
export interface Group<M extends Metric> {
  readonly name: string;
  readonly metrics: readonly M[];
}

/** Such a group of one kind of objects. */
export interface ObjectGroup<T> extends Group<ObjectMetric<T>> {
  /** The labels of its metrics, where they are others than those of the kind. */
  labels?(row: T): Labels;
}

/** What the metrics of the broker are read from, taken once for a scrape. */
export interface Facts {
  readonly context: Context;
  /** Which path is asked, in RabbitMQ's word. */
  readonly endpoint: string;
  readonly counts: MessageCounts;
  readonly countsByType: ReadonlyMap<string, MessageCounts>;
  /** Channels that have published. */
  readonly publishers: number;
  readonly totals: Totals;
  readonly openFiles: number;
}

export const one = (value: number): readonly Sample[] => [[{}, value]];

/** Prometheus knows infinity, but disks and limits that are unknown are better large. */
export const finite = (value: number): number =>
  Number.isFinite(value) ? value : Number.MAX_SAFE_INTEGER;

/** A level of the broker. */
export function gauge(name: string, help: string, read: (facts: Facts) => number): BrokerMetric {
  return { name, type: 'gauge', help, read: (facts) => one(read(facts)) };
}

/** A count of the broker. */
export function counter(name: string, help: string, read: (facts: Facts) => number): BrokerMetric {
  return { name, type: 'counter', help, read: (facts) => one(read(facts)) };
}
