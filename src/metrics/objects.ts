// Owns writing the metrics of all objects of one kind, a little at a time: a line for each, or one for all together. Never
// decides which metrics there are: families/ does.

import type { Context } from '../management/context.ts';
import type { TimeSlice } from '../management/time-slice.ts';
import type { Labels, ObjectMetric } from './families/family.ts';
import type { Kind } from './families/objects.ts';
import { writeHead, writeLabels, writeNumber } from './text.ts';

/** So many lines are written without a look at the clock. */
const LINES_PER_STEP = 64;
/** About so many characters are written at a time. */
const PART_CHARS = 64 * 1024;

/** What is written of the objects of a kind. */
export interface Wanted {
  readonly prefix: string;
  /** A line for each; else one with the sum. */
  readonly each: boolean;
  readonly vhosts: ReadonlySet<string> | null;
  /** Which groups are wanted. */
  has(group: string): boolean;
}

/** The labels of all rows as text. */
interface Labelled<T> {
  readonly of: (row: T) => Labels;
  readonly texts: string[];
}

/** One metric with what was read for it. */
interface Column<T> {
  readonly metric: ObjectMetric<T>;
  /** The text of the labels of each row, which all columns share whose labels are the same. */
  readonly labels: Labelled<T>;
  readonly values: number[];
  sum: number;
}

/**
 * The lines of one kind of object. The rows are read once; what is kept of them meanwhile is numbers and labels, since the
 * text of many would be a burden.
 */
export async function* writeObjects<T>(
  context: Context,
  kind: Kind<T>,
  wanted: Wanted,
  timeSlice: TimeSlice,
): AsyncIterable<string> {
  const columns = columnsOf(kind, wanted);
  if (columns.length === 0) return;
  const labels = new Set(columns.map((column) => column.labels));
  for (const row of kind.rows(context, wanted.vhosts)) {
    if (timeSlice.due) await timeSlice.rest();
    if (row === null) continue;
    if (wanted.each) {
      for (const { of, texts } of labels) texts.push(writeLabels(of(row)));
    }
    for (const column of columns) {
      const value = column.metric.read(row, context);
      column.sum += value;
      if (wanted.each) column.values.push(value);
    }
  }
  for (const { metric, labels, values, sum } of columns) {
    const name = wanted.prefix + metric.name;
    let text = writeHead(wanted.prefix, metric);
    if (!wanted.each) text += `${name} ${writeNumber(sum)}\n`;
    for (const [at, each] of labels.texts.entries()) {
      const value = values[at] as number;
      if (value !== 0 || metric.rare !== true) text += `${name}${each} ${writeNumber(value)}\n`;
      if (at % LINES_PER_STEP === 0 && timeSlice.due) await timeSlice.rest();
      if (text.length < PART_CHARS) continue;
      yield text;
      text = '';
    }
    yield text;
  }
}

/** A metric that several of the wanted groups have is written once. */
function columnsOf<T>(kind: Kind<T>, wanted: Wanted): Column<T>[] {
  const columns = new Map<string, Column<T>>();
  const usual: Labelled<T> = { of: kind.labels, texts: [] };
  for (const group of kind.groups) {
    if (!wanted.has(group.name)) continue;
    const labels = group.labels === undefined ? usual : { of: group.labels, texts: [] };
    const { metrics } = group;
    for (const metric of metrics) {
      if (metric.alone === true && !wanted.each) continue;
      columns.set(metric.name, { metric, labels, values: [], sum: 0 });
    }
  }
  return [...columns.values()];
}
