// What Prometheus scrapes. PROMETHEUS_URL names another broker's metrics, to see which names RabbitMQ has.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeLabels } from '../../src/metrics/exposition.ts';
import { type Api, startApi } from '../management/support.ts';

let api: Api;
let url: string;
const NAME = 'a "b"\\c';

beforeAll(async () => {
  api = await startApi({ prometheusPort: 0 });
  const port = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp')?.port;
  url = `http://127.0.0.1:${port}`;
  const client = await connect(api.amqpUrl);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue(NAME, { durable: true });
  await channel.assertQueue('other');
  channel.sendToQueue(NAME, Buffer.from('12345'), { persistent: true });
  channel.sendToQueue('other', Buffer.from('x'));
  channel.sendToQueue('nowhere', Buffer.from('x'));
  channel.publish('', 'nowhere', Buffer.from('x'), { mandatory: true });
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

/** What RabbitMQ's Grafana dashboards and alerts read. */
const DASHBOARDS = `
rabbitmq_connections rabbitmq_channels rabbitmq_consumers rabbitmq_queues
rabbitmq_connections_opened_total rabbitmq_connections_closed_total
rabbitmq_channels_opened_total rabbitmq_channels_closed_total
rabbitmq_queues_declared_total rabbitmq_queues_created_total rabbitmq_queues_deleted_total
rabbitmq_queue_messages rabbitmq_queue_messages_ready rabbitmq_queue_messages_unacked
rabbitmq_queue_messages_bytes rabbitmq_queue_messages_ready_bytes rabbitmq_queue_messages_unacked_bytes
rabbitmq_queue_messages_persistent rabbitmq_queue_messages_ram rabbitmq_queue_messages_paged_out
rabbitmq_queue_consumers rabbitmq_queue_consumer_utilisation rabbitmq_queue_process_memory_bytes
rabbitmq_queue_messages_published_total rabbitmq_channel_messages_published_total
rabbitmq_connection_incoming_bytes_total rabbitmq_process_open_fds rabbitmq_process_max_fds
rabbitmq_process_resident_memory_bytes rabbitmq_process_open_tcp_sockets
rabbitmq_process_max_tcp_sockets rabbitmq_resident_memory_limit_bytes
rabbitmq_disk_space_available_bytes rabbitmq_disk_space_available_limit_bytes
rabbitmq_alarms_memory_used_watermark rabbitmq_alarms_free_disk_space_watermark
rabbitmq_alarms_file_descriptor_limit
`
  .trim()
  .split(/\s+/);

test('all that the dashboards of RabbitMQ read is there', async () => {
  const found = await scrape('/metrics');
  for (const name of DASHBOARDS) expect([...found.keys()], name).toContain(name);
  const names = [...found.keys()].map((key) => key.replace(/\{.*/, ''));
  for (const name of [
    'rabbitmq_build_info',
    'rabbitmq_identity_info',
    'rabbitmq_global_publishers',
  ]) {
    expect(names).toContain(name);
  }
  expect(names).toContain('nodejs_eventloop_lag_seconds');
  expect(names).toContain('leveret_commit_seconds_bucket');
  expect(found.get('leveret_ack_seconds_count')).toBe('1');
});

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
  }).toEqual({
    received: 4,
    confirmed: 4,
    routed: 2,
    dropped: 1,
    returned: 1,
    got: 2,
    empty: 1,
    acked: 1,
  });
  expect(found.get('rabbitmq_queue_messages_unacked')).toBe('1');
  expect(found.get('rabbitmq_queue_messages_persistent')).toBe('1');
  expect(found.get('rabbitmq_queue_messages_bytes')).toBe('5');
  expect(found.get('rabbitmq_connections')).toBe('1');
});

test('each queue, channel and connection can be had by itself, whatever it is called', async () => {
  const found = await scrape('/metrics/per-object');
  const labels = '{vhost="/",queue="a \\"b\\"\\\\c"}';
  expect(found.get(`rabbitmq_queue_messages_unacked${labels}`)).toBe('1');
  expect(found.get('rabbitmq_queue_messages{vhost="/",queue="other"}')).toBe('0');
  const channels = [...found.keys()].filter((key) => key.startsWith('rabbitmq_channel_consumers{'));
  expect(channels).toHaveLength(1);
  expect(found.has('rabbitmq_queue_messages_unacked')).toBe(false);
});

test('counters grow from scrape to scrape, and are never added up twice', async () => {
  const before = await scrape('/metrics');
  const after = await scrape('/metrics');
  const name = 'rabbitmq_queues_created_total';
  expect([before.get(name), after.get(name)]).toEqual(['2', '2']);
});

test('other paths say where the metrics are', async () => {
  const response = await fetch(`${url}/`);
  expect([response.status, await response.text()]).toEqual([404, 'see /metrics\n']);
  expect(writeLabels({ a: 'line\nbreak' })).toBe('{a="line\\nbreak"}');
});
