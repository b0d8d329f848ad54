// Beginning the log of a cluster with the data of a stopped broker.

import { afterEach, expect, test } from 'vitest';
import { beginLogWith } from '../../../src/boot/cluster/new-log.ts';
import { startApi } from '../../management/support.ts';
import { TestCluster } from './support.ts';

const clusters: TestCluster[] = [];
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.close();
});

function newCluster(): TestCluster {
  const cluster = new TestCluster();
  clusters.push(cluster);
  return cluster;
}

/** The folder of a broker of its own, with a queue. */
async function makeData(dataDir: string): Promise<void> {
  const api = await startApi({ memory: false, dataDir });
  await api.call('PUT', '/queues/%2F/kept', { durable: true });
  await api.close();
}

test('a node goes on from the data of a broker of its own, and others join by its snapshot', async () => {
  const cluster = newCluster();
  const settings = cluster.settings('n1');
  await makeData(settings.dataDir);
  expect(await beginLogWith(settings, cluster.client(), false)).toBe(1);
  expect(cluster.log.first).toBe(2);

  const first = await cluster.start('n1');
  await cluster.leader();
  expect((await first.call('GET', '/queues/%2F/kept')).status).toBe(200);
  // One is due at once.
  const snapshots = async (): Promise<unknown> =>
    (await first.call('GET', '/cluster')).json.nodes[0].snapshots.length;
  await expect.poll(snapshots, { timeout: 60_000 }).toBe(1);

  const second = await cluster.start('n2');
  await expect.poll(() => second.leads(), { timeout: 20_000 }).toBe('leveret@n1');
  await first.call('PUT', '/cluster/step-down?force=true');
  await expect.poll(() => second.port('listeners.tcp.default'), { timeout: 20_000 }).toBeDefined();
  expect((await second.call('GET', '/queues/%2F/kept')).status).toBe(200);
});

test('a log that has records is kept, unless they are to be dropped', async () => {
  const cluster = newCluster();
  const node = await cluster.start('n1');
  await cluster.leader();
  const settings = cluster.settings('other');
  await makeData(settings.dataDir);
  const begin = (force: boolean): Promise<number> =>
    beginLogWith(settings, cluster.client(), force);
  await expect(begin(false)).rejects.toThrow(/^the log of cluster shop has \d+ records already/);
  await expect(begin(true)).rejects.toThrow('a node of the cluster leads');
  await node.broker.close('the test stops it');
  const seq = await begin(true);
  expect(cluster.log.first).toBe(seq + 1);
  const other = await cluster.start('other');
  await expect.poll(() => other.port('listeners.tcp.default'), { timeout: 20_000 }).toBeDefined();
  expect((await other.call('GET', '/queues/%2F/kept')).status).toBe(200);
});

test('an empty folder begins no log', async () => {
  const cluster = newCluster();
  await expect(beginLogWith(cluster.settings('n1'), cluster.client(), false)).rejects.toThrow(
    'holds no data to begin a log with',
  );
  expect(cluster.log.last).toBe(0);
});
