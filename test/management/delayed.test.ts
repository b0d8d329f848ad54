// Owns the tests of messages that wait for their time, as the HTTP API shows and handles them.

import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Api, startApi, until } from './support.ts';

const VHOST = 'waits';
const PATH = `/queues/${VHOST}/jobs/delayed`;

interface Listed {
  readonly messages: readonly { readonly id: string; readonly payload?: string }[];
  readonly delayed: number;
}

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', `/vhosts/${VHOST}`, '{}');
  await api.call('PUT', `/permissions/${VHOST}/guest`, {
    configure: '.*',
    write: '.*',
    read: '.*',
  });
});
afterAll(() => api.close());

/** One of ten seconds, and so on; the message of an hour has 100 bytes. */
beforeEach(async () => {
  await api.call('DELETE', `/queues/${VHOST}/jobs`);
  await api.call('PUT', `/queues/${VHOST}/jobs`, { durable: true });
  const connection = await connect(`${api.amqpUrl}/${VHOST}`);
  const channel = await connection.createConfirmChannel();
  for (const [body, delay] of [
    ['h'.repeat(100), 3_600_000],
    ['ten', 100_000],
    ['twenty', 200_000],
  ] as const) {
    const headers = { 'x-delay': delay };
    channel.sendToQueue('jobs', Buffer.from(body), { persistent: true, headers });
  }
  await channel.waitForConfirms();
  await connection.close();
});

async function listed(query = ''): Promise<Listed> {
  const { status, json } = await api.call('GET', `${PATH}${query}`);
  expect(status).toBe(200);
  return json as Listed;
}

const payloads = async (query = ''): Promise<(string | undefined)[]> =>
  (await listed(query)).messages.map(({ payload }) => payload);

const queue = async (): Promise<object> =>
  (await api.call('GET', `/queues/${VHOST}/jobs`)).json as object;

test('the messages that wait are listed, those due soonest first', async () => {
  const all = await listed();
  expect(all).toMatchObject({ delayed: 3, exact: true, stopped_by: 'end' });
  expect(all.messages[0]).toMatchObject({
    id: expect.stringMatching(/^\d+-\d+$/),
    payload: 'ten',
    payload_encoding: 'string',
    routing_key: 'jobs',
    returns: 0,
    redelivered: false,
    truncated: false,
    properties: { headers: { 'x-delay': 100_000 }, delivery_mode: 2 },
  });
  const [first] = all.messages as readonly unknown[] as { due_at: number; arrived_at: number }[];
  expect((first?.due_at ?? 0) - (first?.arrived_at ?? 0)).toBe(100_000);
  expect(await queue()).toMatchObject({ next_delayed_at: first?.due_at });
  expect(await payloads('?truncate=3')).toEqual(['ten', 'twe', 'hhh']);
  expect(await payloads('?encoding=base64&count=1')).toEqual(['dGVu']);
  expect(await listed('?count=2')).toMatchObject({ delayed: 3, stopped_by: 'count' });
  for (const query of ['?count=x', '?truncate=-1', '?encoding=utf8']) {
    expect((await api.call('GET', `${PATH}${query}`)).status, query).toBe(400);
  }
});

test('one is sent now, another dropped, and ids that nothing waits under are told', async () => {
  const [ten, twenty] = (await listed()).messages.map(({ id }) => id);
  const sent = await api.call('POST', PATH, { action: 'send', ids: [twenty, twenty, 'none'] });
  expect(sent.json).toEqual({ done: 1, not_there: 2 });
  expect(await queue()).toMatchObject({ messages_ready: 1, messages_delayed: 2 });
  const dropped = await api.call('POST', PATH, { action: 'drop', ids: [ten, '1-1'] });
  expect(dropped.json).toEqual({ done: 1, not_there: 1 });
  expect(await queue()).toMatchObject({ messages_ready: 1, messages_delayed: 1 });
  const none = await api.call('POST', PATH, { action: 'drop', ids: [] });
  expect(none.json).toEqual({ done: 0, not_there: 0 });
  expect(await payloads()).toEqual(['h'.repeat(100)]);
});

test('without ids all are sent, or dropped', async () => {
  const sent = await api.call('POST', PATH, { action: 'send' });
  expect(sent.json).toEqual({ done: 3, not_there: 0 });
  await until(async () => (await listed()).delayed === 0);
  expect(await queue()).toMatchObject({ messages_ready: 3, next_delayed_at: null });
  expect((await api.call('POST', PATH, { action: 'drop' })).json).toMatchObject({ done: 0 });
});

test('a body that is wrong changes nothing, and a misspelt key does not mean all', async () => {
  for (const body of [
    {},
    [],
    'drop',
    { action: 'purge' },
    { ids: [] },
    { action: 'drop', ids: '1-1' },
    { action: 'drop', ids: null },
    { action: 'drop', ids: [1] },
    { action: 'drop', ids: {} },
    { action: 'drop', ids: Array(1001).fill('1-1') },
    { action: 'drop', id: ['1-1'] },
  ]) {
    const { status, text } = await api.call('POST', PATH, JSON.stringify(body));
    expect(`${JSON.stringify(body).slice(0, 50)} ${text.slice(0, 80)} ${status}`).toMatch(/400$/);
  }
  expect((await listed()).delayed).toBe(3);
  const none = `/queues/${VHOST}/none/delayed`;
  expect((await api.call('GET', none)).status).toBe(404);
  expect((await api.call('POST', none, { action: 'drop' })).status).toBe(404);
  expect((await api.call('POST', none, { action: 'drop', ids: [] })).status).toBe(404);
});

test('vhosts and the overview add up what waits', async () => {
  const { json } = await api.call('GET', `/vhosts/${VHOST}`);
  expect(json).toMatchObject({ messages: 0, messages_delayed: 3 });
  const overview = await api.call('GET', '/overview');
  expect(overview.json).toMatchObject({ queue_totals: { messages_delayed: 3 } });
});
