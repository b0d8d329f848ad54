// The example of a cluster, over brokers of a real one whose leader is killed again and again.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { NATS_SERVER, NatsServers } from '../support/nats.ts';
import { PATIENCE_MS } from '../support/patience.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODES = ['n1', 'n2', 'n3'];
/** How long the example publishes, and how often its leader is killed meanwhile. */
const SECONDS = Number(process.env['CLUSTER_SECONDS'] ?? 8);
const KILL_EACH_MS = Number(process.env['CLUSTER_KILL_SECONDS'] ?? 4) * 1000;

const folder = mkdtempSync(join(tmpdir(), 'leveret-cluster-example-'));
const children = new Map<string, ChildProcess>();
let servers: NatsServers | null = null;
afterAll(async () => {
  for (const child of children.values()) child.kill('SIGKILL');
  await servers?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The node that said last that it leads. */
let leader = '';

function startNode(node: string, port: number, nats: readonly string[]): void {
  const env = {
    ...process.env,
    LEVERET_CLUSTER_LOG: 'nats',
    LEVERET_CLUSTER_NAME: 'example',
    LEVERET_CLUSTER_NODE: node,
    LEVERET_CLUSTER_NATS_SERVERS: nats.join(','),
    LEVERET_CLUSTER_REPLICAS: '1',
    LEVERET_CLUSTER_LOG_BYTES_MAX: '256MiB',
    LEVERET_CLUSTER_SNAPSHOT_BYTES: '64MiB',
    LEVERET_CLUSTER_LEASE: '1500ms',
    LEVERET_CLUSTER_RENEW: '300ms',
    LEVERET_MANAGEMENT_TCP_PORT: 'none',
    LEVERET_PROMETHEUS_TCP_PORT: 'none',
  };
  const args = ['start', '--port', String(port), '--data-dir', join(folder, node)];
  const child = spawn(process.execPath, [join(ROOT, 'bin/leveret'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('"this node leads"')) leader = node;
  });
  children.set(node, child);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs the example; resolves with its exit code and what it printed. */
function example(hosts: string): Promise<{ code: number | null; said: string }> {
  const env = { ...process.env, HOSTS: hosts, SECONDS: String(SECONDS) };
  const child = spawn(process.execPath, [join(ROOT, 'docs/examples/cluster.mjs')], { env });
  children.set('example', child);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, said })));
}

describe.skipIf(NATS_SERVER === null)('the example of a cluster', () => {
  test('loses nothing that was confirmed while its leader is killed again and again', {
    timeout: 4 * PATIENCE_MS + SECONDS * 1000,
  }, async () => {
    servers = await NatsServers.start();
    const { addresses } = servers;
    const ports = await Promise.all(NODES.map(freePort));
    NODES.forEach((node, i) => {
      startNode(node, ports[i] as number, addresses);
    });
    await expect.poll(() => leader, { timeout: PATIENCE_MS }).not.toBe('');
    let kills = 0;
    const killing = setInterval(() => {
      const victim = leader;
      if (victim === '') return;
      leader = '';
      kills += 1;
      const child = children.get(victim) as ChildProcess;
      child.once('close', () =>
        startNode(victim, ports[NODES.indexOf(victim)] as number, addresses),
      );
      child.kill('SIGKILL');
    }, KILL_EACH_MS);
    const { code, said } = await example(ports.map((port) => `amqp://127.0.0.1:${port}`).join(','));
    clearInterval(killing);
    expect(said).toMatch(/^([1-9]\d*) confirmed of \1, \1 received, 0 lost\n/);
    expect(code).toBe(0);
    expect(kills).toBeGreaterThan(0);
  });
});
