// What Prometheus scrapes. PROMETHEUS_URL names another broker's metrics, to see which names RabbitMQ has.

import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { LOG_ALARM } from '../../src/metrics/families/broker.ts';
import { CLUSTER_METRICS } from '../../src/metrics/families/cluster.ts';
import { writeLabels } from '../../src/metrics/text.ts';
import read from '../fixtures/grafana-expressions.json' with { type: 'json' };
import { type Api, isOracle, startApi } from '../management/support.ts';

let api: Api;
let url: string;
const NAME = 'a "b"\\c';

beforeAll(async () => {
  api = await startApi({ prometheusPort: 0 });
  const port = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp')?.port;
  url = process.env['PROMETHEUS_URL'] ?? `http://127.0.0.1:${port}`;
  const client = await connect(api.amqpUrl);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue(NAME, { durable: true });
  await channel.assertQueue('other');
  channel.sendToQueue(NAME, Buffer.from('12345'), { persistent: true });
  channel.sendToQueue('other', Buffer.from('x'));
  channel.sendToQueue('nowhere', Buffer.from('x'));
  channel.publish('', 'nowhere', Buffer.from('x'), { mandatory: true });
  await channel.waitForConfirms();
  await channel.assertQueue('quorum', { arguments: { 'x-queue-type': 'quorum' } });
  channel.sendToQueue('quorum', Buffer.from('q'), { timestamp: 1_700_000_000 });
  await channel.waitForConfirms();
  const replicated = await channel.get('quorum');
  if (replicated !== false) channel.ack(replicated);
  channel.sendToQueue('quorum', Buffer.from('q'), { timestamp: 1_700_000_000 });
  await channel.assertQueue('short', { arguments: { 'x-max-length': 1 } });
  for (const body of ['1', '2', '3']) channel.sendToQueue('short', Buffer.from(body));
  await channel.waitForConfirms();
  const message = await channel.get('other');
  if (message !== false) channel.ack(message);
  await channel.get(NAME, { noAck: false });
  await channel.get('other');
});
afterAll(() => api.close());

async function scrape(path: string): Promise<Map<string, string>> {
  const response = await fetch(url + path);
  expect(response.headers.get('content-type')).toContain('text/plain');
  const lines = (await response.text()).split('\n').filter((line) => /^[a-z]/.test(line));
  return new Map(
    lines.map((line): [string, string] => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** What the dashboards do not read, and others do. */
const OTHERS = `
rabbitmq_consumers rabbitmq_queue_messages
rabbitmq_queue_messages_bytes rabbitmq_queue_messages_ready_bytes rabbitmq_queue_messages_unacked_bytes
rabbitmq_queue_messages_persistent rabbitmq_queue_messages_ram rabbitmq_queue_messages_paged_out
rabbitmq_queue_consumers rabbitmq_queue_consumer_utilisation rabbitmq_queue_process_memory_bytes
rabbitmq_connection_incoming_bytes_total
`
  .trim()
  .split(/\s+/);

const { join, table, overview, rates, alerts, detailed, absent } = read;
const { what: _, ...each } = rates;

test('all that the dashboards and alerts of RabbitMQ read is there, with the labels that they join and add up by', async () => {
  const labelsOfJoin = isOracle ? join.labels : [...join.labels, ...join.newer];
  const wanted: [string, readonly string[]][] = [
    [join.metric, labelsOfJoin],
    [table.metric, table.labels],
    ...Object.entries(each),
    ...overview.flatMap(withLabels),
    ...OTHERS.map((name): [string, string[]] => [name, []]),
  ];
  const found = await scrape('/metrics');
  expectAll(found, [...wanted, ...alerts.flatMap(withLabels)]);
  const ofObjects = alerts.filter((alert) => !isOracle || !('notOfObjects' in alert));
  expectAll(await scrape('/metrics/per-object'), [...wanted, ...ofObjects.flatMap(withLabels)]);
  const families = '?family=queue_coarse_metrics&family=queue_consumer_count';
  expectAll(await scrape(`/metrics/detailed${families}`), detailed.flatMap(withLabels));
  if (isOracle) return;
  const names = namesOf(found);
  for (const name of Object.keys(absent)) expect(names).not.toContain(name);
  expect(names).toContain('nodejs_eventloop_lag_seconds');
  expect(names).toContain('leveret_commit_seconds_bucket');
  expect(found.get('leveret_ack_seconds_count')).toBe('2');
});

test.skipIf(isOracle)(
  'docs/metrics.md has each metric of our own by its name, and no other',
  async () => {
    const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
    const named = new Set(docs.match(/\b(leveret_[a-z_]+[a-z]|rabbitmq_queue_paused)\b/g));
    const found = namesOf(await scrape('/metrics'));
    const own = found.filter((name) => /^leveret_/.test(name));
    // A broker that is in no cluster does not have these.
    const cluster = [...CLUSTER_METRICS, LOG_ALARM].map(({ name }) => name);
    const ofCluster = [...cluster, 'leveret_log_append_seconds'];
    const families = [...own.map((name) => name.replace(/_(bucket|sum|count)$/, '')), ...ofCluster];
    expect(families.filter((name) => !named.has(name))).toEqual([]);
    const exported = [...families, ...found];
    expect([...named].filter((name) => !exported.some((each) => each.startsWith(name)))).toEqual(
      [],
    );
  },
);

test.skipIf(isOracle)('a paused queue shows by itself, and in the number of them', async () => {
  const path = '/queues/%2F/other';
  expect((await api.call('PUT', `${path}/pause`)).status).toBe(204);
  const key = 'rabbitmq_queue_paused{vhost="/",queue="other"}';
  expect((await scrape('/metrics/per-object')).get(key)).toBe('1');
  expect((await scrape('/metrics')).get('rabbitmq_queue_paused')).toBe('1');
  expect((await api.call('PUT', `${path}/resume`)).status).toBe(204);
  expect((await scrape('/metrics/per-object')).get(key)).toBe('0');
});

test.skipIf(isOracle)('the log of batches is told of, and stands at 0 in memory', async () => {
  const found = await scrape('/metrics');
  expect(found.get('leveret_store_log_bytes')).toBe('0');
  expect(found.get('leveret_store_log_appends_total')).toBe('0');
});

interface Expression {
  readonly add: readonly string[];
  readonly subtract?: readonly string[];
  readonly labels?: readonly string[];
}

function withLabels(expression: Expression): [string, readonly string[]][] {
  const { add, subtract = [], labels = [] } = expression;
  return [...add, ...subtract].map((name) => [name, labels]);
}

function expectAll(
  found: ReadonlyMap<string, string>,
  wanted: readonly [string, readonly string[]][],
): void {
  for (const [name, labels] of wanted) {
    const series = [...found.keys()].find((key) => key.replace(/\{.*/, '') === name);
    expect(series, name).toBeDefined();
    for (const label of labels) expect(series, name).toMatch(new RegExp(`[{,]${label}="`));
  }
}

test('the counts are those of what happened', async () => {
  const found = await scrape('/metrics');
  const of = (name: string, labels = 'protocol="amqp091"') =>
    Number(found.get(`rabbitmq_global_messages_${name}_total{${labels}}`));
  const classic = 'protocol="amqp091",queue_type="rabbit_classic_queue"';
  expect({
    received: of('received'),
    confirmed: of('confirmed'),
    routed: of('routed'),
    dropped: of('unroutable_dropped'),
    returned: of('unroutable_returned'),
    got: of('delivered_get_manual_ack', classic),
    empty: of('get_empty', classic),
    acked: of('acknowledged', classic),
    ofQuorum: of('acknowledged', classic.replace('classic', 'quorum')),
  }).toEqual({
    received: 9,
    confirmed: 9,
    routed: 7,
    dropped: 1,
    returned: 1,
    got: 2,
    empty: 1,
    acked: 1,
    ofQuorum: 1,
  });
  expect(found.get('rabbitmq_queue_messages_unacked')).toBe('1');
  expect(found.get('rabbitmq_queue_messages_persistent')).toBe('1');
  expect(found.get('rabbitmq_queue_messages_bytes')).toBe('7');
  expect(found.get('rabbitmq_connections')).toBe('1');
});

test('each queue, channel and connection can be had by itself, whatever it is called', async () => {
  const found = await scrape('/metrics/per-object');
  const labels = '{vhost="/",queue="a \\"b\\"\\\\c"}';
  expect(found.get(`rabbitmq_queue_messages_unacked${labels}`)).toBe('1');
  expect(found.get('rabbitmq_queue_messages{vhost="/",queue="other"}')).toBe('0');
  const channels = [...found.keys()].filter((key) => key.startsWith('rabbitmq_channel_consumers{'));
  expect(channels).toHaveLength(1);
  expect(channels[0]).toMatch(/^rabbitmq_channel_consumers\{channel="[^"]+"\}$/);
  expect(found.has('rabbitmq_queue_messages_unacked')).toBe(false);
});

test('counters grow from scrape to scrape, and are never added up twice', async () => {
  const before = await scrape('/metrics');
  const after = await scrape('/metrics');
  const name = 'rabbitmq_queues_created_total';
  expect([before.get(name), after.get(name)]).toEqual(['4', '4']);
});

test('what a full queue drops is counted, by the type of the queue and as what nothing was done for', async () => {
  const found = await scrape('/metrics');
  const of = (type: string, strategy: string) =>
    found.get(
      `rabbitmq_global_messages_dead_lettered_maxlen_total{queue_type="rabbit_${type}_queue",dead_letter_strategy="${strategy}"}`,
    );
  expect([of('classic', 'disabled'), of('classic', 'at_most_once')]).toEqual(['2', '0']);
  if (!isOracle) {
    const { json } = await api.call('GET', '/queues/%2F/short');
    expect(json).toMatchObject({
      message_stats: { publish: 3, dropped: 2, dead_lettered: 0, refused: 0 },
      deaths: { maxlen: { dropped: 2, dead_lettered: 0 }, expired: { dropped: 0 } },
    });
    const queues = await scrape('/metrics/per-object');
    const ofQueue = (name: string, queue: string) =>
      queues.get(`rabbitmq_queue_messages_${name}_total{vhost="/",queue="${queue}"}`);
    const names = ['dropped', 'dropped_maxlen', 'dropped_expired', 'dead_lettered', 'refused'];
    const of = (queue: string) => names.map((name) => ofQueue(name, queue));
    expect(of('short')).toEqual(['2', '2', undefined, '0', '0']);
    // One that lost nothing has no more than its totals.
    expect(of('other')).toEqual(['0', undefined, undefined, '0', '0']);
    const all = ['dropped', 'dead_lettered', 'refused'].map((name) =>
      found.get(`leveret_messages_${name}_total`),
    );
    expect(all).toEqual(['2', '0', '0']);
  }
  expect([of('quorum', 'disabled'), of('quorum', 'at_most_once')]).toEqual(['0', '0']);
});

test('logins, uptime and the node are told under the names and labels that others join with', async () => {
  const found = await scrape('/metrics');
  expect(Number(found.get('rabbitmq_erlang_uptime_seconds'))).toBeGreaterThan(0);
  const logins = (name: string) =>
    found.get(`rabbitmq_auth_attempts${name}_total{protocol="amqp091"}`);
  expect([logins(''), logins('_succeeded'), logins('_failed')]).toEqual(['1', '1', '0']);
  const identity = [...found.keys()].find((key) => key.startsWith('rabbitmq_identity_info'));
  for (const label of ['rabbitmq_node', 'rabbitmq_cluster', 'rabbitmq_cluster_permanent_id']) {
    expect(identity).toContain(`${label}="`);
  }
  expect(identity).toContain('rabbitmq_endpoint="aggregated"');
});

/** The families that RabbitMQ has, with the metrics that mean something here. */
const FAMILIES: Readonly<Record<string, string>> = {
  connection_churn_metrics:
    'connections_opened_total connections_closed_total channels_opened_total channels_closed_total ' +
    'queues_declared_total queues_created_total queues_deleted_total',
  node_coarse_metrics:
    'process_open_fds process_open_tcp_sockets process_resident_memory_bytes disk_space_available_bytes ' +
    'erlang_processes_used',
  node_metrics:
    'process_max_fds process_max_tcp_sockets resident_memory_limit_bytes disk_space_available_limit_bytes ' +
    'erlang_processes_limit erlang_uptime_seconds',
  node_persister_metrics:
    'io_write_ops_total io_write_bytes_total io_sync_ops_total io_sync_time_seconds_total',
  auth_attempt_metrics:
    'auth_attempts_total auth_attempts_succeeded_total auth_attempts_failed_total',
  queue_coarse_metrics: 'queue_messages_ready queue_messages_unacked queue_messages',
  queue_consumer_count: 'queue_consumers',
  queue_metrics:
    'queue_consumers queue_consumer_capacity queue_consumer_utilisation queue_process_memory_bytes ' +
    'queue_messages_ram queue_messages_ram_bytes queue_messages_ready_ram queue_messages_unacked_ram ' +
    'queue_messages_persistent queue_messages_persistent_bytes queue_messages_bytes ' +
    'queue_messages_ready_bytes queue_messages_unacked_bytes queue_messages_paged_out ' +
    'queue_messages_paged_out_bytes queue_head_message_timestamp',
  connection_coarse_metrics: 'connection_incoming_bytes_total connection_outgoing_bytes_total',
  connection_metrics: 'connection_channels',
  channel_metrics:
    'channel_consumers channel_messages_unacked channel_messages_unconfirmed channel_messages_uncommitted ' +
    'channel_acks_uncommitted consumer_prefetch channel_prefetch',
  channel_exchange_metrics:
    'channel_messages_published_total channel_messages_confirmed_total ' +
    'channel_messages_unroutable_returned_total channel_messages_unroutable_dropped_total',
  channel_queue_metrics:
    'channel_get_ack_total channel_get_total channel_messages_delivered_ack_total ' +
    'channel_messages_delivered_total channel_messages_redelivered_total channel_messages_acked_total ' +
    'channel_get_empty_total',
  channel_queue_exchange_metrics: 'queue_messages_published_total',
};

/** Those of newer releases. */
const NEWER: Readonly<Record<string, string>> = {
  queue_delivery_metrics:
    'queue_get_ack_total queue_get_total queue_messages_delivered_ack_total queue_messages_delivered_total ' +
    'queue_messages_redelivered_total queue_messages_acked_total queue_get_empty_total',
  exchange_metrics: 'exchange_messages_published_total',
};

/** Those that RabbitMQ has not. */
const OURS: Readonly<Record<string, string>> = {
  queue_metrics: 'queue_messages_delayed queue_paused',
  queue_delivery_metrics:
    'queue_leases_expired_total queue_late_acks_total queue_messages_deduplicated_total',
  exchange_metrics: 'exchange_messages_deduplicated_total',
};

/** Families of our own. */
const OWN: Readonly<Record<string, string>> = {
  queue_loss_metrics:
    'queue_messages_dropped_total queue_messages_dead_lettered_total queue_messages_refused_total ' +
    'queue_messages_dropped_maxlen_total',
};

const namesOf = (found: ReadonlyMap<string, string>): string[] => [
  ...new Set([...found.keys()].map((key) => key.replace(/\{.*/, ''))),
];
const isInfo = (name: string): boolean => /^(rabbitmq_(build|identity)_info|telemetry_)/.test(name);

test('each family of RabbitMQ can be asked for by itself, under its names', async () => {
  const asked = isOracle ? FAMILIES : { ...FAMILIES, ...NEWER, ...OWN };
  for (const [family, metrics] of Object.entries(asked)) {
    const found = await scrape(`/metrics/detailed?family=${family}`);
    const names = namesOf(found).filter((name) => !isInfo(name));
    const ours = isOracle ? '' : (OURS[family] ?? '');
    const all = [...metrics.split(' '), ...ours.split(' ')].filter(Boolean);
    const wanted = all.map((name) => `rabbitmq_detailed_${name}`);
    // RabbitMQ has more: what it says of Erlang and of its message store.
    if (isOracle) expect(names, family).toEqual(expect.arrayContaining(wanted));
    else expect(names.sort(), family).toEqual(wanted.sort());
    expect(namesOf(found)).toContain('rabbitmq_identity_info');
  }
});

test.skipIf(isOracle)('what waits for its time is counted in all, and of each queue', async () => {
  await api.call('PUT', '/queues/%2F/later', { durable: true });
  await api.call('POST', '/exchanges/%2F/amq.default/publish', {
    ...{ routing_key: 'later', payload: 'x', payload_encoding: 'string' },
    properties: { headers: { 'x-delay': 3_600_000 } },
  });
  const name = 'queue_messages_delayed';
  const found = await scrape('/metrics');
  const each = await scrape('/metrics/detailed?family=queue_metrics');
  await api.call('DELETE', '/queues/%2F/later');
  expect(found.get(`rabbitmq_${name}`)).toBe('1');
  expect(each.get(`rabbitmq_detailed_${name}{vhost="/",queue="later"}`)).toBe('1');
});

test('families of exchanges and vhosts have the names of a whole cluster', async () => {
  const found = await scrape(
    '/metrics/detailed?family=vhost_status&family=exchange_names&family=exchange_bindings',
  );
  const fanout = '{vhost="/",exchange="amq.fanout",type="fanout"}';
  expect(found.get('rabbitmq_cluster_vhost_status{vhost="/"}')).toBe('1');
  expect(found.get(`rabbitmq_cluster_exchange_name${fanout}`)).toBe('1');
  expect(found.get(`rabbitmq_cluster_exchange_bindings${fanout}`)).toBe('0');
});

test('several families and vhosts can be asked for; what is unknown is passed over', async () => {
  const all = 'family=queue_coarse_metrics&family=queue_consumer_count&family=queue_metrics';
  const found = await scrape(`/metrics/detailed?${all}&family=unknown&vhost=%2F&vhost=nowhere`);
  const other = '{vhost="/",queue="other"}';
  expect(found.get(`rabbitmq_detailed_queue_messages${other}`)).toBe('0');
  expect(found.get(`rabbitmq_detailed_queue_head_message_timestamp${other}`)).toBe('NaN');
  const quorum = '{vhost="/",queue="quorum"}';
  const head = found.get(`rabbitmq_detailed_queue_head_message_timestamp${quorum}`);
  // RabbitMQ tells no head of its quorum queues.
  if (!isOracle) expect(head).toBe('1700000000');
  const text = await (await fetch(`${url}/metrics/detailed?${all}`)).text();
  expect(text.match(/# TYPE rabbitmq_detailed_queue_consumers /g)).toHaveLength(1);
  for (const nothing of ['vhost=nowhere&', 'vhost=&']) {
    const none = await scrape(`/metrics/detailed?${nothing}${all}`);
    expect(namesOf(none).filter((name) => !isInfo(name))).toEqual([]);
  }
  const bare = await scrape('/metrics/detailed');
  expect(namesOf(bare).filter((name) => !isInfo(name))).toEqual([]);
});

/** RabbitMQ also says that it has done nothing. */
const codingOf = ({ headers }: Response): string | null =>
  headers.get('content-encoding')?.replace('identity', '') || null;

test('a scrape is compressed for a client that takes that', async () => {
  for (const [accepted, encoding] of [
    ['gzip', 'gzip'],
    ['gzip;q=0', null],
    ['identity', null],
  ] as const) {
    const response = await fetch(`${url}/metrics`, { headers: { 'accept-encoding': accepted } });
    expect([accepted, codingOf(response)]).toEqual([accepted, encoding]);
    expect(await response.text()).toContain('rabbitmq_identity_info');
  }
});

test('other paths say where the metrics are', async () => {
  const response = await fetch(`${url}/`);
  expect([response.status, await response.text()]).toEqual([404, 'see /metrics\n']);
  expect(writeLabels({ a: 'line\nbreak' })).toBe('{a="line\\nbreak"}');
});

test('memory is told part by part, under the names of RabbitMQ 4', async () => {
  const found = await scrape('/metrics/memory-breakdown');
  const parts = [
    'binary_heap',
    'other_ets_table',
    'other_erlang_process',
    'other_system',
    'runtime_allocated_unused',
  ].map((part) => `rabbitmq_memory_${part}_bytes`);
  for (const part of parts) {
    expect(Number(found.get(part)), part).toBeGreaterThanOrEqual(0);
  }
  const told = namesOf(found).filter((name) => name.startsWith('rabbitmq_memory_'));
  expect(told.sort()).toEqual(parts.sort());
  expect(namesOf(found)).toContain('rabbitmq_identity_info');
});

test('what streams deliver and what is acked of them is counted under their type', async () => {
  const client = await connect(api.amqpUrl);
  const channel = await client.createConfirmChannel();
  const labels = '{protocol="amqp091",queue_type="rabbit_stream_queue"}';
  const counts = async () => {
    const found = await scrape('/metrics');
    return ['delivered', 'delivered_consume_manual_ack', 'acknowledged', 'get_empty'].map((what) =>
      Number(found.get(`rabbitmq_global_messages_${what}_total${labels}`)),
    );
  };
  const before = await counts();
  await channel.assertQueue('log', { durable: true, arguments: { 'x-queue-type': 'stream' } });
  for (const body of ['1', '2', '3']) channel.sendToQueue('log', Buffer.from(body));
  await channel.waitForConfirms();
  await channel.prefetch(10);
  let came = 0;
  await channel.consume(
    'log',
    (message) => {
      came += 1;
      if (came < 3 && message !== null) channel.ack(message);
    },
    { arguments: { 'x-stream-offset': 'first' } },
  );
  await vi.waitFor(async () => {
    const after = await counts();
    expect(after.map((count, at) => count - (before[at] ?? 0))).toEqual([3, 3, 2, 0]);
  });
  await channel.deleteQueue('log');
  expect((await counts())[0]).toBe((before[0] ?? 0) + 3);
  await client.close();
});

test('each reason for which a message dies is counted, for a queue without and with an exchange for dead letters', async () => {
  const client = await connect(api.amqpUrl);
  const channel = await client.createConfirmChannel();
  const reasons = ['expired', 'rejected', 'delivery_limit', 'maxlen'];
  const count = async (strategy: string): Promise<number[]> => {
    const found = await scrape('/metrics');
    const labels = `{queue_type="rabbit_quorum_queue",dead_letter_strategy="${strategy}"}`;
    const name = (reason: string) => `rabbitmq_global_messages_dead_lettered_${reason}_total`;
    return reasons.map((reason) => Number(found.get(name(reason) + labels)));
  };
  const [gone, handedOn] = [await count('disabled'), await count('at_most_once')];
  for (const handsOn of [false, true]) {
    const dead = handsOn ? { 'x-dead-letter-exchange': 'amq.fanout' } : {};
    const declare = async (queue: string, changes: Record<string, number>) => {
      const given = { 'x-queue-type': 'quorum', ...dead, ...changes };
      await channel.deleteQueue(queue);
      await channel.assertQueue(queue, { arguments: given });
      for (const body of ['1', '2']) channel.sendToQueue(queue, Buffer.from(body));
      await channel.waitForConfirms();
    };
    await declare('deaths.expired', { 'x-message-ttl': 0 });
    await declare('deaths.maxlen', { 'x-max-length': 1 });
    for (const requeue of [false, true]) {
      await declare('deaths.returned', { 'x-delivery-limit': 0 });
      const message = await channel.get('deaths.returned');
      if (message !== false) channel.nack(message, false, requeue);
    }
  }
  const plus = (before: readonly number[]) => before.map((sum, i) => sum + (i === 0 ? 2 : 1));
  await vi.waitFor(async () => {
    expect(await count('disabled')).toEqual(plus(gone));
    expect(await count('at_most_once')).toEqual(plus(handedOn));
  }, 10_000);
  if (!isOracle) {
    const found = await scrape('/metrics');
    const confirmed = found.get(
      'rabbitmq_global_messages_dead_lettered_confirmed_total{queue_type="rabbit_quorum_queue",dead_letter_strategy="at_least_once"}',
    );
    expect([await count('at_least_once'), confirmed]).toEqual([[0, 0, 0, NaN], '0']);
  }
  for (const queue of ['expired', 'maxlen', 'returned'])
    await channel.deleteQueue(`deaths.${queue}`);
  await client.close();
});
