import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ConfigErrors } from '../../src/config/config-error.ts';
import { loadConfig, loadSettings, type Sources, settingsOf } from '../../src/config/load.ts';
import { showOrigin } from '../../src/config/origin.ts';
import { defaultSettings, type Settings } from '../../src/config/settings.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-config-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function load(sources: Partial<Sources>): Promise<Settings> {
  return loadSettings({ configGlobs: [], env: {}, flags: {}, ...sources });
}

async function failure(sources: Partial<Sources>): Promise<string> {
  const error: unknown = await load(sources).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: 'ConfigError' });
  return (error as Error).message;
}

function failureOf(content: string): Promise<string> {
  return failure({ configGlobs: [file('a.conf', content)] });
}

test('without any source the settings are the defaults', async () => {
  expect(await load({})).toEqual(defaultSettings());
});

test('each layer wins over the one below it', async () => {
  const configGlobs = [file('a.conf', 'log.level = error\nheartbeat = 10')];
  const env = { LEVERET_LOG_LEVEL: 'debug' };
  const flags = { '--log-level': 'trace' };
  expect((await load({ configGlobs })).logLevel).toBe('error');
  expect((await load({ configGlobs, env })).logLevel).toBe('debug');
  const all = await load({ configGlobs, env, flags });
  expect(all.logLevel).toBe('trace');
  expect(all.heartbeatSeconds).toBe(10);
});

test('a file in the manner of rabbitmq.conf is read', async () => {
  const content = `
# broker
listeners.tcp.default = 0.0.0.0:5673
default_user = admin
default_pass = 'p#ss w'
default_vhost = prod
loopback_users.guest = false
loopback_users.admin = true
log.level = warning
channel_max = 100
connection_max = 1000
max_message_size = 16MiB
tcp_listen_options.backlog = 128
tcp_listen_options.nodelay = false
`;
  expect(await load({ configGlobs: [file('rabbitmq.conf', content)] })).toEqual({
    ...defaultSettings(),
    tcpListeners: new Map([['default', { host: '0.0.0.0', port: 5673 }]]),
    defaultUser: 'admin',
    defaultPass: 'p#ss w',
    defaultVhost: 'prod',
    loopbackUsers: ['admin'],
    logLevel: 'warn',
    channelMax: 100,
    connectionMax: 1000,
    maxMessageBytes: 16 * 2 ** 20,
    tcpBacklog: 128,
    tcpNodelay: false,
  });
});

test.each([
  ['stream', 'stream'],
  ['rabbit_stream_queue', 'stream'],
  ['rabbit_quorum_queue', 'quorum'],
])('the default type of queues is %s, as %s', async (given, type) => {
  const configGlobs = [file('types.conf', `default_queue_type = ${given}\n`)];
  expect((await load({ configGlobs })).defaultQueueType).toBe(type);
});

test('a key that is set twice takes the last value', async () => {
  const configGlobs = [file('a.conf', 'heartbeat = 1\nheartbeat = 2')];
  expect((await load({ configGlobs })).heartbeatSeconds).toBe(2);
});

test('files are read in order of name, whatever the order of the patterns', async () => {
  file('conf.d/20-b.conf', 'heartbeat = 20\nchannel_max = 20');
  file('conf.d/10-a.conf', 'heartbeat = 10\nchannel_max = 10\nframe_max = 10000');
  file('conf.d/30-c.txt', 'heartbeat = 30');
  const settings = await load({
    configGlobs: [join(folder, 'conf.d/20*.conf'), join(folder, '**/*.conf')],
  });
  expect(settings).toMatchObject({ heartbeatSeconds: 20, channelMax: 20, frameMaxBytes: 10000 });
});

test('a path is taken as it is even when it looks like a pattern', async () => {
  const configGlobs = [file('[a](b)*.conf', 'heartbeat = 7')];
  expect((await load({ configGlobs })).heartbeatSeconds).toBe(7);
});

test('host and port are set one without the other', async () => {
  const configGlobs = [file('a.conf', 'listeners.tcp.default = 10.0.0.1:5673')];
  const env = { LEVERET_HOST: '0.0.0.0' };
  const flags = { '--port': '0' };
  const settings = await load({ configGlobs, env, flags });
  expect(settings.tcpListeners).toEqual(new Map([['default', { host: '0.0.0.0', port: 0 }]]));
});

test("variables of RabbitMQ's image are read, and ours win over them", async () => {
  const env = {
    RABBITMQ_DEFAULT_USER: 'theirs',
    RABBITMQ_DEFAULT_PASS: 'secret',
    RABBITMQ_DEFAULT_VHOST: 'v',
    LEVERET_DEFAULT_USER: 'ours',
  };
  expect(await load({ env })).toMatchObject({
    defaultUser: 'ours',
    defaultPass: 'secret',
    defaultVhost: 'v',
  });
});

test('an empty variable counts as not set', async () => {
  expect(await load({ env: { LEVERET_PORT: '', RABBITMQ_DEFAULT_USER: '' } })).toEqual(
    defaultSettings(),
  );
});

test('what Kubernetes sets for a service called leveret is left alone', async () => {
  const warnings: string[] = [];
  const env = {
    LEVERET_PORT: 'tcp://10.0.0.1:5672',
    LEVERET_SERVICE_HOST: '10.0.0.1',
    LEVERET_SERVICE_PORT_AMQP: '5672',
    LEVERET_PORT_5672_TCP_ADDR: '10.0.0.1',
    LEVERET_ADMIN_PORT: 'tcp://10.0.0.2:80',
  };
  const settings = await load({ env, onWarning: (warning) => warnings.push(warning) });
  expect(settings).toEqual(defaultSettings());
  expect(warnings).toEqual([]);
});

test('an unknown variable of ours is a warning with a guess', async () => {
  const warnings: string[] = [];
  const env = { LEVERET_HEARTBEET: '5', LEVERET_SOMETHING_ELSE_ALTOGETHER: '5', OTHER: '5' };
  await load({ env, onWarning: (warning) => warnings.push(warning) });
  expect(warnings).toEqual([
    'environment: LEVERET_HEARTBEET: there is no setting of this name; did you mean LEVERET_HEARTBEAT?',
    'environment: LEVERET_SOMETHING_ELSE_ALTOGETHER: there is no setting of this name',
  ]);
});

test('an unknown key names its file and line, and the nearest key', async () => {
  expect(await failureOf('# x\nhearbeat = 5')).toBe(
    `${folder}/a.conf:2: hearbeat: there is no setting of this name; did you mean 'heartbeat'?`,
  );
  expect(await failureOf('loopback_user.guest = false')).toContain("'loopback_users.guest'?");
  expect(await failureOf('listener.tcp.default = 5673')).toContain("'listeners.tcp.default'?");
  expect(await failureOf('auth_mechanism.1 = PLAIN')).toContain("'auth_mechanisms.1'?");
  expect(await failureOf('log.lvel = debug')).toContain("'log.level'?");
  expect(await failureOf('log.consol.level = debug')).toContain("'log.console.level'?");
});

test('an unknown key that is like no other says where the keys are listed', async () => {
  expect(await failureOf('unheard_of.thing = 15674')).toBe(
    `${folder}/a.conf:1: unheard_of.thing: there is no setting of this name; ` +
      `remove it, or see 'leveret start --help' for all keys`,
  );
});

test('a malformed value names its file, line and key, and shows a right one', async () => {
  expect(await failureOf('heartbeat = sixty')).toBe(
    `${folder}/a.conf:1: heartbeat: expected a whole number of seconds from 0 to 65535, ` +
      `but got 'sixty'; write for example 'heartbeat = 60'`,
  );
  expect(await failureOf('frame_max = 100')).toContain('from 4096 to 134217728');
  expect(await failureOf('default_user_tags.guest = no')).toContain('expected true or false');
});

test('a mistake in a later file names that file', async () => {
  file('1.conf', 'heartbeat = 5');
  file('2.conf', 'heartbeat 5');
  expect(await failure({ configGlobs: [join(folder, '*.conf')] })).toMatch(
    /2\.conf:1: heartbeat: there is no '='/,
  );
});

test('a malformed variable or flag is named as it was written', async () => {
  expect(await failure({ env: { LEVERET_PORT: 'x' } })).toBe(
    "environment: LEVERET_PORT: expected a port from 0 to 65535, but got 'x'; change or remove it",
  );
  expect(await failure({ flags: { '--log-level': 'loud' } })).toMatch(
    /^command line: --log-level: expected one of trace, debug, .*, but got 'loud'/,
  );
});

test('a pattern that finds no file is an error', async () => {
  expect(await failure({ configGlobs: [join(folder, '*.conf')] })).toBe(
    `command line: --config ${folder}/*.conf: no file is found there; ` +
      'correct the path, or leave the flag out',
  );
});

test('a folder is an error that shows the pattern for what is in it', async () => {
  expect(await failure({ configGlobs: [folder] })).toContain(`write '${folder}/*.conf'`);
});

test('a program sets keys as a config file would, later ones over earlier ones', () => {
  const lines = [
    ['heartbeat', '5'],
    ['listeners.tcp.default', '[::1]:0'],
    ['loopback_users.guest', 'false'],
    ['heartbeat', '7'],
  ] as const;
  expect(settingsOf('here', lines)).toEqual({
    ...defaultSettings(),
    heartbeatSeconds: 7,
    tcpListeners: new Map([['default', { host: '::1', port: 0 }]]),
    loopbackUsers: [],
  });
});

test('what a program sets wrongly is refused with its place and a way out', () => {
  expect(() => settingsOf('here', [['hartbeat', '5']])).toThrow(
    "here: hartbeat: there is no setting of this name; did you mean 'heartbeat'?",
  );
  expect(() => settingsOf('here', [['heartbeat', 'often']])).toThrow(/^here: heartbeat: expected/);
});

test('a pattern that is none, a number beyond all and an empty path are refused by key', async () => {
  const refused = (key: string, value: string) => () => settingsOf('here', [[key, value]]);
  for (const right of ['configure', 'write', 'read']) {
    const key = `default_permissions.${right}`;
    expect(refused(key, '(')).toThrow(`here: ${key}: '(' is not a valid regular expression`);
    expect(refused(key, 'a{1000}{1000}')).toThrow(`here: ${key}: `);
  }
  const huge = '9'.repeat(400);
  expect(refused('vm_memory_high_watermark.relative', huge)).toThrow('expected a number from 0 on');
  expect(await failure({ configGlobs: [''] })).toContain('no path is given');
  const long = 'n'.repeat(256);
  for (const key of ['default_user_tags', 'loopback_users']) {
    expect(refused(key, `a, ${long}`)).toThrow(`here: ${key}: '${long}' is longer than 255 bytes`);
    expect(refused(`${key}.${long}`, 'true')).toThrow('is longer than 255 bytes');
  }
  const env = { LEVERET_DEFAULT_PASS: 'caf\uFFFD' };
  expect(await failure({ env })).toContain('environment: LEVERET_DEFAULT_PASS: this is not UTF-8');
});

test('keys of RabbitMQ without an effect are named in one warning, with the reasons', async () => {
  const warnings: string[] = [];
  const content = 'cluster_name = a\nlog.file = false\nlog.file.level = info\nheartbeat = 7';
  const settings = await load({
    configGlobs: [file('a.conf', content), file('b.conf', 'cluster_name = b')],
    onWarning: (warning) => warnings.push(warning),
  });
  expect(settings.heartbeatSeconds).toBe(7);
  expect(warnings).toEqual([
    'settings of RabbitMQ without an effect here: log.file, log.file.level (the log goes to standard ' +
      'output alone, with one level for all lines (log.level)); cluster_name (rabbitmqctl set_cluster_name sets what tools show; cluster.name is another name)',
  ]);
});

test('all that is wrong in all files is told in one start', async () => {
  const configGlobs = [
    file('a.conf', 'heartbet = 7\nno sign\nheartbeat = -1'),
    file('b.conf', 'proxy_protocol = true\nchannel_max = 8'),
  ];
  const error: unknown = await load({ configGlobs }).catch((thrown: unknown) => thrown);
  const all = (error as ConfigErrors).all.map(({ message }) => message.slice(folder.length + 1));
  expect(all.map((each) => each.split(': ').slice(0, 2).join(': '))).toEqual([
    'a.conf:1: heartbet',
    'a.conf:2: no',
    'a.conf:3: heartbeat',
    'b.conf:1: proxy_protocol',
  ]);
});

test('a key that stands for a setting of another name sets that', async () => {
  const configGlobs = [file('a.conf', 'log.console.level = debug')];
  expect((await load({ configGlobs })).logLevel).toBe('debug');
});

test('a port alone is said to be heard on this machine only, unless a host comes from elsewhere', async () => {
  const configGlobs = [
    file('a.conf', 'listeners.tcp.default = 5673\nlisteners.ssl.default = 5671'),
  ];
  const warnings: string[] = [];
  const onWarning = (warning: string): number => warnings.push(warning);
  await load({ configGlobs, onWarning });
  expect(warnings).toEqual([
    'listeners.tcp.default = 5673, listeners.ssl.default = 5671: a port alone listens on this machine ' +
      'only, where RabbitMQ listens on every interface; write listeners.tcp.default = 0.0.0.0:5673 for that',
  ]);
  warnings.length = 0;
  await load({
    configGlobs: [file('b.conf', 'listeners.tcp.default = 5673')],
    flags: { '--host': '0.0.0.0' },
    onWarning,
  });
  await load({ configGlobs: [file('c.conf', 'listeners.tcp.default = 10.0.0.1:5673')], onWarning });
  expect(warnings).toEqual([]);
});

test('a key that is set again counts where it stands last, and what stood before is not judged', async () => {
  const configGlobs = [
    file('a.conf', 'heartbeat = often\nheartbeat = 5'),
    file('b.conf', 'heartbeat = 6\nproxy_protocol = true\nproxy_protocol = false'),
  ];
  const { settings, told } = await loadConfig({ configGlobs, env: {}, flags: {} });
  expect(settings.heartbeatSeconds).toBe(6);
  expect(told.map(({ meaning }) => meaning.is)).toEqual([
    'overridden',
    'overridden',
    'setting',
    'overridden',
    'without effect',
  ]);
});

test('each setting knows what set it: one with members all of it', async () => {
  const a = file('a.conf', 'heartbeat = 5\nchannel_max = 9\nlisteners.tcp.default = 5673');
  const { origins } = await loadConfig({
    configGlobs: [a],
    env: { LEVERET_CHANNEL_MAX: '10', LEVERET_HOST: '10.0.0.1' },
    flags: { '--port': '0' },
  });
  const shown = (field: keyof Settings): string[] | undefined =>
    origins.get(field)?.map((origin) => showOrigin(origin));
  expect(shown('heartbeatSeconds')).toEqual([`${a}:1`]);
  expect(shown('channelMax')).toEqual(['environment LEVERET_CHANNEL_MAX']);
  expect(shown('tcpListeners')).toEqual([`${a}:3`, 'environment LEVERET_HOST', 'flag --port']);
  expect(shown('frameMaxBytes')).toBeUndefined();
  expect(showOrigin(undefined)).toBe('default');
});
