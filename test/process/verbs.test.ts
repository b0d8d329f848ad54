import { spawnSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { expect, test } from 'vitest';
import { ROOT, useProcesses } from './support.ts';

const processes = useProcesses();

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs verbs on one data folder. */
class Verbs {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  try(args: readonly string[], input = ''): Ended {
    const ended = spawnSync(process.execPath, [join(ROOT, 'bin', 'leveret'), ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], LEVERET_DATA_DIR: this.folder },
      input,
    });
    return { code: ended.status, out: ended.stdout, err: ended.stderr };
  }

  /** Runs one that has to work, and returns what it says. */
  run(args: readonly string[], input = ''): string {
    const { code, out, err } = this.try(args, input);
    expect({ args, code, err }).toEqual({ args, code: 0, err: '' });
    return out;
  }

  list(...args: string[]): unknown {
    return JSON.parse(this.run([...args, '--formatter', 'json']));
  }
}

/** The data folder of a broker that has run and is stopped, with a queue of three messages. */
async function stopped(): Promise<Verbs> {
  const folder = processes.folder();
  const broker = await processes.start(folder);
  const channel = await processes.channel(broker);
  await channel.assertQueue('jobs');
  for (let n = 0; n < 3; n++) channel.sendToQueue('jobs', Buffer.from('x'), { persistent: true });
  await channel.waitForConfirms();
  await broker.end('SIGTERM');
  return new Verbs(folder);
}

test('users that verbs make can log in, do what they may, and are gone when deleted', async () => {
  const verbs = await stopped();
  verbs.run(['add_user', 'app', 'secret', '--tags', 'monitoring']);
  verbs.run(['add_user', 'other'], 'typed\n');
  verbs.run(['set_user_tags', 'app', 'administrator', 'own']);
  verbs.run(['set_permissions', 'app', '^app-', '^app-', '.*']);
  verbs.run(['set_user_limits', 'app', '{"max-connections":1}']);
  verbs.run(['set_user_limits', 'app', '{"max-channels":5}']);
  expect(verbs.list('list_users')).toEqual([
    { user: 'app', tags: ['administrator', 'own'] },
    { user: 'guest', tags: ['administrator'] },
    { user: 'other', tags: [] },
  ]);
  expect(verbs.list('list_permissions')).toContainEqual({
    user: 'app',
    configure: '^app-',
    write: '^app-',
    read: '.*',
  });
  expect(verbs.list('list_user_limits')).toEqual([
    { user: 'app', limits: { 'max-connections': 1, 'max-channels': 5 } },
  ]);
  expect(verbs.run(['authenticate_user', 'other'], 'typed\n')).toBe('Success\n');
  expect(verbs.try(['authenticate_user', 'app', 'wrong'])).toMatchObject({ code: 1, out: '' });
  verbs.run(['change_password', 'other', 'changed']);
  verbs.run(['authenticate_user', 'other', 'changed']);

  const broker = await processes.start(verbs.folder);
  const model = await connect(broker.url.replace('guest:guest', 'app:secret'));
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await channel.assertQueue('app-1');
  await expect(channel.assertQueue('other')).rejects.toThrow('403');
  await model.close();
  await broker.end('SIGTERM');

  verbs.run(['clear_user_limits', 'app', 'all']);
  verbs.run(['clear_password', 'other']);
  verbs.run(['delete_user', 'app']);
  expect(verbs.list('list_user_limits')).toEqual([]);
  expect(verbs.try(['authenticate_user', 'other', 'changed']).code).toBe(1);
  expect(verbs.try(['list_user_permissions', 'app'])).toEqual({
    code: 1,
    out: '',
    err: "leveret: there is no user 'app'\n",
  });
});

test('vhosts, topic permissions, limits and parameters come and go', async () => {
  const verbs = await stopped();
  const vhost = ['--description', 'Orders', '--tags', 'a,b', '--default-queue-type', 'quorum'];
  verbs.run(['add_vhost', 'shop', ...vhost]);
  expect(verbs.list('list_vhosts')).toContainEqual({
    name: 'shop',
    description: 'Orders',
    tags: ['a', 'b'],
    default_queue_type: 'quorum',
    tracing: false,
    messages: 0,
  });
  expect(verbs.try(['add_vhost', 'shop'])).toMatchObject({
    code: 1,
    err: "leveret: there is a vhost 'shop' already\n",
  });
  verbs.run(['set_topic_permissions', '-p', 'shop', 'guest', 'amq.topic', '^{username}', '.*']);
  expect(verbs.list('list_topic_permissions', '-p', 'shop')).toEqual([
    { user: 'guest', exchange: 'amq.topic', write: '^{username}', read: '.*' },
  ]);
  expect(verbs.list('list_user_topic_permissions', 'guest')).toHaveLength(1);
  verbs.run(['clear_topic_permissions', '-p', 'shop', 'guest', 'amq.topic']);
  expect(verbs.list('list_topic_permissions', '-p', 'shop')).toEqual([]);
  verbs.run(['set_vhost_limits', '-p', 'shop', '{"max-queues":3}']);
  const shovel = {
    'src-uri': 'amqp://',
    'src-queue': 'a',
    'dest-uri': 'amqp://',
    'dest-queue': 'b',
  };
  verbs.run(['set_parameter', '-p', 'shop', 'shovel', 's', JSON.stringify(shovel)]);
  verbs.run(['set_global_parameter', 'g', '5']);
  expect(verbs.list('list_vhost_limits')).toEqual([{ vhost: 'shop', limits: { 'max-queues': 3 } }]);
  expect(verbs.list('list_parameters', '-p', 'shop')).toEqual([
    { component: 'vhost-limits', name: 'limits', value: { 'max-queues': 3 } },
    { component: 'shovel', name: 's', value: shovel },
  ]);
  expect(verbs.list('list_global_parameters')).toEqual([{ name: 'g', value: 5 }]);
  verbs.run(['clear_parameter', '-p', 'shop', 'shovel', 's']);
  verbs.run(['clear_vhost_limits', '-p', 'shop']);
  verbs.run(['clear_global_parameter', 'g']);
  expect(verbs.list('list_parameters', '-p', 'shop')).toEqual([]);
  verbs.run(['trace_on', '-p', 'shop']);
  expect(verbs.list('list_vhosts')).toContainEqual(
    expect.objectContaining({ name: 'shop', tracing: true }),
  );
  verbs.run(['trace_off', '-p', 'shop']);
  expect(verbs.try(['trace_on', '-p', 'none']).err).toBe("leveret: there is no vhost 'none'\n");
  verbs.run(['delete_vhost', 'shop']);
  expect(verbs.try(['list_queues', '-p', 'shop']).err).toBe("leveret: there is no vhost 'shop'\n");
});

test('policies hold at the next start', async () => {
  const verbs = await stopped();
  const policy = ['set_policy', 'short', '^jobs$', '{"max-length":1}'];
  verbs.run([...policy, '--priority', '-2', '--apply-to', 'queues']);
  verbs.run(['set_operator_policy', 'cap', '.*', '{"message-ttl":60000}']);
  expect(verbs.list('list_policies')).toEqual([
    {
      vhost: '/',
      name: 'short',
      pattern: '^jobs$',
      'apply-to': 'queues',
      definition: { 'max-length': 1 },
      priority: -2,
    },
  ]);
  expect(verbs.list('list_operator_policies')).toMatchObject([{ name: 'cap', priority: 0 }]);
  const shown = ['name', 'policy', 'operator_policy', 'effective_policy_definition'];
  expect(verbs.list('list_queues', ...shown)).toEqual([
    {
      name: 'jobs',
      policy: 'short',
      operator_policy: 'cap',
      effective_policy_definition: { 'max-length': 1, 'message-ttl': 60_000 },
    },
  ]);
  const broker = await processes.start(verbs.folder);
  const channel = await processes.channel(broker);
  channel.sendToQueue('jobs', Buffer.from('x'));
  await channel.waitForConfirms();
  expect((await channel.checkQueue('jobs')).messageCount).toBe(1);
  await broker.end('SIGTERM');
  verbs.run(['clear_policy', 'short']);
  verbs.run(['clear_operator_policy', 'cap']);
  expect(verbs.list('list_policies')).toEqual([]);
  expect(verbs.try(['clear_policy', 'short']).err).toBe('leveret: Parameter does not exist\n');
});

test('queues are listed, purged and deleted', async () => {
  const verbs = await stopped();
  expect(verbs.run(['list_queues'])).toBe('name  messages\njobs  3\n');
  expect(verbs.try(['delete_queue', 'jobs', '--if-empty'])).toMatchObject({
    code: 1,
    err: "leveret: PRECONDITION_FAILED - queue 'jobs' in vhost '/' not empty\n",
  });
  expect(verbs.run(['purge_queue', 'jobs'])).toBe("Removed 3 messages from the queue 'jobs'\n");
  expect(verbs.list('list_queues')).toEqual([{ name: 'jobs', messages: 0 }]);
  expect(verbs.list('list_bindings', 'source', 'destination')).toEqual([
    { source: '', destination: 'jobs' },
  ]);
  expect(verbs.list('list_exchanges')).toContainEqual({ name: 'amq.topic', type: 'topic' });
  verbs.run(['delete_queue', 'jobs']);
  expect(verbs.try(['list_queues'])).toMatchObject({ code: 0, out: '', err: 'There are none\n' });
  expect(verbs.try(['list_queues', 'zork'])).toMatchObject({ code: 64, out: '' });
});

test('a look at a queue leaves its messages as they were', async () => {
  const verbs = await stopped();
  verbs.run(['list_queues']);
  verbs.run(['add_user', 'app', 'secret']);
  const broker = await processes.start(verbs.folder);
  const channel = await processes.channel(broker);
  const message = await channel.get('jobs', { noAck: true });
  expect(message).toMatchObject({ fields: { redelivered: false, messageCount: 2 } });
});

test('definitions go from one data folder to another', async () => {
  const [first, second] = [await stopped(), await stopped()];
  first.run(['add_vhost', 'shop']);
  first.run(['set_policy', 'p', '.*', '{"max-length":5}']);
  first.run(['add_user', 'app', 'secret']);
  const file = join(first.folder, 'all.json');
  first.run(['export_definitions', file]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  second.run(['import_definitions', file]);
  expect(second.run(['export_definitions', '-'])).toBe(readFileSync(file, 'utf8'));
  second.run(['authenticate_user', 'app', 'secret']);
  const one = first.run(['export_definitions', '-', '-p', '/']);
  second.run(['import_definitions', '-p', 'shop'], one);
  expect(second.list('list_queues', '-p', 'shop')).toEqual([{ name: 'jobs', messages: 0 }]);
  writeFileSync(file, '{"queues":[{"vhost":"/"}]}');
  expect(second.try(['import_definitions', file])).toEqual({
    code: 1,
    out: '',
    err:
      `leveret: ${file}: queues[0] in vhost '/': 'name' is missing; ` +
      'correct it, or take the rest by --skip-unsupported\n',
  });
  const skipped = second.try(['import_definitions', file, '--skip-unsupported']);
  expect(skipped).toEqual({
    code: 0,
    out: "queues[0] in vhost '/' is left out: 'name' is missing\n",
    err: '',
  });
});

test('a folder without a broker’s data is refused, and a broker that runs on it is reached', async () => {
  const folder = processes.folder();
  expect(new Verbs(folder).try(['list_users'])).toEqual({
    code: 1,
    out: '',
    err:
      `leveret: there is no data of a broker in ${folder}: ` +
      'name its folder with --data-dir, or start a broker there first\n',
  });
  await processes.start(folder);
  const verbs = new Verbs(folder);
  verbs.run(['add_user', 'app', 'secret']);
  expect(verbs.run(['authenticate_user', 'app', 'secret'])).toBe('Success\n');
});

test('what is wrong with the command line itself ends with 64', () => {
  const verbs = new Verbs(processes.folder());
  expect(verbs.try(['set_policy', 'name'])).toEqual({
    code: 64,
    out: '',
    err: "leveret: missing required argument 'pattern'; see `leveret set_policy --help`\n",
  });
  expect(verbs.try(['list_users', '--formatter', 'xml']).code).toBe(64);
  expect(verbs.try(['set_policy', 'a', 'b', '{}', '--priority', 'x']).code).toBe(64);
});

test('a password is hashed without any data folder', () => {
  const verbs = new Verbs(processes.folder());
  expect(verbs.list('hash_password', 'secret')).toEqual([
    {
      hashing_algorithm: 'leveret_password_hashing_scrypt',
      password_hash: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
    },
  ]);
  expect(verbs.try(['hash_password'])).toMatchObject({ code: 1, out: '' });
});
