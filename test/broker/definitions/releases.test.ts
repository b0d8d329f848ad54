// Files of definitions as RabbitMQ of any release writes them, and as people write them by hand: what is in them that is
// not here is told once, or left out.
import { expect, test } from 'vitest';
import { importDefinitions } from '../../../src/broker/definitions/import.ts';
import type { JsonObject, JsonValue } from '../../../src/util/json/json.ts';
import { SmallBroker } from '../small-broker.ts';

const FLAGS = { durable: true, auto_delete: false };
const queue = (name: string, args: JsonObject = {}, vhost = '/'): JsonObject => ({
  name,
  vhost,
  ...FLAGS,
  arguments: args,
});
const odd = (name: string): JsonObject => queue(name, { 'x-max-age': '7D', 'x-queue-type': 'odd' });
const exchange = (name: string, type: string): JsonObject => ({
  ...queue(name),
  type,
  internal: false,
});
const binding = (source: string, destination: string): JsonObject => ({
  source,
  vhost: '/',
  destination,
  destination_type: 'queue',
  routing_key: '',
  arguments: {},
});
const parameter = (component: string, name: string, value: JsonValue): JsonObject => ({
  component,
  vhost: '/',
  name,
  value,
});
const SHOVEL = {
  'src-uri': 'amqp://a',
  'src-queue': 'a',
  'dest-uri': 'amqp://b',
  'dest-queue': 'b',
};

/** A file with what Leveret has, and what it has not. */
const MIXED: JsonObject = {
  rabbit_version: '4.1.0',
  rabbitmq_version: '4.1.0',
  product_name: 'RabbitMQ',
  product_version: '4.1.0',
  rabbitmq_definition_format: 'cluster',
  original_cluster_name: 'rabbit@old',
  explanation: "Definitions of cluster 'rabbit@old'",
  vhosts: [
    { name: '/', description: '', tags: [], metadata: { description: '', tags: [] }, limits: [] },
    { name: 'log', default_queue_type: 'odd', metadata: { default_queue_type: 'odd' } },
  ],
  users: [{ name: 'u', password_hash: '', tags: ['management', ''], limits: [] }],
  permissions: [{ user: 'u', vhost: 'log', configure: '', write: '', read: '' }],
  topic_permissions: [{ user: 'u', vhost: '/', exchange: '', write: '.*', read: '.*' }],
  parameters: [
    parameter('shovel', 's', SHOVEL),
    parameter('shovel', 'nonsense', { 'src-uri': 'http://a' }),
    parameter('mqtt-retainer', 'm', 1),
    parameter('federation-upstream', 'up', {
      uri: ['amqp://a', 'amqps://b'],
      'ack-mode': 'no-ack',
    }),
  ],
  global_parameters: [{ name: 'internal_cluster_id', value: 'rabbitmq-cluster-id-x' }],
  policies: [
    {
      vhost: '/',
      name: 'ha',
      pattern: '.*',
      'apply-to': 'all',
      definition: { 'ha-mode': 'all' },
      priority: 0,
    },
  ],
  queues: [queue('a'), odd('s1'), odd('s2'), queue('b', { 'x-queue-type': 'quorum' })],
  exchanges: [exchange('late', 'x-recent-history'), exchange('e', 'topic')],
  bindings: [binding('e', 'a'), binding('e', 's1'), binding('late', 'a'), binding('late', 'b')],
};

const ODD =
  "there are no queues of type 'odd' here: the default queue type of vhosts[1] 'log', " +
  "queues[1] 's1' in vhost '/', queues[2] 's2' in vhost '/'";

test('all that cannot be taken is told at once, each cause once, and nothing is done', () => {
  const { broker } = new SmallBroker();
  expect(() => importDefinitions(broker, MIXED)).toThrow(
    [
      '4 things are wrong with these definitions:',
      ODD,
      "parameters[1] 'nonsense' in vhost '/': Validation failed Must specify 'src-exchange' or 'src-queue' " +
        'Key "dest-uri" not found in nonsense "http://a" not a valid URI: unexpected URI scheme: "http"',
      "parameters[2] 'm' in vhost '/': Validation failed component mqtt-retainer not found",
      "exchanges[0] 'late' in vhost '/': there are no exchanges of type 'x-recent-history' here",
    ].join('\n'),
  );
  expect([...broker.vhosts.keys()]).toEqual(['/']);
  expect(broker.access.users()).toEqual([]);
});

test('the rest is taken when that is asked for, with a list of what is left out', () => {
  const { broker } = new SmallBroker();
  const warnings = importDefinitions(broker, MIXED, { skipUnsupported: true });
  expect(warnings).toEqual([
    `left out, as ${ODD}`,
    expect.stringMatching(
      /^parameters\[1\] 'nonsense' in vhost '\/' is left out: Validation failed /,
    ),
    expect.stringMatching(/^parameters\[2\] 'm' in vhost '\/' is left out: /),
    "exchanges[0] 'late' in vhost '/' is left out: there are no exchanges of type 'x-recent-history' here",
    "bindings[1] from 'e' to 's1' in vhost '/' is left out: its destination is not there",
    "left out, as its source is not there: bindings[2] from 'late' to 'a' in vhost '/', " +
      "bindings[3] from 'late' to 'b' in vhost '/'",
    "kept, though Leveret moves no messages between brokers: parameters[0] 's' in vhost '/', " +
      "parameters[3] 'up' in vhost '/'",
    "policies[0] 'ha' in vhost '/' is kept: nothing here goes by ha-mode",
  ]);
  const home = broker.vhost('/');
  expect([...home.queues.keys()]).toEqual(['a', 'b']);
  expect(home.exchanges.get('e')?.bindings.size).toBe(1);
  expect(home.parameters.list().map(({ name }) => name)).toEqual(['s', 'up']);
  expect(broker.vhost('log').metadata.defaultQueueType).toBeNull();
  expect(broker.access.users()).toMatchObject([{ name: 'u', tags: ['management'] }]);
  expect(broker.access.topicPermissions()).toMatchObject([{ user: 'u', exchange: '' }]);
});

test('what is wrong only because another item is has no line of its own', () => {
  const { broker } = new SmallBroker();
  const file = {
    vhosts: [{ name: 'v', tags: 5 }],
    users: [{ name: 'u', tags: [], password_hash: 'short' }],
    permissions: [{ user: 'u', vhost: '/', configure: '', write: '', read: '' }],
    queues: [queue('q', {}, 'v')],
  };
  expect(() => importDefinitions(broker, file)).toThrow(
    /^2 things are wrong with these definitions:\nusers\[0\] 'u': .*\nvhosts\[0\] 'v': [^\n]*$/,
  );
  const warnings = importDefinitions(broker, file, { skipUnsupported: true });
  expect(warnings).toHaveLength(4);
  expect(warnings).toContain("queues[0] 'q' in vhost 'v' is left out: there is no vhost 'v'");
});

test('of a cause with very many items some are named, and the others counted', () => {
  const queues = Array.from({ length: 1200 }, (_, n) => odd(`s${n}`));
  const run = (): unknown => importDefinitions(new SmallBroker().broker, { queues });
  expect(run).toThrow(/^there are no queues of type 'odd' here: .* and 1100 more$/);
});

test('a limit that the whole file breaks refuses it, whatever may be left out', () => {
  const { broker } = new SmallBroker();
  broker.setVhostLimits('/', { 'max-queues': 1 });
  const file = { queues: [queue('a'), queue('b')] };
  expect(() => importDefinitions(broker, file, { skipUnsupported: true })).toThrow('would exceed');
  expect(broker.vhost('/').queues.size).toBe(0);
});

const MD5_HASH = 'AsYO2ESs62RcsxNVyxKaR5DGxVI=';
const SHA256_HASH = 'N9Ke6wLcJP0y411QEoZXs+iEVr9j//ZyHdnM8Zo+mQ77XrWx';

test.each([
  ['3.0.4', MD5_HASH, 'rabbit_password_hashing_md5'],
  ['3.5.7', '', 'rabbit_password_hashing_md5'],
  ['3.5.7', SHA256_HASH, 'rabbit_password_hashing_sha256'],
  ['3.6.0', SHA256_HASH, 'rabbit_password_hashing_sha256'],
  [undefined, MD5_HASH, 'rabbit_password_hashing_md5'],
  [undefined, '', 'rabbit_password_hashing_sha256'],
])(
  'a hash without an algorithm, in a file of RabbitMQ %s: %s is by %s',
  (version, hash, expected) => {
    const { broker } = new SmallBroker();
    const users = [{ name: 'u', password_hash: hash, tags: 'administrator,monitoring' }];
    importDefinitions(
      broker,
      version === undefined ? { users } : { rabbit_version: version, users },
    );
    expect(broker.access.users()).toMatchObject([
      { hashingAlgorithm: expected, passwordHash: hash, tags: ['administrator', 'monitoring'] },
    ]);
  },
);

test('a file by hand may leave out what goes without saying', () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, {
    queues: [{ name: 'q', vhost: '/' }],
    exchanges: [{ name: 'e', vhost: '/', type: 'direct' }],
    bindings: [{ source: 'e', vhost: '/', destination: 'q' }],
    policies: [{ vhost: '/', name: 'p', pattern: '', definition: { 'max-length': 1 } }],
    // RabbitMQ 3.0 says key for name.
    parameters: [{ component: 'federation', vhost: '/', key: 'local-username', value: 'a' }],
  });
  const home = broker.vhost('/');
  expect(home.queues.get('q')).toMatchObject({ durable: true, autoDelete: false });
  expect(home.exchanges.get('e')).toMatchObject({ durable: true, autoDelete: false });
  expect(home.exchanges.get('e')?.bindings.size).toBe(1);
  expect(home.parameters.list()).toMatchObject([{ name: 'local-username' }]);
});

test('the export of one vhost brings that vhost, where the import names none', () => {
  const { broker } = new SmallBroker();
  const file = {
    rabbitmq_version: '4.2.0',
    rabbitmq_definition_format: 'single_virtual_host',
    original_vhost_name: 'shop',
    metadata: { description: 'Orders', tags: ['a'], default_queue_type: 'quorum' },
    queues: [{ name: 'q', ...FLAGS, arguments: { 'x-queue-type': 'quorum' } }],
  };
  importDefinitions(broker, file);
  expect(broker.vhost('shop').metadata).toMatchObject({ description: 'Orders' });
  expect([...broker.vhost('shop').queues.keys()]).toEqual(['q']);
  importDefinitions(broker, file, { vhost: '/' });
  expect([...broker.vhost('/').queues.keys()]).toEqual(['q']);
});
