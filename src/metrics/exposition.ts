// Owns answering a scrape: which metrics go with which path, compressed where the client takes that. Never decides which
// metrics there are: families/ does.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Answers } from '../management/answers/answers.ts';
import { Gzips, takesGzip } from '../management/answers/gzips.ts';
import type { Context } from '../management/context.ts';
import { TimeSlice, walked } from '../management/time-slice.ts';
import { writeCluster } from './cluster.ts';
import { BROKER_GROUPS, BROKER_METRICS, INFO, LOG_ALARM, OWN_METRICS } from './families/broker.ts';
import type { BrokerMetric, Facts } from './families/family.ts';
import { LOG_METRICS } from './families/log.ts';
import { CHANNELS, CONNECTIONS, EXCHANGES, QUEUES, VHOSTS } from './families/objects.ts';
import { STREAM_GROUPS, STREAMS } from './families/streams.ts';
import { writeMemory } from './memory.ts';
import { type Wanted, writeObjects } from './objects.ts';
import { processMetrics } from './process.ts';
import { type Endpoint, endpointOf, type Filter, filterOf } from './query.ts';
import { writeHead, writeHistogram, writeLabels, writeNumber } from './text.ts';

/** How the metrics are served. */
export interface MetricsSettings {
  /** Whether the first path shows each object by itself. */
  readonly perObject: boolean;
  /** The first path, such as `/metrics`. */
  readonly path: string;
}

/** What RabbitMQ's names begin with; in `/metrics/detailed`, and there for what is of a whole cluster. */
const PREFIX = 'rabbitmq_';
const DETAILED = 'rabbitmq_detailed_';
const CLUSTER = 'rabbitmq_cluster_';

/** What is added up on the first path has a group there. */
const IN_PLAIN: ReadonlySet<string> = new Set(
  [QUEUES, CHANNELS, CONNECTIONS, STREAMS, STREAM_GROUPS]
    .flatMap<{ readonly name: string }>(({ groups }) => groups)
    .map(({ name }) => name)
    .filter((name) => name !== 'queue_delivery_metrics'),
);

/** The metrics of one broker. */
export class Exposition {
  private readonly context: Context;
  private readonly settings: MetricsSettings;
  /** What is true of the process. */
  private readonly registry = processMetrics();
  private readonly answers = new Answers();
  private readonly gzips = new Gzips();

  constructor(context: Context, settings: MetricsSettings) {
    this.context = context;
    this.settings = settings;
  }

  /** Answers one request. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, perObject } = this.settings;
    const endpoint = endpointOf(request.url, path);
    if (endpoint === null) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`see ${path || '/'}\n`);
      return;
    }
    await this.answers.turn(request.socket.remoteAddress ?? '', response);
    if (response.destroyed) return;
    try {
      const takes = takesGzip(request.headers['accept-encoding']);
      const zip = takes ? this.gzips.take() : null;
      const head = { 'content-type': this.registry.contentType, vary: 'accept-encoding' };
      response.writeHead(200, zip !== null ? { ...head, 'content-encoding': 'gzip' } : head);
      const filter = filterOf(request.url, this.context.view.snapshots);
      const shown = endpoint === 'aggregated' && perObject ? 'per-object' : endpoint;
      const text = Readable.from(this.write(shown, filter), { highWaterMark: 1 });
      await (zip !== null ? pipeline(text, zip, response) : pipeline(text, response));
    } catch (error) {
      // The client that scrapes may hang up: that is no failure of the broker.
      if (response.destroyed && response.errored === null) return;
      const text = 'the metrics were not written to their end';
      const { log, admitsLine } = this.context;
      if (admitsLine(text)) log.error({ err: error }, text);
    }
  }

  private async *write(endpoint: Endpoint, filter: Filter): AsyncIterable<string> {
    const timeSlice = new TimeSlice(this.context.clock);
    const facts = await this.factsOf(endpoint, timeSlice);
    if (endpoint === 'detailed') yield* this.detailed(facts, filter, timeSlice);
    else if (endpoint === 'memory-breakdown') yield writeMemory(this.context.facts.residentBytes());
    else yield* this.all(facts, endpoint === 'per-object', timeSlice);
    for (const metric of INFO) yield writeMetric(PREFIX, metric, facts);
  }

  private async factsOf(endpoint: string, timeSlice: TimeSlice): Promise<Facts> {
    const { context } = this;
    const { snapshots } = context.view;
    const { counts, publishers } = await walked(snapshots.messageCounts(), timeSlice);
    const countsByType = await walked(snapshots.countsByType(), timeSlice);
    const totals = await walked(snapshots.totals(snapshots.vhostNames), timeSlice);
    const openFiles = await context.facts.openFiles();
    return { context, endpoint, counts, countsByType, publishers, totals, openFiles };
  }

  private async *all(facts: Facts, each: boolean, timeSlice: TimeSlice): AsyncIterable<string> {
    const { context } = this;
    const ofBroker = BROKER_GROUPS.flatMap(({ metrics }) => metrics);
    for (const metric of [...ofBroker, ...BROKER_METRICS]) {
      yield writeMetric(PREFIX, metric, facts);
    }
    for (const metric of [...OWN_METRICS, ...LOG_METRICS]) yield writeMetric('', metric, facts);
    if (context.cluster !== null) {
      yield writeMetric('', LOG_ALARM, facts);
      yield* writeCluster(context.cluster);
    }
    yield `${await this.registry.metrics()}\n`;
    await timeSlice.rest();
    const wanted: Wanted = {
      prefix: PREFIX,
      each,
      vhosts: null,
      has: (group) => IN_PLAIN.has(group),
    };
    yield* writeObjects(context, QUEUES, wanted, timeSlice);
    yield* writeObjects(context, CHANNELS, wanted, timeSlice);
    yield* writeObjects(context, CONNECTIONS, wanted, timeSlice);
    yield* writeObjects(context, STREAMS, wanted, timeSlice);
    yield* writeObjects(context, STREAM_GROUPS, wanted, timeSlice);
    yield* this.histograms(timeSlice);
  }

  private async *detailed(
    facts: Facts,
    { families, vhosts }: Filter,
    timeSlice: TimeSlice,
  ): AsyncIterable<string> {
    const { context } = this;
    for (const { name, metrics } of BROKER_GROUPS) {
      if (!families.has(name)) continue;
      for (const metric of metrics) yield writeMetric(DETAILED, metric, facts);
    }
    const wanted: Wanted = {
      prefix: DETAILED,
      each: true,
      vhosts,
      has: (group) => families.has(group),
    };
    yield* writeObjects(context, QUEUES, wanted, timeSlice);
    yield* writeObjects(context, CHANNELS, wanted, timeSlice);
    yield* writeObjects(context, CONNECTIONS, wanted, timeSlice);
    yield* writeObjects(context, STREAMS, wanted, timeSlice);
    yield* writeObjects(context, STREAM_GROUPS, wanted, timeSlice);
    const ofCluster = { ...wanted, prefix: CLUSTER };
    const isOfCluster = (group: string): boolean => group !== 'exchange_metrics';
    yield* writeObjects(
      context,
      EXCHANGES,
      { ...wanted, has: (group) => !isOfCluster(group) && families.has(group) },
      timeSlice,
    );
    yield* writeObjects(
      context,
      EXCHANGES,
      { ...ofCluster, has: (group) => isOfCluster(group) && families.has(group) },
      timeSlice,
    );
    yield* writeObjects(context, VHOSTS, ofCluster, timeSlice);
  }

  private async *histograms(timeSlice: TimeSlice): AsyncIterable<string> {
    const { snapshots } = this.context.view;
    const { enqueueToDeliver, deliverToAck } = await walked(snapshots.latencies(), timeSlice);
    const waited = 'From publish to delivery';
    yield writeHistogram('leveret_wait_seconds', waited, enqueueToDeliver, 1e-3);
    yield writeHistogram('leveret_ack_seconds', 'From delivery to ack', deliverToAck, 1e-3);
    const { eighthsOfMs, kib } = snapshots.commits();
    yield writeHistogram('leveret_commit_seconds', 'How long commits take', eighthsOfMs, 1 / 8000);
    yield writeHistogram('leveret_commit_bytes', 'How much they write', kib, 1024);
  }
}

function writeMetric(prefix: string, metric: BrokerMetric, facts: Facts): string {
  const lines = metric
    .read(facts)
    .map(
      ([labels, value]) => `${prefix}${metric.name}${writeLabels(labels)} ${writeNumber(value)}\n`,
    );
  return writeHead(prefix, metric) + lines.join('');
}
