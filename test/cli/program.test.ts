import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OFFLINE_VERBS } from '../../src/cli/program.ts';
import { parseJsonOption } from '../../src/cli/verb/verb-runner.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { WITHOUT_TOOLS } from '../support/without-tools.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LEVERET = join(ROOT, 'bin', 'leveret');

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'leveret-cli-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function leveret(args: readonly string[], env: NodeJS.ProcessEnv = {}, script = LEVERET): Ended {
  const ended = spawnSync(process.execPath, [script, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...WITHOUT_TOOLS, ...env },
  });
  return { code: ended.status, out: ended.stdout, err: ended.stderr };
}

test('--version shows the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(leveret(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test('--help shows the verbs', () => {
  const { code, out } = leveret(['--help']);
  expect(code).toBe(0);
  expect(out).toMatch(/^ {2}start +Run a broker/m);
  expect(out).toMatch(/^ {2}add_user +Create a user/m);
});

test('the page about managing has every verb', () => {
  const page = readFileSync(join(ROOT, 'docs', 'managing.md'), 'utf8');
  for (const { name } of OFFLINE_VERBS) expect(page).toMatch(new RegExp(`^\\|.*\`${name}\``, 'm'));
});

test('start --help shows every flag and every key', () => {
  const { code, out } = leveret(['start', '--help']);
  expect(code).toBe(0);
  for (const flag of ['host', 'port', 'data-dir', 'memory', 'log-level', 'config']) {
    expect(out).toContain(`  --${flag} `);
  }
  for (const { key } of Object.values(SETTINGS)) expect(out).toContain(`\n  ${key} = `);
});

test('a config file with a mistake stops the start with one line and 1', () => {
  writeFileSync(join(folder, 'a.conf'), '# mine\nhearbeat = 5\n');
  expect(leveret(['start', '--config', '*.conf'])).toEqual({
    code: 1,
    out: '',
    err: "leveret: a.conf:2: hearbeat: there is no setting of this name; did you mean 'heartbeat'?\n",
  });
});

test('several files after one --config are read', () => {
  writeFileSync(join(folder, '1.cfg'), 'heartbeat = 5\n');
  writeFileSync(join(folder, '2.cfg'), 'heartbeat five\n');
  expect(leveret(['start', '--config', '1.cfg', '2.cfg', '--memory']).err).toMatch(
    /^leveret: 2\.cfg:1: heartbeat: there is no '='/,
  );
});

test('a wrong value stops the start with one line: of a flag with 64, of a variable with 1', () => {
  expect(leveret(['start', '--port', '99999'])).toEqual({
    code: 64,
    out: '',
    err:
      'leveret: command line: --port: expected a port from 0 to 65535, ' +
      "but got '99999'; change or remove it\n",
  });
  const { code, err } = leveret(['start'], { LEVERET_LOG_LEVEL: 'loud' });
  expect(code).toBe(1);
  expect(err).toMatch(/^leveret: environment: LEVERET_LOG_LEVEL: expected one of .*\n$/);
});

test('an unknown flag or verb stops with 64 and a guess', () => {
  expect(leveret(['start', '--prot', '1'])).toMatchObject({
    code: 64,
    err: "leveret: unknown option '--prot'; did you mean --port?\n",
  });
  expect(leveret(['strat'])).toMatchObject({
    code: 64,
    err: "leveret: unknown command 'strat'; did you mean start?\n",
  });
});

test('a flag without its value stops with 64', () => {
  expect(leveret(['start', '--port'])).toMatchObject({
    code: 64,
    err: "leveret: option '--port <port>' argument missing; see `leveret start --help`\n",
  });
});

test('a checkout that is not built says how to build it', () => {
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true });
  expect(leveret(['start'], {}, join(folder, 'bin', 'leveret'))).toEqual({
    code: 1,
    out: '',
    err: 'leveret: not built yet: run "npm run build" first\n',
  });
});

test.each(['20.14.0', '18.20.0', '21.7.0', '22.1.0'])(
  'Node %s is told that it is too old',
  (version) => {
    const old = join(folder, 'old-node.cjs');
    writeFileSync(
      old,
      `Object.defineProperty(process.versions, 'node', { value: '${version}' });
     require(${JSON.stringify(LEVERET)});`,
    );
    const needed = 'Node 20.15 or a later 20, or 22.2 or newer, is needed';
    const err = `leveret: ${needed}; this is ${version}\n`;
    expect(leveret(['start'], {}, old)).toEqual({ code: 1, out: '', err });
  },
);

test('JSON that is none in an option is a mistake of usage', () => {
  expect(parseJsonOption('{"a":1}')).toEqual({ a: 1 });
  expect(() => parseJsonOption('{a')).toThrow(InvalidArgumentError);
  expect(() => parseJsonOption('{a')).toThrow('this is not JSON: {a');
});

test('config check says what a file means, with code 1 where something is refused', () => {
  writeFileSync(join(folder, 'good.conf'), 'heartbeat = 5\ncluster_name = x\n');
  writeFileSync(join(folder, 'bad.conf'), 'proxy_protocol = true\n');
  writeFileSync(join(folder, 'old.config'), '[{rabbit, [{heartbeat, 5}]}].\n');
  const good = leveret(['config', 'check', 'good.conf']);
  expect(good).toMatchObject({ code: 0, err: '' });
  expect(good.out).toContain('good.conf:2: cluster_name = x: without effect: ');
  expect(good.out).toMatch(/\nno mistake\n$/);
  const bad = leveret(['config', 'check', 'bad.conf']);
  expect(bad.code).toBe(1);
  expect(bad.out).toMatch(/\n1 mistake: line 1 of bad\.conf\n$/);
  writeFileSync(
    join(folder, 'worse.conf'),
    'proxy_protocol = true\n\nhearbeat = 5\nheartbeat = x\n',
  );
  const worse = leveret(['config', 'check', 'worse.conf', 'bad.conf']);
  expect(worse.out).toMatch(
    /\n\d mistakes: lines 1, 3, 4 of worse\.conf(; line 1 of bad\.conf)?\n$/,
  );
  expect(leveret(['config', 'check', 'old.config']).out).toBe('heartbeat = 5\n');
  writeFileSync(join(folder, 'torn.config'), '[{rabbit, [{heartbeat, 5}}].\n');
  expect(leveret(['config', 'check', 'torn.config'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('leveret: torn.config:1: '),
  });
  writeFileSync(join(folder, 'more.config'), '[{rabbit, [{heartbeat, 5}]}, {x, [{y, 1}]}].\n');
  const more = leveret(['config', 'check', 'more.config']);
  expect(more).toMatchObject({ code: 1, out: expect.stringContaining('heartbeat = 5\n') });
  expect(more.err).toContain('x.y has no line in a config file');
  expect(more.err).toMatch(/\nleveret: 1 mistake: line 1 of more\.config\n$/);
  const told = leveret(['start', '--config', 'good.conf', '--explain-config']);
  expect(told.code).toBe(0);
  expect(told.out).toContain('heartbeat = 5  (good.conf:1)');
});

test('config check tries the files that settings name, as a start does', () => {
  writeFileSync(join(folder, 'torn.json'), '{"users": [');
  const lines = [
    'load_definitions = torn.json',
    'listeners.ssl.default = 5671',
    'ssl_options.certfile = gone.pem',
    'management.ssl.port = 15671',
    'management.ssl.certfile = away.pem',
  ];
  writeFileSync(join(folder, 'files.conf'), `${lines.join('\n')}\n`);
  const { code, err } = leveret(['config', 'check', 'files.conf']);
  expect(code).toBe(1);
  expect(err).toContain('leveret: torn.json: this is not JSON');
  expect(err).toContain('leveret: ssl_options.certfile gone.pem is not there');
  expect(err).toContain('leveret: management.ssl.certfile away.pem is not there');
});

test('help knows the commands of groups, names a word that is none, and stands among the others', () => {
  const said = (...args: string[]) => {
    const { code, out, err } = leveret(['help', ...args]);
    return { code, first: out.split('\n')[0], err };
  };
  expect(said()).toEqual({ code: 0, first: 'Usage: leveret [options] [command]', err: '' });
  expect(said('policy', 'set').first).toMatch(/^Usage: leveret policy set /);
  expect(said('nonsense')).toMatchObject({
    code: 64,
    err: "leveret: unknown command 'nonsense'; see `leveret --help`\n",
  });
  expect(said('list', 'queus').err).toBe(
    "leveret: unknown command of list 'queus'; did you mean queues?\n",
  );
  const { out } = leveret(['--help']);
  expect(out).not.toMatch(/^Commands:/m);
  expect(out.match(/^ {2}help /gm)).toHaveLength(1);
  expect(leveret(['policy', 'set', '--help']).out).toContain('\n  leveret policy set short ');
});

test('a command that is looked for here and is elsewhere says where', () => {
  for (const word of ['stop', 'shutdown', 'restart']) {
    const { code, err } = leveret([word, '--now', 'x']);
    expect(code).toBe(64);
    expect(err).toMatch(/^leveret: there is no command '\w+': .*Ctrl-C.*SIGTERM.*rabbitmqctl stop/);
  }
});
