// Owns the tests of what the keys of rabbitmq.conf mean here.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Judgement, judge } from '../../../src/config/rabbitmq/keys.ts';
import { SETTINGS } from '../../../src/config/settings.ts';

const ROWS = Object.values(SETTINGS);
const isSetting = (key: string): boolean =>
  ROWS.some((row) => row.key === key || (row.readMember && key.startsWith(`${row.key}.`)));

function judged(key: string, value: string, beside: Record<string, string> = {}): Judgement | null {
  return judge(key, value, isSetting, new Map(Object.entries(beside)));
}

test.each([
  ['ssl_options.crl_check', 'true', 'revoked'],
  ['ssl_options.psk_identity', 'x', 'pre-shared'],
  ['ssl_options.key.RSAPrivateKey', 'x', 'from files only'],
  ['ssl_options.cacerts.1', 'x', 'from files only'],
  ['ssl_options.cert', 'x', 'from files only'],
  ['ssl_options.dh', 'x', 'from a file only'],
  ['definitions.import_backend', 'https', 'from files alone'],
  ['definitions.https.url', 'https://a', 'from files alone'],
  ['auth_backends.1', 'ldap', 'by the broker itself'],
  ['auth_backends.1.authn', 'rabbit_auth_backend_oauth2', 'by the broker itself'],
  ['mqtt.listeners.tcp.1', '1883', 'not spoken'],
  ['stream.listeners.ssl.default', '5551', 'not spoken'],
  ['web_stomp.tcp.port', '15674', 'not spoken'],
  ['proxy_protocol', 'true', 'address'],
  ['trust_store.directory', '/certs', 'authority'],
  ['management.oauth_enabled', 'true', 'names and passwords'],
  ['management.ssl.verify', 'verify_peer', 'no client'],
  ['prometheus.ssl.verify', 'verify_peer', 'no client'],
  ['prometheus.authentication.enabled', 'true', 'no client'],
  ['default_users.bob.password', 'x', 'not made'],
  ['cluster_queue_limit', '100', 'no such limit'],
  ['message_interceptors.incoming.set_header_timestamp.overwrite', 'true', 'no header'],
  ['management.restrictions.operator_policy_changes.disabled', 'true', 'every administrator'],
  ['listeners.tcp.unix', 'unix:/run/rabbitmq.sock:0', 'file system'],
  ['default_pass', 'encrypted:abc', 'encrypted'],
])('%s = %s is refused, with the reason: what is safe or served hangs on it', (key, value, why) => {
  const judgement = judged(key, value);
  expect(judgement).toMatchObject({ is: 'refused', what: expect.stringContaining(why) });
  expect((judgement as { wayOut: string }).wayOut).toMatch(/^(use|remove|name|write) /);
});

test.each([
  ['log.console.level', 'debug', 'log.level', 'debug'],
  ['log.default.level', 'debug', 'log.level', 'debug'],
  ['management.load_definitions', '/a', 'load_definitions', '/a'],
  ['consumer_timeout_response', 'notify_consumer', 'consumer_timeout_action', 'cancel'],
  ['consumer_timeout_response', 'close_channel', 'consumer_timeout_action', 'close_channel'],
  ['definitions.local.path', '/a', 'load_definitions', '/a'],
  ['management.cors.allow_origins', 'none', 'management.http.allowed_origins', 'none'],
  [
    'management.cors.allow_origins.1',
    'https://shop.example.com:8443',
    'management.http.allowed_origins.https://shop.example.com:8443',
    'true',
  ],
  ['management.cors.allow_origins.all', '*', 'management.http.allowed_origins.*', 'true'],
  ['management.listener.port', '15672', 'management.tcp.port', '15672'],
  ['max_connections', '5', 'connection_max', '5'],
  ['heartbeat', '5', 'heartbeat', '5'],
  ['frame_max', '0', 'frame_max', '134217728'],
  ['handshake_timeout', 'infinity', 'handshake_timeout', '3600000'],
  ['consumer_timeout', 'undefined', 'consumer_timeout', 'infinity'],
  ['loopback_users.guest', 'guest', 'loopback_users.guest', 'false'],
  ['loopback_users.guest', 'true', 'loopback_users.guest', 'true'],
])('%s = %s means %s = %s', (key, value, setting, means) => {
  expect(judged(key, value)).toEqual({ is: 'setting', key: setting, value: means });
  expect(isSetting(setting)).toBe(true);
});

test('the old keys of the HTTP API are about TLS where one of them says so', () => {
  const beside = { 'management.listener.ssl': 'true' };
  expect(judged('management.listener.port', '15671', beside)).toMatchObject({
    key: 'management.ssl.port',
  });
  expect(judged('management.listener.ssl_opts.certfile', '/c', beside)).toMatchObject({
    key: 'management.ssl.certfile',
  });
});

test('a console that is switched off silences the broker only where the file is switched off too', () => {
  expect(judged('log.console', 'false')).toMatchObject({ is: 'without effect' });
  expect(judged('log.console', 'false', { 'log.file': 'rabbit.log' })).toMatchObject({
    is: 'without effect',
  });
  expect(judged('log.console', 'false', { 'log.file': 'false' })).toMatchObject({ is: 'setting' });
  expect(judged('log.console', 'true')).toMatchObject({ is: 'setting' });
});

test('the level of the console wins over that of all sinks, wherever it stands', () => {
  expect(judged('log.default.level', 'error', { 'log.console.level': 'info' })).toMatchObject({
    is: 'without effect',
  });
});

test.each([
  ['cluster_name', 'prod'],
  ['cluster_formation.classic_config.nodes.1', 'rabbit@a'],
  ['cluster_formation.k8s.host', 'kubernetes.default'],
  ['cluster_partition_handling', 'ignore'],
  ['log.file', 'false'],
  ['log.file.level', 'info'],
  ['log.exchange.level', 'info'],
  ['log.connection.level', 'info'],
  ['log.queue.rotation.size', '10'],
  ['log.console.use_colors', 'on'],
  ['log.console.formatter.time_format', 'epoch_usecs'],
  ['log.file.rotation.date', '$D0'],
  ['log.syslog.ssl_options.versions.1', 'tlsv1.2'],
  ['log.journald', 'true'],
  ['log.dir', '/var/log'],
  ['hipe_compile', 'false'],
  ['num_acceptors.tcp', '10'],
  ['raft.wal_max_size_bytes', '1'],
  ['management.rates_mode', 'basic'],
  ['management.sample_retention_policies.global.minute', '5'],
  ['management.tcp.compress', 'true'],
  ['mnesia_table_loading_retry_limit', '10'],
  ['tcp_listen_options.sndbuf', '1000'],
  ['auth_backends.1', 'internal'],
  ['auth_backends.2', 'rabbit_auth_backend_internal'],
  ['auth_ldap.servers.1', 'ldap.example.com'],
  ['definitions.import_backend', 'local_filesystem'],
  ['proxy_protocol', 'false'],
  ['management.listener.ssl', 'false'],
  ['management.ssl.verify', 'verify_none'],
  ['prometheus.ssl.versions.1', 'tlsv1.2'],
  ['prometheus.ssl.verify', 'verify_none'],
  ['management.restrictions.operator_policy_changes.disabled', 'false'],
  ['mqtt.vhost', '/'],
  ['mqtt.listeners.tcp', 'none'],
  ['ssl_options.versions.2', 'tlsv1.1'],
  ['ssl_options.secure_renegotiate', 'false'],
  ['vhost_max', 'infinity'],
])('%s = %s is taken, and changes nothing', (key, value) => {
  expect(judged(key, value)).toMatchObject({ is: 'without effect' });
});

test.each([
  ['cluster_formation.classic_config.nodes.1', 'rabbit@a'],
  ['cluster_formation.peer_discovery_backend', 'k8s'],
  ['cluster_partition_handling', 'pause_minority'],
  ['cluster_keepalive_interval', '10000'],
])('%s = %s points to the settings of clusters here', (key, value) => {
  const judgement = judged(key, value) as { why: string };
  const named = judgement.why.match(/cluster\.[a-z.]*[a-z]/g) ?? [];
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((each) => !isSetting(each))).toEqual([]);
});

test.each(['heartbet', 'unheard_of.thing', 'ssl_option.verify', 'managment.tcp.port', 'vm_memory'])(
  '%s is no key of RabbitMQ',
  (key) => {
    expect(judged(key, '1')).toBeNull();
  },
);

test.each(['rabbitmq-3.10-keys.txt', 'rabbitmq-4.3-keys.txt'])(
  'each key of %s is a setting, without an effect, or refused with a reason',
  (name) => {
    const path = fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
    const keys = readFileSync(path, 'utf8').trim().split('\n');
    expect(keys.length).toBeGreaterThan(name.includes('3.10') ? 800 : 100);
    expect(keys.filter((key) => judged(key, '1') === null)).toEqual([]);
  },
);

test('origins beside `none` are without effect, and how long a browser keeps them is fixed', () => {
  const beside = { 'management.cors.allow_origins': 'none' };
  expect(judged('management.cors.allow_origins.1', 'https://a', beside)).toMatchObject({
    is: 'without effect',
    why: expect.stringContaining('none'),
  });
  expect(judged('management.cors.max_age', '60')).toMatchObject({
    is: 'without effect',
    why: expect.stringContaining('1800'),
  });
});

test.each([
  'log.lvel',
  'log.connexion.level',
  'log.connection.levle',
  'log.file.rotate.size',
  'log.console.formater',
  'log.dir.name',
])('a key of the log that no release of RabbitMQ has is unknown: %s', (key) => {
  expect(judged(key, 'debug')).toBeNull();
});
