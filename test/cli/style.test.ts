// Every verb of `leveret` alike: its flags, what it prints as JSON, and how it ends.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { buildProgram, OFFLINE_VERBS } from '../../src/cli/program.ts';
import { fitted } from '../../src/cli/verbs/live/status.ts';
import { type Api, startApi } from '../management/support.ts';

/** All commands that do something, with their words. */
function leaves(command: Command, path: readonly string[] = []): [string, Command][] {
  const all = command.commands.flatMap((each) => leaves(each, [...path, each.name()]));
  return command.commands.length > 0 ? all : [[path.join(' '), command]];
}

const VERBS = leaves(buildProgram());
/** What runs until it is stopped, or prints a script. */
const OTHERWISE = [
  'start',
  'cluster demo',
  'completion',
  'help',
  'stop',
  'shutdown',
  'restart',
  '__names',
];
const longs = (command: Command): string[] => command.options.flatMap(({ long }) => long ?? []);

describe('every verb', () => {
  test.each(VERBS.filter(([name]) => !OTHERWISE.includes(name)))('%s has --json', (_name, verb) => {
    expect(longs(verb)).toContain('--json');
  });

  test('that goes to a running broker names it by the same flags', () => {
    for (const [name, verb] of VERBS) {
      const names = longs(verb);
      if (!names.includes('--url') || name === 'perf') continue;
      expect([name, names.includes('--host'), names.includes('--port')]).toEqual([
        name,
        true,
        true,
      ]);
    }
  });

  test('calls a vhost -p, --vhost and a limit --limit', () => {
    for (const [name, verb] of VERBS) {
      for (const { flags, long, hidden } of verb.options) {
        if (name === 'start' || name === 'perf' || name === '__names') continue;
        if (long === '--vhost') expect([name, flags]).toEqual([name, '-p, --vhost <vhost>']);
        if (long === '--count') expect([name, hidden]).toEqual([name, true]);
        expect([name, '--max', '--num'].includes(String(long))).toBe(false);
      }
    }
  });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process. */
async function run(...args: string[]): Promise<Ended> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') => (text: unknown) => {
    said[name] += String(text);
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(into('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(into('err')),
    vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Exit(Number(code));
    }),
  ];
  process.exitCode = 0;
  try {
    await buildProgram().parseAsync(['node', 'leveret', ...args]);
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    process.exitCode = error.code;
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const code = Number(process.exitCode);
  process.exitCode = 0;
  return { code, ...said };
}

class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

describe('on a running broker', () => {
  let api: Api;
  let at: string[];

  beforeAll(async () => {
    api = await startApi();
    at = ['--port', new URL(api.url).port];
    for (const name of ['jobs', 'failed', 'other']) {
      await api.call('PUT', `/queues/%2F/${name}`, { durable: true });
    }
    const stream = { durable: true, arguments: { 'x-queue-type': 'stream' } };
    await api.call('PUT', '/queues/%2F/log', stream);
    await api.call('PUT', '/vhosts/shop', {});
  });
  afterAll(() => api.close());

  const LINES: readonly string[] = [
    'status',
    'top --once',
    'declare queue made',
    'declare exchange made-x',
    'declare binding made-x made k',
    'publish -k jobs hello',
    'get jobs',
    'browse jobs',
    'delayed jobs --send',
    'consume jobs --limit 1',
    'move jobs other',
    'redrive other',
    'pause jobs',
    'resume jobs',
    'purge jobs',
    'delete binding made-x made k',
    'delete exchange made-x',
    'delete queue made',
    'user add app secret',
    'user list',
    'permission set app .* .* .*',
    'permission list',
    'policy set short ^jobs {"max-length":9}',
    'policy list',
    'policy clear short',
    'vhost add tmp',
    'vhost list',
    'vhost delete tmp',
    'definitions export -',
    'user delete app',
    ...'queues exchanges bindings connections channels consumers users vhosts permissions policies schedules set-aside closed'
      .split(' ')
      .flatMap((kind) => [`list ${kind}`, kind]),
    'schedule times --every 1000',
    'streams add parts --partitions 2',
    'streams list',
    'streams add-partitions parts',
    'streams delete parts',
    'streams set-place log g first',
    'streams groups log',
    'streams readers log',
    'streams forget-group log g',
    'settings list',
    'settings get log.level',
    'list_connections',
    'list_queues',
  ];

  test('each verb prints JSON that parses with --json and with --format json, and ends with 0', async () => {
    await run('publish', ...at, '-k', 'jobs', 'first');
    for (const line of LINES) {
      if (line.startsWith('consume')) await run('publish', ...at, '-k', 'jobs', 'to consume');
      const { code, out, err } = await run(...line.split(' '), ...at, '--json');
      expect([line, code, err]).toEqual([line, 0, '']);
      expect(() => JSON.parse(out), `${line}: ${out}`).not.toThrow();
    }
    const same = [
      await run('queues', ...at, '--json'),
      await run('queues', ...at, '--format', 'json'),
    ];
    expect(same[0]).toEqual(same[1]);
  });

  /** A line for each verb that works on a broker and lists nothing, in an order in which they can be run again. */
  const CHANGES: readonly string[] = [
    'add_user app secret',
    'change_password app other',
    'authenticate_user app other',
    'set_user_tags app monitoring management',
    'set_user_tags app',
    'set_user_limits app {"max-channels":9}',
    'clear_user_limits app max-channels',
    'clear_user_limits app all',
    'set_permissions app .* .* .*',
    'clear_permissions app',
    'set_topic_permissions app amq.topic .* .*',
    'clear_topic_permissions app amq.topic',
    'set_topic_permissions app amq.topic .* .*',
    'clear_topic_permissions app',
    'clear_password app',
    'delete_user app',
    'add_vhost tmp',
    'trace_on -p tmp',
    'trace_off -p tmp',
    'set_vhost_limits -p tmp {"max-queues":9}',
    'clear_vhost_limits -p tmp',
    'delete_vhost tmp',
    'set_policy short ^jobs {"max-length":9}',
    'clear_policy short',
    'set_operator_policy short ^jobs {"max-length":9}',
    'clear_operator_policy short',
    'set_parameter operator_policy short {"pattern":"^jobs","definition":{"max-length":9}}',
    'clear_parameter operator_policy short',
    'set_global_parameter name {"a":1}',
    'clear_global_parameter name',
    'settings set log.level warning',
    'settings unset log.level',
    'schedule set tick --cron @daily --time-zone Asia/Tokyo -k jobs',
    'schedule set tick --every 5000 -k jobs {"n":1}',
    'schedule run tick',
    'schedule delete tick',
    'streams set-place log g 1h',
    'streams forget-group log g',
    'declare queue made',
    'purge_queue made',
    'delete_queue made',
  ];

  test('each verb that changes something says what it did in one line, and as one value of JSON', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'leveret-style-')), 'definitions.json');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    const lines = [...CHANGES, `export_definitions ${file}`, `import_definitions ${file}`];
    const known = lines.map((line) => line.split(' ')[0]);
    const lists = OFFLINE_VERBS.filter(({ name }) => /^list_|^hash_/.test(name));
    for (const { name } of OFFLINE_VERBS) {
      if (!lists.some((each) => each.name === name)) expect(known).toContain(name);
    }
    for (const line of lines) {
      const { code, out, err } = await run(...line.split(' '), ...at);
      expect([line, code, err]).toEqual([line, 0, '']);
      expect([line, out]).toEqual([line, expect.stringMatching(/^\S.*\S\n$/)]);
      expect([line, out]).toEqual([line, expect.not.stringMatching(/undefined|object|null/)]);
    }
    for (const line of lines) {
      const { out } = await run(...line.split(' '), ...at, '--json');
      const value = JSON.parse(out);
      const said = line.startsWith('settings')
        ? { name: 'log.level' }
        : { ok: true, message: expect.any(String) };
      expect([line, value]).toEqual([line, expect.objectContaining(said)]);
    }
  });

  test('status and top say what they count, and speak of one in the singular', async () => {
    const { out: status } = await run('status', ...at);
    expect(status).toMatch(
      /^Objects +\d+ queues?, \d+ exchanges, 0 connections, 0 channels, 0 consumers$/m,
    );
    const { out: top } = await run('top', '--once', ...at);
    expect(top).toMatch(/^0 connections {2}0 channels {2}\d+ queues? {2}0 consumers$/m);
    expect(top).toMatch(/^since the start: {2}publish \d+ {2}deliver_get \d+ /m);
    await run('declare', 'queue', 'one', ...at);
    await run('publish', '-k', 'one', 'x', ...at);
    expect((await run('purge_queue', 'one', ...at)).out).toBe(
      "Removed 1 message from the queue 'one'\n",
    );
    expect((await run('purge_queue', 'one', ...at)).out).toBe(
      "Removed 0 messages from the queue 'one'\n",
    );
    expect((await run('delete_queue', 'one', ...at)).out).toContain('with 0 ready messages');
  });

  test('an empty list says so on standard error, and is [] as JSON', async () => {
    expect(await run('connections', ...at)).toEqual({ code: 0, out: '', err: 'There are none\n' });
    expect(await run('connections', ...at, '--json')).toEqual({ code: 0, out: '[]\n', err: '' });
  });

  test.each([
    ['purge job', "there is no queue 'job' in vhost '/'; did you mean 'jobs'?"],
    ['browse jobz', "there is no queue 'jobz' in vhost '/'; did you mean 'jobs'?"],
    ['get jobs -p shpo', "there is no vhost 'shpo'; did you mean 'shop'?"],
    ['list queues -p shpo', "there is no vhost 'shpo'; did you mean 'shop'?"],
    ['delete queue nothing-like-it', "there is no queue 'nothing-like-it' in vhost '/'"],
    [
      'delete exchange amq.topik',
      "there is no exchange 'amq.topik' in vhost '/'; did you mean 'amq.topic'?",
    ],
    [
      'declare binding amq.topic job k',
      "there is no queue 'job' in vhost '/'; did you mean 'jobs'?",
    ],
    [
      'publish -x amq.topik x',
      "there is no exchange 'amq.topik' in vhost '/'; did you mean 'amq.topic'?",
    ],
    ['user delete gest', "there is no user 'gest'; did you mean 'guest'?"],
    ['permission set gest .* .* .*', "there is no user 'gest'; did you mean 'guest'?"],
    ['vhost delete shpo', "there is no vhost 'shpo'; did you mean 'shop'?"],
    [
      'policy set p ^jobs {"max-lenght":5}',
      "Validation failed 'max-lenght' (5) are not recognised",
    ],
    ['redrive nope', "there is no queue 'nope'"],
  ])('%s ends with 1, and names what is missing', async (line, text) => {
    const { code, out, err } = await run(...line.split(' '), ...at);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`leveret: ${text}`);
  });

  test.each([
    'list queues nmae',
    'list queues name --sort nmae',
    'list_queues nmae',
    'status --port abc',
    'status --port 70000',
    'status --url http://127.0.0.1:1 --port 5',
    'browse jobs --limit 0',
    'browse jobs --limit x',
    'list queues --limt 5',
    'top --interval 0',
    'list queues --format xml',
    'nothing',
    'perf --producers x',
  ])('%s is a wrong command line: 64', async (line) => {
    const { code, out, err } = await run(
      ...line.split(' '),
      ...(line.includes('--port')
        ? []
        : line === 'nothing'
          ? []
          : line.startsWith('perf')
            ? []
            : at),
    );
    expect([line, code, out]).toEqual([line, 64, '']);
    expect(err).not.toBe('');
  });

  test('a broker that does not answer ends a verb with 69', async () => {
    expect((await run('status', '--port', '1')).code).toBe(69);
    expect((await run('list_queues', '--host', '127.0.0.1', '--port', '1')).code).toBe(69);
  });

  test('a redrive of messages that never died says so', async () => {
    await run('purge', ...at, 'other');
    await run('publish', ...at, '-k', 'other', 'x');
    const { out } = await run('redrive', ...at, 'other');
    expect(out).toContain('1 stay: they are not dead letters');
  });

  test('completion is given the names that are there, and no word that a shell would run', async () => {
    await api.call('PUT', `/queues/%2F/${encodeURIComponent('$(touch x)')}`, {});
    const { out } = await run('__names', 'queues', ...at);
    expect(out.split('\n')).toEqual(expect.arrayContaining(['jobs', 'failed']));
    expect(out).not.toContain('touch');
    expect((await run('__names', 'vhosts', ...at)).out).toBe('/\nshop\n');
    await run('schedule', 'set', 'tick', '--every', '5000', ...at);
    expect((await run('__names', 'schedules', ...at)).out).toBe('tick\n');
    expect((await run('schedule', 'run', 'tock', ...at)).err).toContain("no schedule 'tock'");
    await run('schedule', 'delete', 'tick', ...at);
    expect(await run('__names', 'users', '--port', '1')).toEqual({ code: 0, out: '', err: '' });
    const { out: script } = await run('completion', 'bash');
    expect(script).toContain("'pause') kind='queues'");
    expect(script).toContain("-p|--vhost) kind='vhosts'");
  });

  test('what is limited is cut after so many', async () => {
    const { out } = await run('queues', 'name', '--limit', '1', '--json', ...at);
    expect(JSON.parse(out)).toHaveLength(1);
  });
});

test('top shows what the terminal has room for', () => {
  expect(fitted('one\ntwo long\nthree\n', { rows: 3, columns: 4 })).toBe('one\ntwo ');
});
