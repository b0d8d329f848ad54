// Owns Prometheus' text format. Never knows which metrics there are.

import { HISTOGRAM_BOUNDS_MS, type Histogram } from '../util/histogram.ts';
import type { Labels, Metric } from './families/family.ts';

/** What stands before the values of one metric. */
export function writeHead(prefix: string, { name, type, help }: Metric): string {
  return `# HELP ${prefix}${name} ${help}\n# TYPE ${prefix}${name} ${type}\n`;
}

/** Labels as the format has them: backslashes, quotes and line breaks are escaped. */
export function writeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`));
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** A number in the words of the format. */
export function writeNumber(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

/** A histogram; a unit of it is so many of the unit that is shown. */
export function writeHistogram(
  name: string,
  help: string,
  histogram: Histogram,
  unit: number,
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  let sum = 0;
  for (const [i, bound] of HISTOGRAM_BOUNDS_MS.entries()) {
    sum += histogram.buckets[i] as number;
    lines.push(`${name}_bucket{le="${bound * unit}"} ${sum}`);
  }
  lines.push(`${name}_bucket{le="+Inf"} ${histogram.count}`);
  lines.push(`${name}_sum ${histogram.sumMs * unit}`, `${name}_count ${histogram.count}`);
  return `${lines.join('\n')}\n`;
}
