import { expect, test } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { changesWhen } from '../../../src/config/live/changeable.ts';
import { LiveSettings } from '../../../src/config/live/live-settings.ts';
import type { Config } from '../../../src/config/load.ts';
import type { Origin } from '../../../src/config/origin.ts';
import { OTHER_NAMES } from '../../../src/config/rabbitmq/keys.ts';
import { defaultSettings, type Settings } from '../../../src/config/settings.ts';

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** What layers say: the defaults with some fields set in a file. */
function config(fields: Partial<Settings> = {}): Config {
  const origin: Origin = { from: 'file', file: 'a.conf', line: 1 };
  const origins = new Map(Object.keys(fields).map((field) => [field, [origin]]));
  const settings = { ...defaultSettings(), ...fields };
  return { settings, origins, told: [], files: [], warnings: [], faults: [] } as unknown as Config;
}

test('what a user sets holds at once, says so, and goes back when it is unset', () => {
  const live = new LiveSettings(config({ memoryWatermark: 0.5 }));
  const { settings } = live;
  const told: number[] = [];
  live.onChange(() => told.push(settings.memoryWatermark));
  const name = 'vm_memory_high_watermark.relative';
  expect(live.find(name)).toMatchObject({ value: '0.5', origin: 'a.conf:1', set: null });
  expect(live.set(name, '0.6', 'ann', AT_MS)).toMatchObject({
    value: '0.6',
    default: '0.4',
    origin: 'set by ann at 2026-01-02T03:04:05.000Z',
    changes: 'at once',
    set: { user: 'ann', at: AT_MS },
  });
  expect(live.unset(name)).toMatchObject({ value: '0.5', origin: 'a.conf:1' });
  expect(told).toEqual([0.6, 0.5]);
});

test.each([
  [
    'vm_memory_high_watermark.relative',
    'lots',
    /^vm_memory_high_watermark.relative: expected a num/,
  ],
  [
    'data_dir',
    '/x',
    /^data_dir: this cannot change while the broker runs; set it in a config file/,
  ],
  ['hartbeat', '5', /^hartbeat: there is no setting of this name; did you mean 'heartbeat'/],
  ['heartbeat', '', /^heartbeat: expected a whole number/],
  ['log.file', 'x', /^log.file: this changes nothing here/],
])('%s = %s is refused, and nothing changes', (name, text, why) => {
  const live = new LiveSettings(config());
  const told: string[] = [];
  live.onChange(() => told.push('changed'));
  expect(() => live.set(name, text, 'ann', AT_MS)).toThrow(why);
  expect(live.settings).toEqual(defaultSettings());
  expect(told).toEqual([]);
});

test('of two settings that say the same the one that is set holds, until it is unset', () => {
  const bytes = { memoryWatermarkBytes: 1e9, diskFreeLimitBytes: 7e7 };
  const live = new LiveSettings(config(bytes));
  live.set('vm_memory_high_watermark.relative', '0.6', 'ann', AT_MS);
  live.set('disk_free_limit.relative', '1.5', 'ann', AT_MS);
  expect(live.settings).toMatchObject({ memoryWatermarkBytes: null, diskFreeLimitBytes: 5e7 });
  live.set('disk_free_limit.absolute', '1GB', 'ann', AT_MS);
  expect(live.settings).toMatchObject({ diskFreeLimitBytes: 1e9, diskFreeLimitRelative: null });
  live.unset('vm_memory_high_watermark.relative');
  live.unset('disk_free_limit.absolute');
  expect(live.settings).toMatchObject(bytes);
});

test("RabbitMQ's names of a setting work too, and so do members of one that has them", () => {
  const live = new LiveSettings(config());
  expect(live.set('log.console.level', 'debug', 'ann', AT_MS).name).toBe('log.level');
  live.set('loopback_users.guest', 'false', 'ann', AT_MS);
  expect([...live.settings.loopbackUsers]).toEqual([]);
});

test.each([
  ['log.level', 'debug'],
  ['log.console.level', 'debug'],
  ['log.default.level', 'debug'],
  ['max_connections', '7'],
  ['max_channels_per_connection', '7'],
  ['loopback_users.guest', 'false'],
  ['loopback_users.a.b', 'true'],
  ['auth_mechanisms.1', 'PLAIN'],
  ['management.cors.allow_origins', 'https://a.example'],
  ['management.cors.allow_origins.1', 'https://a.example'],
  ['management.http.allowed_origins.https://a.example', 'true'],
])('%s, which can be set, is found and unset by the same name', (name, text) => {
  const live = new LiveSettings(config());
  const set = live.set(name, text, 'ann', AT_MS);
  expect(live.find(name)).toEqual(set);
  expect(live.unset(name)).toMatchObject({ name: set.name, value: set.default, set: null });
  expect(live.settings).toEqual(defaultSettings());
});

test('every name that a file may have for a setting finds it', () => {
  const live = new LiveSettings(config());
  for (const name of OTHER_NAMES) expect(live.find(name), name).not.toBeNull();
  expect(live.find('nothing')).toBeNull();
  expect(live.find('heartbeat.x')).toBeNull();
});

test('reading again applies what can change, and tells what waits', async () => {
  let now = config({ heartbeatSeconds: 5, logLevel: 'warn', memoryWatermark: 0.1 });
  const live = new LiveSettings(now, async () => now);
  live.set('vm_memory_high_watermark.relative', '0.9', 'ann', AT_MS);
  now = config({ heartbeatSeconds: 7, dataDir: '/other', memoryWatermark: 0.2 });
  expect(await live.reload()).toEqual({
    changed: ['log.level: warn -> info', 'heartbeat: 5 -> 7'],
    waiting: ['data_dir'],
    kept: ['vm_memory_high_watermark.relative'],
  });
  expect(live.settings).toMatchObject({
    heartbeatSeconds: 7,
    logLevel: 'info',
    memoryWatermark: 0.9,
  });
  expect(live.find('data_dir')).toMatchObject({ value: './data', origin: 'default' });
  expect(live.unset('vm_memory_high_watermark.relative').value).toBe('0.2');
  // What waits is told once more, as it still waits.
  expect(await live.reload()).toEqual({ changed: [], waiting: ['data_dir'], kept: [] });
});

test('files that are wrong change nothing when they are read again', async () => {
  const live = new LiveSettings(config(), async () => {
    throw new ConfigError('a.conf:1', 'this is wrong', 'mend it');
  });
  await expect(live.reload()).rejects.toThrow('this is wrong');
  expect(live.settings).toEqual(defaultSettings());
  expect(await LiveSettings.of(defaultSettings()).reload()).toBeNull();
});

test('no secret is shown, and none can be set', () => {
  const live = new LiveSettings(config({ defaultPass: 'hidden', sslPassword: 'hidden' }));
  expect(JSON.stringify(live.list())).not.toContain('hidden');
  const secrets = live.list().filter(({ value }) => value === '***');
  expect(secrets.map(({ name }) => name)).toContain('default_pass');
  expect(secrets.filter(({ changes }) => changes !== null)).toEqual([]);
});

test('what is read once, at the start, is not said to change', () => {
  for (const field of ['dataDir', 'memory', 'tcpListeners', 'nodeName', 'logFormatter'] as const) {
    expect(changesWhen(field)).toBeNull();
  }
});

test('what a channel or a connection notes when it is opened is said to change with the next one', () => {
  for (const field of ['tableDepthMax', 'tableEntriesMax', 'unackedMaxPerChannel'] as const) {
    expect(changesWhen(field)).toBe('for new channels');
  }
  for (const field of ['maxMessageBytes', 'unfinishedMaxBytes', 'frameMaxBytes'] as const) {
    expect(changesWhen(field)).toBe('for new connections');
  }
});
