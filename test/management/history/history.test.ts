// The past that the HTTP API shows. MANAGEMENT_URL names another broker, to see that it has the same shape.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Series } from '../../../src/broker/stats/history/series.ts';
import type { Server } from '../../../src/server/server.ts';
import { MovableClock } from '../../../src/util/clock.ts';
import { type Api, isOracle, startApi, until } from '../support.ts';

const VHOST = 'past-vhost';
const clock = new MovableClock();
let api: Api;
let server: Server;

interface PastJson {
  readonly rate: number;
  readonly samples: readonly { readonly sample: number; readonly timestamp: number }[];
  readonly avg_rate?: number;
  readonly avg?: number;
}

beforeAll(async () => {
  const prepare = (made: Server): void => {
    server = made;
  };
  api = await startApi({}, { clock, access: {}, prepare });
  await api.call('PUT', `/vhosts/${VHOST}`, {});
  const all = { configure: '.*', write: '.*', read: '.*' };
  await api.call('PUT', `/permissions/${VHOST}/guest`, all);
  await looks(1);
  const client = await connect(`${api.amqpUrl}/${VHOST}`);
  const channel = await client.createConfirmChannel();
  await channel.assertQueue('q');
  for (let n = 0; n < 5; n++) channel.sendToQueue('q', Buffer.from('x'));
  await channel.waitForConfirms();
  const got = await channel.get('q');
  if (got !== false) channel.ack(got);
  await channel.get('q');
  await looks(2);
});
afterAll(async () => {
  await api.call('DELETE', `/vhosts/${VHOST}`);
  await api.close();
});

/** Lets so many looks be taken: with our own broker at once, with another by waiting. */
async function looks(count: number): Promise<void> {
  if (isOracle) {
    await new Promise((resolve) => setTimeout(resolve, 6000 * count));
    return;
  }
  for (let n = 0; n < count; n++) {
    const before = api.broker === null ? 0 : await newest();
    clock.skip(5000);
    server.wheel.advance();
    await until(async () => (await newest()) > before);
  }
}

async function newest(): Promise<number> {
  const { json } = await api.call('GET', '/overview?lengths_age=5&lengths_incr=5');
  const { queue_totals: totals } = json as { queue_totals: { messages_details?: PastJson } };
  return totals.messages_details?.samples[0]?.timestamp ?? 0;
}

async function got(path: string): Promise<Record<string, unknown>> {
  const { status, json } = await api.call('GET', path);
  expect(status, path).toBe(200);
  return json as Record<string, unknown>;
}

/** What holds for each past, whatever its values are. */
function checkPast(past: PastJson, ageMs: number, stepMs: number): void {
  expect(Object.keys(past).sort()).toEqual(['avg', 'avg_rate', 'rate', 'samples']);
  const { samples } = past;
  expect(samples.length).toBe(Math.floor(ageMs / stepMs) + 1);
  for (const [i, { timestamp }] of samples.entries()) {
    expect(timestamp % stepMs).toBe(0);
    if (i > 0) expect(timestamp).toBe((samples[i - 1]?.timestamp ?? 0) - stepMs);
  }
  const values = samples.map(({ sample }) => sample);
  const [last, before] = values as [number, number];
  const first = values[values.length - 1] as number;
  const span = (values.length - 1) * stepMs;
  expect(past.rate).toBeCloseTo(((last - before) * 1000) / stepMs, 6);
  expect(past.avg_rate).toBeCloseTo(((last - first) * 1000) / span, 6);
  expect(past.avg).toBeCloseTo(values.reduce((sum, each) => sum + each, 0) / values.length, 6);
}

const ASKED =
  'lengths_age=60&lengths_incr=5&msg_rates_age=30&msg_rates_incr=10&data_rates_age=30&data_rates_incr=5';

test('a queue tells how long it was, and what became of its messages', async () => {
  const queue = await got(`/queues/${VHOST}/q?${ASKED}`);
  for (const name of ['messages', 'messages_ready', 'messages_unacknowledged']) {
    checkPast(queue[`${name}_details`] as PastJson, 60_000, 5000);
  }
  const stats = queue['message_stats'] as Record<string, PastJson>;
  for (const name of ['publish', 'deliver_get', 'get', 'ack', 'redeliver']) {
    const details = stats[`${name}_details`] as PastJson;
    expect(details.samples.length, name).toBeGreaterThan(2);
  }
  const newestOf = (past: PastJson | undefined) => past?.samples[0]?.sample;
  expect({
    ready: newestOf(queue['messages_ready_details'] as PastJson),
    unacked: newestOf(queue['messages_unacknowledged_details'] as PastJson),
    published: newestOf(stats['publish_details']),
    got: newestOf(stats['get_details']),
    acked: newestOf(stats['ack_details']),
  }).toEqual({ ready: 3, unacked: 1, published: 5, got: 2, acked: 1 });
  const oldest = (queue['messages_details'] as PastJson).samples.at(-1)?.sample;
  expect(oldest).toBe(0);
});

test('the overview has the past of all messages, lengths and comings and goings', async () => {
  const overview = await got(`/overview?${ASKED}`);
  const totals = overview['queue_totals'] as Record<string, PastJson>;
  checkPast(totals['messages_details'] as PastJson, 60_000, 5000);
  checkPast(totals['messages_ready_details'] as PastJson, 60_000, 5000);
  const stats = overview['message_stats'] as Record<string, PastJson>;
  checkPast(stats['publish_details'] as PastJson, 30_000, 10_000);
  checkPast(stats['deliver_get_details'] as PastJson, 30_000, 10_000);
  const churn = overview['churn_rates'] as Record<string, PastJson>;
  checkPast(churn['channel_created_details'] as PastJson, 60_000, 5000);
  if (isOracle) return;
  expect(stats['confirm_details']?.samples[0]?.sample).toBe(5);
  const objects = overview['object_totals_details'] as Record<string, PastJson>;
  const connections = objects['connections_details']?.samples ?? [];
  expect([connections[0]?.sample, connections.at(-1)?.sample]).toEqual([1, 0]);
  const bytes = overview['data_rates_details'] as Record<string, PastJson>;
  checkPast(bytes['recv_oct_details'] as PastJson, 30_000, 5000);
  expect(bytes['recv_oct_details']?.samples[0]?.sample).toBeGreaterThan(100);
});

test('a vhost has counts and rates of its own, and their past', async () => {
  const vhost = await got(`/vhosts/${VHOST}?${ASKED}`);
  // RabbitMQ has no samples of the time before a vhost was.
  if (!isOracle) checkPast(vhost['messages_details'] as PastJson, 60_000, 5000);
  const stats = vhost['message_stats'] as Record<string, PastJson>;
  checkPast(stats['publish_details'] as PastJson, 30_000, 10_000);
  expect(stats['publish_details']?.samples[0]?.sample).toBe(5);
  const plain = await got(`/vhosts/${VHOST}`);
  expect(plain['message_stats']).toMatchObject({ publish: 5, publish_details: { rate: 0 } });
  expect(plain['messages_ready_details']).toEqual({ rate: 0 });
});

test.skipIf(isOracle)(
  'the past of vhosts is read for what is shown or sorted by alone',
  async () => {
    const points = vi.spyOn(Series.prototype, 'points');
    const names = ['/vhosts?columns=name,tracing', `/vhosts/${VHOST}?columns=name,cluster_state`];
    for (const path of names) await got(path);
    expect(points).not.toHaveBeenCalled();
    await got(`/vhosts/${VHOST}?columns=messages_details.rate`);
    expect(points).toHaveBeenCalledTimes(3);
    const sorted = await got('/vhosts?columns=name&sort=message_stats.publish&sort_reverse=true');
    expect(sorted).toEqual([{ name: VHOST }, { name: '/' }]);
    points.mockRestore();
  },
);

test('a node has the past of its memory, disk and sockets', async () => {
  const { node: name } = (await got('/overview')) as { node: string };
  const node = await got(`/nodes/${name}?node_stats_age=30&node_stats_incr=5`);
  for (const field of ['mem_used', 'disk_free', 'fd_used', 'sockets_used', 'io_sync_count']) {
    checkPast(node[`${field}_details`] as PastJson, 30_000, 5000);
  }
  expect((node['io_sync_avg_time_details'] as PastJson).samples).toHaveLength(7);
  const plain = await got(`/nodes/${name}`);
  expect(Object.keys(plain['mem_used_details'] as object)).toEqual(['rate']);
});

interface ChannelJson {
  readonly name: string;
  readonly connection_details: { readonly name: string };
}

test.skipIf(isOracle)('what has no past has rates alone, and no samples', async () => {
  const client = await connect(`${api.amqpUrl}/${VHOST}`);
  const channel = await client.createConfirmChannel();
  channel.publish('amq.fanout', '', Buffer.from('x'));
  await channel.waitForConfirms();
  await got('/channels');
  await looks(2);
  for (const path of [`/exchanges/${VHOST}`, '/channels', '/connections', `/queues/${VHOST}`]) {
    const rows = (await got(`${path}?${ASKED}`)) as unknown as object[];
    const details = JSON.stringify(rows).match(/"\w+_details":\{"rate":[^}]*\}/g) ?? [];
    expect(details.length, path).toBeGreaterThan(0);
    expect(JSON.stringify(rows), path).not.toContain('samples');
  }
  await client.close();
});

test('what is no stretch of the past is refused, and what is none at all is passed over', async () => {
  const refused = [
    [60, 0],
    [-60, 5],
    [0, 5],
    [60, -5],
    [3600, 1],
    [86_400, 86],
    ['99999999999999999999', '9999999999999999'],
  ];
  const open = await got('/channels');
  const [{ name, connection_details: of }] = open as unknown as [ChannelJson];
  const channel = `/channels/${encodeURIComponent(name)}`;
  const connection = `/connections/${encodeURIComponent(of.name)}`;
  const others = ['/exchanges/%2F/amq.direct', channel, connection, `${connection}/channels`];
  for (const path of [`/queues/${VHOST}/q`, '/overview', `/vhosts/${VHOST}`, ...others]) {
    for (const [age, incr] of refused) {
      const { status, json } = await api.call(
        'GET',
        `${path}?lengths_age=${age}&lengths_incr=${incr}`,
      );
      const reason = `Invalid range parameters: age ${age}, incr ${incr}`;
      expect([status, json]).toEqual([400, { error: 'bad_request', reason }]);
    }
  }
  for (const list of ['queues', 'exchanges', 'vhosts', 'connections', 'channels']) {
    const { status, json } = await api.call('GET', `/${list}?lengths_age=0&lengths_incr=5`);
    const ofPeers = list === 'connections' || list === 'channels';
    const error = ofPeers ? 'bad_request' : 'invalid_range_parameters';
    expect([status, json], list).toMatchObject([400, { error }]);
  }
  for (const odd of [
    'lengths_age=60',
    'lengths_age=abc&lengths_incr=5',
    'lengths_age=1.5&lengths_incr=1',
  ]) {
    const { messages_details: details } = await got(`/queues/${VHOST}/q?${odd}`);
    expect(details).not.toHaveProperty('samples');
  }
});
