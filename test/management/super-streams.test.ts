// Super streams over HTTP: made, extended and deleted as one thing, and refused before any change.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

const PATH = '/super-streams/%2F/sums';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());
afterEach(async () => {
  await api.call('DELETE', PATH);
  for (const name of ['sums-1', 'sums-2']) await api.call('DELETE', `/queues/%2F/${name}`);
  await api.call('DELETE', '/exchanges/%2F/sums');
});

const put = (body: object) => api.call('PUT', PATH, body);
const extend = (body: object) => api.call('POST', `${PATH}/partitions`, body);
const json = async (path: string) => (await api.call('GET', path)).json as never;

async function queues(): Promise<string[]> {
  const rows: { name: string }[] = await json('/queues/%2F');
  return rows.map(({ name }) => name).sort();
}

async function bindings(): Promise<object[]> {
  const rows: { destination: string; routing_key: string; arguments: object }[] = await json(
    '/exchanges/%2F/sums/bindings/source',
  );
  return rows.map(({ destination, routing_key, arguments: args }) => ({
    destination,
    routing_key,
    ...args,
  }));
}

test('a super stream is made of what RabbitMQ makes it of', async () => {
  const made = await put({ partitions: 2, arguments: { 'x-max-age': '7D' } });
  expect(made.status).toBe(201);
  expect(await json('/exchanges/%2F/sums')).toMatchObject({
    type: 'direct',
    durable: true,
    auto_delete: false,
    internal: false,
    arguments: { 'x-super-stream': true },
  });
  expect(await bindings()).toEqual([
    { destination: 'sums-0', routing_key: '0', 'x-stream-partition-order': 0 },
    { destination: 'sums-1', routing_key: '1', 'x-stream-partition-order': 1 },
  ]);
  expect(await json('/queues/%2F/sums-1')).toMatchObject({
    type: 'stream',
    durable: true,
    arguments: { 'x-queue-type': 'stream', 'x-max-age': '7D' },
  });
});

test('partitions are called by keys, or by numbers, and come in their order', async () => {
  await put({ binding_keys: ['emea', 'amer'] });
  await api.call('POST', '/exchanges/%2F/sums/publish', {
    properties: { delivery_mode: 2 },
    routing_key: 'amer',
    payload: 'x',
    payload_encoding: 'string',
  });
  const emea = { queue: 'sums-emea', routing_key: 'emea', number: 0, messages: 0 };
  const amer = { queue: 'sums-amer', routing_key: 'amer', number: 1, messages: 1 };
  const row = { name: 'sums', vhost: '/', partitions: [emea, amer], messages: 1 };
  expect(await json(PATH)).toEqual(row);
  expect(await json('/super-streams/%2F')).toEqual([row]);
});

test('three partitions is what one has that is asked for without a number', async () => {
  await put({});
  expect(await queues()).toEqual(['sums-0', 'sums-1', 'sums-2']);
});

test('partitions that are added are numbered on, and are as those that there are', async () => {
  await put({ partitions: 1, arguments: { 'x-max-age': '7D' } });
  expect((await extend({ partitions: 2 })).status).toBe(204);
  expect(await bindings()).toContainEqual({
    destination: 'sums-2',
    routing_key: '2',
    'x-stream-partition-order': 2,
  });
  const like: object = await json('/queues/%2F/sums-2');
  expect(like).toMatchObject({ arguments: { 'x-max-age': '7D' } });
  await extend({ binding_keys: ['apac'], arguments: {} });
  expect(await bindings()).toContainEqual({
    destination: 'sums-apac',
    routing_key: 'apac',
    'x-stream-partition-order': 3,
  });
});

test.each<[string, object, string]>([
  ['no partitions', { partitions: 0 }, 'The partition number must be greater than 0'],
  ['no keys', { binding_keys: [] }, 'The partition number must be greater than 0'],
  ['too many', { partitions: 513 }, 'a super stream has 512 partitions at most'],
  ['a key twice', { binding_keys: ['a', 'a'] }, 'there is already a queue named sums-a'],
  ['an empty key', { binding_keys: [''] }, 'binding_keys must be a list of texts'],
  ['a long key', { binding_keys: ['k'.repeat(251)] }, ''],
  ['both', { partitions: 1, binding_keys: ['a'] }, 'Specify partitions or binding_keys, not both.'],
  ['another type', { arguments: { 'x-queue-type': 'quorum' } }, 'are streams'],
  ['a bad age', { arguments: { 'x-max-age': '1X' } }, 'invalid_max_age'],
  ['a time to live', { arguments: { 'x-message-ttl': 1 } }, "invalid arg 'x-message-ttl'"],
])('with %s nothing is made', async (_, body, reason) => {
  const { status, json: answer } = await put(body);
  expect([status, answer]).toEqual([
    400,
    expect.objectContaining({ reason: expect.stringContaining(reason) }),
  ]);
  expect(await queues()).toEqual([]);
  expect((await api.call('GET', '/exchanges/%2F/sums')).status).toBe(404);
});

test.each<[string, string, object]>([
  ['an exchange', '/exchanges/%2F/sums', { type: 'direct' }],
  ['a queue', '/queues/%2F/sums-2', { durable: true }],
])('nothing is made where %s has one of the names', async (_, path, body) => {
  await api.call('PUT', path, body);
  const { status, json: answer } = await put({ partitions: 3 });
  expect([status, answer]).toEqual([
    400,
    expect.objectContaining({ reason: expect.stringMatching(/^there is already an? \w+ named /) }),
  ]);
  expect((await queues()).filter((name) => name !== 'sums-2')).toEqual([]);
});

test('nothing is made where the vhost may not have so many queues', async () => {
  await api.call('PUT', '/vhost-limits/%2F/max-queues', { value: 2 });
  const { status } = await put({ partitions: 3 });
  await api.call('DELETE', '/vhost-limits/%2F/max-queues');
  expect([status, await queues()]).toEqual([400, []]);
});

test('nothing is made or deleted where a right to one partition is missing', async () => {
  await api.call('PUT', '/users/half', { password: 'x', tags: 'management' });
  const half = 'half:x';
  const pattern = '^sums(-0)?$';
  const permission = { configure: pattern, write: pattern, read: pattern };
  await api.call('PUT', '/permissions/%2F/half', permission);
  const body = { partitions: 2 };
  expect((await api.call('PUT', PATH, body, half)).status).toBe(401);
  expect(await queues()).toEqual([]);
  await put(body);
  expect((await api.call('DELETE', PATH, undefined, half)).status).toBe(401);
  expect(await queues()).toEqual(['sums-0', 'sums-1']);
  await api.call('DELETE', '/users/half');
});

test('a super stream is deleted with its streams, and what is none is not', async () => {
  await put({ partitions: 2 });
  await api.call('PUT', '/queues/%2F/aside', { durable: true });
  await api.call('POST', '/bindings/%2F/e/sums/q/aside', { routing_key: 'aside' });
  expect((await api.call('DELETE', PATH)).status).toBe(204);
  expect(await queues()).toEqual(['aside']);
  await api.call('DELETE', '/queues/%2F/aside');
  for (const name of ['sums', 'amq.direct']) {
    expect((await api.call('DELETE', `/super-streams/%2F/${name}`)).status).toBe(404);
    expect((await api.call('GET', `/super-streams/%2F/${name}`)).status).toBe(404);
    expect((await api.call('POST', `/super-streams/%2F/${name}/partitions`, {})).status).toBe(404);
  }
});
