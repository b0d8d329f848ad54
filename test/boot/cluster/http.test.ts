// The HTTP ports of the nodes of a cluster, whichever of them leads.

import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { CONTROL_FOLDER, CONTROL_SOCKET } from '../../../src/util/system/socket-path.ts';
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
afterAll(() => cluster.close());

test('what a follower is asked for is answered by the leader, with its statuses, headers and bodies', async () => {
  expect((await follower.call('GET', '/overview')).json).toMatchObject({ node: 'leveret@n1' });
  expect((await follower.call('GET', '/overview', 'guest:wrong')).status).toBe(401);
  expect((await follower.call('GET', '/none')).status).toBe(404);
  const put = await follower.call('PUT', '/queues/%2F/by-follower', undefined, { durable: true });
  expect(put.status).toBe(201);
  expect((await leader.call('GET', '/queues/%2F/by-follower')).status).toBe(200);
  expect((await follower.call('DELETE', '/queues/%2F/by-follower')).status).toBe(204);
  const page = await fetch(`${follower.url()}/`, { headers: { 'accept-encoding': 'gzip' } });
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
  expect(await page.text()).toContain('<html');
});

test('large bodies go through in both directions, with a length and in chunks', async () => {
  await follower.call('PUT', '/queues/%2F/large', undefined, { durable: true });
  const payload = 'x'.repeat(3_000_000);
  const message = { properties: {}, routing_key: 'large', payload, payload_encoding: 'string' };
  const path = '/exchanges/%2F/amq.default/publish';
  const whole = await follower.call('POST', path, undefined, message);
  expect(whole.json).toEqual({ routed: true });
  const body = Buffer.from(JSON.stringify(message));
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const port = follower.port('management.tcp');
    const chunked = request(
      { port, host: '127.0.0.1', method: 'POST', path: `/api${path}`, auth: 'guest:guest' },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      },
    );
    chunked.on('error', reject);
    for (let at = 0; at < body.length; at += 50_000) chunked.write(body.subarray(at, at + 50_000));
    chunked.end();
  });
  expect(status).toBe(200);
  const get = { count: 2, ackmode: 'ack_requeue_false', encoding: 'auto' };
  const got = await follower.call('POST', '/queues/%2F/large/get', undefined, get);
  expect(got.json.map((each: { payload: string }) => each.payload.length)).toEqual([
    payload.length,
    payload.length,
  ]);
});

test('a body that the leader refuses to read ends the connection, and the answer comes all the same', async () => {
  const big = { x: 'y'.repeat(20_000_000) };
  const { status } = await follower.call('PUT', '/queues/%2F/refused', undefined, big);
  expect([400, 413]).toContain(status);
});

test('AMQP over WebSocket goes through a follower', async () => {
  const webSocket = new WebSocket(`${follower.url().replace('http', 'ws')}/ws/amqp`, 'amqp');
  const first = new Promise<Buffer>((resolve, reject) => {
    webSocket.on('message', (bytes: Buffer) => resolve(bytes));
    webSocket.on('error', reject);
  });
  webSocket.on('open', () => webSocket.send(Buffer.from('AMQP\0\0\x09\x01', 'latin1')));
  // connection.start
  expect((await first).subarray(7, 11)).toEqual(Buffer.from([0, 10, 0, 10]));
  webSocket.terminate();
});

test('a WebSocket without TLS is refused on a follower where the leader takes none', async () => {
  const strict = new TestCluster();
  try {
    await strict.start('s1', { managementWebSocket: 'off' });
    await strict.leader();
    const second = await strict.start('s2', { managementWebSocket: 'off' });
    await expect.poll(() => second.leads(), { timeout: 20_000 }).toBe('leveret@s1');
    const webSocket = new WebSocket(`${second.url().replace('http', 'ws')}/ws/amqp`, 'amqp');
    const failed = new Promise<string>((resolve) => {
      webSocket.on('error', (error) => resolve(error.message));
    });
    expect(await failed).toContain('403');
  } finally {
    await strict.close();
  }
});

test('the leader sees the client of a follower, not the follower', async () => {
  // `guest` may log in from the loopback alone: a client of another address must not come in through a node.
  const open = await cluster.openAs(follower, '192.0.2.7', leader);
  open.write(
    'GET /api/whoami HTTP/1.1\r\nhost: x\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n',
  );
  const [answer] = await new Promise<Buffer[]>((resolve) =>
    open.once('data', (bytes: Buffer) => resolve([bytes])),
  );
  expect(String(answer)).toMatch(/^HTTP\/1.1 401/);
  open.destroy();
});

test('checks of the node itself say without a login that it does not lead', async () => {
  for (const check of ['is-in-service', 'ready-to-serve-clients']) {
    const { status, json } = await follower.call('GET', `/health/checks/${check}`, '');
    expect([status, json]).toEqual([
      503,
      { status: 'failed', reason: 'this node does not lead: leveret@n1 does' },
    ]);
    expect((await leader.call('GET', `/health/checks/${check}`)).status).toBe(200);
  }
  const quorum = await follower.call('GET', '/health/checks/node-is-quorum-critical', '');
  expect([quorum.status, quorum.json]).toEqual([200, { status: 'ok' }]);
  expect((await follower.call('GET', '/health/checks/alarms', '')).status).toBe(401);
});

test('a follower has metrics of the cluster and of the process, and no others', async () => {
  const text = await (await fetch(`${follower.url('prometheus.tcp')}/metrics`)).text();
  expect(text).toMatch(/^leveret_cluster_leader 0$/m);
  expect(text).toMatch(/^leveret_cluster_leader_known 1$/m);
  expect(text).toMatch(/^process_resident_memory_bytes /m);
  expect(text).not.toContain('rabbitmq_');
  expect((await fetch(`${follower.url('prometheus.tcp')}/none`)).status).toBe(404);
});

test('the control socket of a follower needs no login', async () => {
  const path = join(follower.dataDir, CONTROL_FOLDER, CONTROL_SOCKET);
  const ask = (target: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(path, () => {
        socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      });
      let text = '';
      socket.on('data', (bytes) => {
        text += bytes;
      });
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
    });
  expect(await ask('/api/cluster')).toContain('"node":"leveret@n2"');
  expect(await ask('/api/queues')).toMatch(/^HTTP\/1.1 200/);
});

test('ports stay while the lead goes to and fro, and nothing is left behind', async () => {
  const swift = new TestCluster();
  try {
    // A node that has stepped down leaves the lead to others for a lease.
    const lease = { clusterLeaseMs: 1500, clusterRenewMs: 300 };
    await swift.start('s1', lease);
    await swift.leader();
    await swift.start('s2', lease);
    const ports = swift.nodes.map((node) => node.port('management.tcp'));
    const epochs = async (): Promise<number[]> => {
      const seen = swift.nodes.map((node) => node.call('GET', '/cluster'));
      return (await Promise.all(seen)).map(({ json }) => json.nodes?.[0].epoch ?? -1);
    };
    for (let n = 0; n < 6; n += 1) {
      const [before = 0] = await epochs();
      await (await swift.leader()).call('PUT', '/cluster/step-down?force=true');
      const bothOn = async (): Promise<boolean> => (await epochs()).every((now) => now > before);
      await expect.poll(bothOn, { timeout: 60_000, interval: 50 }).toBe(true);
    }
    expect(swift.nodes.map((node) => node.port('management.tcp'))).toEqual(ports);
    for (const node of swift.nodes) expect(node.followedSettings).toBeLessThanOrEqual(1);
  } finally {
    await swift.close();
  }
});

test('where no node leads, a node says so', async () => {
  const now = await cluster.leader();
  const other = now === leader ? follower : leader;
  other.client.cut = true;
  await now.broker.close('the test stops it');
  await expect
    .poll(
      async () => {
        const { status, json } = await other.call('GET', '/overview');
        return [status, json?.error];
      },
      { timeout: 20_000 },
    )
    .toEqual([503, 'not_leader']);
  const { text } = await other.call('GET', '/overview', '');
  expect(text).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
  const check = await other.call('GET', '/health/checks/is-in-service', '');
  expect(check.status).toBe(503);
});
