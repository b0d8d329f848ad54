// The verbs of the command line for a cluster, asked of whichever node.

import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buildProgram } from '../../../src/cli/program.ts';
import { runRabbitmqctl } from '../../../src/cli/rabbitmqctl.ts';
import { capture } from '../../cli/capture.ts';
import { TestCluster, type TestNode } from './support.ts';

const cluster = new TestCluster();
let leader: TestNode;
let follower: TestNode;

beforeAll(async () => {
  await cluster.start('n1');
  leader = await cluster.leader();
  follower = await cluster.start('n2');
  await vi.waitFor(async () => expect(await follower.leads()).toBe('leveret@n1'), {
    timeout: 20_000,
  });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await cluster.close();
});

/** Runs `leveret cluster ...` against a node. */
function run(node: TestNode, ...args: string[]) {
  vi.stubEnv('LEVERET_URL', node.url().replace('//', '//guest:guest@'));
  return capture(async () => {
    await buildProgram().parseAsync(['node', 'leveret', 'cluster', ...args]);
  });
}

/** Runs a verb of rabbitmqctl against a node. */
function ctl(node: TestNode, ...args: string[]) {
  vi.stubEnv('LEVERET_URL', node.url().replace('//', '//guest:guest@'));
  return capture(() => runRabbitmqctl('rabbitmqctl', args));
}

test('status shows the nodes and the log, from any node', async () => {
  for (const node of [leader, follower]) {
    const { out, err } = await run(node, 'status');
    expect(err).toBe('');
    expect(out).toMatch(/^Cluster {4}shop, group main$/m);
    expect(out).toMatch(/^Leader {5}leveret@n1$/m);
    expect(out).toMatch(/^Kept by {4}3 of 3 current, ordered by m1, synced$/m);
    expect(out).toMatch(/leveret@n1 .*leader/);
    expect(out).toMatch(/leveret@n2 .*follower/);
  }
  const { out } = await run(leader, 'status', '--format', 'json');
  expect(JSON.parse(out)).toMatchObject({ name: 'shop', leader: 'leveret@n1' });
});

test('RabbitMQ’s tools show the nodes, and wait for them', async () => {
  const { out } = await ctl(follower, 'cluster_status');
  expect(out).toContain('Cluster name: shop\n');
  expect(out).toContain('Disk Nodes\n\nleveret@n1\nleveret@n2\n');
  expect(out).toContain('Running Nodes\n\nleveret@n1\nleveret@n2\n');
  const online = await ctl(leader, 'await_online_nodes', '2');
  expect(online).toMatchObject({
    code: 0,
    out: expect.stringContaining('Now 2 node(s) are online'),
  });
  const missing = await ctl(leader, 'await_online_nodes', '3', '--timeout', '1');
  expect(missing.err).toContain('2 of 3 nodes are online');
});

test('a snapshot is made, and the lead given away, by any node', async () => {
  const made = await run(follower, 'snapshot');
  expect(made.out).toMatch(/^There is a snapshot up to record \d+$/m);
  const { out, err } = await run(follower, 'step-down');
  expect([out, err]).toEqual([expect.stringContaining('The leader steps down'), '']);
  await expect
    .poll(() => follower.port('listeners.tcp.default'), { timeout: 20_000 })
    .toBeDefined();
});
