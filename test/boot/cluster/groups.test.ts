// Owns the groups of vhosts of a cluster: what one decides for all, where requests go, and how vhosts move.

import { connect } from 'amqplib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startJobs, TestCluster, type TestNode } from './support.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };

let main: TestCluster;
let jobs: TestCluster;
let m1: TestNode;
let j1: TestNode;

beforeEach(async () => {
  main = new TestCluster();
  m1 = await main.start('m1');
  await main.leader();
  ({ jobs, j1 } = await startJobs(main));
});

afterEach(async () => {
  await jobs.close();
  await main.close();
});

const statusOf = async (
  node: TestNode,
  method: string,
  path: string,
  user?: string,
  body?: object,
) => (await node.call(method, path, user, body)).status;

test('a group follows the users and vhosts of the group main', async () => {
  await m1.call('PUT', '/users/ada', undefined, { password: 'x', tags: 'administrator' });
  await m1.call('PUT', '/vhosts/shop');
  await expect.poll(() => statusOf(j1, 'GET', '/whoami', 'ada:x'), PATIENCE).toBe(200);
  await expect.poll(() => statusOf(j1, 'GET', '/vhosts/shop'), PATIENCE).toBe(200);
  await m1.call('DELETE', '/users/ada');
  await m1.call('DELETE', '/vhosts/shop');
  await expect.poll(() => statusOf(j1, 'GET', '/whoami', 'ada:x'), PATIENCE).toBe(401);
  await expect.poll(() => statusOf(j1, 'GET', '/vhosts/shop'), PATIENCE).toBe(404);
});

test('what the group main decides about can be changed by way of any node', async () => {
  expect(await statusOf(j1, 'PUT', '/vhosts/shop')).toBe(201);
  expect(await statusOf(m1, 'GET', '/vhosts/shop')).toBe(200);
  await expect.poll(() => statusOf(j1, 'GET', '/vhosts/shop'), PATIENCE).toBe(200);
});

test('a vhost that is placed in a group is served there, and asked for by way of any node', async () => {
  await m1.call('PUT', '/vhosts/shop');
  expect(await statusOf(m1, 'PUT', '/cluster/vhosts/shop', undefined, { group: 'jobs' })).toBe(204);
  const place = async () => (await m1.call('GET', '/vhosts/shop')).json?.leveret;
  await expect.poll(place, PATIENCE).toEqual({ group: 'jobs', moving_to: null, move_fault: null });
  const declare = () => statusOf(m1, 'PUT', '/queues/shop/q', undefined, { durable: true });
  await expect.poll(declare, PATIENCE).toBe(201);
  expect(await statusOf(j1, 'GET', '/queues/shop/q')).toBe(200);
});

test('a client reaches a vhost of another group by way of the node that it connects to', async () => {
  await m1.call('PUT', '/vhosts/shop');
  await m1.call('PUT', '/cluster/vhosts/shop', undefined, { group: 'jobs' });
  const declare = () => statusOf(m1, 'PUT', '/queues/shop/q', undefined, { durable: true });
  await expect.poll(declare, PATIENCE).toBe(201);
  const port = m1.port('listeners.tcp.default');
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}/shop?heartbeat=1`);
  const channel = await connection.createConfirmChannel();
  const body = Buffer.alloc(300_000, 'x');
  for (let i = 0; i < 20; i += 1) channel.sendToQueue('q', body, { persistent: true });
  await channel.waitForConfirms();
  const { messageCount } = await channel.checkQueue('q');
  expect(messageCount).toBe(20);
  const rows = (await j1.call('GET', '/connections')).json;
  expect(rows.map((each: { vhost: string }) => each.vhost)).toEqual(['shop']);
  expect((await m1.call('GET', '/connections')).json).toEqual([]);
  const closed = new Promise((resolve) => {
    connection.on('close', resolve);
    connection.on('error', resolve);
  });
  await main.close();
  await closed;
});

test('a client that may not enter a vhost of another group is told what it would be told there', async () => {
  await m1.call('PUT', '/vhosts/shop');
  await m1.call('PUT', '/users/ada', undefined, { password: 'x', tags: '' });
  await m1.call('PUT', '/cluster/vhosts/shop', undefined, { group: 'jobs' });
  const place = async () => (await m1.call('GET', '/vhosts/shop')).json?.leveret.group;
  await expect.poll(place, PATIENCE).toBe('jobs');
  const port = m1.port('listeners.tcp.default');
  const refused = connect(`amqp://ada:x@127.0.0.1:${port}/shop`);
  await expect(refused).rejects.toThrow('ConnectionClose');
});

test('a group keeps what it knows when main has another log, until an operator says otherwise', async () => {
  await m1.call('PUT', '/users/ada', undefined, { password: 'x', tags: 'administrator' });
  await expect.poll(() => statusOf(j1, 'GET', '/whoami', 'ada:x'), PATIENCE).toBe(200);
  await main.close();
  main = new TestCluster(jobs, 'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb');
  const other = await main.start('m1');
  await main.leader();
  await other.call('PUT', '/users/bob', undefined, { password: 'y', tags: 'administrator' });
  const fault = async () => (await j1.call('GET', '/cluster', 'ada:x')).json.main_fault;
  await expect.poll(fault, PATIENCE).toContain('the group main has another log');
  expect(await statusOf(j1, 'GET', '/whoami', 'ada:x')).toBe(200);
  expect(await statusOf(j1, 'GET', '/whoami', 'bob:y')).toBe(401);
  expect(await statusOf(j1, 'PUT', '/cluster/follow-main', 'ada:x')).toBe(204);
  await expect.poll(() => statusOf(j1, 'GET', '/whoami', 'bob:y'), PATIENCE).toBe(200);
  expect(await statusOf(j1, 'GET', '/whoami', 'ada:x')).toBe(401);
});
