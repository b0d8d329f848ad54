// Owns the tests of looking at config files without a start.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { explain, renderExplanation } from '../../../src/config/explain.ts';
import { checkFiles } from '../../../src/config/layers/check-files.ts';
import { readConfig } from '../../../src/config/load.ts';
import { isSecret } from '../../../src/config/setting.ts';
import { SETTINGS } from '../../../src/config/settings.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-check-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const check = (...files: string[]) => checkFiles(files, {}, { root: folder, inContainer: false });

test('a file in Erlang terms is printed as lines, with comments on what they mean here', async () => {
  const old = file(
    'rabbitmq.config',
    '[{rabbit, [{heartbeat, 60},\n{hipe_compile, true}, {auth_backends, [rabbit_auth_backend_ldap]}]}, {lager, [{x, 1}]}, {my_plugin, [{y, 1}]}].',
  );
  const { classic, config } = await check(old);
  expect(classic).toEqual([
    {
      file: old,
      text: `heartbeat = 60
# without effect here: there is no Erlang here
hipe_compile = true
# refused: ${old}:2: auth_backends.1: users are checked by the broker itself alone; remove it, and make the users here, or stay with RabbitMQ if another system must check users
# auth_backends.1 = rabbit_auth_backend_ldap
# lager.x needs no line: the log goes to standard output alone
# my_plugin.y has no line in a config file, and no meaning here
`,
    },
  ]);
  expect(config.faults).toHaveLength(2);
});

test('what is printed is a config file that says the same', async () => {
  const old = file(
    'rabbitmq.config',
    '[{rabbit, [{default_pass, <<"a#b c">>}, {tcp_listeners, [5673]}, {loopback_users, [<<"a.b">>]}]}].',
  );
  const { classic, config } = await check(old);
  const again = await check(file('new.conf', classic[0]?.text ?? ''));
  expect(again.config.faults).toEqual([]);
  expect(again.config.settings).toEqual(config.settings);
  expect(again.config.settings.defaultPass).toBe('a#b c');
});

test.each([
  ['both signs of a quote and of a comment', `{default_pass, <<"it's #1">>}`],
  ['a line break', String.raw`{default_vhost, <<"a\nlog.level = none">>}`],
  ['a carriage return', String.raw`{default_vhost, <<"a\rlog.level = none">>}`],
  ['a line break in an atom', String.raw`{default_vhost, 'a\nlog.level = none'}`],
  ['a line break in a name', String.raw`{default_user_tags, ['a\nlog.level = none']}`],
  ['a line break in a key', String.raw`{'a\nlog.level = none', 1}`],
  ['a line break in a key without a line', String.raw`{'a\nlog.level = none', [{1}]}`],
  ['a line break in a value that is refused', String.raw`{heartbeat, "x\nlog.level = none"}`],
  ['an equals sign in a name', '{loopback_users, [<<"a=b">>]}'],
  ['a variable', '{default_pass, <<"$(NAME)">>}'],
  ['a comment in a host', '{tcp_listeners, [{"::1 #", 5672}]}'],
])(
  '%s that a config file cannot say is a fault, and no line of what is printed',
  async (_of, term) => {
    const env = { NAME: 'x' };
    const machine = { root: folder, inContainer: false };
    const old = file('old.config', `[{rabbit, [${term}, {heartbeat, 7}]}].`);
    const { classic, config } = await checkFiles([old], env, machine);
    expect(config.faults).toHaveLength(1);
    const again = await checkFiles([file('new.conf', classic[0]?.text ?? '')], env, machine);
    expect(again.config.faults).toEqual([]);
    expect(again.config.told.map(({ name, text }) => [name, text])).toEqual([['heartbeat', '7']]);
    expect(again.config.settings).toEqual(config.settings);
  },
);

test.each([['"a #b"'], ["'a #b'"], ['" a"'], ["''"], [String.raw`"a\tb"`], ['"it\'s"']])(
  'the printed line of %s reads as the same',
  async (term) => {
    const old = file('old.config', `[{rabbit, [{default_pass, ${term}}]}].`);
    const { classic, config } = await check(old);
    const again = await check(file('new.conf', classic[0]?.text ?? ''));
    expect(again.config.settings).toEqual(config.settings);
    expect(again.config.faults).toEqual([]);
  },
);

test('a fault in Erlang terms names its line', async () => {
  const old = file('rabbitmq.config', '[{rabbit, [\n {heartbeat 60}\n]}].');
  const { config } = await check(old);
  expect(config.faults.map(({ message }) => message)).toEqual([
    `${old}:2: a ',' or '}' is missing; correct the file`,
  ]);
});

test.each([
  ['is refused', '{heartbeat, 60},\n {auth_backends,\n  [rabbit_auth_backend_ldap]}', 4],
  ['has no line', '{heartbeat, 60},\n {tcp_listen_options,\n [{1}]}', 4],
  ['is no pair', '{heartbeat, 60},\n heartbeat', 3],
  ['is no list', '{heartbeat, 60}]},\n{kernel,\n a}, {rabbit, [', 4],
  ['cannot be said', '{heartbeat, 60},\n\n{default_pass, <<"a\\nb">>}', 4],
])('what %s in Erlang terms is told with its line', async (_what, text, line) => {
  const old = file('rabbitmq.config', `[{rabbit, [\n${text}\n]}].`);
  const { config } = await check(old);
  expect(config.faults.map(({ message }) => message.split(': ')[0])).toEqual([`${old}:${line}`]);
  const refused = explain(config).texts.filter(({ means }) => means === 'refused');
  expect(refused.map(({ place }) => place)).toEqual([`${old}:${line}`]);
});

test('an explanation says of each line what it means, of each setting where it comes from, and no secret', async () => {
  const path = file(
    'a.conf',
    'heartbeat = 1\nheartbeat = 2\ncluster_name = x\nproxy_protocol = true\ndefault_pass = hush\nno sign',
  );
  const config = await readConfig({
    configGlobs: [path],
    env: { RABBITMQ_DEFAULT_PASS: 'hush hush' },
    flags: { '--port': '1' },
  });
  const explanation = explain(config);
  expect(explanation.texts.map(({ place, means }) => [place.replace(path, ''), means])).toEqual([
    [':1', 'overridden'],
    [':2', 'setting'],
    [':3', 'without effect'],
    [':4', 'refused'],
    [':5', 'setting'],
    [':6', 'refused'],
    ['environment RABBITMQ_DEFAULT_PASS', 'setting'],
    ['flag --port', 'setting'],
  ]);
  const setting = (key: string) => explanation.settings.find((each) => each.key === key);
  expect(setting('heartbeat')).toEqual({ key: 'heartbeat', value: '2', from: `${path}:2` });
  expect(setting('default_pass')).toMatchObject({ value: '***' });
  expect(setting('frame_max')).toMatchObject({ from: 'default' });
  const text = renderExplanation(explanation, true);
  expect(text).not.toContain('hush');
  expect(text).toContain(
    `${path}:3: cluster_name = x: without effect: rabbitmqctl set_cluster_name sets`,
  );
  expect(text).toContain(`refused: ${path}:4: proxy_protocol: `);
  expect(text).toContain(`${path}:1: heartbeat = 1: overridden by ${path}:2`);
});

test('a port alone is heard where a start would hear it: everywhere in a container', async () => {
  const path = file('a.conf', 'listeners.tcp.default = 5673\n');
  const hosts = async (inContainer: boolean, env = {}) => {
    const { config } = await checkFiles([path], env, { root: folder, inContainer });
    return [config.settings.tcpListeners.get('default')?.host, config.warnings.length];
  };
  expect(await hosts(false)).toEqual(['localhost', 1]);
  expect(await hosts(true)).toEqual(['*', 0]);
  expect(await hosts(false, { LEVERET_IN_CONTAINER: 'true' })).toEqual(['*', 0]);
  expect(await hosts(true, { LEVERET_IN_CONTAINER: 'false' })).toEqual(['localhost', 1]);
});

test('a file whose name means Erlang terms, and that has none, is told what the name means', async () => {
  const { config } = await check(file('advanced.config', 'heartbeat = 5\n'));
  expect(config.warnings).toEqual([
    expect.stringContaining('advanced.config: the name *.config means Erlang terms'),
  ]);
  const rest = await check(file('a.conf', 'heartbeat = 5\n'), file('old.config', '[].\n'));
  expect(rest.config.warnings).toEqual([]);
});

test('a file that is not there is not called a flag', async () => {
  const { config } = await check('nothere.conf');
  expect(config.faults.map(({ message }) => message)).toEqual([
    'command line: nothere.conf: no file is found there; ' +
      'correct the path, or name no file, for those that a start would read',
  ]);
  expect(explain(config).texts).toMatchObject([{ place: 'command line', name: 'nothere.conf' }]);
  const named = await readConfig({ configGlobs: ['nothere.conf'], env: {}, flags: {} });
  expect(explain(named).texts).toMatchObject([{ place: 'flag --config', name: '--config' }]);
  const env = { LEVERET_CONFIG: 'nothere.conf' };
  const variable = await readConfig({ configGlobs: [], env, flags: {} });
  expect(explain(variable).texts).toMatchObject([{ place: 'environment LEVERET_CONFIG' }]);
});

test.each([
  'default_pass',
  'ssl_options.password',
  'ssl_options.key.RSAPrivateKey',
  'management.listener.ssl_opts.key.RSAPrivateKey',
  'management.ssl.key.PrivateKeyInfo',
  'management.oauth_client_secret',
  'auth_ldap.dn_lookup_bind.password',
  'auth_ldap.ssl_options.key.RSAPrivateKey',
  'cluster_formation.aws.secret_key',
  'cluster_formation.consul.acl_token',
  'erlang.cookie',
  'config_entry_decoder.passphrase',
  'LEVERET_MANAGEMENT_SSL_PASSWORD',
])('the value of %s is not shown', (name) => {
  expect(isSecret(name)).toBe(true);
});

test('no key of a setting that is no secret is hidden, and no login of a URL is shown', async () => {
  const secret = Object.values(SETTINGS).filter(({ key }) => isSecret(key));
  expect(secret.map(({ key }) => key)).toEqual([
    'ssl_options.password',
    'management.ssl.password',
    'prometheus.ssl.password',
    'cluster.nats.password',
    'cluster.nats.token',
    'cluster.secret',
    'default_pass',
  ]);
  const path = file('a.conf', 'definitions.https.url = https://me:hush@host/d.json');
  const { texts } = explain(await readConfig({ configGlobs: [path], env: {}, flags: {} }));
  expect(texts[0]?.value).toBe('https://***@host/d.json');
});

test('a secret that is not set is shown as none, and the path of a key as it is', async () => {
  const path = file(
    'a.conf',
    'ssl_options.keyfile = /etc/key.pem\nmanagement.ssl.password = hush\nssl_options.key.RSAPrivateKey = hush',
  );
  const env = { RABBITMQ_DEFAULT_PASS_FILE: '/run/secrets/pass', LEVERET_SSL_OPTIONS_DHFILE: 'dh' };
  const explanation = explain(await readConfig({ configGlobs: [path], env, flags: {} }));
  const shown = (key: string) => explanation.settings.find((each) => each.key === key)?.value;
  expect(shown('ssl_options.password')).toBe('none');
  expect(shown('management.ssl.password')).toBe('***');
  expect(shown('ssl_options.keyfile')).toBe('/etc/key.pem');
  expect(shown('prometheus.ssl.keyfile')).toBe('none');
  const text = renderExplanation(explanation, true);
  expect(text).toContain('ssl_options.keyfile = /etc/key.pem: sets');
  expect(text).toContain('/run/secrets/pass');
  expect(text).not.toContain('hush');
});
