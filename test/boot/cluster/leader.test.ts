// What the node that leads tells of its cluster, and does when an operator asks.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestCluster, type TestNode } from './support.ts';

const cluster = new TestCluster();
let leader: TestNode;
let other: TestNode;

beforeAll(async () => {
  await cluster.start('n1');
  leader = await cluster.leader();
  other = await cluster.start('n2');
});
afterAll(() => cluster.close());

test('the nodes are listed, the one that answers first, each with what it does in the cluster', async () => {
  await expect
    .poll(async () => (await leader.call('GET', '/nodes')).json[1]?.mem_used, { timeout: 20_000 })
    .toBeGreaterThan(0);
  const { json } = await leader.call('GET', '/nodes');
  expect(json).toMatchObject([
    {
      name: 'leveret@n1',
      running: true,
      mem_used: expect.any(Number),
      leveret: {
        role: 'leader',
        cluster: 'shop',
        group: 'main',
        epoch: 1,
        lag_ms: 0,
        amqp: `127.0.0.1:${leader.port('listeners.tcp.default')}`,
        log: { server: 'm0', stream_leader: 'm1', replicas_current: 3, sync_always: true },
      },
    },
    {
      name: 'leveret@n2',
      running: true,
      type: 'disc',
      uptime: expect.any(Number),
      mem_used: expect.any(Number),
      mem_alarm: false,
      disk_free: expect.any(Number),
      fd_used: expect.any(Number),
    },
  ]);
  const [, { leveret }] = json;
  expect(leveret).toMatchObject({ role: 'follower', amqp: null });
  expect(leveret).not.toHaveProperty('log');
  const one = await leader.call('GET', '/nodes/leveret@n2');
  expect(one.json).toMatchObject({ name: 'leveret@n2', leveret: { role: 'follower' } });
  expect((await leader.call('GET', '/nodes/leveret@n3')).status).toBe(404);
});

test('a follower catches up, and says so', async () => {
  await leader.call('PUT', '/queues/%2F/q', undefined, { durable: true });
  const lag = async (): Promise<unknown> => {
    const { json } = await leader.call('GET', '/cluster');
    const [, { role, applied_seq, lag_records }] = json.nodes;
    return { role, ahead: applied_seq >= 3, lag_records };
  };
  await expect.poll(lag, { timeout: 20_000 }).toEqual({
    role: 'follower',
    ahead: true,
    lag_records: 0,
  });
});

test('the cluster has the name of the settings until a user names it', async () => {
  expect((await leader.call('GET', '/overview')).json).toMatchObject({
    cluster_name: 'shop',
    node: 'leveret@n1',
  });
  await leader.call('PUT', '/cluster-name', undefined, { name: 'harbour' });
  expect((await leader.call('GET', '/cluster-name')).json).toEqual({ name: 'harbour' });
});

test('the check of the quorum fails while only a bare majority has all of the log', async () => {
  const check = async (): Promise<unknown> => {
    const { status, json } = await leader.call('GET', '/health/checks/node-is-quorum-critical');
    return [status, json.reason];
  };
  await expect.poll(check).toEqual([200, undefined]);
  cluster.current = [true, true, false];
  const reason = '2 of 3 machines have all of the log, and 2 are needed';
  await expect.poll(check, { timeout: 20_000 }).toEqual([503, reason]);
  cluster.current = [true, true, true];
  await expect.poll(check, { timeout: 20_000 }).toEqual([200, undefined]);
});

test('the metrics tell of the cluster', async () => {
  const text = await (await fetch(`${leader.url('prometheus.tcp')}/metrics`)).text();
  for (const line of [
    'leveret_cluster_leader 1',
    'leveret_cluster_nodes_running 2',
    'leveret_cluster_takeovers_total 1',
    'leveret_log_replicas_current 3',
    'leveret_log_syncs 1',
    'leveret_log_lag_seconds 0',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
  expect(text).toMatch(/^leveret_log_append_seconds_count [1-9]/m);
});

test('a snapshot is made when an administrator asks, and shown', async () => {
  const { status, json } = await leader.call('PUT', '/cluster/snapshot');
  expect(status, JSON.stringify(json)).toBe(200);
  const { snapshot_seq: seq } = json;
  expect(seq).toBeGreaterThan(0);
  expect((await leader.call('GET', '/cluster')).json.nodes[0].snapshots).toEqual([seq]);
});

test('a leader that is asked to step down gives the lead to another node', async () => {
  expect((await leader.call('PUT', '/cluster/step-down')).status).toBe(204);
  await expect.poll(() => other.port('listeners.tcp.default'), { timeout: 20_000 }).toBeDefined();
  await expect
    .poll(async () => (await other.call('GET', '/cluster')).json.leader, { timeout: 20_000 })
    .toBe('leveret@n2');
  // What was declared before is there, and the old leader follows.
  expect((await other.call('GET', '/queues/%2F/q')).status).toBe(200);
  const roles = async (): Promise<string[]> =>
    (await other.call('GET', '/cluster')).json.nodes.map(({ role }: { role: string }) => role);
  await expect.poll(roles, { timeout: 20_000 }).toEqual(['follower', 'leader']);
});

test('a leader that no node can replace refuses to step down, unless it is forced', async () => {
  await leader.broker.close('the test stops it');
  const refusal = async (): Promise<unknown> => {
    const { status, json } = await other.call('PUT', '/cluster/step-down');
    return [status, json?.reason];
  };
  await expect
    .poll(refusal, { timeout: 30_000 })
    .toEqual([
      400,
      'no other node follows, so that this one would soon lead again: start another node, or set force=true',
    ]);
});
