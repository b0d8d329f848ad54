// Who reads a stream over HTTP, with its lag; and the places of groups: listed, set, forgotten.

import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Api, startApi, until } from './support.ts';

const PATH = '/queues/%2F/log';
const NONE = expect.any(Number);

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** Ten messages. */
beforeEach(async () => {
  await api.call('DELETE', PATH);
  await api.call('PUT', PATH, { durable: true, arguments: { 'x-queue-type': 'stream' } });
  await onChannel(async (channel) => {
    for (let n = 0; n < 10; n++) channel.sendToQueue('log', Buffer.from(String(n)));
    await channel.waitForConfirms();
  });
});

async function onChannel(
  act: (channel: Channel & { waitForConfirms(): Promise<void> }) => Promise<void>,
) {
  const connection = await connect(api.amqpUrl);
  await act(await connection.createConfirmChannel());
  await connection.close();
}

const rows = async (what: string): Promise<unknown[]> =>
  (await api.call('GET', `${PATH}/${what}`)).json as unknown[];

/** The bodies that a group is given until so many came; none is acked. */
async function read(group: string, count: number): Promise<string[]> {
  const bodies: string[] = [];
  await onChannel(async (channel) => {
    await channel.prefetch(100);
    const args = { 'x-stream-group': group, 'x-stream-offset': 'first' };
    const take = (message: { content: Buffer } | null): void => {
      if (message !== null) bodies.push(message.content.toString());
    };
    await channel.consume('log', take, { arguments: args });
    await until(async () => bodies.length >= count);
  });
  return bodies;
}

test('the place of a group is set to an offset, a word or a time, and its consumers go on there', async () => {
  const put = (body: object) => api.call('PUT', `${PATH}/groups/g`, body);
  expect((await put({ offset: 7 })).json).toEqual({ name: 'g', offset: 7 });
  expect(await read('g', 3)).toEqual(['7', '8', '9']);
  expect((await put({ offset: -2 })).json).toEqual({ name: 'g', offset: 8 });
  expect(await read('g', 2)).toEqual(['8', '9']);
  expect((await put({ offset: 'next' })).json).toEqual({ name: 'g', offset: 10 });
  expect((await put({ time: '1h' })).json).toEqual({ name: 'g', offset: 0 });
  expect((await put({ time: '2099-01-01T00:00:00Z' })).json).toEqual({ name: 'g', offset: 10 });
  expect(await rows('groups')).toEqual([
    {
      vhost: '/',
      queue: 'log',
      name: 'g',
      offset: 10,
      moved_at: NONE,
      lag_messages: 0,
      lag_seconds: 0,
      consumers: 0,
      active_consumer: null,
    },
  ]);
});

test('a group that is forgotten begins anew; one that is not there cannot be', async () => {
  await api.call('PUT', `${PATH}/groups/a%2Fb`, { offset: 9 });
  expect((await api.call('DELETE', `${PATH}/groups/a%2Fb`)).status).toBe(204);
  expect(await rows('groups')).toEqual([]);
  expect(await read('a/b', 10)).toHaveLength(10);
  expect((await api.call('DELETE', `${PATH}/groups/none`)).status).toBe(404);
});

test('readers and groups are shown with their consumers; a group that reads is not moved', async () => {
  await onChannel(async (channel) => {
    await channel.prefetch(4);
    const args = { 'x-stream-group': 'g', 'x-stream-offset': 'first' };
    const take = (): void => {};
    await channel.consume('log', take, { consumerTag: 'active', arguments: args });
    await channel.consume('log', take, { consumerTag: 'waits', arguments: args });
    await channel.consume('log', take, { consumerTag: 'alone' });
    const lagging = { lag_messages: 10, lag_seconds: NONE };
    const active = { consumer_tag: 'active', channel_details: { user: 'guest' } };
    await until(async () => {
      const [, group] = (await rows('readers')) as { next_offset: number }[];
      return group?.next_offset === 4;
    });
    expect(await rows('readers')).toMatchObject([
      {
        group: null,
        super_stream: null,
        next_offset: 10,
        offset: 10,
        until_offset: null,
        lag_messages: 0,
        lag_seconds: 0,
        active_consumer: { consumer_tag: 'alone' },
        consumers: [{ consumer_tag: 'alone' }],
      },
      {
        group: 'g',
        next_offset: 4,
        offset: 0,
        ...lagging,
        active_consumer: active,
        next_consumer: null,
        consumers: [{ consumer_tag: 'active' }, { consumer_tag: 'waits' }],
      },
    ]);
    expect(await rows('groups')).toMatchObject([
      { name: 'g', offset: 0, ...lagging, consumers: 2, active_consumer: active },
    ]);
    const { json } = await api.call('GET', PATH);
    expect(json).toMatchObject({
      readers: { [Object.keys((json as { readers: object }).readers)[0] as string]: 2 },
    });
    for (const [method, body] of [['PUT', { offset: 3 }], ['DELETE']] as const) {
      const refused = await api.call(method, `${PATH}/groups/g`, body);
      expect([refused.status, refused.json]).toEqual([
        400,
        {
          error: 'bad_request',
          reason:
            "group 'g' has consumers of stream 'log': its place can be changed once they have left",
        },
      ]);
    }
  });
});

test('a stream says what it has and how much it keeps', async () => {
  const args = { 'x-queue-type': 'stream', 'x-max-age': '1h', 'x-max-length-bytes': 1_000_000 };
  await api.call('DELETE', PATH);
  await api.call('PUT', PATH, { durable: true, arguments: args });
  const limits = { max_age_ms: 3_600_000, max_length: null, max_length_bytes: 1_000_000 };
  expect((await api.call('GET', PATH)).json).toMatchObject({
    first_offset: 0,
    last_offset: null,
    next_offset: 0,
    committed_offset: null,
    segments: 0,
    groups: 0,
    oldest_message_age_ms: null,
    limits,
  });
  await onChannel(async (channel) => {
    channel.sendToQueue('log', Buffer.from('12345'));
    await channel.waitForConfirms();
  });
  await api.call('PUT', `${PATH}/groups/g`, { offset: 'first' });
  const [row] = (await api.call('GET', '/queues/%2F')).json as object[];
  expect(row).toMatchObject({
    type: 'stream',
    messages: 1,
    message_bytes: 5,
    first_offset: 0,
    last_offset: 0,
    next_offset: 1,
    committed_offset: 0,
    segments: 1,
    groups: 1,
    limits,
  });
});

test('a queue that is no stream has neither groups nor readers', async () => {
  await api.call('PUT', '/queues/%2F/plain', { durable: true });
  for (const what of ['groups', 'readers']) {
    const { status, json } = await api.call('GET', `/queues/%2F/plain/${what}`);
    expect([status, json]).toEqual([
      400,
      { error: 'bad_request', reason: "queue 'plain' in vhost '/' is no stream" },
    ]);
  }
});

test('what is misspelt is refused', async () => {
  const put = async (body: object): Promise<unknown> =>
    (await api.call('PUT', `${PATH}/groups/g`, body)).json;
  const refused = (reason: string): object => ({ error: 'bad_request', reason });
  expect(await put({ ofset: 3 })).toEqual(
    refused("unknown key 'ofset': there are offset and time"),
  );
  expect(await put({})).toEqual(refused('say where: give offset or time'));
  expect(await rows('groups')).toEqual([]);
});
