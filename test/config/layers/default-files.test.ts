// Owns the tests of where config files lie when the command line names none, below a root of its own.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { machineForTests, thisMachine } from '../../../src/config/layers/machine.ts';
import { type Config, loadConfig, readConfig } from '../../../src/config/load.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'leveret-root-'));
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function file(name: string, content: string): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function load(env: Record<string, string> = {}, configGlobs: string[] = []): Promise<Config> {
  const given = { LEVERET_CONFIG_ROOT: root, ...env };
  return loadConfig({ configGlobs, env: given, flags: {}, machine: thisMachine(given, root) });
}

test('without any file nothing is read', async () => {
  expect(await load()).toMatchObject({ files: [], warnings: [], told: [] });
});

test('the files of a RabbitMQ are read: its main file, then conf.d, which wins', async () => {
  const main = file('etc/rabbitmq/rabbitmq.conf', 'heartbeat = 1\nchannel_max = 1');
  const first = file('etc/rabbitmq/conf.d/10-a.conf', 'heartbeat = 2\nframe_max = 5000');
  const second = file('etc/rabbitmq/conf.d/20-b.conf', 'frame_max = 6000');
  file('etc/rabbitmq/conf.d/30-c.txt', 'frame_max = 7000');
  const { files, settings } = await load();
  expect(files).toEqual([main, first, second]);
  expect(settings).toMatchObject({ heartbeatSeconds: 2, channelMax: 1, frameMaxBytes: 6000 });
});

test('the files of Leveret take the place of all of RabbitMQ', async () => {
  file('etc/rabbitmq/rabbitmq.conf', 'no sign at all');
  const own = file('etc/leveret/leveret.conf', 'heartbeat = 3');
  expect(await load()).toMatchObject({ files: [own], settings: { heartbeatSeconds: 3 } });
});

test('a file on the command line, or one that LEVERET_CONFIG names, takes the place of all others', async () => {
  file('etc/rabbitmq/rabbitmq.conf', 'no sign at all');
  const named = file('a.conf', 'heartbeat = 4');
  expect((await load({}, [named])).files).toEqual([named]);
  expect((await load({ LEVERET_CONFIG: named })).files).toEqual([named]);
  await expect(load({ LEVERET_CONFIG: join(root, 'none') })).rejects.toThrow(
    `environment: LEVERET_CONFIG ${root}/none: no file is found there`,
  );
});

test("RabbitMQ's variables name its files elsewhere, with and without an ending", async () => {
  const main = file('mq/my.conf', 'heartbeat = 5');
  const more = file('mq/d/1.conf', 'channel_max = 5');
  for (const RABBITMQ_CONFIG_FILE of [main, join(root, 'mq/my')]) {
    for (const RABBITMQ_CONFIG_FILES of [join(root, 'mq/d'), join(root, 'mq/d/*.conf')]) {
      const { files, warnings } = await load({ RABBITMQ_CONFIG_FILE, RABBITMQ_CONFIG_FILES });
      expect(files).toEqual([main, more]);
      expect(warnings).toEqual([]);
    }
  }
});

test('a folder of more files counts with all its files, and a pattern with those that fit it', async () => {
  const files = ['10-a.conf', '20-b.conf', '30-c'].map((name) => file(`mq/d/${name}`, ''));
  file('mq/d/.40-d.conf.swp', 'no sign at all');
  const found = async (place: string) =>
    (await load({ RABBITMQ_CONFIG_FILES: join(root, place) })).files;
  expect(await found('mq/d')).toEqual(files);
  expect(await found('mq/d/*.conf')).toEqual(files.slice(0, 2));
  expect(await found('mq/*/[12]0-?.conf')).toEqual(files.slice(0, 2));
  expect(await found('mq/d/{10-a,30-c}*')).toEqual([files[0], files[2]]);
});

/** The variables that name files of RabbitMQ, each with a file that is there. */
function fileVariables(): Record<string, string> {
  return {
    RABBITMQ_CONFIG_FILE: file('mq/r.conf', ''),
    RABBITMQ_CONFIG_FILES: file('mq/d/r.conf', ''),
    RABBITMQ_ADVANCED_CONFIG_FILE: file('mq/advanced.config', '[].').replace('.config', ''),
    RABBITMQ_CONF_ENV_FILE: file('mq/env', ''),
    RABBITMQ_ENABLED_PLUGINS_FILE: file('mq/plugins', '[].'),
  };
}

test('every variable that names a file which is not there is a warning', async () => {
  const there = fileVariables();
  expect((await load(there)).warnings).toEqual([]);
  const gone = Object.keys(there).map((name) => [name, `/nowhere/${name}`] as const);
  expect((await load(Object.fromEntries(gone))).warnings).toEqual(
    gone.map(([name, path]) => `environment: ${name}: there is no file at ${path}`),
  );
});

test('every variable that names a file of RabbitMQ is a warning where none of these is read', async () => {
  const there = fileVariables();
  const named = file('a.conf', 'heartbeat = 4');
  const said = (why: string) =>
    Object.keys(there).map((name) => `environment: ${name}: this is not read: ${why}`);
  expect((await load(there, [named])).warnings).toEqual(said('--config names the files'));
  expect((await load({ ...there, LEVERET_CONFIG: named })).warnings).toEqual(
    said('LEVERET_CONFIG names the files'),
  );
  const machine = { root: null, inContainer: false };
  expect((await readConfig({ configGlobs: [], env: there, flags: {}, machine })).warnings).toEqual(
    said('this start looks for no files'),
  );
  const own = file('etc/leveret/conf.d/1.conf', '');
  expect((await load(there)).warnings).toEqual(said(`${own} is there`));
});

test('rabbitmq-env.conf is read where the other files of RabbitMQ are, and nowhere else', async () => {
  file('etc/rabbitmq/rabbitmq-env.conf', 'NODENAME=old');
  expect((await load()).settings.nodeName).toBe('old');
  expect((await load({}, [file('a.conf', '')])).settings.nodeName).not.toBe('old');
  file('etc/leveret/leveret.conf', '');
  expect((await load()).settings.nodeName).not.toBe('old');
});

test('where the main file is there in both formats, the old one stops the start: RabbitMQ reads it alone', async () => {
  file('etc/rabbitmq/rabbitmq.conf', 'heartbeat = 1');
  const classic = file('etc/rabbitmq/rabbitmq.config', '[{rabbit, [{heartbeat, 2}]}].');
  await expect(load()).rejects.toThrow(`leveret config check ${classic}`);
});

test('a file in Erlang terms, main or advanced, is refused with the command that prints the lines', async () => {
  const advanced = file('etc/rabbitmq/advanced.config', '[{rabbit, [{tcp_listeners, [5673]}]}].');
  await expect(load()).rejects.toThrow(`leveret config check ${advanced}`);
  file('etc/rabbitmq/advanced.config', '%% nothing\n[\n].\n');
  const classic = file('etc/rabbitmq/rabbitmq.config', '[{rabbit, []}].');
  await expect(load()).rejects.toThrow(`leveret config check ${classic}`);
});

test('definitions are loaded by themselves only where no config file is', async () => {
  const definitions = file('etc/rabbitmq/definitions.json', '{}');
  expect((await load()).settings.loadDefinitions).toEqual([definitions]);
  file('etc/rabbitmq/rabbitmq.conf', 'heartbeat = 1');
  const { settings, warnings } = await load();
  expect(settings.loadDefinitions).toEqual([]);
  expect(warnings).toEqual([`${definitions} is loaded only where load_definitions names it`]);
});

test('plugins that are enabled and not here are named once', async () => {
  const path = file('etc/rabbitmq/enabled_plugins', '[rabbitmq_management,rabbitmq_mqtt].');
  expect((await load()).warnings).toEqual([
    `${path}: plugins of RabbitMQ that are not here: rabbitmq_mqtt`,
  ]);
});

test('assignments of rabbitmq-env.conf count as variables, which win over them', async () => {
  const path = file(
    'etc/rabbitmq/rabbitmq-env.conf',
    '# node\nNODENAME=a\nexport RABBITMQ_NODE_PORT="5673"\nNODE_IP_ADDRESS=$(hostname -i)\n',
  );
  const { settings, warnings, origins } = await load({ RABBITMQ_NODENAME: 'b' });
  expect(settings.nodeName).toBe('b');
  expect(settings.tcpListeners.get('default')?.port).toBe(5673);
  expect(origins.get('tcpListeners')).toEqual([{ from: 'file', file: path, line: 3 }]);
  expect(warnings).toEqual([`${path}: lines that only a shell understands are not read: 4`]);
});

test('in a container a port alone is heard everywhere, unless the settings say otherwise', async () => {
  file('.dockerenv', '');
  const host = async (env: Record<string, string> = {}) =>
    (await load(env)).settings.tcpListeners.get('default')?.host;
  expect(await host()).toBe('*');
  expect(await host({ LEVERET_IN_CONTAINER: 'false' })).toBe('localhost');
  expect(await host({ LEVERET_HOST: 'localhost' })).toBe('localhost');
  expect(await host({ LEVERET_HOST: '10.0.0.1' })).toBe('10.0.0.1');
  file('etc/rabbitmq/rabbitmq.conf', 'listeners.tcp.other = 5673\nlisteners.ssl.default = 5671');
  const { settings, warnings } = await load();
  expect([...settings.tcpListeners]).toEqual([['other', { host: '*', port: 5673 }]]);
  expect(settings.sslListeners.get('default')?.host).toBe('*');
  expect(settings.loopbackUsers).toEqual(['guest']);
  expect(warnings).toEqual([]);
});

test('Podman and Kubernetes are containers too, and a setting says so where nothing shows it', async () => {
  const everywhere = async (env: Record<string, string>) =>
    (await load(env)).settings.tcpListeners.get('default')?.host === '*';
  expect(await everywhere({})).toBe(false);
  expect(await everywhere({ KUBERNETES_SERVICE_HOST: '10.0.0.1' })).toBe(true);
  expect(await everywhere({ LEVERET_IN_CONTAINER: 'true' })).toBe(true);
  file('run/.containerenv', '');
  expect(await everywhere({})).toBe(true);
});

test('another root of config files makes a container no less of one', () => {
  file('.dockerenv', '');
  for (const LEVERET_CONFIG_ROOT of ['', '/none'])
    expect(thisMachine({ LEVERET_CONFIG_ROOT }, root).inContainer).toBe(true);
  expect(thisMachine({ LEVERET_CONFIG_ROOT: root }, '/none').inContainer).toBe(false);
});

test('a file that a start can do without is a warning when it cannot be read', async () => {
  const path = file('etc/rabbitmq/enabled_plugins', 'x'.repeat(2 ** 21));
  const { warnings } = await load();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`${path}: cannot be read`);
});

test("a start that a test makes reads none of the machine's files, unless a variable names their root", () => {
  expect(machineForTests({}).root).toBeNull();
  expect(machineForTests({ LEVERET_CONFIG_ROOT: '/srv' }).root).toBe('/srv');
});

test('a machine without a root has no files', async () => {
  const config = await readConfig({
    configGlobs: [],
    env: {},
    flags: {},
    machine: { root: null, inContainer: true },
  });
  expect(config.files).toEqual([]);
  expect(config.settings.tcpListeners.get('default')?.host).toBe('*');
});
