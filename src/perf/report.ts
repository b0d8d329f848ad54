// Owns how a load test is told: a line a second, and at the end a table and a histogram, or JSON. Never
// measures.

import type { Latencies } from './latencies.ts';
import type { Interval, PerfResult } from './run.ts';

const PERCENTILES = [50, 75, 95, 99, 99.9] as const;
const BAR_WIDTH = 40;

/** One line about a second. */
export function intervalLine(interval: Interval): string {
  const { at, sentRate, receivedRate, confirmedRate, consumerLatency, confirmLatency } = interval;
  const parts = [
    `${at.toFixed(0).padStart(4)} s`,
    `sent ${count(sentRate)}/s`,
    `received ${count(receivedRate)}/s`,
    ...(confirmedRate > 0 ? [`confirmed ${count(confirmedRate)}/s`] : []),
    ...(consumerLatency.count > 0 ? [`latency ${quick(consumerLatency)}`] : []),
    ...(confirmLatency.count > 0 ? [`confirm ${quick(confirmLatency)}`] : []),
    ...(interval.down.count === 0
      ? []
      : [`NO CONNECTION for ${interval.down.count} of ${interval.down.of}: ${interval.down.why}`]),
    ...(interval.blocked === '' ? [] : [`BLOCKED by the broker: ${interval.blocked}`]),
  ];
  return `${parts.join('  ')}\n`;
}

/** Median and 99th percentile. */
function quick(latencies: Latencies): string {
  return `${time(latencies.percentile(50))} / ${time(latencies.percentile(99))}`;
}

/** What is said at the end. */
export function summary(result: PerfResult): string {
  const { seconds, sent, received, confirmed, nacked, returned } = result;
  const { redelivered, unconfirmed, reconnects, outageMaxMs } = result;
  const rate = (value: number): string => `${count(value / seconds)}/s`;
  const lines = [
    '',
    `${seconds.toFixed(2)} s`,
    `sent       ${String(sent).padStart(12)}  ${rate(sent)}`,
    `received   ${String(received).padStart(12)}  ${rate(received)}`,
    ...(confirmed + nacked > 0
      ? [`confirmed  ${String(confirmed).padStart(12)}  ${rate(confirmed)}`]
      : []),
    ...(nacked > 0 ? [`refused    ${String(nacked).padStart(12)}`] : []),
    ...(returned > 0 ? [`returned   ${String(returned).padStart(12)}`] : []),
    ...(unconfirmed > 0
      ? [`unconfirmed${String(unconfirmed).padStart(12)}  their connection was lost first`]
      : []),
    ...(redelivered > 0
      ? [`redelivered${String(redelivered).padStart(12)}  beside those received`]
      : []),
    ...(reconnects > 0
      ? [
          `reconnects ${String(reconnects).padStart(12)}  ${time(Math.round(outageMaxMs * 1000))} at most`,
        ]
      : []),
    '',
    table([
      ['from publish to delivery', result.consumerLatency],
      ['from publish to confirm', result.confirmLatency],
    ]),
    histogram(result.consumerLatency),
  ];
  return `${lines.join('\n')}\n`;
}

function table(rows: readonly (readonly [title: string, latencies: Latencies])[]): string {
  const heads = ['', 'min', 'median', '75%', '95%', '99%', '99.9%', 'max'];
  const cells = rows
    .filter(([, { count: each }]) => each > 0)
    .map(([title, each]) => [
      title,
      ...[each.min, ...PERCENTILES.map((percent) => each.percentile(percent)), each.max].map(time),
    ]);
  if (cells.length === 0) return 'no latencies: the body has no place for a time, or nothing came';
  const widths = heads.map((_, i) =>
    Math.max(...[heads, ...cells].map((row) => (row[i] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) =>
        i === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[i] ?? 0) + 2),
      )
      .join('');
  return [heads, ...cells].map(line).join('\n');
}

function histogram(latencies: Latencies): string {
  const powers = latencies.powers();
  if (powers.length === 0) return '';
  const most = Math.max(...powers.map(({ count: each }) => each));
  const lines = powers.map(({ le_us, count: each }) => {
    const bar = '#'.repeat(Math.max(1, Math.round((each / most) * BAR_WIDTH)));
    return `up to ${time(le_us).padStart(8)}  ${bar.padEnd(BAR_WIDTH)}  ${each}`;
  });
  return `\n${lines.join('\n')}`;
}

/** The same for programs. */
export function resultToJson(result: PerfResult): object {
  const { seconds, sent, received, redelivered, confirmed, nacked, returned } = result;
  const latency = (each: Latencies): object | null =>
    each.count === 0
      ? null
      : {
          count: each.count,
          min_us: each.min,
          mean_us: Math.round(each.mean ?? 0),
          ...Object.fromEntries(PERCENTILES.map((p) => [`p${p}_us`, each.percentile(p)])),
          max_us: each.max,
          histogram: each.powers(),
        };
  return {
    seconds,
    sent,
    received,
    redelivered,
    confirmed,
    nacked,
    returned,
    unconfirmed: result.unconfirmed,
    reconnects: result.reconnects,
    longest_outage_ms: Math.round(result.outageMaxMs),
    sent_rate: Math.round(sent / seconds),
    received_rate: Math.round(received / seconds),
    confirmed_rate: Math.round(confirmed / seconds),
    consumer_latency: latency(result.consumerLatency),
    confirm_latency: latency(result.confirmLatency),
  };
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** A time given in microseconds. */
function time(us: number | null): string {
  if (us === null) return '-';
  if (us < 1000) return `${us} us`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}
