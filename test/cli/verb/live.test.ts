// The verbs for a running broker, and RabbitMQ's spelling of them, against a broker with its HTTP API.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { wordsOf } from '../../../src/cli/completion.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { readManner, runRabbitmqctl } from '../../../src/cli/rabbitmqctl.ts';
import { type Api, startApi } from '../../management/support.ts';

let api: Api;
const folder = mkdtempSync(join(tmpdir(), 'leveret-verbs-'));

beforeAll(async () => {
  api = await startApi();
});
beforeEach(() => {
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await api.close();
});

/** What a command line wrote, and whether it failed. */
async function capture(
  run: () => Promise<unknown>,
): Promise<{ out: string; err: string; code: number }> {
  let [out, err] = ['', ''];
  process.exitCode = 0;
  const stdout = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    await run();
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { out, err, code };
}

const leveret = (...args: string[]) =>
  capture(() => buildProgram().parseAsync(args, { from: 'user' }));
const rabbitmqctl = (...args: string[]) => capture(() => runRabbitmqctl('rabbitmqctl', args));

async function says(args: readonly string[], text: string | RegExp): Promise<void> {
  const { out, err, code } = await leveret(...args);
  expect(`${args.join(' ')}: ${err}`).toBe(`${args.join(' ')}: `);
  expect(out).toMatch(text);
  expect(code).toBe(0);
}

describe('leveret', () => {
  test('declares, lists, publishes, looks, takes and deletes', async () => {
    await says(['status'], /Alarms +none/);
    await says(['declare', 'queue', 'jobs', '--arguments', '{"x-max-length":10}'], "queue 'jobs'");
    await says(['declare', 'queue', 'other', '--transient'], "queue 'other'");
    await says(['declare', 'exchange', 'news', 'topic'], "exchange 'news'");
    await says(['declare', 'binding', 'news', 'jobs', 'a.#'], "Bound 'jobs' to 'news'");
    await says(['publish', '-x', 'news', '-k', 'a.b', 'hello'], /^Published\n$/);
    await says(['publish', '-k', 'nowhere', 'x'], 'no queue took it');
    await says(['list', 'queues', 'name', 'messages', 'durable'], /jobs +1 +true\nother +0 +false/);
    await says(['list', 'bindings', '--format', 'json'], '"routing_key": "a.#"');
    await says(['get', 'jobs'], /news +a\.b +false .*hello/);
    await says(['browse', 'jobs', '--key', 'a.*'], /0 +ready +news +a\.b/);
    await says(['move', 'jobs', 'other'], /^Moved 1 message\n$/);
    await says(['consume', 'other', '-c', '1'], /^hello\n$/);
    await says(['purge', 'jobs'], "Purged the queue 'jobs'");
    await says(['delete', 'binding', 'news', 'jobs', 'a.#'], 'Deleted 1 binding');
    await says(['delete', 'exchange', 'news'], "Deleted the exchange 'news'");
    await says(
      ['delete', 'queue', 'other', '--if-unused', '--if-empty'],
      "Deleted the queue 'other'",
    );
    await says(['top', '--once'], /\/ +jobs +0 +0 +0/);
    await says(['list', 'exchanges'], /\/ +amq\.topic +topic +true +false +false/);
  });

  test('shows clients and why they closed, and closes them', async () => {
    const clientProperties = { connection_name: 'worker 7' };
    const connection = await connect(api.amqpUrl, { clientProperties });
    // Being closed by an operator is no error to this client.
    const gone = new Promise((resolve) => connection.on('close', resolve));
    const channel = await connection.createChannel();
    await channel.assertQueue('work');
    await channel.prefetch(5);
    await channel.consume('work', () => {}, { consumerTag: 'me' });
    const failing = await connection.createChannel();
    failing.on('error', () => {});
    await failing.checkQueue('none').catch(() => {});
    await says(['list', 'connections'], /worker 7 +guest +\/ +running +\d/);
    await says(['list', 'channels'], /\(1\) +guest +\/ +1 +5 +0/);
    await says(['list', 'consumers'], /\/ +work +me +true +5 +true/);
    await says(['list', 'closed', 'channel', 'code', 'by'], /2 +404 +broker/);
    const { out } = await leveret('list', 'connections', 'name', '--format', 'json');
    const [{ name }] = JSON.parse(out) as [{ name: string }];
    await says(['close', name, 'time to go'], '');
    expect(String(await gone)).toContain(
      '320 (CONNECTION-FORCED) with message "CONNECTION_FORCED - time to go"',
    );
    const closed = /320 +CONNECTION_FORCED - time to go/;
    // It is one of them when its socket is closed, too.
    await vi.waitFor(() => says(['list', 'closed', 'code', 'text'], closed));
    await says(['delete', 'queue', 'work'], '');
  });

  test('moves dead letters back to where they died', async () => {
    const dead = '{"x-dead-letter-exchange":"","x-dead-letter-routing-key":"graves"}';
    await says(['declare', 'queue', 'alive', '--arguments', dead], '');
    await says(['declare', 'queue', 'graves'], '');
    await says(['publish', '-k', 'alive', 'one'], 'Published');
    await says(['get', 'alive', '--reject'], 'one');
    await says(['list', 'queues', 'name', 'messages'], /alive +0\ngraves +1/);
    await says(['redrive', 'graves'], /^Moved 1 message\n$/);
    await says(['list', 'queues', 'name', 'messages'], /alive +1\ngraves +0/);
    for (const queue of ['alive', 'graves']) await says(['delete', 'queue', queue], '');
  });

  test('manages access, policies and definitions, by short names and by those of rabbitmqctl', async () => {
    await says(['user', 'add', 'bob', 'secret', '--tags', 'monitoring'], '');
    await says(['user', 'tags', 'bob', 'management', 'policymaker'], '');
    await says(['list', 'users'], /bob +\[management, policymaker\]/);
    await says(['authenticate_user', 'bob', 'secret'], 'Success');
    await says(['user', 'password', 'bob', 'other'], '');
    expect((await leveret('authenticate_user', 'bob', 'secret')).code).toBe(1);
    await says(['vhost', 'add', 'shop', '--description', 'Orders'], '');
    await says(['permission', 'set', '-p', 'shop', 'bob', '^a', '^b', '^c'], '');
    await says(['list_user_permissions', 'bob'], /shop +\^a +\^b +\^c/);
    await says(['permission', 'list', '-p', 'shop'], /bob +\^a +\^b +\^c/);
    await says(['list', 'permissions'], /bob +shop +\^a +\^b +\^c/);
    await says(['permission', 'clear', '-p', 'shop', 'bob'], '');
    await says(['permission', 'list', '-p', 'shop'], /^(?!.*bob)/s);
    await says(['user', 'list'], /bob +\[management, policymaker\]/);
    await says(['vhost', 'list'], /shop/);
    await says(['list', 'vhosts'], /shop +Orders/);
    await says(['set_topic_permissions', '-p', 'shop', 'bob', 'amq.topic', '^x', '.*'], '');
    await says(['list_topic_permissions', '-p', 'shop'], /bob +amq\.topic +\^x/);
    await says(['set_vhost_limits', '-p', 'shop', '{"max-queues":3}'], '');
    await says(['list_vhost_limits'], /shop +\{"max-queues":3\}/);
    await says(['clear_vhost_limits', '-p', 'shop'], '');
    await says(['set_user_limits', 'bob', '{"max-channels":9}'], '');
    await says(['list_user_limits'], /bob +\{"max-channels":9\}/);
    await says(['policy', 'set', 'short', '^j', '{"max-length":1}', '--apply-to', 'queues'], '');
    await says(['list_policies'], /short +\^j +queues/);
    await says(['policy', 'list'], /short +\^j +queues/);
    await says(['set_global_parameter', 'mood', '"fine"'], '');
    await says(['list_global_parameters'], /mood +fine/);
    const file = join(folder, 'all.json');
    await says(['definitions', 'export', file], '');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      vhosts: expect.arrayContaining([expect.objectContaining({ name: 'shop' })]),
    });
    await says(['policy', 'clear', 'short'], '');
    await says(['vhost', 'delete', 'shop'], '');
    await says(['definitions', 'import', file], '');
    await says(['list', 'policies'], /short/);
    await says(['list_vhosts'], /shop +Orders/);
    await says(['user', 'delete', 'bob'], '');
  });

  test('says what is wrong, and how to mend it', async () => {
    const failing: readonly (readonly [args: readonly string[], text: string, url?: string])[] = [
      [['delete', 'queue', 'none'], "no queue 'none' in vhost '/'"],
      [['close', 'nobody'], "there is no connection 'nobody': see leveret list connections"],
      [['permission', 'set', 'nobody', 'a', 'b', 'c'], 'no such user, or no such vhost'],
      [['add_user', 'guest', 'x'], "there is a user 'guest' already"],
      [['status'], "start one with 'leveret start'", 'http://127.0.0.1:9'],
      [['status'], 'or its password is wrong', api.url.replace('//', '//guest:wrong@')],
      [['status'], 'is no URL', 'http://['],
    ];
    for (const [args, text, url] of failing) {
      if (url !== undefined) vi.stubEnv('LEVERET_URL', url);
      const { err, code } = await leveret(...args);
      expect(err).toContain(text);
      expect(err).toMatch(/^leveret: [^\n]*\n$/);
      expect(code).toBe(1);
    }
  });

  test('completes every command and option', () => {
    const words = wordsOf(buildProgram());
    expect(words.get('')).toEqual(expect.arrayContaining(['start', 'list', 'top', 'list_queues']));
    expect(words.get('list')).toEqual(expect.arrayContaining(['queues', 'closed']));
    expect(words.get('declare queue')).toContain('--transient');
  });

  test.each(['bash', 'zsh', 'fish'])('prints a script for %s', async (shell) => {
    await says(['completion', shell], /leveret/);
    expect((await leveret('completion', 'csh')).err).toContain('bash, zsh, fish');
  });
});

describe('rabbitmqctl', () => {
  test('prints as RabbitMQ does: tabs, headers, and what -q and -s leave out', async () => {
    await leveret('declare', 'queue', 'tabs');
    await leveret('publish', '-k', 'tabs', 'x');
    expect((await rabbitmqctl('list_queues')).out).toMatch(
      /^Timeout: 60\.0 seconds \.\.\.\nListing queues for vhost \/ \.\.\.\nname\tmessages\n(?:.*\n)*tabs\t1\n/,
    );
    expect((await rabbitmqctl('-q', '-p', '/', 'list_queues', 'name')).out).toMatch(/^name\n/);
    expect((await rabbitmqctl('list_queues', '-s', 'messages', 'name')).out).toMatch(
      /^1\ttabs\n$/m,
    );
    const json = await rabbitmqctl('list_queues', '--formatter', 'json', 'name', 'messages');
    expect(JSON.parse(json.out)).toContainEqual({ name: 'tabs', messages: 1 });
    expect((await rabbitmqctl('list_users')).out).toBe(
      'Listing users ...\nuser\ttags\nguest\t[administrator]\n',
    );
    expect((await rabbitmqctl('add_user', 'zed', 'pw')).out).toBe('Adding user "zed" ...\n');
    const again = await rabbitmqctl('-q', 'add_user', 'zed', 'pw');
    expect(again).toMatchObject({
      out: '',
      code: 69,
      err: "Error:\nthere is a user 'zed' already\n",
    });
    expect((await rabbitmqctl('delete_user', 'zed')).code).toBe(0);
  });

  test('probes log in as the first user that the environment of a container names', async () => {
    await leveret('add_user', 'probe', 'pw', '--tags', 'management');
    vi.stubEnv('LEVERET_URL', api.url);
    vi.stubEnv('RABBITMQ_DEFAULT_USER', 'probe');
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'pw');
    expect((await rabbitmqctl('-q', 'check_running')).code).toBe(0);
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'wrong');
    expect((await rabbitmqctl('-q', 'check_running')).code).toBe(69);
    expect((await rabbitmqctl('-q', 'ping')).code).toBe(0);
    vi.stubEnv('RABBITMQ_DEFAULT_USER', '');
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', '');
    expect((await rabbitmqctl('-q', 'delete_user', 'probe')).code).toBe(0);
  });

  test('answers health checks', async () => {
    const checks = {
      ping: 'Ping succeeded\n',
      check_running: 'RabbitMQ on node leveret is fully booted and running\n',
      check_local_alarms: 'Node leveret reported no local alarms\n',
      check_virtual_hosts: 'Node leveret reported all vhosts as running\n',
      await_startup: '',
    };
    for (const [verb, out] of Object.entries(checks)) {
      expect(await rabbitmqctl('-q', verb), verb).toMatchObject({ out, code: 0 });
    }
    expect((await rabbitmqctl('-q', 'check_port_connectivity')).out).toMatch(
      /^Successfully connected to ports \d+, \d+ on node leveret\.\n$/,
    );
    expect((await rabbitmqctl('-q', 'check_port_listener', '9')).code).toBe(69);
    for (const verb of ['status', 'cluster_status', 'listeners', 'server_version', 'environment']) {
      expect((await rabbitmqctl('-q', verb)).out, verb).not.toBe('');
    }
    for (const verb of ['list_connections', 'list_channels', 'list_consumers']) {
      expect(await rabbitmqctl('-q', verb), verb).toMatchObject({ out: '', code: 0 });
    }
    expect((await rabbitmqctl('enable_feature_flag', 'all')).code).toBe(0);
    expect((await rabbitmqctl('eval', '1+1.')).err).toContain('there is no Erlang here');
    expect((await rabbitmqctl('close_all_connections', 'bye')).out).toContain(
      'Closed 0 connections',
    );
  });

  test('takes its own flags before the verb and behind it', () => {
    expect(
      readManner(['-n', 'rabbit@x', '-q', '-p', 'v', 'list_queues', 'name', '-t', '9']),
    ).toEqual({
      manner: { quiet: true, silent: false, headers: true, format: 'table' },
      rest: ['list_queues', '-p', 'v', 'name'],
    });
    expect(
      readManner(['list_users', '--formatter=json', '--no-table-headers']).manner,
    ).toMatchObject({
      format: 'json',
      headers: false,
    });
  });
});
