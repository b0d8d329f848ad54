// Owns the tests of how streams come to be: by a declaration, by the default type of a vhost or of the node, and by
// definitions; and what is refused, in RabbitMQ's order.

import { expect, test } from 'vitest';
import { type Field, textField } from '../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import { Broker } from '../../../../src/broker/broker.ts';
import { exportDefinitions } from '../../../../src/broker/definitions/export.ts';
import { importDefinitions } from '../../../../src/broker/definitions/import.ts';
import type { Vhost } from '../../../../src/broker/vhost/vhost.ts';
import type { JsonObject } from '../../../../src/util/json/json.ts';
import { ControlledStore, Disk } from '../../controlled-store.ts';
import { SmallBroker } from '../../small-broker.ts';

const int = (value: number): Field => ({ type: 'l', value });
const STREAM = { 'x-queue-type': textField('stream') };

interface Wish {
  readonly name?: string;
  readonly durable?: boolean;
  readonly autoDelete?: boolean;
  readonly owner?: object | null;
  readonly args?: Record<string, Field>;
}

function declare(vhost: Vhost, wish: Wish = {}) {
  const { name = 's', durable = true, autoDelete = false, owner = null, args = {} } = wish;
  const connection = owner ?? {};
  return vhost
    .as(ALL_RIGHTS, connection)
    .declareQueue({ name, durable, autoDelete, owner, arguments: new Map(Object.entries(args)) });
}

const OWNER = {};
const WHERE = "for queue 's' in vhost '/'";

test.each<[string, Wish, string]>([
  ['durable', { durable: false }, `invalid property 'non-durable' ${WHERE}`],
  ['no exclusive queue', { owner: OWNER }, `invalid property 'exclusive-owner' ${WHERE}`],
  ['kept', { autoDelete: true, owner: OWNER }, `invalid property 'auto-delete' ${WHERE}`],
  [
    'named',
    { name: '', args: { 'x-message-ttl': int(1) } },
    'Cannot declare a server-named queue for type rabbit_stream_queue',
  ],
  [
    'without what it does not know, told before its properties',
    { owner: OWNER, args: { 'x-message-ttl': int(1) } },
    `invalid arg 'x-message-ttl' ${WHERE} of queue type rabbit_stream_queue`,
  ],
  [
    'of segments that are not too large',
    { args: { 'x-stream-max-segment-size-bytes': int(3_000_000_001) } },
    'PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes',
  ],
  [
    'of such segments, told last',
    { durable: false, args: { 'x-stream-max-segment-size-bytes': int(3_000_000_001) } },
    `invalid property 'non-durable' ${WHERE}`,
  ],
])('a stream is %s', (_, wish, refusal) => {
  const { vhost } = new SmallBroker();
  const args = { ...STREAM, ...wish.args };
  expect(() => declare(vhost, { ...wish, args })).toThrow(refusal);
  expect(vhost.queues.size).toBe(0);
});

test('a stream is declared again with the same arguments, and no others', () => {
  const { vhost } = new SmallBroker();
  const args = { ...STREAM, 'x-max-length-bytes': int(1000), 'x-max-age': textField('1h') };
  const stream = declare(vhost, { args });
  expect(stream.type.name).toBe('stream');
  expect(declare(vhost, { args: { ...args, 'x-unknown': int(1) } })).toBe(stream);
  const other = (changes: Record<string, Field>) => () =>
    declare(vhost, { args: { ...args, ...changes } });
  expect(other({ 'x-max-age': textField('60m') })).toThrow(
    `inequivalent arg 'x-max-age' ${WHERE}: received '60m' but current is '1h'`,
  );
  expect(other({ 'x-initial-cluster-size': int(3) })).toThrow(
    `inequivalent arg 'x-initial-cluster-size' ${WHERE}: received the value '3' of type 'long' but current is none`,
  );
  declare(vhost, { name: 'c' });
  expect(() => declare(vhost, { name: 'c', args: STREAM })).toThrow(
    "inequivalent arg 'x-queue-type' for queue 'c' in vhost '/': received the value 'stream' of type 'longstr' but current is none",
  );
});

/** The types of queues that are declared without one: as a stream may be, and as none may. */
function typesOf(vhost: Vhost): string[] {
  const wishes: Wish[] = [
    { name: 'plain' },
    { name: 'passing', durable: false },
    { name: 'owned', owner: OWNER },
    { name: 'going', autoDelete: true },
    { name: '' },
    { name: 'old', args: { 'x-queue-type': textField('classic') } },
  ];
  return wishes.map((wish) => declare(vhost, wish).type.name);
}

const BY_DEFAULT = ['stream', 'classic', 'classic', 'classic', 'classic', 'classic'];

test('a vhost makes streams by default of queues that can be one, and they stay so', () => {
  const small = new SmallBroker();
  expect(typesOf(small.broker.putVhost('log', { defaultQueueType: 'stream' }))).toEqual(BY_DEFAULT);
  const again = small.restarted().broker.vhost('log');
  expect(again.queues.get('plain')?.type.name).toBe('stream');
  expect(again.metadata.defaultQueueType).toBe('stream');
});

test('so does a node, where a vhost says nothing else', () => {
  const clock = { wallMs: () => 0, monotonicMs: () => 0 };
  const listener = { turnWanted: () => {}, durable: () => {}, connectionsForced: () => {} };
  const options = { defaultQueueType: 'stream' } as const;
  const broker = new Broker(new ControlledStore(new Disk()), clock, listener, options);
  broker.recover({ vhost: '/', user: null });
  expect(typesOf(broker.vhost('/'))).toEqual(BY_DEFAULT);
  const quorum = broker.putVhost('other', { defaultQueueType: 'quorum' });
  expect(declare(quorum).type.name).toBe('quorum');
});

const LIMITS = { 'x-max-age': '7D', 'x-max-length-bytes': 5_000_000_000, 'x-queue-type': 'stream' };
const queue = (args: object, flags: object = {}): JsonObject => ({
  name: 's',
  vhost: '/',
  durable: true,
  auto_delete: false,
  arguments: args as JsonObject,
  ...(flags as JsonObject),
});
const FILE = {
  queues: [queue(LIMITS)],
  bindings: [
    {
      source: 'amq.topic',
      vhost: '/',
      destination: 's',
      destination_type: 'queue',
      routing_key: 'a.#',
      arguments: {},
    },
  ],
  policies: [
    {
      vhost: '/',
      name: 'keep',
      pattern: '.*',
      'apply-to': 'streams',
      definition: { 'max-age': '1h', 'stream-max-segment-size-bytes': 100_000_000 },
      priority: 0,
    },
  ],
};

test('streams, their bindings and their policies come back as definitions had them', () => {
  const small = new SmallBroker();
  importDefinitions(small.broker, FILE);
  expect(exportDefinitions(small.broker, '1')).toMatchObject(FILE);
  const again = small.restarted();
  expect(exportDefinitions(again.broker, '1')).toMatchObject(FILE);
  importDefinitions(again.broker, FILE);
  const [stream] = again.vhost.queues.values();
  expect(stream?.type.name).toBe('stream');
  expect(stream && again.vhost.policies.of(stream).policy?.name).toBe('keep');
});

test.each<[string, JsonObject, string]>([
  ['not durable', queue(LIMITS, { durable: false }), "invalid property 'non-durable'"],
  ['going with its consumers', queue(LIMITS, { auto_delete: true }), "property 'auto-delete'"],
  ['of no age', queue({ ...LIMITS, 'x-max-age': '5X' }), 'invalid_max_age'],
  [
    'with what it does not know',
    queue({ ...LIMITS, 'x-message-ttl': 5 }),
    'of queue type rabbit_stream_queue',
  ],
])('definitions with a stream that is %s are refused, wholly', (_, item, refusal) => {
  const { broker, vhost } = new SmallBroker();
  const beside = { ...queue({}), name: 'beside' };
  expect(() => importDefinitions(broker, { queues: [beside, item] })).toThrow(refusal);
  expect(vhost.queues.size).toBe(0);
});
