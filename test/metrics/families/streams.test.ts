// What Prometheus scrapes of streams and of the groups that read them.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi, until } from '../../management/support.ts';

let api: Api;
let url: string;
const STREAM = { durable: true, arguments: { 'x-queue-type': 'stream' } };

beforeAll(async () => {
  api = await startApi({ prometheusPort: 0 });
  const port = api.broker?.addresses.find(({ key }) => key === 'prometheus.tcp')?.port;
  url = `http://127.0.0.1:${port}`;
  const client = await connect(api.amqpUrl);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue('plain');
  await channel.assertQueue('log', STREAM);
  for (let n = 0; n < 10; n++) channel.sendToQueue('log', Buffer.from('12345'));
  await channel.waitForConfirms();
  await channel.prefetch(4);
  const args = { 'x-stream-group': 'late', 'x-stream-offset': 'first' };
  let came = 0;
  const take = (): void => {
    came += 1;
  };
  await channel.consume('log', take, { arguments: args });
  await until(async () => came === 4);
  await api.call('PUT', '/queues/%2F/log/groups/a%22b', { offset: 'next' });
});
afterAll(() => api.close());

async function scrape(path: string): Promise<Map<string, number>> {
  const text = await (await fetch(url + path)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('rabbitmq_'));
  return new Map(
    lines.map((line): [string, number] => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const LATE = '{vhost="/",queue="log",group="late"}';
const DONE = '{vhost="/",queue="log",group="a\\"b"}';

test.each([
  ['/metrics/per-object', 'rabbitmq_'],
  [
    '/metrics/detailed?family=stream_metrics&family=stream_consumer_metrics&family=stream_group_metrics',
    'rabbitmq_detailed_',
  ],
])('%s has the offsets of streams, and how far each group is behind', async (path, prefix) => {
  const found = await scrape(path);
  const value = (name: string): number | undefined => found.get(prefix + name);
  expect(value('stream_first_offset{vhost="/",queue="log"}')).toBe(0);
  expect(value('stream_next_offset{vhost="/",queue="log"}')).toBe(10);
  expect(value('stream_consumer_max_offset_lag{vhost="/",queue="log"}')).toBe(6);
  expect(value(`stream_group_lag_messages${LATE}`)).toBe(10);
  expect(value(`stream_group_lag_seconds${LATE}`)).toBeGreaterThanOrEqual(0);
  expect(value(`stream_group_offset${LATE}`)).toBe(0);
  expect(value(`stream_group_consumers${LATE}`)).toBe(1);
  expect(value(`stream_group_lag_messages${DONE}`)).toBe(0);
  expect(value(`stream_group_lag_seconds${DONE}`)).toBe(0);
  expect(value(`stream_group_offset${DONE}`)).toBe(10);
  // Other queues have no lines of it.
  expect([...found.keys()].filter((key) => /stream_.*queue="plain"/.test(key))).toEqual([]);
});

test('added up, there are the lag of all groups and their consumers', async () => {
  const found = await scrape('/metrics');
  const names = [...found.keys()].filter((key) => key.startsWith('rabbitmq_stream_'));
  expect(names).toEqual(['rabbitmq_stream_group_lag_messages', 'rabbitmq_stream_group_consumers']);
  expect(found.get('rabbitmq_stream_group_lag_messages')).toBe(10);
  expect(found.get('rabbitmq_stream_group_consumers')).toBe(1);
});

test('a stream has what all queues have', async () => {
  const found = await scrape('/metrics/per-object');
  expect(found.get('rabbitmq_queue_messages{vhost="/",queue="log"}')).toBe(10);
  expect(found.get('rabbitmq_queue_messages_bytes{vhost="/",queue="log"}')).toBe(50);
});
