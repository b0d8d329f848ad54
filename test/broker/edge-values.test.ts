// Owns the tests of arguments and headers of every wire type at its edges, wherever the broker reads them:
// a value is taken or refused in RabbitMQ's words, and nothing else is ever thrown.

import { expect, test } from 'vitest';
import { encodeTable } from '../../src/amqp/encode-table.ts';
import { AmqpError } from '../../src/amqp/errors.ts';
import { decodeTable, type Field, type FieldTable } from '../../src/amqp/field-table.ts';
import { STORED_LIMITS } from '../../src/amqp/table-limits.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import { EXCHANGE_ARGUMENTS } from '../../src/broker/exchange/arguments.ts';
import { EXCHANGE_TYPES } from '../../src/broker/exchange/registry.ts';
import { checkConsumerArguments } from '../../src/broker/queue/arguments/check-arguments.ts';
import { CONSUMER_ARGUMENTS } from '../../src/broker/queue/arguments/consumer-arguments.ts';
import { QUEUE_ARGUMENTS } from '../../src/broker/queue/arguments/queue-arguments.ts';
import { redriveMessage } from '../../src/broker/republish/redrive.ts';
import { browse } from '../../src/broker/view/browse/browse.ts';
import { QueueWalk } from '../../src/broker/view/browse/queue-walk.ts';
import { View } from '../../src/broker/view.ts';
import { parseJsonText } from '../../src/util/json/json-input.ts';
import { jsonText } from '../../src/util/json/json-writer.ts';
import { found } from '../../src/util/rows.ts';
import { EDGE_FIELDS } from '../amqp/edge-fields.ts';
import { streamsAmong } from './plain-queue.ts';
import { SmallBroker } from './small-broker.ts';

const text = (value: string): Field => ({ type: 'S', value });
const STREAM: FieldTable = new Map([['x-queue-type', text('stream')]]);
const CLOCK = { wallMs: () => 0, monotonicMs: () => 0 };

/** Whether it was taken; anything but an AmqpError goes on. */
function taken(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof AmqpError) return false;
    throw error;
  }
}

/** All lists and exports, as JSON. */
function shown(small: SmallBroker): string {
  const view = new View(small.broker, '0');
  return jsonText([
    view.exportDefinitions(),
    [...found(view.snapshots.queues(['/']))],
    [...found(view.snapshots.exchanges(['/']))],
    [...found(view.snapshots.bindings(['/']))],
  ]);
}

test('arguments of queues and consumers: taken or refused, and the same after a restart', () => {
  const small = new SmallBroker();
  let declared = 0;
  for (const { name } of QUEUE_ARGUMENTS) {
    for (const [at, field] of EDGE_FIELDS.entries()) {
      const args = { 'x-dead-letter-exchange': text(''), [name]: field };
      const queue = `${name}-${at}`;
      if (!taken(() => small.declare(queue, true, args))) continue;
      declared += 1;
      expect(
        taken(() => small.declare(queue, true, args)),
        `${name} ${at} again`,
      ).toBe(true);
      small.publish({ routingKey: queue, properties: { deliveryMode: 2, priority: 255 } });
    }
  }
  for (const { name } of CONSUMER_ARGUMENTS) {
    for (const field of EDGE_FIELDS) {
      for (const queue of [new Map(), STREAM]) {
        taken(() => checkConsumerArguments('q', '/', queue, new Map([[name, field]])));
      }
    }
  }
  expect(declared).toBeGreaterThan(QUEUE_ARGUMENTS.length);
  small.pass(1_000);
  const again = small.restarted();
  expect((parseJsonText(shown(again)) as [{ queues: unknown[] }])[0].queues.length).toBe(
    again.vhost.queues.size,
  );
  again.pass(1_000);
});

test('arguments of streams: taken or refused, and the same after a restart', () => {
  const small = new SmallBroker();
  const flags = { durable: true, autoDelete: false, owner: null };
  for (const { name } of QUEUE_ARGUMENTS) {
    for (const [at, field] of EDGE_FIELDS.entries()) {
      const args: FieldTable = new Map([[name, field], ...STREAM]);
      const stream = { ...flags, name: `${name}-${at}`, arguments: args };
      const declare = () => small.vhost.as(ALL_RIGHTS).declareQueue(stream);
      if (!taken(declare)) continue;
      expect(taken(declare), `${stream.name} again`).toBe(true);
      small.publish({ routingKey: stream.name, properties: { deliveryMode: 2 } });
    }
  }
  const declared = small.vhost.queues.size;
  expect(declared).toBeGreaterThan(0);
  small.pass(1_000);
  const again = small.restarted();
  expect(streamsAmong(again.vhost.queues.values())).toHaveLength(declared);
  expect((parseJsonText(shown(again)) as [{ queues: unknown[] }])[0].queues).toHaveLength(declared);
  again.pass(1_000);
});

test('arguments of exchanges and bindings: taken or refused, routed by, and the same after a restart', () => {
  const small = new SmallBroker();
  const queue = small.declare('q');
  const names = [...EXCHANGE_ARGUMENTS.map(({ name }) => name), 'odd'];
  for (const type of EXCHANGE_TYPES.keys()) {
    for (const [at, field] of EDGE_FIELDS.entries()) {
      for (const name of names) {
        const declaration = {
          name: `${type}-${name}-${at}`,
          type,
          durable: true,
          autoDelete: false,
        };
        const args: FieldTable = new Map([[name, field]]);
        const declare = { ...declaration, internal: false, arguments: args };
        if (!taken(() => small.vhost.as(ALL_RIGHTS).declareExchange(declare))) continue;
        const exchange = small.vhost.exchange(declaration.name);
        taken(() => small.vhost.bindings.bind(exchange, queue, '1', new Map([['x-match', field]])));
        taken(() => small.vhost.bindings.bind(exchange, queue, '2', new Map([['h', field]])));
        for (const headers of [new Map([['h', field]]), new Map([['odd', field]])]) {
          small.publish({ exchange: declaration.name, routingKey: 'k', properties: { headers } });
        }
      }
    }
  }
  small.run();
  const again = small.restarted();
  expect(shown(again)).toContain('x-consistent-hash');
  for (const { name } of [...again.vhost.exchanges.values()]) {
    if (!name.startsWith('amq.') && name !== '')
      again.vhost.as(ALL_RIGHTS).deleteExchange(name, false);
  }
});

test('headers of any value go every way that a message can take, and come out as they came', () => {
  const names = [
    'h',
    'CC',
    'BCC',
    'x-death',
    'x-delivery-count',
    'x-acquired-count',
    'x-first-death-reason',
    'x-match',
  ];
  const small = new SmallBroker();
  small.broker.putVhost('/', { tracing: true });
  small.declare('dead');
  small.declare('moved');
  const queue = small.declare('q', true, {
    'x-dead-letter-exchange': text(''),
    'x-dead-letter-routing-key': text('dead'),
  });
  let published = 0;
  for (const name of names) {
    for (const field of EDGE_FIELDS) {
      const headers: FieldTable = new Map([[name, field]]);
      small.publish({ routingKey: 'q', properties: { headers, deliveryMode: 2 } });
      published += 1;
    }
  }
  const request = {
    cursor: '',
    count: 1_000,
    filter: { routingKey: null, header: { name: 'h', value: null } },
    encoding: 'auto',
    truncate: 100,
  } as const;
  const page = browse(queue, small.broker.core.log, CLOCK, small.broker.core.time, request);
  expect(page.messages).toHaveLength(EDGE_FIELDS.length);
  expect(() => jsonText(page)).not.toThrow();
  const given = small.consume(queue);
  small.run();
  for (const { seq } of given.splice(0)) queue.requeue(seq);
  small.run();
  for (const { seq } of given.splice(0)) queue.reject(seq);
  small.run();
  const dead = small.queue('dead');
  expect(dead.readyCount).toBe(published);
  const moved = new Map<string, number>();
  new QueueWalk(dead, small.broker.core.log, CLOCK, '').run((entry, message) => {
    const to = small.queue('moved');
    const what = redriveMessage(small.broker.core, small.vhost, dead, entry, message, to);
    moved.set(what, (moved.get(what) ?? 0) + 1);
    return true;
  });
  expect([...moved]).toEqual([['moved', published]]);
  expect(small.restarted().queue('moved').readyCount).toBe(published);
});

test('a table of any values is the same on the wire and back', () => {
  const table: FieldTable = new Map(EDGE_FIELDS.map((field, at) => [`k${at}`, field]));
  const bytes = encodeTable(table);
  expect(decodeTable(bytes, 0, bytes.length, STORED_LIMITS).table).toEqual(table);
});
