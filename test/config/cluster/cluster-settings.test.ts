// Owns the tests of the settings of several nodes: what each takes.

import { expect, test } from 'vitest';
import { explain } from '../../../src/config/explain.ts';
import { LiveSettings } from '../../../src/config/live/live-settings.ts';
import { readConfig, settingsOf } from '../../../src/config/load.ts';
import type { Settings } from '../../../src/config/settings.ts';

const WHOLE = {
  'cluster.log': 'nats',
  'cluster.name': 'shop',
  'cluster.node': 'n1',
  'cluster.nats.servers': '127.0.0.1:4222',
};

function read(lines: Readonly<Record<string, string>>): Settings {
  return settingsOf('test', Object.entries({ ...WHOLE, ...lines }));
}

test('all settings of a cluster are read', () => {
  const lines = {
    ...WHOLE,
    'cluster.group': 'eu-1',
    'cluster.nats.servers': '10.0.0.1:4222, nats.example.com:4222,[::1]:4224, 10.0.0.1:4222',
    'cluster.nats.credentials': '/etc/nats.creds',
    'cluster.nats.tls.ca': '/ca.pem',
    'cluster.nats.tls.cert': '/cert.pem',
    'cluster.nats.tls.key': '/key.pem',
    'cluster.nats.monitor': '10.0.0.1:8222',
    'cluster.replicas': '5',
    'cluster.lease': '3s',
    'cluster.renew': '500ms',
    'cluster.follower': 'proxy',
    'cluster.advertise': 'mq1.example.com:5672',
    'cluster.listen': '0.0.0.0:25672',
    'cluster.secret': '0123456789abcdef',
    'cluster.log_bytes_max': '4GiB',
    'cluster.snapshot.bytes': '512MiB',
    'cluster.require_sync': 'false',
  };
  expect(settingsOf('test', Object.entries(lines))).toMatchObject({
    nodeName: 'leveret@n1',
    clusterLog: 'nats',
    clusterName: 'shop',
    clusterNode: 'n1',
    clusterGroup: 'eu-1',
    clusterNatsServers: ['10.0.0.1:4222', 'nats.example.com:4222', '[::1]:4224'],
    clusterNatsCredentials: '/etc/nats.creds',
    clusterNatsTlsCa: '/ca.pem',
    clusterNatsTlsCert: '/cert.pem',
    clusterNatsTlsKey: '/key.pem',
    clusterNatsMonitor: ['10.0.0.1:8222'],
    clusterReplicas: 5,
    clusterLeaseMs: 3000,
    clusterRenewMs: 500,
    clusterFollower: 'proxy',
    clusterAdvertise: 'mq1.example.com:5672',
    clusterListen: { host: '0.0.0.0', port: 25672 },
    clusterSecret: '0123456789abcdef',
    clusterLogBytesMax: 4 * 2 ** 30,
    clusterSnapshotBytes: 2 ** 29,
    clusterRequireSync: false,
  });
});

test('without any of them there is one node, of the name that it always had', () => {
  expect(settingsOf('test', [])).toMatchObject({
    nodeName: 'leveret',
    clusterLog: 'none',
    clusterName: null,
    clusterNode: null,
    clusterGroup: 'main',
    clusterNatsServers: [],
    clusterReplicas: 3,
    clusterLeaseMs: 5000,
    clusterRenewMs: 1000,
    clusterFollower: 'refuse',
    clusterAdvertise: null,
    clusterListen: { host: '127.0.0.1', port: 0 },
    clusterSecret: null,
    clusterLogBytesMax: 8 * 2 ** 30,
    clusterSnapshotBytes: 2 ** 30,
    clusterRequireSync: true,
  });
});

test.each([
  ['cluster.log', 'kafka', 'one of none, nats'],
  ['cluster.name', 'a.b', 'letters, digits, - and _'],
  ['cluster.name', 'a b', 'letters, digits, - and _'],
  ['cluster.name', '*', 'letters, digits, - and _'],
  ['cluster.node', 'n\u00f6', 'letters, digits, - and _'],
  ['cluster.node', 'n'.repeat(33), '1 to 32'],
  ['cluster.node', '', '1 to 32'],
  ['cluster.group', 'a_b', 'letters, digits and -'],
  ['cluster.group', '>', 'letters, digits and -'],
  ['cluster.nats.servers', '4222', 'host:port'],
  ['cluster.nats.servers', 'nats://a:4222', 'host:port'],
  ['cluster.nats.servers', 'a:4222,', 'host:port'],
  ['cluster.nats.servers', 'a:0', 'host:port'],
  ['cluster.nats.servers', '*:4222', 'host:port'],
  ['cluster.nats.servers', '::1:4222', 'host:port'],
  ['cluster.nats.servers', 'a:65536', 'host:port'],
  ['cluster.nats.servers', Array.from({ length: 33 }, (_, at) => `a${at}:1`).join(), 'at most 32'],
  ['cluster.nats.password', '', '1 to 512 bytes'],
  ['cluster.nats.monitor', 'a', 'host:port'],
  ['cluster.advertise', 'a', 'host:port'],
  ['cluster.listen', '25672', 'host:port'],
  ['cluster.replicas', '6', 'from 1 to 5'],
  ['cluster.replicas', '0', 'from 1 to 5'],
  ['cluster.lease', '5', 'such as 500ms, 5s or 2m'],
  ['cluster.lease', '-5s', 'such as 500ms, 5s or 2m'],
  ['cluster.lease', '1.5s', 'such as 500ms, 5s or 2m'],
  ['cluster.lease', '1ms', 'from 300ms to 600s'],
  ['cluster.lease', '11m', 'from 300ms to 600s'],
  ['cluster.follower', 'redirect', 'one of refuse, proxy'],
  ['cluster.secret', 'short', '16 to 512 bytes'],
])('%s = %s is refused, with what is expected', (key, value, expects) => {
  expect(() => read({ [key]: value })).toThrow(expects);
  expect(() => read({ [key]: value })).toThrow(`test: ${key}: `);
});

test('the parts of a name of a stream cannot run into one another', () => {
  expect(read({ 'cluster.name': 'a_b' }).clusterName).toBe('a_b');
  expect(() => read({ 'cluster.group': 'b_c' })).toThrow('letters, digits and -');
});

test('the secret is shown nowhere, not even where it is refused', async () => {
  const secret = 'a-secret-of-the-nodes';
  const env = { LEVERET_CLUSTER_SECRET: secret };
  const config = await readConfig({ configGlobs: [], env, flags: {} });
  expect(config.settings.clusterSecret).toBe(secret);
  expect(JSON.stringify(explain(config))).not.toContain(secret);
  expect(JSON.stringify(new LiveSettings(config).list())).not.toContain(secret);
  const short = await readConfig({
    configGlobs: [],
    env: {
      LEVERET_CLUSTER_SECRET: 'hush-hush',
      LEVERET_CLUSTER_NATS_SERVERS: 'nats://me:hush@nats.example.com:4222',
    },
    flags: {},
  });
  expect(short.faults.map(String)).toEqual([
    expect.stringContaining('host:port, several with commas between them, without a login'),
    expect.stringContaining('16 to 512 bytes'),
  ]);
  expect(JSON.stringify([explain(short), short.faults.map(String)])).not.toContain('hush');
});

test.each([
  [{ 'cluster.nats.user': 'a' }, 'cluster.nats.password has to be set too'],
  [{ 'cluster.nats.password': 'hush' }, 'cluster.nats.user has to be set too'],
  [
    { 'cluster.nats.user': 'a', 'cluster.nats.password': 'hush', 'cluster.nats.token': 'hush' },
    'cluster.nats.user is set too, and one login is enough',
  ],
  [
    { 'cluster.nats.credentials': '/a.creds', 'cluster.nats.token': 'hush' },
    'cluster.nats.credentials is set too, and one login is enough',
  ],
])('a login to NATS is one, and whole: %o', async (lines, problem) => {
  const env = Object.fromEntries(
    Object.entries(lines).map(([key, value]) => [
      `LEVERET_${key.toUpperCase().replaceAll('.', '_')}`,
      value,
    ]),
  );
  const { faults } = await readConfig({ configGlobs: [], env, flags: {} });
  expect(faults.map(String)).toEqual([expect.stringContaining(problem)]);
  expect(String(faults)).not.toContain('hush');
});
