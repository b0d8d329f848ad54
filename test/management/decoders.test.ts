// The answers of the HTTP API decode into the kinds that typed clients of RabbitMQ declare, which refuse a whole
// answer for one value of another kind.

import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeAsGo, type GoKind } from './go-decoder.ts';
import { RABBIT_HOLE as HOLE, TELEGRAF } from './go-tables.ts';
import { type Api, startApi, until } from './support.ts';

const VHOST = 'decoded';
let api: Api;
let model: ChannelModel | null = null;

const list = (kind: GoKind): GoKind => ({ list: kind });
const AGES = ['lengths', 'msg_rates', 'data_rates', 'node_stats'];
const SAMPLES = AGES.map((name) => `${name}_age=60&${name}_incr=5`).join('&');

/** What there is to answer, over HTTP. */
const MADE: readonly (readonly [path: string, body: object])[] = [
  [`/vhosts/${VHOST}`, { description: 'd', tags: 'a,b' }],
  ['/users/typed', { password: 'p', tags: 'monitoring,policymaker' }],
  ['/users/none', { password_hash: '', tags: '' }],
  [`/permissions/${VHOST}/guest`, { configure: '.*', write: '.*', read: '.*' }],
  [`/permissions/${VHOST}/typed`, { configure: '', write: '', read: '.*' }],
  [`/topic-permissions/${VHOST}/typed`, { exchange: 'amq.topic', write: '.*', read: '.*' }],
  [`/vhost-limits/${VHOST}/max-queues`, { value: 500 }],
  [`/vhost-limits/${VHOST}/max-connections`, { value: -1 }],
  ['/user-limits/typed/max-channels', { value: 20 }],
  [`/policies/${VHOST}/p`, { pattern: '^plain$', definition: { 'max-length': 100 }, priority: 1 }],
  [`/operator-policies/${VHOST}/o`, { pattern: '.*', definition: { expires: 1e8 }, priority: 2 }],
  [`/parameters/federation-upstream/${VHOST}/up`, { value: { uri: 'amqp://127.0.0.1:1' } }],
  ['/global-parameters/g', { value: { text: 'x', number: 1.5 } }],
  [`/exchanges/${VHOST}/inner`, { type: 'topic', internal: true, arguments: { a: [1, 'x'] } }],
  [`/queues/${VHOST}/plain`, { durable: true, arguments: { 'x-max-priority': 5 } }],
  [`/queues/${VHOST}/quorum`, { durable: true, arguments: { 'x-queue-type': 'quorum' } }],
  [`/queues/${VHOST}/empty`, { durable: false, auto_delete: true }],
];

/** Fields that have values once there was traffic, by the routes: without them nothing would have been decoded. */
const SEEN: Readonly<Record<string, string>> = {
  overview:
    'message_stats.ack_details.rate message_stats.deliver_details.samples[].sample listeners[].port',
  nodes: 'io_sync_avg_time mem_used_details.samples[].sample memory.total os_pid uptime processors',
  connections: 'client_properties{} connected_at recv_oct_details.rate timeout peer_port',
  channels: 'connection_details.peer_port idle_since acks_uncommitted prefetch_count',
  consumers: 'arguments{} channel_details.number queue.name exclusive',
  queues:
    'owner_pid_details.peer_port members[] consumer_details[].arguments{} exclusive_consumer_tag policy ' +
    'head_message_timestamp items[].head_message_timestamp message_stats.redeliver items[].online[] idle_since',
  exchanges:
    'message_stats.publish_in_details.rate message_stats.publish_out arguments{} properties_key',
  definitions:
    'topic_permissions[].exchange parameters[].value bindings[].arguments{} users[].tags',
  'vhost-limits': 'value{}',
  'user-limits': 'value{}',
  vhosts: 'tags[] cluster_state{} messages_details.rate recv_oct',
};

async function makeTraffic(): Promise<void> {
  model = await connect(`${api.amqpUrl}/${VHOST}`, { clientProperties: { connection_name: 'c' } });
  const publisher: ConfirmChannel = await model.createConfirmChannel();
  const consumer: Channel = await model.createChannel();
  await consumer.prefetch(7);
  const { queue } = await consumer.assertQueue('', { exclusive: true });
  await consumer.bindQueue('plain', 'amq.topic', 'a.#', { 'x-table': { deep: [1.5, null] } });
  await consumer.bindExchange('inner', 'amq.topic', 'b.*');
  const stamped = { timestamp: 1_500_000_000, persistent: true, priority: 3 };
  for (const routingKey of ['plain', 'quorum', queue, 'empty']) {
    for (let n = 0; n < 3; n++) publisher.sendToQueue(routingKey, Buffer.from('body'), stamped);
  }
  publisher.publish('amq.topic', 'a.b', Buffer.from('x'));
  publisher.publish('amq.topic', 'nowhere', Buffer.from('x'), { mandatory: true });
  publisher.publish('amq.topic', 'nowhere', Buffer.from('x'));
  await publisher.waitForConfirms();
  for (const options of [{ noAck: true }, { noAck: false }]) await consumer.get('plain', options);
  const received = new Promise<void>((resolve) => {
    // Registered before the others: the channel answers in order.
    void consumer.consume(queue, () => resolve(), { noAck: true });
  });
  await consumer.consume('quorum', (message) => message && consumer.nack(message, false, false), {
    arguments: { 'x-priority': 5 },
  });
  await consumer.consume('empty', () => undefined, { exclusive: true, consumerTag: 'alone' });
  await received;
}

beforeAll(async () => {
  api = await startApi({ statisticsIntervalMs: 100 });
  for (const [path, body] of MADE) {
    const { status, text } = await api.call('PUT', path, body);
    if (status >= 300) throw new Error(`${path}: ${status} ${text}`);
  }
});
afterAll(async () => {
  await model?.close();
  await api.close();
});

async function faultsOf(path: string, kind: GoKind, met = new Set<string>()): Promise<string[]> {
  const { status, text } = await api.call('GET', path);
  if (status !== 200) return [`GET ${path}: ${status} ${text}`];
  const decoded = decodeAsGo(text, kind);
  for (const field of decoded.met) met.add(field);
  return decoded.faults.map((fault) => `GET ${path} ${fault}`);
}

async function namesOf(path: string): Promise<string[]> {
  const rows = (await api.call('GET', path)).json as readonly { readonly name: string }[];
  return rows.map(({ name }) => encodeURIComponent(name));
}

/** What each program asks for, where the names of connections, channels and queues are as they are now. */
async function askedFor(): Promise<(readonly [path: string, kind: GoKind])[]> {
  const of = `/${VHOST}`;
  const [node = ''] = await namesOf('/nodes');
  const queues = await namesOf(`/queues${of}`);
  const exchanges = (await namesOf(`/exchanges${of}`)).filter((name) => name !== '');
  const rows: [string, GoKind][] = [
    ['/overview', TELEGRAF.overview],
    ['/nodes', list(TELEGRAF.node)],
    ['/queues', list(TELEGRAF.queue)],
    ['/exchanges', list(TELEGRAF.exchange)],
    [`/nodes/${node}/memory`, TELEGRAF.memory],
    ['/whoami', HOLE.whoami],
    ['/cluster-name', HOLE.clusterName],
    ['/feature-flags', list(HOLE.featureFlag)],
    ['/definitions', HOLE.definitions],
    [`/definitions${of}`, HOLE.definitions],
    [`/vhosts${of}/connections`, list(HOLE.connection)],
    [`/vhosts${of}`, HOLE.vhost],
    ['/users', list(HOLE.user)],
    ['/users/typed', HOLE.user],
    ['/users/without-permissions', list(HOLE.user)],
    ['/users/typed/permissions', list(HOLE.permission)],
    ['/users/typed/topic-permissions', list(HOLE.topicPermission)],
    ['/permissions', list(HOLE.permission)],
    [`/permissions${of}/typed`, HOLE.permission],
    ['/topic-permissions', list(HOLE.topicPermission)],
    [`/topic-permissions${of}/typed`, list(HOLE.topicPermission)],
    ['/parameters', list(HOLE.parameter)],
    ['/parameters/federation-upstream', list(HOLE.parameter)],
    [`/parameters/federation-upstream${of}`, list(HOLE.parameter)],
    [`/parameters/federation-upstream${of}/up`, HOLE.parameter],
    ['/global-parameters', list(HOLE.globalParameter)],
    ['/global-parameters/g', HOLE.globalParameter],
    ['/user-limits', list(HOLE.limits)],
    ['/user-limits/typed', list(HOLE.limits)],
    ['/user-limits/none', list(HOLE.limits)],
    ['/vhost-limits', list(HOLE.limits)],
    [`/vhost-limits${of}`, list(HOLE.limits)],
    [`/policies${of}/p`, HOLE.policy],
    [`/operator-policies${of}/o`, HOLE.policy],
    ['/queues?page=1&page_size=100', { fields: { items: list(TELEGRAF.queue) } }],
    ['/queues?page=1&page_size=2', HOLE.queuePage],
    [`/queues${of}?page=2&page_size=2`, HOLE.queuePage],
    [`/bindings${of}/e/amq.topic/q/plain`, list(HOLE.binding)],
    [`/bindings${of}/e/amq.topic/e/inner`, list(HOLE.binding)],
    [`/exchanges${of}/amq.topic/bindings/source`, list(HOLE.binding)],
    [`/exchanges${of}/inner/bindings/destination`, list(HOLE.binding)],
  ];
  for (const check of ['alarms', 'local-alarms', 'certificate-expiration/1/days']) {
    rows.push([`/health/checks/${check}`, HOLE.check]);
  }
  for (const check of ['virtual-hosts', 'node-is-quorum-critical', 'protocol-listener/amqp']) {
    rows.push([`/health/checks/${check}`, HOLE.check]);
  }
  const lists = { queues: HOLE.queue, exchanges: HOLE.exchange, consumers: HOLE.consumer };
  const more = { bindings: HOLE.binding, policies: HOLE.policy, 'operator-policies': HOLE.policy };
  for (const [path, kind] of Object.entries({ ...lists, ...more })) {
    rows.push([`/${path}`, list(kind)], [`/${path}${of}`, list(kind)]);
  }
  for (const query of ['', `?${SAMPLES}`]) {
    rows.push([`/overview${query}`, HOLE.overview]);
    rows.push([`/nodes${query}`, list(HOLE.node)], [`/nodes/${node}${query}`, HOLE.node]);
    rows.push([`/vhosts${query}`, list(HOLE.vhost)]);
    for (const [path, kind] of [
      ['connections', HOLE.connection],
      ['channels', HOLE.channel],
    ] as const) {
      rows.push([`/${path}${query}`, list(kind)]);
      for (const name of await namesOf(`/${path}`)) rows.push([`/${path}/${name}${query}`, kind]);
    }
    for (const name of queues) {
      rows.push([`/queues${of}/${name}${query}`, HOLE.queue]);
      rows.push([`/queues${of}/${name}${query}`, TELEGRAF.queue]);
    }
    for (const name of exchanges) {
      rows.push([`/exchanges${of}/${name}${query}`, HOLE.exchangeDetails]);
    }
  }
  for (const name of queues) rows.push([`/queues${of}/${name}/bindings`, list(HOLE.binding)]);
  return rows;
}

/** Decodes everything. Out: the faults, and each field that had a value, after the name of its kind. */
async function decodeAll(): Promise<readonly [faults: string[], met: Set<string>]> {
  const faults: string[] = [];
  const met = new Set<string>();
  for (const [path, kind] of await askedFor()) {
    const here = new Set<string>();
    faults.push(...(await faultsOf(path, kind, here)));
    const room = path.split(/[/?]/)[1];
    for (const field of here) met.add(`${room}: ${field.replace(/^\[\]\.?/, '')}`);
  }
  return [faults, met];
}

test('a broker without traffic answers what typed clients decode', async () => {
  expect((await decodeAll())[0]).toEqual([]);
});

test('a broker with traffic answers what typed clients decode', async () => {
  await makeTraffic();
  const topicRate = async (): Promise<number> => {
    const { json } = await api.call('GET', `/exchanges/${VHOST}/amq.topic`);
    const { message_stats: stats } = json as { message_stats?: { publish_in?: number } };
    return stats?.publish_in ?? 0;
  };
  await until(async () => (await topicRate()) > 0);
  let [faults, met] = await decodeAll();
  const missing = (): string[] =>
    Object.entries(SEEN).flatMap(([room, fields]) =>
      fields
        .split(' ')
        .map((field) => `${room}: ${field}`)
        .filter((field) => !met.has(field)),
    );
  // Some are there once samples have been taken, such as how long something has been idle.
  await until(async () => {
    [faults, met] = await decodeAll();
    return faults.length > 0 || missing().length === 0;
  });
  expect(faults).toEqual([]);
  expect(missing()).toEqual([]);
});

test('an error is told in two texts', async () => {
  const error: GoKind = {
    fields: { error: { required: 'string' }, reason: { required: 'string' } },
  };
  for (const [path, user, status] of [
    [`/queues/${VHOST}/nope`, 'guest:guest', 404],
    ['/overview', 'guest:wrong', 401],
    ['/users', 'none:', 401],
    ['/queues?page=x', 'guest:guest', 400],
  ] as const) {
    const answer = await api.call('GET', path, undefined, user);
    expect([path, answer.status]).toEqual([path, status]);
    expect(decodeAsGo(answer.text, error).faults).toEqual([]);
  }
});

test.each([
  ['1.5', 'int'],
  ['1.0', 'int'],
  ['1e3', 'int64'],
  ['"1"', 'int'],
  ['true', 'int'],
  ['9223372036854775808', 'int64'],
  ['-1', 'uint'],
  ['4294967296', 'uint32'],
  ['"1.5"', 'float'],
  ['1e999', 'float'],
  ['0', 'bool'],
  ['"true"', 'bool'],
  ['1', 'string'],
  ['{}', 'string'],
  ['"x"', 'port'],
  ['null', 'port'],
  ['null', 'flag'],
  ['"true"', 'flag'],
  ['[1]', 'tags'],
  ['{}', { list: 'any' }],
  ['"a"', { list: 'any' }],
  ['[1]', { list: 'string' }],
  ['[]', { map: 'any' }],
  ['""', { map: 'any' }],
  ['{"a":"1"}', { map: 'int' }],
  ['[]', { fields: {} }],
  ['{"a":{"b":[{"c":0.5}]}}', { fields: { a: { fields: { b: { list: { map: 'int' } } } } } }],
  ['{"A":"1"}', { fields: { a: 'int' } }],
  ['{}', { fields: { a: { required: 'int' } } }],
  ['{"a":null}', { fields: { a: { required: 'int' } } }],
] as readonly (readonly [text: string, kind: GoKind])[])(
  'the decoder refuses %s as %j',
  (text, kind) => {
    expect(decodeAsGo(text, kind).faults).toHaveLength(1);
  },
);

test.each([
  ['-9223372036854775808', 'int64'],
  ['18446744073709551615', 'uint'],
  ['1e-7', 'float'],
  ['1', 'float'],
  ['null', 'int'],
  ['null', { list: 'int' }],
  ['"5672"', 'port'],
  ['"undefined"', 'flag'],
  ['"a,b"', 'tags'],
  ['["a"]', 'tags'],
  ['"{\\"1.5"', 'string'],
  ['{"other":"1"}', { fields: { a: 'int' } }],
  ['{"a":null}', { fields: { a: 'int' } }],
] as readonly (readonly [text: string, kind: GoKind])[])(
  'the decoder takes %s as %j',
  (text, kind) => {
    expect(decodeAsGo(text, kind).faults).toEqual([]);
  },
);
