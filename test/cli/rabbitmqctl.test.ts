// RabbitMQ's tools in its spelling, against a broker with its HTTP API. The expected texts are those of RabbitMQ 3.10.8.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runRabbitmqctl } from '../../src/cli/rabbitmqctl.ts';
import { type Api, startApi } from '../management/support.ts';
import { capture } from './capture.ts';

let api: Api;
let client: ChannelModel;
const folder = mkdtempSync(join(tmpdir(), 'leveret-ctl-'));

const run = (program: string, ...args: string[]) => capture(() => runRabbitmqctl(program, args));
const rabbitmqctl = (...args: string[]) => run('rabbitmqctl', ...args);
const diagnostics = (...args: string[]) => run('rabbitmq-diagnostics', ...args);
const plugins = (...args: string[]) => run('rabbitmq-plugins', ...args);

/** Runs a verb that has to work, and returns what it wrote. */
async function out(...args: string[]): Promise<string> {
  const ended = await rabbitmqctl(...args);
  expect({ args, err: ended.err, code: ended.code }).toEqual({ args, err: '', code: 0 });
  return ended.out;
}

const list = async (...args: string[]): Promise<unknown> =>
  JSON.parse(await out(...args, '--formatter', 'json'));

beforeAll(async () => {
  api = await startApi();
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  vi.stubEnv('LEVERET_DATA_DIR', '');
  await out('add_vhost', 'shop');
  await out('set_permissions', '-p', 'shop', 'guest', '.*', '.*', '.*');
  await api.call('PUT', '/queues/shop/jobs', { arguments: { 'x-max-length': 10 }, durable: true });
  await api.call('PUT', '/exchanges/shop/news', { type: 'topic', durable: true });
  const binding = { routing_key: 'a.#', arguments: { x: 1, y: 'z' } };
  await api.call('POST', '/bindings/shop/e/news/q/jobs', binding);
  client = await connect(`${api.amqpUrl}/shop`, { clientProperties: { connection_name: 'me' } });
  client.on('error', () => {});
  const channel = await client.createChannel();
  await channel.prefetch(5);
  await channel.consume('jobs', () => {}, { consumerTag: 'tag', arguments: { 'x-priority': 3 } });
});
beforeEach(() => {
  vi.stubEnv('LEVERET_URL', api.url.replace('//', '//guest:guest@'));
  for (const what of ['USER', 'PASS']) vi.stubEnv(`RABBITMQ_DEFAULT_${what}`, '');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await client.close();
  await api.close();
});

describe('lists', () => {
  test('have tabs, headers, and less with -q, -s and --no-table-headers', async () => {
    const at = ['list_queues', '-p', 'shop', 'name', 'messages'];
    const banner = 'Timeout: 60.0 seconds ...\nListing queues for vhost shop ...\n';
    expect(await out(...at)).toBe(`${banner}name\tmessages\njobs\t0\n`);
    expect(await out('-q', ...at)).toBe('name\tmessages\njobs\t0\n');
    expect(await out('-s', ...at)).toBe('jobs\t0\n');
    expect(await out(...at, '-q', '--no-table-headers')).toBe('jobs\t0\n');
    expect(await out(...at, '--formatter', 'json')).toBe('[\n{"name":"jobs","messages":0}\n]\n');
    expect(await out(...at, '--formatter=csv')).toBe('"name","messages"\n"jobs","0"\n');
    expect(await out('-q', ...at, '--formatter', 'erlang')).toBe(
      '[[{name,<<"jobs">>},{messages,0}]]\n',
    );
    expect(await out('-q', ...at, '--formatter', 'pretty_table')).toContain('│ jobs │ 0        │');
  });

  test('show arguments and properties as Erlang terms, and names of processes', async () => {
    expect(await out('-s', 'list_queues', '-p', 'shop', 'arguments', 'pid')).toBe(
      '[{"x-max-length",10}]\t<leveret.shop.jobs>\n',
    );
    expect(await out('-s', 'list_connections', 'client_properties')).toMatch(
      /^\[\{"connection_name","me"\},\{"product","amqplib"\},.*\{"capabilities",\[\{"publisher_confirms",true\},/,
    );
    expect(await out('-q', 'list_consumers', '-p', 'shop')).toMatch(
      /^queue_name\tchannel_pid\tconsumer_tag\tack_required\tprefetch_count\tactive\targuments\njobs\t<leveret\..*\(1\)>\ttag\ttrue\t5\ttrue\t\[\{"x-priority",3\}\]\n$/,
    );
    expect(await out('-q', 'list_channels')).toMatch(
      /^pid\tuser\tconsumer_count\tmessages_unacknowledged\n<leveret\..*>\tguest\t1\t0\n$/,
    );
  });

  test('have the columns that scripts ask for', async () => {
    const sources =
      'source_name source_kind destination_name destination_kind routing_key arguments';
    expect(await out('-s', 'list_bindings', '-p', 'shop', ...sources.split(' '))).toContain(
      'news\texchange\tjobs\tqueue\ta.#\t[{"x",1},{"y","z"}]\n',
    );
    expect(await out('-q', 'list_vhosts', 'name', 'tracing')).toContain('shop\tfalse\n');
    expect(await out('-s', 'list_queues', '-p', 'shop', 'messages_delayed')).toMatch(/^(0\n)+$/);
    expect(await out('-s', 'list_queues', '-p', 'shop', 'name,type', 'state')).toBe(
      'jobs\tclassic\trunning\n',
    );
    expect(await list('list_queues', '-p', 'shop', '--online', '--local', 'memory')).toEqual([
      { memory: expect.any(Number) },
    ]);
    expect(await list('list_queues', '-p', 'shop', '--offline')).toEqual([]);
    expect(await list('list_unresponsive_queues', '-p', 'shop')).toEqual([]);
    expect(await list('list_users')).toEqual([{ user: 'guest', tags: ['administrator'] }]);
  });

  test('refuse a column that there is not with 64, and say which was meant', async () => {
    for (const verb of ['list_queues', 'list_connections', 'list_consumers', 'list_bindings']) {
      const { code, err } = await rabbitmqctl('-q', verb, 'argumentz', '-p', 'shop');
      expect({ verb, code }).toEqual({ verb, code: 64 });
      expect(err).toContain('Info key(s) argumentz are not supported');
    }
    expect((await rabbitmqctl('list_queues', 'mesages')).err).toContain('did you mean messages?');
  });

  test('show limits, parameters and policies as JSON in a cell, as Ansible and Puppet read them', async () => {
    await out('set_vhost_limits', '-p', 'shop', '{"max-queues":5}');
    expect(await out('-q', 'list_vhost_limits', '-p', 'shop')).toBe('{"max-queues":5}\n');
    expect(await out('-q', 'list_vhost_limits', '--global')).toBe(
      'vhost\tlimits\nshop\t{"max-queues":5}\n',
    );
    await out('set_user_limits', 'guest', '{"max-channels":50}');
    expect(await out('-q', 'list_user_limits', '--user', 'guest')).toBe('{"max-channels":50}\n');
    await out('clear_user_limits', 'guest', 'all');
    expect(await out('-q', 'list_user_limits', '--user', 'guest')).toBe('{}\n');
    await out('set_global_parameter', 'colour', '{"a":[1]}');
    expect(await out('-s', 'list_global_parameters')).toContain('colour\t{"a":[1]}\n');
    expect(await list('list_global_parameters')).toContainEqual({
      name: 'colour',
      value: '{"a":[1]}',
    });
    await out('set_policy', '-p', 'shop', 'cap', '^j\\.', '{"max-length":9}', '--priority', '3');
    expect(await out('-s', 'list_policies', '-p', 'shop')).toBe(
      'shop\tcap\t^j\\\\.\tall\t{"max-length":9}\t3\n',
    );
    await out('set_operator_policy', '-p', 'shop', 'op', '^j', '{"max-length":9}');
    expect(await list('list_parameters', '-p', 'shop')).toContainEqual(
      expect.objectContaining({ component: 'operator_policy', name: 'op' }),
    );
  });
});

describe('the node', () => {
  test('status and cluster_status say what scripts of 3.7 and later look for', async () => {
    const status = await out('-q', 'status');
    expect(status.match(/RabbitMQ.*?([\d.]+)/)?.[1]).toMatch(/^3\.\d+\.\d+$/);
    expect(status).toMatch(/^RabbitMQ version: 3\.\d+\.\d+$/m);
    const value = JSON.parse(await out('status', '--formatter', 'json'));
    expect(value).toMatchObject({
      rabbitmq_version: expect.stringMatching(/^3\.\d+\.\d+$/),
      is_under_maintenance: false,
      alarms: [],
      totals: { connection_count: 1, queue_count: 1, virtual_host_count: 2 },
    });
    await out('set_cluster_name', 'shops');
    expect(await out('-q', 'cluster_status')).toMatch(/^Cluster name: shops$/m);
    expect(JSON.parse(await out('cluster_status', '--formatter', 'json'))).toMatchObject({
      cluster_name: 'shops',
      running_nodes: ['leveret'],
      partitions: {},
    });
    expect(await out('version')).toMatch(/^3\.\d+\.\d+\n$/);
    expect(await out('report')).toContain('Listing queues for vhost shop ...');
    expect(JSON.parse(await out('-q', 'export_definitions', '-'))).toHaveProperty('queues');
    expect(await out('export_definitions', '-')).toMatch(/^\{/);
  });

  test('health checks end with 0, and with 69 for what is not well', async () => {
    const well = [
      'ping',
      'check_running',
      'check_alarms',
      'check_local_alarms',
      'check_virtual_hosts',
      'check_port_connectivity',
      'check_certificate_expiration',
      'check_if_node_is_mirror_sync_critical',
      'check_if_node_is_quorum_critical',
      'node_health_check',
      'is_running',
      'is_booting',
      'alarms',
      'listeners',
      'erlang_version',
      'server_version',
      'memory_breakdown',
      'environment',
      'await_startup',
      'await_online_quorum_plus_one',
      'list_ciphers',
      'cipher_suites',
      'list_hashes',
    ];
    for (const verb of well) {
      const { err, code } = await diagnostics('-q', verb);
      expect({ verb, err, code }).toEqual({ verb, err: '', code: 0 });
    }
    expect((await diagnostics('-q', 'ping')).out).toBe('Ping succeeded\n');
    expect((await diagnostics('-q', 'check_protocol_listener', 'amqp')).code).toBe(0);
    expect((await diagnostics('-q', 'check_protocol_listener', 'mqtt')).code).toBe(69);
    expect((await diagnostics('-q', 'check_port_listener', '9')).code).toBe(69);
    expect((await diagnostics('-q', 'check_port_listener', 'abc')).code).toBe(64);
    expect(JSON.parse((await diagnostics('alarms', '--formatter', 'json')).out)).toEqual({
      result: 'ok',
      node: 'leveret',
      alarms: [],
    });
  });

  test('wait waits for the broker of a process, and ends when that is gone', async () => {
    const pidFile = join(folder, 'pid');
    writeFileSync(pidFile, `${process.pid}\n`);
    expect((await rabbitmqctl('-q', 'wait', pidFile, '--timeout', '20')).code).toBe(0);
    expect((await rabbitmqctl('-q', 'wait', '--pid', String(process.pid))).code).toBe(0);
    expect((await rabbitmqctl('-q', 'wait', join(folder, 'none'), '-t', '0')).code).toBe(75);
    expect((await rabbitmqctl('-q', 'wait')).code).toBe(64);
    // One that is in no cluster stays alone.
    expect((await rabbitmqctl('-q', 'await_online_nodes', '3')).code).toBe(75);
    // No port 1 answers; a process with that id is not there.
    vi.stubEnv('LEVERET_URL', 'http://127.0.0.1:1');
    expect((await rabbitmqctl('-q', 'wait', '--pid', '999999999')).code).toBe(69);
    expect((await rabbitmqctl('-q', 'await_startup', '-t', '0')).code).toBe(75);
    expect((await rabbitmqctl('-q', 'await_online_nodes', '3', '-t', '0')).code).toBe(75);
  });

  test('probes log in as the first user that the environment of a container names', async () => {
    await out('add_user', 'probe', 'pw');
    await out('set_user_tags', 'probe', 'management');
    vi.stubEnv('LEVERET_URL', api.url);
    vi.stubEnv('RABBITMQ_DEFAULT_USER', 'probe');
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'pw');
    expect((await diagnostics('-q', 'check_running')).code).toBe(0);
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', 'wrong');
    expect((await diagnostics('-q', 'check_running')).code).toBe(69);
    expect((await diagnostics('-q', 'ping')).code).toBe(0);
    vi.stubEnv('RABBITMQ_DEFAULT_USER', '');
    vi.stubEnv('RABBITMQ_DEFAULT_PASS', '');
    await out('delete_user', 'probe');
  });
});

describe('changes', () => {
  test('end with the codes of RabbitMQ', async () => {
    const codes: readonly (readonly [code: number, ...args: string[]])[] = [
      [0, 'add_vhost', 'shop'],
      [0, 'add_user', 'zed', 'pw'],
      [70, 'add_user', 'zed', 'pw'],
      [0, 'authenticate_user', 'zed', 'pw'],
      [65, 'authenticate_user', 'zed', 'wrong'],
      [69, 'set_permissions', '-p', 'none', 'zed', '', '', ''],
      [69, 'set_permissions', '-p', 'shop', 'zed', '(', '', ''],
      [69, 'list_user_permissions', 'none'],
      [69, 'set_policy', '-p', 'shop', 'x', '.', 'no json'],
      [69, 'clear_policy', '-p', 'shop', 'none'],
      [69, 'clear_global_parameter', 'none'],
      [69, 'purge_queue', '-p', 'shop', 'none'],
      [64, 'delete_queue', '-p', 'shop', 'jobs', '--if-unused'],
      [69, 'close_connection', 'none', 'why'],
      [0, 'close_all_connections', '-p', 'none', 'why'],
      [0, 'close_all_user_connections', 'zed', 'why'],
      [0, 'set_vhost_tags', 'shop', 'a', 'b'],
      [0, 'restart_vhost', '-p', 'shop'],
      [0, 'enable_feature_flag', 'all'],
      [0, 'enable_feature_flag', 'quorum_queue'],
      [0, 'enable_feature_flag', 'stream_queue'],
      [64, 'enable_feature_flag', 'none'],
      [0, 'delete_user', 'zed'],
      [67, 'delete_user', 'zed'],
      [65, 'delete_vhost', 'none'],
      [70, 'eval', '1+1.'],
      [69, 'join_cluster', 'rabbit@other'],
      [69, 'stop_app'],
      [64, 'list_users', '--formatter', 'none'],
      [64, 'list_users', '--timeout', 'none'],
    ];
    for (const [code, ...args] of codes) {
      const ended = await rabbitmqctl('-q', ...args);
      expect({ args, code: ended.code, err: ended.err !== '' }).toEqual({
        args,
        code,
        err: code !== 0,
      });
    }
  });

  test('say with RabbitMQ’s code that there is no such user, no such vhost, or that a name is empty', async () => {
    const noUser = /^Error:\nuser "nobody" does not exist\n$/i;
    const noVhost = /^Error:\nvirtual host 'nov' does not exist\n$/i;
    const empty = /must not be empty/;
    const cases: readonly (readonly [code: number, said: RegExp, ...args: string[]])[] = [
      [67, noUser, 'change_password', 'nobody', 'x'],
      [67, noUser, 'set_user_tags', 'nobody', 'x'],
      [67, noUser, 'set_permissions', 'nobody', '.', '.', '.'],
      [67, noUser, 'clear_permissions', 'nobody'],
      [67, noUser, 'set_topic_permissions', 'nobody', 'amq.topic', '.', '.'],
      [67, noUser, 'clear_topic_permissions', 'nobody'],
      [69, noUser, 'clear_password', 'nobody'],
      [69, noUser, 'set_user_limits', 'nobody', '{"max-channels":1}'],
      [69, noUser, 'list_user_limits', '--user', 'nobody'],
      [65, noVhost, 'list_permissions', '-p', 'nov'],
      [65, noVhost, 'list_topic_permissions', '-p', 'nov'],
      [65, noVhost, 'list_policies', '-p', 'nov'],
      [65, noVhost, 'list_operator_policies', '-p', 'nov'],
      [65, noVhost, 'list_parameters', '-p', 'nov'],
      [65, noVhost, 'list_vhost_limits', '-p', 'nov'],
      [65, noVhost, 'set_vhost_limits', '-p', 'nov', '{"max-queues":1}'],
      [65, noVhost, 'set_policy', '-p', 'nov', 'a', 'b', '{"max-length":1}'],
      [65, noVhost, 'trace_on', '-p', 'nov'],
      [69, noVhost, 'set_permissions', '-p', 'nov', 'guest', '.', '.', '.'],
      [65, empty, 'add_user', '', 'x'],
      [65, empty, 'add_user', 'x', ''],
      [65, empty, 'change_password', 'guest', ''],
      [65, empty, 'add_vhost', ''],
      [65, empty, 'delete_queue', ''],
    ];
    for (const [code, said, ...args] of cases) {
      const { err, ...ended } = await rabbitmqctl('-q', ...args);
      expect({ args, ...ended, err }).toEqual({
        args,
        out: '',
        code,
        err: expect.stringMatching(said),
      });
    }
    expect(await list('list_users')).not.toContainEqual(expect.objectContaining({ user: 'x' }));
  });

  test('say before what they do, unless asked to be quiet', async () => {
    expect(await out('add_user', 'zed', 'pw')).toBe('Adding user "zed" ...\n');
    expect(await out('set_user_tags', 'zed', 'a', 'b')).toBe(
      'Setting tags for user "zed" to [a, b] ...\n',
    );
    expect(await out('-q', 'delete_user', 'zed')).toBe('');
  });

  test('a verb that is refused says why, and what to do in its place', async () => {
    for (const verb of ['stop_app', 'reset', 'rotate_logs', 'sync_queue', 'encode', 'decode']) {
      const { err } = await rabbitmqctl(verb);
      expect(err).toMatch(new RegExp(`^Error:\\n${verb} is refused: .{20,}\\n$`));
    }
  });
});

test('Puppet’s module can read each list, and takes a value out of it', async () => {
  await out('add_user', 'puppet', 'pw');
  await out('set_user_tags', 'puppet', 'administrator', 'other');
  await out('set_permissions', '-p', 'shop', 'puppet', '^a\\.', '', '.*');
  await out('set_topic_permissions', '-p', 'shop', 'puppet', 'news', '^w', '^r');
  await out('set_policy', '-p', 'shop', '--apply-to', 'queues', 'p', '^j', '{"max-length":9}');
  const op = '{"pattern":"^j","definition":{"max-length":9}}';
  await out('set_parameter', '-p', 'shop', 'operator_policy', 'o', op);
  // Every line of the answer has to match; the groups are what a provider keeps.
  const lists: readonly (readonly [args: string, pattern: RegExp, kept: string[]])[] = [
    ['list_users', /^(\S+)\s+\[(.*?)\]$/, ['puppet', 'administrator, other']],
    ['list_vhosts', /^(\S+)$/, ['shop']],
    [
      'list_user_permissions puppet',
      /^(\S+)\s+(\S*)\s+(\S*)\s+(\S*)$/,
      ['shop', '^a\\\\.', '', '.*'],
    ],
    [
      'list_user_topic_permissions puppet',
      /^(\S+)\s+(\S*)\s+(\S*)\s+(\S*)$/,
      ['shop', 'news', '^w', '^r'],
    ],
    [
      'list_policies -p shop',
      /^(\S+)\s+(\S+)\s+(\S+)\s+(all|exchanges|queues)\s+(\S+)\s+(\d+)$/,
      ['shop', 'p', '^j', 'queues', '{"max-length":9}', '0'],
    ],
    ['list_parameters -p shop', /^(\S+)\s+(\S+)\s+(\S+)$/, ['operator_policy', 'o']],
  ];
  for (const [args, pattern, kept] of lists) {
    const [verb = '', ...rest] = args.split(' ');
    for (const flags of [['-q', '--no-table-headers'], ['-s']]) {
      const lines = (await out(verb, ...flags, ...rest)).trimEnd().split('\n');
      const found = lines.map((line) => pattern.exec(line)?.slice(1) ?? line);
      expect({ args, found }).toEqual({
        args,
        found: expect.arrayContaining([expect.arrayContaining(kept)]),
      });
      expect(found.filter((each) => typeof each === 'string')).toEqual([]);
    }
  }
  const enabled = (await plugins('-s', 'list', '-E', '-m')).out.trimEnd().split('\n');
  expect(enabled.filter((line) => !/^\S+$/.test(line))).toEqual([]);
  await out('delete_user', 'puppet');
});

test('rabbitmq-plugins lists what is built in, and refuses what is not', async () => {
  const explicit = (await plugins('list', '-E', '-m')).out;
  expect(explicit).toMatch(/^(?:\S+\n)+$/);
  expect(explicit).toContain('rabbitmq_management\n');
  expect(explicit).not.toContain('rabbitmq_management_agent\n');
  expect((await plugins('list', '-e', '-m')).out).toContain('rabbitmq_management_agent\n');
  expect((await plugins('-q', 'list')).out).toMatch(/^\[E\*\] rabbitmq_management +3\.13\.7$/m);
  expect((await plugins('-q', 'is_enabled', 'rabbitmq_management')).code).toBe(0);
  expect((await plugins('-q', 'is_enabled', 'rabbitmq_mqtt')).code).toBe(69);
  expect((await plugins('-q', 'enable', '--offline', 'rabbitmq_prometheus')).code).toBe(0);
  expect((await plugins('enable', 'rabbitmq_shovel')).err).toContain('cannot be enabled');
  expect((await plugins('disable', 'rabbitmq_management')).code).toBe(70);
  expect((await plugins('enable', 'rabbitmq_managment')).err).toContain('rabbitmq_management?');
});
