import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import { exportDefinitions, exportVhost } from '../../../src/broker/definitions/export.ts';
import { importDefinitions } from '../../../src/broker/definitions/import.ts';
import type { JsonObject, JsonValue } from '../../../src/util/json/json.ts';
import { parseJsonText } from '../../../src/util/json/json-input.ts';
import { jsonText } from '../../../src/util/json/json-writer.ts';
import { SmallBroker } from '../small-broker.ts';

const HASH = 'N9Ke6wLcJP0y411QEoZXs+iEVr9j//ZyHdnM8Zo+mQ77XrWx';
const SHA256 = 'rabbit_password_hashing_sha256';

const SHOVEL = {
  'src-uri': 'amqp://',
  'src-queue': 'a',
  'dest-uri': ['amqp://'],
  'dest-queue': 'b',
};

/** Something of everything. */
const EVERYTHING = {
  users: [
    {
      name: 'alice',
      password_hash: HASH,
      hashing_algorithm: SHA256,
      tags: ['administrator', 'own'],
      limits: { 'max-channels': 9, 'max-connections': 3 },
    },
    { name: 'bob', password_hash: '', hashing_algorithm: SHA256, tags: [], limits: {} },
  ],
  vhosts: [
    {
      name: 'shop',
      description: 'Orders',
      tags: ['a', 'b'],
      default_queue_type: 'quorum',
      tracing: true,
      metadata: { description: 'Orders', tags: ['a', 'b'], default_queue_type: 'quorum' },
    },
  ],
  permissions: [{ user: 'alice', vhost: 'shop', configure: '^a', write: '.*', read: '' }],
  topic_permissions: [
    { user: 'alice', vhost: 'shop', exchange: 'amq.topic', write: '^{username}', read: '.*' },
  ],
  parameters: [
    {
      value: { pattern: '', 'apply-to': 'queues', definition: { expires: 900 }, priority: 1 },
      component: 'operator_policy',
      name: 'o',
      vhost: 'shop',
    },
    { value: { 'max-queues': 8 }, component: 'vhost-limits', name: 'limits', vhost: 'shop' },
    { value: SHOVEL, component: 'shovel', name: 's', vhost: 'shop' },
  ],
  global_parameters: [{ name: 'g', value: [1, 'x', null, true] }],
  policies: [
    {
      vhost: 'shop',
      name: 'p',
      pattern: '^jobs',
      'apply-to': 'queues',
      definition: { 'max-length': 5, 'dead-letter-exchange': 'dead' },
      priority: -1,
    },
  ],
  queues: [
    {
      name: 'jobs',
      durable: true,
      auto_delete: false,
      arguments: { 'x-message-ttl': 1000, 'x-own': { list: [1, 2.5, 'a', null] } },
      vhost: 'shop',
    },
    { name: 'amq.gen-x', durable: true, auto_delete: false, arguments: {}, vhost: 'shop' },
    { name: 'passing', durable: false, auto_delete: true, arguments: {}, vhost: 'shop' },
  ],
  exchanges: [
    {
      name: 'dead',
      type: 'topic',
      durable: true,
      auto_delete: false,
      internal: true,
      arguments: { 'alternate-exchange': 'amq.fanout' },
      vhost: 'shop',
    },
  ],
  bindings: [
    {
      source: 'amq.headers',
      destination: 'jobs',
      destination_type: 'queue',
      routing_key: '',
      arguments: { 'x-match': 'all', n: 1 },
      vhost: 'shop',
    },
    {
      source: 'amq.topic',
      destination: 'dead',
      destination_type: 'exchange',
      routing_key: 'a.#',
      arguments: {},
      vhost: 'shop',
    },
  ],
};

type List = keyof typeof EVERYTHING;

/** The file with one item changed, or with more items. */
function changed(list: List, ...items: readonly JsonObject[]): JsonObject {
  return { ...EVERYTHING, [list]: [...EVERYTHING[list], ...items] } as JsonObject;
}

/** What a broker exports of what EVERYTHING holds. */
function exported(small: SmallBroker): JsonObject {
  const all = exportDefinitions(small.broker, '1.2.3') as Record<string, JsonValue>;
  const vhosts = (all['vhosts'] as JsonObject[]).filter(({ name }) => name !== '/');
  return { ...all, vhosts };
}

/** Through the text of a file. */
const asFile = (json: unknown): JsonValue => parseJsonText(jsonText(json)) as JsonValue;

test('what is imported is exported again as it was', () => {
  const small = new SmallBroker();
  expect(importDefinitions(small.broker, asFile(EVERYTHING))).toEqual([
    "parameters[2] 's' in vhost 'shop' is kept: Leveret moves no messages between brokers",
  ]);
  expect(exported(small)).toEqual({
    rabbit_version: '3.13.0',
    rabbitmq_version: '3.13.0',
    product_name: 'Leveret',
    product_version: '1.2.3',
    rabbitmq_definition_format: 'cluster',
    ...EVERYTHING,
  });
});

test('what is exported makes another broker the same', () => {
  const [first, second] = [new SmallBroker(), new SmallBroker()];
  importDefinitions(first.broker, asFile(EVERYTHING));
  importDefinitions(second.broker, asFile(exportDefinitions(first.broker, '1')));
  expect(exported(second)).toEqual({ ...exported(first), product_version: '1.2.3' });
});

test('an import again changes nothing', () => {
  const small = new SmallBroker();
  importDefinitions(small.broker, asFile(EVERYTHING));
  const before = exported(small);
  importDefinitions(small.broker, asFile(EVERYTHING));
  expect(exported(small)).toEqual(before);
});

test('all that is durable of an import is there after a restart, and was one batch', () => {
  const before = new SmallBroker();
  before.commit();
  const { batch } = before.store;
  importDefinitions(before.broker, asFile(EVERYTHING));
  expect(before.store.batch).toBe(batch);
  const after = before.restarted();
  const { queues, ...rest } = EVERYTHING;
  expect(exported(after)).toMatchObject(rest);
  expect(exported(after)['queues']).toHaveLength(2);
});

test('queues go by the policies of the same file', () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, asFile(EVERYTHING));
  const { rules } = broker.vhost('shop').queue('jobs', broker);
  expect(rules).toMatchObject({ lengthMax: 5, messageTtlMs: 1000, expiresMs: 900 });
});

test('every type of argument survives, of queues and of bindings', () => {
  const small = new SmallBroker();
  const args: Record<string, Field> = {
    at: { type: 'T', value: 12 },
    bytes: { type: 'x', value: Buffer.from([255, 0]) },
    price: { type: 'D', value: { places: 2, digits: 199 } },
    share: { type: 'f', value: 0.5 },
  };
  const queue = small.declare('jobs', true, args);
  const bound = new Map<string, Field>([['n', { type: 'b', value: 1 }]]);
  small.vhost.bindings.bind(small.vhost.exchange('amq.headers'), queue, 'k', bound);
  const other = new SmallBroker();
  importDefinitions(other.broker, asFile(exportDefinitions(small.broker, '1')));
  expect(other.queue('jobs').arguments).toEqual(new Map(Object.entries(args)));
  const bindings = [...other.vhost.exchange('amq.headers').bindings.values()];
  expect(bindings).toMatchObject([{ bindingKey: 'k', arguments: bound }]);
});

test('exclusive queues are not exported, and neither are their bindings', () => {
  const small = new SmallBroker();
  const declaration = { durable: true, autoDelete: false, arguments: new Map() };
  const queue = small.vhost
    .as(ALL_RIGHTS, small)
    .declareQueue({ ...declaration, name: 'mine', owner: small });
  small.vhost.bindings.bind(small.vhost.exchange('amq.topic'), queue, '#', new Map());
  expect(exportDefinitions(small.broker, '1')).toMatchObject({ queues: [], bindings: [] });
});

test('the definitions of one vhost go into another', () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, asFile(EVERYTHING));
  const file = exportVhost(broker.vhost('shop'), '1') as Record<string, JsonValue>;
  expect(file).toMatchObject({
    rabbitmq_definition_format: 'single_virtual_host',
    original_vhost_name: 'shop',
    queues: EVERYTHING.queues.map(({ vhost, ...rest }) => rest),
  });
  broker.putVhost('copy');
  importDefinitions(broker, asFile(file), { vhost: 'copy' });
  const copy = exportVhost(broker.vhost('copy'), '1');
  for (const list of ['queues', 'exchanges', 'bindings']) expect(copy[list]).toEqual(file[list]);
  expect(copy['policies']).toMatchObject([{ name: 'p', vhost: 'copy' }]);
  expect(broker.vhost('copy').metadata.limits).toEqual({ 'max-queues': 8 });
  expect(() => importDefinitions(broker, asFile(file), { vhost: 'none' })).toThrow(
    "there is no vhost 'none'",
  );
});

test('a file for one vhost brings neither users nor vhosts', () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, { ...EVERYTHING } as unknown as JsonObject, { vhost: '/' });
  expect(broker.access.users()).toEqual([]);
  expect([...broker.vhosts.keys()]).toEqual(['/']);
  expect(broker.vhost('/').queues.has('jobs')).toBe(true);
});

test('tags may be words with commas, and unknown keys mean nothing', () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, {
    what: 1,
    users: [{ name: 'a', password_hash: HASH, tags: 'administrator, monitoring', more: {} }],
    vhosts: [{ name: 'v', tracing: false, default_queue_type: 'undefined' }],
  });
  expect(broker.access.users()).toMatchObject([{ tags: ['administrator', 'monitoring'] }]);
  expect(broker.vhost('v').metadata.defaultQueueType).toBe(null);
});

test.each([123, true, {}, ['secret']])('a password that is no text is refused: %j', (password) => {
  const { broker } = new SmallBroker();
  expect(() => importDefinitions(broker, { users: [{ name: 'a', password, tags: [] }] })).toThrow(
    /'password' must be a string/,
  );
  expect(broker.access.users().map(({ name }) => name)).not.toContain('a');
});

test('a password in a file can be logged in with', async () => {
  const { broker } = new SmallBroker();
  importDefinitions(broker, { users: [{ name: 'a', password: 'secret', tags: [] }] });
  const { login } = broker.access;
  expect(await login.byPassword('a', 'secret', '127.0.0.1')).toMatchObject({ refusal: null });
});

test('the password of a user goes from broker to broker, as base64 that RabbitMQ takes', async () => {
  const [first, second] = [new SmallBroker().broker, new SmallBroker().broker];
  await first.access.putUser({ name: 'a', tags: [] }, 'secret');
  const file = asFile(exportDefinitions(first, '1')) as JsonObject;
  const [user] = file['users'] as JsonObject[];
  expect(user?.['password_hash']).toMatch(/^[A-Za-z0-9+/]+=*$/);
  importDefinitions(second, file);
  const login = await second.access.login.byPassword('a', 'secret', '127.0.0.1');
  expect(login.refusal).toBe(null);
});

test('whether a vhost is traced is kept', () => {
  const [first, second] = [new SmallBroker().broker, new SmallBroker().broker];
  first.putVhost('/', { tracing: true });
  importDefinitions(second, asFile(exportDefinitions(first, '1')));
  expect(second.vhost('/').metadata.tracing).toBe(true);
});

test("what RabbitMQ's exports name and leave out is left out, with a warning where it may be missed", () => {
  const { broker } = new SmallBroker();
  const warnings = importDefinitions(broker, {
    exchanges: [
      { name: 'amq.rabbitmq.event', vhost: '/', type: 'topic', durable: true },
      { name: '', vhost: '/', type: 'direct', durable: true },
    ],
    bindings: [
      { source: '', destination: 'a', destination_type: 'queue', routing_key: 'a', vhost: '/' },
      { source: 'amq.topic', destination: 'gone', routing_key: 'a', vhost: '/' },
      { source: 'gone', destination: 'amq.topic', destination_type: 'exchange', vhost: '/' },
    ],
  });
  expect(warnings).toEqual([
    "bindings[1] from 'amq.topic' to 'gone' in vhost '/' is left out: its destination is not there",
    "bindings[2] from 'gone' to 'amq.topic' in vhost '/' is left out: its source is not there",
  ]);
});

const INEQUIVALENT =
  "inequivalent arg 'x-message-ttl' for queue 'jobs' in vhost 'shop': " +
  "received '5' but current is '1000'";
const QUEUE = { name: 'more', vhost: 'shop', durable: true, arguments: {} };

test.each<[List, JsonObject, string]>([
  ['users', { name: '' }, "users[2] '': the name of a user must not be empty"],
  ['users', { tags: [] }, "users[2]: 'name' is missing"],
  ['users', { name: 'c', tags: 5 }, "users[2] 'c': 'tags' must be strings in an array"],
  [
    'users',
    { name: 'c', password_hash: 'x', hashing_algorithm: 'rot13' },
    "users[2] 'c': unknown hashing algorithm 'rot13'",
  ],
  ['users', { name: 'c', limits: { 'max-x': 1 } }, "users[2] 'c': 'max-x' is no limit"],
  [
    'vhosts',
    { name: 'v', default_queue_type: 'odd' },
    "the default queue type of vhosts[1] 'v': there are no queues of type 'odd' here",
  ],
  [
    'permissions',
    { user: 'nobody', vhost: 'shop', configure: '', write: '', read: '' },
    "permissions[1] of user 'nobody' in vhost 'shop': there is no user 'nobody'",
  ],
  [
    'permissions',
    { user: 'bob', vhost: 'shop', configure: '(', write: '', read: '' },
    "permissions[1] of user 'bob' in vhost 'shop': '(' is not a valid regular expression",
  ],
  [
    'topic_permissions',
    { user: 'bob', vhost: 'none', exchange: 'e', write: '', read: '' },
    "topic_permissions[1] of user 'bob' for exchange 'e' in vhost 'none': there is no vhost 'none'",
  ],
  [
    'parameters',
    { component: 'vhost-limits', vhost: 'shop', name: 'limits', value: { 'max-x': 1 } },
    "parameters[3] 'limits' in vhost 'shop': 'max-x' is no limit",
  ],
  [
    'parameters',
    { component: 'operator_policy', vhost: 'shop', name: 'o', value: { pattern: '' } },
    `parameters[3] 'o' in vhost 'shop': Validation failed Key "definition" not found`,
  ],
  [
    'parameters',
    { component: 'policy', vhost: 'shop', name: 'o', value: {} },
    "parameters[3] 'o' in vhost 'shop': policies may not be set using this method",
  ],
  [
    'policies',
    { vhost: 'shop', name: 'q', pattern: '', definition: { 'max-length': -1 } },
    "policies[1] 'q' in vhost 'shop': Validation failed -1 is not a valid maximum length",
  ],
  [
    'exchanges',
    { name: 'e', vhost: 'shop', type: 'x-none' },
    "exchanges[1] 'e' in vhost 'shop': there are no exchanges of type 'x-none' here",
  ],
  [
    'exchanges',
    { name: 'dead', vhost: 'shop', type: 'direct', durable: true },
    "exchanges[1] 'dead' in vhost 'shop': inequivalent arg 'type'",
  ],
  [
    'queues',
    { ...QUEUE, name: 'jobs', arguments: { 'x-message-ttl': 5 } },
    `queues[3] 'jobs' in vhost 'shop': ${INEQUIVALENT}`,
  ],
  [
    'queues',
    { ...QUEUE, arguments: { 'x-max-length': 'x' } },
    "queues[3] 'more' in vhost 'shop': invalid arg 'x-max-length'",
  ],
  ['queues', { ...QUEUE, durable: 'x' }, "queues[3] 'more' in vhost 'shop': 'durable' must be"],
  ['queues', { ...QUEUE, arguments: [1] }, "queues[3] 'more' in vhost 'shop': arguments must be"],
  ['queues', { ...QUEUE, name: 'x'.repeat(256) }, "'name' is longer than 255 bytes"],
  ['queues', { ...QUEUE, vhost: 'none' }, "queues[3] 'more' in vhost 'none': there is no vhost"],
  [
    'bindings',
    {
      source: 'amq.headers',
      destination: 'jobs',
      vhost: 'shop',
      arguments: { 'x-match': 'some' },
    },
    "bindings[2] from 'amq.headers' to 'jobs' in vhost 'shop': Invalid x-match field value",
  ],
  [
    'bindings',
    { source: 'amq.topic', destination: 'jobs', destination_type: 'x', vhost: 'shop' },
    "bindings[2] from 'amq.topic' to 'jobs' in vhost 'shop': 'destination_type' must be",
  ],
])('one bad item among %s is named, and nothing is done: %j', (list, item, text) => {
  const small = new SmallBroker();
  small.commit();
  const before = exportDefinitions(small.broker, '1');
  expect(() => importDefinitions(small.broker, asFile(changed(list, item)))).toThrow(text);
  expect(exportDefinitions(small.broker, '1')).toEqual(before);
  expect(small.store.dirty).toBe(false);
});

test('more queues than the limit of the vhost are refused', () => {
  const { broker } = new SmallBroker();
  const queues = Array.from({ length: 6 }, (_, n) => ({ ...QUEUE, name: `q${n}` }));
  expect(() => importDefinitions(broker, asFile(changed('queues', ...queues)))).toThrow(
    'Adding 9 queue(s) to virtual host "shop" would exceed the limit of 8 queue(s).',
  );
  importDefinitions(broker, asFile(changed('queues', ...queues.slice(1))));
});

test.each<[JsonValue, string]>([
  [[], 'definitions must be an object'],
  [{ queues: {} }, "'queues' must be an array"],
  [{ queues: ['x'] }, 'queues[0]: it must be an object'],
])('%j are no definitions', (json, text) => {
  expect(() => importDefinitions(new SmallBroker().broker, json)).toThrow(text);
});
