// Owns the tests of what settings of the cluster ask of one another.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkFiles } from '../../../src/config/layers/check-files.ts';
import { type Config, readConfig } from '../../../src/config/load.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-cluster-config-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const WHOLE = `cluster.log = nats
cluster.name = shop
cluster.node = n1
cluster.nats.servers = 127.0.0.1:4222
`;

function write(content: string): string {
  const path = join(folder, 'a.conf');
  writeFileSync(path, content);
  return path;
}

function read(
  content: string,
  env: Readonly<Record<string, string>> = {},
  flags: Readonly<Record<string, string>> = {},
): Promise<Config> {
  return readConfig({ configGlobs: [write(content)], env, flags });
}

async function faultsOf(...args: Parameters<typeof read>): Promise<readonly string[]> {
  const { faults } = await read(...args);
  return faults.map(({ message }) => message.replace(`${folder}/`, ''));
}

test('a whole cluster is taken', async () => {
  expect(await faultsOf(WHOLE)).toEqual([]);
});

test.each([
  ['cluster.name', "set it, for example 'cluster.name = shop'"],
  ['cluster.node', "set it, for example 'cluster.node = n1'"],
  ['cluster.nats.servers', "set it, for example 'cluster.nats.servers = 10.0.0.1:4222, "],
])('a log without %s is refused, at the line that asks for the log', async (key, wayOut) => {
  const faults = await faultsOf(WHOLE.replace(new RegExp(`^${key} = .*$`, 'm'), ''));
  expect(faults).toEqual([
    expect.stringContaining(`a.conf:1: cluster.log: nats needs ${key} too;`),
  ]);
  expect(faults[0]).toContain(wayOut);
});

test('what is missing is told at once, and what was refused is not missing', async () => {
  expect(await faultsOf('cluster.log = nats')).toHaveLength(3);
  const faults = await faultsOf(WHOLE.replace('n1', 'n.1'));
  expect(faults).toEqual([expect.stringContaining('a.conf:3: cluster.node: expected')]);
});

test('what a file has not may come from the environment', async () => {
  const file = WHOLE.replace('cluster.node = n1\n', '');
  const { faults, settings } = await read(file, { LEVERET_CLUSTER_NODE: 'n2' });
  expect(faults).toEqual([]);
  expect(settings).toMatchObject({ clusterNode: 'n2', nodeName: 'leveret@n2' });
});

test('a look at files alone does not miss what may stand elsewhere', async () => {
  const path = write('cluster.log = nats\ncluster.nats.tls.cert = /a.pem');
  const { config } = await checkFiles([path], {}, { root: null, inContainer: false });
  expect(config.faults).toEqual([]);
});

test('a log needs a disk', async () => {
  expect(await faultsOf(`${WHOLE}memory = true`)).toEqual([
    'a.conf:5: memory: this keeps nothing on disk, and cluster.log = nats needs a disk; ' +
      'leave it out, or set cluster.log = none',
  ]);
  const { faults } = await read(WHOLE, {}, { '--memory': 'true' });
  expect(faults.map(({ message }) => message)).toEqual([
    expect.stringContaining('command line: --memory: '),
  ]);
  expect(faults[0]?.isUsage).toBe(true);
  expect(await faultsOf('memory = true')).toEqual([]);
});

test('a lease is renewed three times within it', async () => {
  expect(await faultsOf(`${WHOLE}cluster.lease = 3s`)).toEqual([]);
  expect(await faultsOf(`${WHOLE}cluster.renew = 1666ms`)).toEqual([]);
  expect(await faultsOf(`${WHOLE}cluster.renew = 1667ms`)).toEqual([
    'a.conf:5: cluster.renew: cluster.renew (1667ms) is more than a third of cluster.lease (5s), so that a leader ' +
      'could lose its lease by one late renewal; set cluster.renew to at most 1666ms, or cluster.lease to at least 5001ms',
  ]);
  expect(await faultsOf(`${WHOLE}cluster.lease = 2s`)).toEqual([
    expect.stringMatching(/^a\.conf:5: cluster\.lease: .*set cluster\.renew to at most 666ms/),
  ]);
});

test('the log has room for the snapshots that trim it', async () => {
  expect(await faultsOf('cluster.snapshot.bytes = 2GiB')).toEqual([]);
  expect(await faultsOf('cluster.snapshot.bytes = 3GiB')).toEqual([
    expect.stringMatching(/^a\.conf:1: cluster\.snapshot\.bytes: .*at most 2863311530, or/),
  ]);
  expect(await faultsOf('cluster.log_bytes_max = 1GiB')).toEqual([
    expect.stringMatching(/^a\.conf:1: cluster\.log_bytes_max: .*to at least 3221225472$/),
  ]);
});

test.each([
  ['cert', 'key'],
  ['key', 'cert'],
])('a TLS %s without its %s is refused', async (given, missing) => {
  const line = `cluster.nats.tls.${given} = /a.pem`;
  expect(await faultsOf(line)).toEqual([
    expect.stringContaining(
      `a.conf:1: cluster.nats.tls.${given}: cluster.nats.tls.${missing} has to be set too; set it, for example`,
    ),
  ]);
  expect(await faultsOf(`${line}\ncluster.nats.tls.${missing} = /b.pem`)).toEqual([]);
});

test('a node of a cluster is named after it, unless its name is set', async () => {
  const named = await read('cluster.node = n1');
  expect(named.settings.nodeName).toBe('leveret@n1');
  expect(named.origins.get('nodeName')).toEqual(named.origins.get('clusterNode'));
  const own = await read('cluster.node = n1\nnode.name = rabbit@a');
  expect(own.settings.nodeName).toBe('rabbit@a');
});

test('servers of a cluster without a log are told as a mistake', async () => {
  const { warnings } = await read('cluster.nats.servers = a:4222');
  expect(warnings).toEqual([expect.stringContaining('set cluster.log = nats for a cluster')]);
  expect((await read(WHOLE)).warnings).toEqual([]);
});

test('files of clusters of RabbitMQ start as they are, with a pointer to the settings here', async () => {
  const { faults, warnings } = await read(`cluster_name = prod
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = rabbit@a
cluster_partition_handling = pause_minority
cluster_keepalive_interval = 10000`);
  expect(faults).toEqual([]);
  expect(warnings).toEqual([expect.stringContaining('see cluster.log, cluster.nats.servers')]);
});
