// Owns the tests of the variables of RabbitMQ, of its container images and of config files.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Config, loadConfig, readConfig } from '../../../src/config/load.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-env-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function load(env: Record<string, string>, content?: string): Promise<Config> {
  const configGlobs: string[] = [];
  if (content !== undefined) {
    configGlobs.push(join(folder, 'a.conf'));
    writeFileSync(join(folder, 'a.conf'), content);
  }
  return loadConfig({ configGlobs, env, flags: {} });
}

test.each([
  [{ RABBITMQ_NODENAME: 'rabbit@a' }, { nodeName: 'rabbit@a' }],
  [{ RABBITMQ_LOG: 'debug,+color' }, { logLevel: 'debug' }],
  [{ RABBITMQ_MNESIA_BASE: '/data' }, { dataDir: '/data/leveret' }],
  [{ RABBITMQ_MNESIA_BASE: '/data', RABBITMQ_MNESIA_DIR: '/mq' }, { dataDir: '/mq/leveret' }],
  [{ RABBITMQ_LOAD_DEFINITIONS: '/etc/d.json' }, { loadDefinitions: ['/etc/d.json'] }],
  [{ RABBITMQ_VM_MEMORY_HIGH_WATERMARK: '0.6' }, { memoryWatermark: 0.6 }],
  [{ RABBITMQ_VM_MEMORY_HIGH_WATERMARK: '.5' }, { memoryWatermark: 0.5 }],
  [{ RABBITMQ_VM_MEMORY_HIGH_WATERMARK: '55%' }, { memoryWatermark: 0.55 }],
  [{ RABBITMQ_VM_MEMORY_HIGH_WATERMARK: '2GiB' }, { memoryWatermarkBytes: 2 ** 31 }],
])('%j is heard', async (env, settings) => {
  const config = await load(env as unknown as Record<string, string>);
  expect(config.settings).toMatchObject(settings);
  expect(config.warnings).toEqual([]);
});

test('the port and the address of the node are heard, and ours win over them', async () => {
  const env = { RABBITMQ_NODE_PORT: '5673', RABBITMQ_NODE_IP_ADDRESS: '0.0.0.0' };
  expect((await load(env)).settings.tcpListeners.get('default')).toEqual({
    host: '0.0.0.0',
    port: 5673,
  });
  const { settings } = await load({ ...env, LEVERET_PORT: '5674' });
  expect(settings.tcpListeners.get('default')).toEqual({ host: '0.0.0.0', port: 5674 });
});

test('certificates of old images open the ports with TLS, as they did', async () => {
  const { settings, warnings } = await load({
    RABBITMQ_SSL_CERTFILE: '/c',
    RABBITMQ_SSL_KEY_FILE: '/k',
    RABBITMQ_SSL_CACERTFILE: '/ca',
    RABBITMQ_SSL_FAIL_IF_NO_PEER_CERT: 'no',
  });
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject({
    sslCertfile: '/c',
    sslKeyfile: '/k',
    sslCacertfile: '/ca',
    sslVerify: 'verify_peer',
    sslFailIfNoPeerCert: false,
    managementSslPort: 15671,
    managementPort: null,
  });
  expect(settings.sslListeners.get('default')?.port).toBe(5671);
  expect(settings.tcpListeners.get('default')?.port).toBe(5672);
});

test('a file has the name and the password of the first user, without its last line break', async () => {
  writeFileSync(join(folder, 'user'), 'admin\n');
  writeFileSync(join(folder, 'pass'), 'two words \r\n');
  const env = {
    RABBITMQ_DEFAULT_USER_FILE: join(folder, 'user'),
    RABBITMQ_DEFAULT_PASS_FILE: join(folder, 'pass'),
  };
  expect((await load(env)).settings).toMatchObject({
    defaultUser: 'admin',
    defaultPass: 'two words ',
  });
  await expect(load({ ...env, RABBITMQ_DEFAULT_PASS: 'x' })).rejects.toThrow(
    'RABBITMQ_DEFAULT_PASS_FILE: RABBITMQ_DEFAULT_PASS is set too',
  );
  await expect(load({ RABBITMQ_DEFAULT_PASS_FILE: join(folder, 'gone') })).rejects.toThrow(
    `${folder}/gone: cannot be read`,
  );
});

test('every other variable of RabbitMQ is named in one warning, with the reason or the nearest name', async () => {
  const { warnings } = await load({
    RABBITMQ_ERLANG_COOKIE: 'secret',
    RABBITMQ_USE_LONGNAME: 'true',
    RABBITMQ_LOGS: '/var/log/rabbit.log',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-rabbit x y',
    RABBITMQ_URL: 'amqp://a',
    RABBITMQ_USERNAME: 'app',
    RABBITMQ_NODENAM: 'x',
    RABBITMQ_SOMETHING_ELSE_ALTOGETHER: 'x',
    RABBITMQ_SERVICE_HOST: '10.0.0.1',
    RABBITMQ_PORT: 'tcp://10.0.0.1:5672',
    RABBITMQ_EMPTY: '',
    OTHER: 'x',
  });
  expect(warnings).toEqual([
    'variables of RabbitMQ that set nothing here: RABBITMQ_ERLANG_COOKIE (there is no Erlang here), ' +
      'RABBITMQ_USE_LONGNAME (it is about clusters of RabbitMQ; for those of Leveret see cluster.log), RABBITMQ_LOGS (the log goes to standard output alone), ' +
      'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS (there is no Erlang here), RABBITMQ_URL (it is for clients), ' +
      'RABBITMQ_USERNAME (not known; did you mean RABBITMQ_DEFAULT_USER?), ' +
      'RABBITMQ_NODENAM (not known; did you mean RABBITMQ_NODENAME?), ' +
      'RABBITMQ_SOMETHING_ELSE_ALTOGETHER (not known)',
  ]);
});

test('a variable that is heard with other values is never taken for itself', async () => {
  expect(
    (await load({ RABBITMQ_LOAD_DEFINITIONS: 'yes', RABBITMQ_LOG: '+color' })).warnings,
  ).toEqual([
    'variables of RabbitMQ that set nothing here: RABBITMQ_LOAD_DEFINITIONS (it names no path), ' +
      'RABBITMQ_LOG (it names no level for all lines)',
  ]);
});

test("what RabbitMQ's image sets by itself is no warning where it is so anyway", async () => {
  expect((await load({ RABBITMQ_LOGS: '-' })).warnings).toEqual([]);
});

test('a value may take a part from the environment, or from another key', async () => {
  const content =
    'default_user = $(MQ_USER)\nnode.name = mq-$(ZONE)-$(default_vhost)\ndefault_vhost = prod';
  const { settings } = await load({ MQ_USER: 'admin', ZONE: 'eu' }, content);
  expect(settings).toMatchObject({ defaultUser: 'admin', nodeName: 'mq-eu-prod' });
  await expect(load({ ZONE: 'eu' }, content)).rejects.toThrow(
    `${folder}/a.conf:1: default_user: there is no variable MQ_USER in the environment`,
  );
});

test('what is wrong in files, variables and flags is told together', async () => {
  const wrong = loadConfig({
    configGlobs: [],
    env: { LEVERET_HEARTBEAT: 'x', RABBITMQ_NODE_PORT: 'y' },
    flags: { '--log-level': 'loud' },
  });
  await expect(wrong).rejects.toMatchObject({ all: { length: 3 } });
});

test('a port for the HTTP API with TLS takes the place of the one without, unless both are asked for', async () => {
  expect((await load({}, 'management.ssl.port = 15671')).settings.managementPort).toBeNull();
  const both = 'management.ssl.port = 15671\nmanagement.tcp.port = 15672';
  expect((await load({}, both)).settings.managementPort).toBe(15672);
});

test('a variable that any part of the product reads is no unknown setting', async () => {
  const src = new URL('../../../src/', import.meta.url);
  const paths = readdirSync(src, { recursive: true, encoding: 'utf8' });
  const texts = paths
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(new URL(path, src), 'utf8'));
  const names = new Set(texts.join('\n').match(/(?<=['"`])LEVERET_[A-Z_]+(?=['"`])/g));
  expect([...names]).toContain('LEVERET_URL');
  const env = Object.fromEntries([...names].map((name) => [name, '1']));
  const { warnings } = await readConfig({ configGlobs: [], env, flags: {} });
  expect(warnings).toEqual([]);
});
