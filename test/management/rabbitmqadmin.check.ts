// RabbitMQ's own rabbitmqadmin against Leveret, as it comes with Debian's package, which is installed if it
// is not there: `npm run rabbitmqadmin`. MANAGEMENT_URL runs the same against another broker.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, startApi } from './support.ts';

const FOLDER = mkdtempSync(join(tmpdir(), 'leveret-rabbitmqadmin-'));
const SAVED = join(FOLDER, 'definitions.json');
let api: Api;
let script: string;

beforeAll(async () => {
  script = findScript();
  api = await startApi();
}, 300_000);
afterAll(async () => {
  rmSync(FOLDER, { recursive: true });
  await api.close();
});

function findScript(): string {
  const find = () =>
    spawnSync('find', ['/usr/lib/rabbitmq', '-name', 'rabbitmqadmin'], { encoding: 'utf8' })
      .stdout.split('\n')
      .find((line) => line.includes('/priv/www/cli/'));
  const there = find();
  if (there !== undefined) return there;
  // Its broker is not to be started: the script alone is wanted.
  spawnSync(
    'sh',
    [
      '-c',
      'apt-get update -qq && apt-get download -qq rabbitmq-server && dpkg -x rabbitmq-server_*.deb /',
    ],
    { cwd: FOLDER },
  );
  const found = find();
  if (found === undefined) throw new Error('there is no rabbitmqadmin: install rabbitmq-server');
  return found;
}

/** Runs the script without blocking this process, which is the broker's too. */
function rabbitmqadmin(
  args: readonly string[],
): Promise<{ readonly out: string; readonly code: number | null }> {
  const { port } = new URL(api.url);
  return new Promise((resolve) => {
    const child = spawn('python3', [script, '-P', port, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
    }
    child.on('close', (code) => resolve({ out, code }));
  });
}

const STEPS: readonly (readonly [args: readonly string[], says: RegExp])[] = [
  [['show', 'overview'], /rabbitmq_version/],
  [['list', 'users', 'name'], /\| guest \|/],
  [['list', 'nodes', 'name', 'running'], /True/],
  [['declare', 'vhost', 'name=admin-test'], /vhost declared/],
  [['declare', 'queue', 'name=admin-jobs', 'durable=true'], /queue declared/],
  [['declare', 'exchange', 'name=admin-events', 'type=topic'], /exchange declared/],
  [
    ['declare', 'binding', 'source=admin-events', 'destination=admin-jobs', 'routing_key=a.#'],
    /binding declared/,
  ],
  [
    ['list', 'bindings', 'source', 'destination', 'routing_key'],
    /admin-events \| admin-jobs +\| a\.#/,
  ],
  [['publish', 'exchange=admin-events', 'routing_key=a.b', 'payload=hello'], /Message published/],
  [['publish', 'routing_key=admin-jobs', 'payload=two'], /Message published/],
  [['publish', 'routing_key=admin-nowhere', 'payload=x'], /NOT routed/],
  [['get', 'queue=admin-jobs', 'count=2'], /hello(?:.*\n)*.*two/],
  [['get', 'queue=admin-jobs', 'ackmode=ack_requeue_false'], /hello/],
  [['purge', 'queue', 'name=admin-jobs'], /queue purged/],
  [
    [
      'declare',
      'policy',
      'name=admin-p',
      'pattern=^admin',
      'definition={"max-length":10}',
      'apply-to=queues',
    ],
    /policy declared/,
  ],
  [['list', 'policies', 'name', 'pattern'], /admin-p \| \^admin/],
  [
    ['declare', 'operator_policy', 'name=admin-o', 'pattern=^x', 'definition={"max-length":3}'],
    /operator_policy declared/,
  ],
  [['declare', 'user', 'name=admin-bob', 'password=x', 'tags=monitoring'], /user declared/],
  [
    ['declare', 'permission', 'vhost=/', 'user=admin-bob', 'configure=.*', 'write=.*', 'read=.*'],
    /permission declared/,
  ],
  [['list', 'permissions'], /admin-bob/],
  [
    ['declare', 'vhost_limit', 'vhost=admin-test', 'name=max-queues', 'value=9'],
    /vhost_limit declared/,
  ],
  [['list', 'vhost_limits'], /"max-queues": 9/],
  [['export', SAVED], /Exported definitions/],
  [['delete', 'policy', 'name=admin-p'], /policy deleted/],
  [['import', SAVED], /Uploaded definitions/],
  [['list', 'policies', 'name'], /admin-p/],
  [
    [
      'delete',
      'binding',
      'source=admin-events',
      'destination_type=queue',
      'destination=admin-jobs',
      'properties_key=a.%23',
    ],
    /binding deleted/,
  ],
  [['delete', 'exchange', 'name=admin-events'], /exchange deleted/],
  [['delete', 'queue', 'name=admin-jobs'], /queue deleted/],
  [['delete', 'policy', 'name=admin-p'], /policy deleted/],
  [['delete', 'operator_policy', 'name=admin-o'], /operator_policy deleted/],
  [['delete', 'user', 'name=admin-bob'], /user deleted/],
  [['delete', 'vhost', 'name=admin-test'], /vhost deleted/],
  [['list', 'connections'], /No items/],
  [['list', 'channels'], /No items/],
  [['list', 'consumers'], /No items/],
];

test('rabbitmqadmin lists, declares, publishes, gets, purges, exports, imports and deletes', async () => {
  for (const [args, says] of STEPS) {
    const { out, code } = await rabbitmqadmin(args);
    expect(`${args.join(' ')}: ${code} ${out}`).toMatch(says);
    expect(`${args.join(' ')}: ${code}`).toBe(`${args.join(' ')}: 0`);
  }
  expect(JSON.parse(readFileSync(SAVED, 'utf8'))).toMatchObject({ queues: expect.any(Array) });
});

test('rabbitmqadmin closes a connection, and says what is refused', async () => {
  const { connect } = await import('amqplib');
  const client = await connect(api.amqpUrl);
  client.on('error', () => {});
  const closed = new Promise((resolve) => client.once('close', resolve));
  let name: string | undefined;
  while (name === undefined) {
    const { json } = await api.call('GET', '/connections');
    name = (json as { name: string }[])[0]?.name;
  }
  expect((await rabbitmqadmin(['close', 'connection', `name=${name}`])).out).toMatch(
    /connection closed/,
  );
  await closed;
  const refused = await rabbitmqadmin(['delete', 'queue', 'name=admin-none']);
  expect([refused.out.includes('Not found'), refused.code]).toEqual([true, 1]);
});
