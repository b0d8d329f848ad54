// A vhost that moves to another group of its cluster: with all that is in it, whatever ends in between.

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
  await m1.call('PUT', '/vhosts/shop');
});

afterEach(async () => {
  await jobs.close();
  await main.close();
});

/** Where the vhost is, as a node sees it. */
const placeAt = async (node: TestNode) => (await node.call('GET', '/vhosts/shop')).json?.leveret;
const IN_JOBS = { group: 'jobs', moving_to: null, move_fault: null };
const IN_MAIN = { group: 'main', moving_to: null, move_fault: null };

const place = (group: string, by = m1) =>
  by.call('PUT', '/cluster/vhosts/shop', undefined, { group });

/** Publishes so many messages, each with its number as its body. */
async function publish(node: TestNode, from: number, count: number): Promise<void> {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${amqp(node)}/shop`);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('q', { durable: true });
  for (let i = from; i < from + count; i += 1) {
    channel.sendToQueue('q', Buffer.from(String(i)), { persistent: true });
  }
  await channel.waitForConfirms();
  await connection.close();
}

/** Takes all messages of the queue; returns the numbers, and which were said to come again. */
async function takeAll(node: TestNode) {
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${amqp(node)}/shop`);
  const channel = await connection.createChannel();
  const [bodies, again]: [number[], number[]] = [[], []];
  for (;;) {
    const got = await channel.get('q');
    if (got === false) break;
    bodies.push(Number(got.content.toString()));
    if (got.fields.redelivered) again.push(bodies.at(-1) as number);
    channel.ack(got);
  }
  await connection.close();
  return { bodies, again };
}

const amqp = (node: TestNode) => node.port('listeners.tcp.default');
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const queuesOf = async (node: TestNode) =>
  (await node.call('GET', '/queues')).json.map((each: { name: string }) => each.name);

test('a vhost goes with its messages, in order, and comes back', async () => {
  await publish(m1, 0, 50);
  // One client has two of them as the move begins.
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${amqp(m1)}/shop`);
  const told = new Promise<Error>((resolve) => connection.on('close', resolve));
  const channel = await connection.createChannel();
  await channel.get('q');
  await channel.get('q');
  expect((await place('jobs')).status).toBe(204);
  expect((await told).message).toContain("vhost 'shop' is on its way to group 'jobs'");
  await expect.poll(() => placeAt(m1), PATIENCE).toEqual(IN_JOBS);
  await publish(m1, 50, 50);
  expect(await queuesOf(j1)).toEqual(['q']);
  await expect.poll(() => queuesOf(m1), PATIENCE).toEqual([]);
  expect((await place('main', j1)).status).toBe(204);
  await expect.poll(() => placeAt(j1), PATIENCE).toEqual(IN_MAIN);
  await publish(j1, 100, 50);
  const { bodies, again } = await takeAll(m1);
  expect(bodies).toEqual(numbers(150));
  expect(again).toEqual([0, 1]);
  await expect.poll(() => queuesOf(j1), PATIENCE).toEqual([]);
});

test('a move is called off by placing the vhost where it is', async () => {
  await publish(m1, 0, 5);
  await jobs.close();
  // It goes on for as long as a leader of the other group is thought to be there, and cannot come to its end.
  expect((await place('jobs')).status).toBe(204);
  expect(await placeAt(m1)).toMatchObject({ group: 'main', moving_to: 'jobs' });
  const late = connect(`amqp://guest:guest@127.0.0.1:${amqp(m1)}/shop`);
  await expect(late).rejects.toThrow();
  expect((await m1.call('PUT', '/queues/shop/late', undefined, {})).status).toBe(400);
  expect((await place('events')).json.reason).toContain("place it in 'main', where it is");
  expect((await place('main')).status).toBe(204);
  expect(await placeAt(m1)).toEqual(IN_MAIN);
  expect((await takeAll(m1)).bodies).toEqual(numbers(5));
});

test('a move to a group that no node leads is refused', async () => {
  const { status, json } = await place('none');
  expect([status, json.reason]).toEqual([
    400,
    "no node is known to lead the group 'none': start one with cluster.group = none",
  ]);
  for (const group of ['no_name', '', 'x'.repeat(33), 3, null, [], {}, true]) {
    const answer = await m1.call('PUT', '/cluster/vhosts/shop', undefined, { group });
    expect([answer.status, group]).toEqual([400, group]);
  }
  expect((await m1.call('PUT', '/cluster/vhosts/shop', undefined, {})).status).toBe(400);
  expect((await m1.call('GET', '/cluster/vhosts/shop')).json).toEqual(IN_MAIN);
  expect((await m1.call('PUT', '/cluster/vhosts/none', undefined, { group: 'jobs' })).status).toBe(
    404,
  );
});

test('nodes that end during a move lose nothing of it', async () => {
  await publish(m1, 0, 200);
  const m2 = await main.start('m2');
  const j2 = await jobs.start('j2', { clusterGroup: 'jobs' });
  const ends = [() => j1.broker.close('ends'), () => m1.broker.close('ends')];
  await place('jobs');
  for (const end of ends) await end();
  await main.leader();
  await jobs.leader();
  await expect.poll(() => placeAt(m2), PATIENCE).toEqual(IN_JOBS);
  await expect.poll(() => placeAt(j2), PATIENCE).toEqual(IN_JOBS);
  expect((await takeAll(j2)).bodies).toEqual(numbers(200));
  await expect.poll(() => queuesOf(m2), PATIENCE).toEqual([]);
});

test('a vhost that is deleted, and made anew, begins with nothing in its new group', async () => {
  await publish(m1, 0, 3);
  await place('jobs');
  await expect.poll(() => placeAt(m1), PATIENCE).toEqual(IN_JOBS);
  expect(await queuesOf(j1)).toEqual(['q']);
  expect((await m1.call('DELETE', '/vhosts/shop')).status).toBe(204);
  await m1.call('PUT', '/vhosts/shop');
  expect((await place('jobs')).status).toBe(204);
  await expect.poll(() => placeAt(m1), PATIENCE).toEqual(IN_JOBS);
  await expect.poll(() => queuesOf(j1), PATIENCE).toEqual([]);
});
