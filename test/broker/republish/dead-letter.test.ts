// Owns the tests of what dead-lettering does to a message: headers, route, and the move.

import { expect, test } from 'vitest';
import type { Field, FieldTable } from '../../../src/amqp/field-table.ts';
import { decodeProperties, type Properties } from '../../../src/amqp/properties.ts';
import type { DeathReason } from '../../../src/broker/queue/ports.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import { deadLetter } from '../../../src/broker/republish/dead-letter.ts';
import {
  headerFrameStart,
  recordAddress,
  recordArrivedMs,
  recordPriority,
} from '../../../src/message/record.ts';
import { EDGE_FIELDS } from '../../amqp/edge-fields.ts';
import { readRecord, wrongReferences } from '../inspect.ts';
import { plain as plainQueue } from '../plain-queue.ts';
import { NOW_MS, SmallBroker } from '../small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const TO_DEAD = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('dead') };

interface Dead {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: string;
  readonly properties: Properties;
  readonly headers: FieldTable;
  readonly deaths: Record<string, unknown>[];
}

/** Lets the first message of a queue die as a channel does. */
function kill(small: SmallBroker, queue: Queue, reason: DeathReason = 'rejected'): void {
  const { seq, position } = queue.take() as { seq: number; position: number };
  deadLetter(small.broker.core, small.vhost, queue, position, reason, 0);
  queue.settle(seq);
}

/** Looks at the next message of a queue and puts it back. */
function peek(small: SmallBroker, queue: Queue): Dead {
  const { seq, position } = queue.take() as { seq: number; position: number };
  const { bytes, offset } = small.broker.core.log.read(position);
  const headerFrame = headerFrameStart(bytes, offset);
  const end = headerFrame + 7 + bytes.readUInt32BE(headerFrame + 3);
  const properties = decodeProperties(bytes, headerFrame + 19, end);
  const headers = properties.headers ?? new Map<string, Field>();
  const deaths = headers.get('x-death');
  const entries = deaths?.type === 'A' ? deaths.value : [];
  const { exchange, routingKey, body } = readRecord(small.broker.core.log, position);
  queue.requeue(seq);
  return {
    exchange,
    routingKey,
    body: body.toString(),
    properties,
    headers,
    deaths: entries.map((entry) => plain(entry.value as FieldTable)),
  };
}

/** A table without types. */
function plain(table: FieldTable): Record<string, unknown> {
  const values = [...table].map(([name, { type, value }]): [string, unknown] => {
    if (type === 'A') return [name, value.map((each) => String(each.value))];
    return [name, type === 'S' ? String(value) : value];
  });
  return Object.fromEntries(values);
}

test('a dead message says where, why and when it died first and last', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const dead = small.declare('dead');
  const headers = new Map([['mine', text('kept')]]);
  small.publish({ routingKey: 'q', properties: { headers, deliveryMode: 2, messageId: 'm' } });
  kill(small, queue);
  expect(queue.readyCount + queue.unackedCount).toBe(0);
  const found = peek(small, dead);
  expect(found).toMatchObject({ exchange: '', routingKey: 'dead', body: 'body' });
  expect(found.properties).toMatchObject({ deliveryMode: 2, messageId: 'm' });
  expect(found.deaths).toEqual([
    {
      count: 1,
      reason: 'rejected',
      queue: 'q',
      time: NOW_MS / 1000,
      exchange: '',
      'routing-keys': ['q'],
    },
  ]);
  expect(plain(found.headers)).toMatchObject({
    mine: 'kept',
    'x-first-death-reason': 'rejected',
    'x-first-death-queue': 'q',
    'x-first-death-exchange': '',
    'x-last-death-queue': 'q',
  });
  expect(wrongReferences(small.broker, [queue, dead])).toBeNull();
});

test('each further death goes to the front, the same one again only counts', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const back = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('q') };
  const dead = small.declare('dead', true, back);
  small.publish({ routingKey: 'q' });
  for (let round = 0; round < 3; round++) {
    kill(small, queue);
    if (round < 2) kill(small, dead);
  }
  const { deaths, headers } = peek(small, dead);
  expect(deaths.map(({ queue: name, count }) => [name, count])).toEqual([
    ['q', 3],
    ['dead', 2],
  ]);
  expect(plain(headers)).toMatchObject({
    'x-first-death-queue': 'q',
    'x-last-death-queue': 'q',
  });
});

test('a message that expires loses its expiration, which the death remembers', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const dead = small.declare('dead');
  const properties = { contentType: 't', expiration: '60000', messageId: 'm', appId: 'a' };
  small.publish({ routingKey: 'q', properties });
  kill(small, queue, 'expired');
  const found = peek(small, dead);
  expect(found.properties.expiration).toBeUndefined();
  expect(found.properties).toMatchObject({ contentType: 't', messageId: 'm', appId: 'a' });
  expect(found.deaths[0]).toMatchObject({ reason: 'expired', 'original-expiration': '60000' });
});

test('without a dead-letter routing key a message keeps its own', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { 'x-dead-letter-exchange': text('amq.fanout') });
  const [one, two] = [small.declare('one'), small.declare('two', false)] as const;
  const fanout = small.vhost.exchange('amq.fanout');
  for (const target of [one, two]) small.vhost.bindings.bind(fanout, target, '', new Map());
  small.publish({ routingKey: 'q' });
  kill(small, queue);
  for (const target of [one, two]) {
    expect(peek(small, target)).toMatchObject({ exchange: 'amq.fanout', routingKey: 'q' });
  }
  expect(wrongReferences(small.broker, [queue, one, two])).toBeNull();
});

test.each([
  ['the queue has no dead-letter exchange', {}],
  ['the exchange does not exist', { 'x-dead-letter-exchange': text('nowhere') }],
  ['no queue takes it', { 'x-dead-letter-exchange': text('amq.direct') }],
])('a dead message is gone when %s', (_, args) => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, args);
  small.publish({ routingKey: 'q' });
  kill(small, queue);
  expect(wrongReferences(small.broker, [queue])).toBeNull();
});

test.each<[DeathReason, number]>([
  ['expired', 0],
  ['rejected', 1],
])('a message that was first %s comes round again %d times by itself', (reason, times) => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const back = { 'x-dead-letter-exchange': text(''), 'x-dead-letter-routing-key': text('q') };
  const dead = small.declare('dead', true, back);
  small.publish({ routingKey: 'q' });
  kill(small, queue, reason);
  expect(dead.readyCount).toBe(1);
  kill(small, dead, 'expired');
  expect(queue.readyCount).toBe(times);
});

test('the copy arrives when the message dies, with its priority', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, TO_DEAD);
  const dead = small.declare('dead');
  small.publish({ routingKey: 'q', properties: { priority: 7 } }, Buffer.alloc(0));
  kill(small, queue);
  const { position } = dead.take() as { position: number };
  const { bytes, view, offset } = small.broker.core.log.read(position);
  expect(recordPriority(bytes, offset)).toBe(7);
  expect(recordArrivedMs(view, offset)).toBe(NOW_MS);
  expect(readRecord(small.broker.core.log, position).body).toHaveLength(0);
});

test('on disk a message is in one place, whichever batch a crash leaves', () => {
  for (const durable of [1, 2]) {
    const small = new SmallBroker();
    const queue = small.declare('q', true, TO_DEAD);
    small.declare('dead');
    small.fill('q', 1);
    const { seq, position } = queue.take() as { seq: number; position: number };
    small.broker.core.seal();
    deadLetter(small.broker.core, small.vhost, queue, position, 'rejected', 0);
    queue.settle(seq);
    small.broker.core.seal();
    small.store.sync(durable);
    const again = small.crashed();
    const counts = ['q', 'dead'].map((name) => again.queue(name).readyCount);
    expect(counts).toEqual(durable === 1 ? [1, 0] : [0, 1]);
  }
});

test('odd x-death headers of a publisher end nothing: the dead letter moves, also by expiry', () => {
  const small = new SmallBroker();
  const queue = small.declare('q', true, { ...TO_DEAD, 'x-message-ttl': { type: 'l', value: 50 } });
  const dead = small.declare('dead');
  for (const count of EDGE_FIELDS) {
    const entry: FieldTable = new Map([
      ['queue', text('q')],
      ['reason', text('expired')],
      ['count', count],
    ]);
    const headers: FieldTable = new Map([
      ['x-death', { type: 'A', value: [{ type: 'F', value: entry }] }],
    ]);
    small.publish({ routingKey: 'q', properties: { headers, deliveryMode: 2 } });
  }
  small.pass(60);
  expect([queue.readyCount, dead.readyCount]).toEqual([0, EDGE_FIELDS.length]);
  expect(small.restarted().queue('dead').readyCount).toBe(EDGE_FIELDS.length);
});

test('a routing key that is no text keeps its bytes, the own one and that of the queue', () => {
  const binary = Buffer.from([0x64, 0xff, 0x80]);
  for (const args of [{}, { 'x-dead-letter-routing-key': { type: 'S', value: binary } as Field }]) {
    const small = new SmallBroker();
    const queue = small.declare('q', true, {
      'x-dead-letter-exchange': text('amq.fanout'),
      ...args,
    });
    const dead = small.declare('dead');
    small.vhost.bindings.bind(small.vhost.exchange('amq.fanout'), queue, '', new Map());
    small.publish({ exchange: 'amq.fanout', routingKey: binary as unknown as string });
    small.vhost.bindings.bind(small.vhost.exchange('amq.fanout'), dead, '', new Map());
    kill(small, queue);
    const { position } = dead.take() as { position: number };
    const { bytes, offset } = small.broker.core.log.read(position);
    expect(recordAddress(bytes, offset).routingKey).toEqual(binary);
  }
});

test('names that are longer than the wire allows, stored by an older version, end nothing', () => {
  const long = 'n'.repeat(1_000);
  const small = new SmallBroker();
  small.vhost.restoreQueue({
    name: 'q',
    durable: true,
    autoDelete: false,
    owner: null,
    arguments: new Map([
      ['x-dead-letter-exchange', text('amq.fanout')],
      ['x-dead-letter-routing-key', text(long)],
    ]),
  });
  const queue = small.queue('q');
  const dead = small.vhost.restoreQueue({ ...queue, name: long, arguments: new Map() });
  small.vhost.bindings.bind(small.vhost.exchange('amq.fanout'), dead, '', new Map());
  small.publish({ routingKey: 'q', properties: { deliveryMode: 2 } });
  kill(small, queue);
  expect(peek(small, plainQueue(dead)).routingKey).toBe(long.slice(0, 255));
  expect(small.restarted().queue(long).readyCount).toBe(1);
});
