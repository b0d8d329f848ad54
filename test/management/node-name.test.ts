// Owns the tests of the node's name and of the type of queues that the node gives.

import { connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi({ nodeName: 'rabbit@orders', defaultQueueType: 'quorum' });
});

afterAll(() => api.close());

test('the name of the node is that of the settings in every row of the HTTP API', async () => {
  const connection = await connect(api.amqpUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue('orders');
  await channel.consume('orders', () => {});
  const get = async (path: string) => (await api.call('GET', path)).json as never;
  const named = { node: 'rabbit@orders' };
  expect(await get('/overview')).toMatchObject(named);
  expect(await get('/nodes')).toMatchObject([{ name: 'rabbit@orders' }]);
  expect(await get('/queues/%2F/orders')).toMatchObject({ ...named, leader: 'rabbit@orders' });
  expect(await get('/connections')).toMatchObject([named]);
  expect(await get('/channels')).toMatchObject([named]);
  expect(await get('/consumers')).toMatchObject([{ channel_details: named }]);
  await connection.close();
});

test('clients are told the cluster by the name of the node, until a user names it', async () => {
  const nameAt = async (): Promise<unknown> => {
    const connection = await connect(api.amqpUrl);
    await connection.close();
    return connection.connection.serverProperties['cluster_name'];
  };
  expect(await nameAt()).toBe('rabbit@orders');
  expect((await api.call('GET', '/cluster-name')).json).toEqual({ name: 'rabbit@orders' });
  await api.call('PUT', '/cluster-name', { name: 'shop' });
  expect(await nameAt()).toBe('shop');
  // The frame that says it is small: clients have not agreed to a larger one.
  await api.call('PUT', '/cluster-name', { name: 'x'.repeat(5000) });
  expect(await nameAt()).toBe('rabbit@orders');
});

test('a queue whose declaration and vhost name no type has that of the settings', async () => {
  await api.call('PUT', '/queues/%2F/plain', { durable: true });
  expect((await api.call('GET', '/queues/%2F/plain')).json).toMatchObject({ type: 'quorum' });
  expect((await api.call('GET', '/vhosts/%2F')).json).toMatchObject({
    default_queue_type: 'quorum',
  });
  await api.call('PUT', '/vhosts/classical', { default_queue_type: 'classic' });
  await api.call('PUT', '/permissions/classical/guest', {
    configure: '.*',
    write: '.*',
    read: '.*',
  });
  await api.call('PUT', '/queues/classical/plain', { durable: true });
  expect((await api.call('GET', '/queues/classical/plain')).json).toMatchObject({
    type: 'classic',
  });
});
