// Owns answering a scrape: what is true of the broker as a whole by prom-client, and what is true of each
// queue, channel and connection a little at a time. Never decides which metrics there are: families.ts.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ChannelView, ConnectionView } from '../broker/view/host.ts';
import type { QueueRow } from '../broker/view/statistics.ts';
import { Breather, walked } from '../management/breather.ts';
import type { Context } from '../management/context.ts';
import { Answers } from '../management/http/answers.ts';
import { pathOf } from '../management/http/target.ts';
import { HISTOGRAM_BOUNDS_MS, type Histogram } from '../util/histogram.ts';
import type { Rows } from '../util/rows.ts';
import {
  CHANNEL_FAMILIES,
  CONNECTION_FAMILIES,
  FAMILIES,
  type Facts,
  type Labels,
  type ObjectFamily,
  QUEUE_FAMILIES,
} from './families.ts';

/** What is read of one kind of object. */
interface Objects<T> {
  readonly families: readonly ObjectFamily<T>[];
  readonly rows: (context: Context) => Rows<T>;
  readonly labels: (row: T) => Labels;
}

const QUEUES: Objects<QueueRow> = {
  families: QUEUE_FAMILIES,
  rows: ({ view }) => view.look.queues(view.look.vhostNames),
  labels: ({ vhost, name }) => ({ vhost, queue: name }),
};
const CHANNELS: Objects<ChannelView> = {
  families: CHANNEL_FAMILIES,
  rows: ({ view }) => view.look.host.channels(),
  labels: ({ name }) => ({ channel: name }),
};
const CONNECTIONS: Objects<ConnectionView> = {
  families: CONNECTION_FAMILIES,
  rows: ({ view }) => view.look.host.connections(),
  labels: ({ name }) => ({ connection: name }),
};

/** The metrics of one broker. */
export class Exposition {
  private readonly context: Context;
  private readonly perObject: boolean;
  private readonly registry = new Registry();
  private readonly answers = new Answers();
  private facts: Facts | null = null;

  constructor(context: Context, perObject: boolean) {
    this.context = context;
    this.perObject = perObject;
    for (const family of FAMILIES) this.register(family);
    collectDefaultMetrics({ register: this.registry });
  }

  /** Answers one request. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url).replace(/\/$/, '');
    const perObject = path === '/metrics/per-object' || (path === '/metrics' && this.perObject);
    if (path !== '/metrics' && path !== '/metrics/per-object') {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
      return;
    }
    await this.answers.turn(request.socket.remoteAddress ?? '', response);
    if (response.destroyed) return;
    try {
      response.writeHead(200, { 'content-type': this.registry.contentType });
      const text = Readable.from(this.write(perObject), { highWaterMark: 1 });
      await pipeline(text, response);
    } catch (error) {
      // The client that scrapes may hang up: that is no failure of the broker.
      if (response.destroyed && response.errored === null) return;
      const text = 'the metrics were not written to their end';
      const { log, admitsLine } = this.context;
      if (admitsLine(text)) log.error({ err: error }, text);
    }
  }

  private async *write(perObject: boolean): AsyncIterable<string> {
    const { context } = this;
    const { look } = context.view;
    const breather = new Breather(context.clock);
    const { counts, publishers } = await walked(look.messageCounts(), breather);
    const totals = await walked(look.totals(look.vhostNames), breather);
    const openFiles = await context.facts.openFiles();
    this.facts = { context, counts, publishers, totals, openFiles };
    yield `${await this.registry.metrics()}\n`;
    await breather.rest();
    yield* writeObjects(context, QUEUES, perObject, breather);
    yield* writeObjects(context, CHANNELS, perObject, breather);
    yield* writeObjects(context, CONNECTIONS, perObject, breather);
    const { enqueueToDeliver, deliverToAck } = await walked(look.latencies(), breather);
    yield writeHistogram(
      'leveret_wait_seconds',
      'From publish to delivery',
      enqueueToDeliver,
      1e-3,
    );
    yield writeHistogram('leveret_ack_seconds', 'From delivery to ack', deliverToAck, 1e-3);
    const { eighthsOfMs, kib } = look.commits();
    yield writeHistogram('leveret_commit_seconds', 'How long commits take', eighthsOfMs, 1 / 8000);
    yield writeHistogram('leveret_commit_bytes', 'How much they write', kib, 1024);
  }

  private register({ name, type, help, read }: (typeof FAMILIES)[number]): void {
    const registers = [this.registry];
    const labelNames = [
      'protocol',
      'queue_type',
      'dead_letter_strategy',
      ...IDENTITY_LABELS,
    ] as const;
    const samples = () => (this.facts === null ? [] : read(this.facts));
    if (type === 'gauge') {
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          for (const [labels, value] of samples()) this.set(labels, value);
        },
      });
      return;
    }
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        // What counts is kept by the broker: it is told anew each time.
        this.reset();
        for (const [labels, value] of samples()) this.inc(labels, value);
      },
    });
  }
}

const IDENTITY_LABELS = [
  'rabbitmq_version',
  'prometheus_plugin_version',
  'prometheus_client_version',
  'erlang_version',
  'product_name',
  'product_version',
  'rabbitmq_node',
  'rabbitmq_cluster',
  'rabbitmq_cluster_permanent_id',
] as const;

/** So many lines are written without a look at the clock. */
const LINES_PER_STEP = 64;
/** About so many characters are written at a time. */
const PART_CHARS = 64 * 1024;

/**
 * The lines of one kind of object: one for each, or one for all together. The rows are read once; what is
 * kept of them meanwhile is numbers, since the text of many would be a burden.
 */
async function* writeObjects<T>(
  context: Context,
  { families, rows, labels }: Objects<T>,
  perObject: boolean,
  breather: Breather,
): AsyncIterable<string> {
  const names: string[] = [];
  const values = families.map((): number[] => []);
  const sums = families.map(() => 0);
  for (const row of rows(context)) {
    if (breather.due) await breather.rest();
    if (row === null) continue;
    if (perObject) names.push(writeLabels(labels(row)));
    for (const [i, { read }] of families.entries()) {
      const value = read(row);
      sums[i] = (sums[i] as number) + value;
      if (perObject) (values[i] as number[]).push(value);
    }
  }
  for (const [i, { name, type, help }] of families.entries()) {
    let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    if (!perObject) text += `${name} ${sums[i]}\n`;
    for (const [at, each] of names.entries()) {
      text += `${name}${each} ${values[i]?.[at]}\n`;
      if (at % LINES_PER_STEP === 0 && breather.due) await breather.rest();
      if (text.length < PART_CHARS) continue;
      yield text;
      text = '';
    }
    yield text;
  }
}

/** Labels as the text format has them: backslashes, quotes and line breaks are escaped. */
export function writeLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`));
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function writeHistogram(name: string, help: string, histogram: Histogram, unit: number): string {
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
