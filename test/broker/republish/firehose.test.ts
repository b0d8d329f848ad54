// Owns the tests of tracing a vhost.

import { expect, test } from 'vitest';
import type { Field } from '../../../src/amqp/field-table.ts';
import { FIELD_DEPTH_MAX } from '../../../src/amqp/table-limits.ts';
import { readMessage } from '../../../src/message/read-message.ts';
import { SmallBroker } from '../small-broker.ts';

const BY = { number: 3, connectionName: 'here -> there', userName: 'guest' };
const TRACE = 'amq.rabbitmq.trace';

/** A broker with a queue of the longest name there may be, and one for traces of it. */
function tracing(): { small: SmallBroker; name: string } {
  const small = new SmallBroker();
  const name = `${'q'.repeat(253)}é`;
  small.declare(name);
  const traces = small.declare('traces');
  small.vhost.bindings.bind(small.vhost.exchange(TRACE), traces, '#', new Map());
  small.broker.putVhost('/', { tracing: true });
  return { small, name };
}

/** The position of a message that was put into a queue. */
function positionIn(small: SmallBroker, name: string): number {
  const queue = small.queue(name);
  small.publish({ routingKey: name });
  small.commit();
  const entry = queue.take();
  if (entry === null) throw new Error('the message is not there');
  return entry.position;
}

test('a vhost is not traced unless that was asked for, and no more when it is asked again', () => {
  const small = new SmallBroker();
  expect(small.vhost.firehose).toBe(null);
  small.broker.putVhost('/', { tracing: true });
  expect(small.vhost.firehose).not.toBe(null);
  small.broker.putVhost('/', { description: 'traced still' });
  expect(small.vhost.firehose).not.toBe(null);
  small.broker.putVhost('/', { tracing: false });
  expect(small.vhost.firehose).toBe(null);
});

test('tracing survives a restart', () => {
  const small = new SmallBroker();
  small.broker.putVhost('/', { tracing: true });
  small.commit();
  expect(small.crashed().vhost.firehose).not.toBe(null);
});

test('a routing key is cut to what a short string holds', () => {
  const { small, name } = tracing();
  const message = readMessage(small.broker.core.log, positionIn(small, name));
  small.vhost.firehose?.delivered(BY, message, small.queue(name), false);
  const entry = small.queue('traces').take();
  const trace = readMessage(small.broker.core.log, entry?.position ?? 0);
  expect(trace.routingKey).toBe(`deliver.${'q'.repeat(247)}`);
});

test('a dead letter with more headers than a publisher may send is told of', () => {
  const { small, name } = tracing();
  const message = readMessage(small.broker.core.log, positionIn(small, name));
  for (let n = 0; n < 5_000; n++) message.headers.set(`h${n}`, { type: 't', value: true });
  small.vhost.firehose?.published(BY, message, []);
  const entry = small.queue('traces').take();
  const { headers } = readMessage(small.broker.core.log, entry?.position ?? 0);
  const properties = headers.get('properties');
  expect(properties?.type === 'F' && properties.value.get('headers')?.type).toBe('F');
});

test('headers as deep as any setting lets them be are told of', () => {
  const { small, name } = tracing();
  const message = readMessage(small.broker.core.log, positionIn(small, name));
  let deep: Field = { type: 't', value: true };
  for (let depth = 1; depth < FIELD_DEPTH_MAX; depth++) {
    deep = { type: 'F', value: new Map([['n', deep]]) };
  }
  message.headers.set('n', deep);
  small.vhost.firehose?.published(BY, message, []);
  const entry = small.queue('traces').take();
  const { headers } = readMessage(small.broker.core.log, entry?.position ?? 0);
  const properties = headers.get('properties');
  expect(properties?.type === 'F' && properties.value.get('headers')).toEqual({
    type: 'F',
    value: message.headers,
  });
});

test('without a binding no copy is made', () => {
  const small = new SmallBroker();
  small.declare('q');
  small.broker.putVhost('/', { tracing: true });
  const message = readMessage(small.broker.core.log, positionIn(small, 'q'));
  const { placed } = small.broker.core.log;
  const { end } = placed;
  small.vhost.firehose?.published(BY, message, []);
  expect(small.broker.core.log.placed).toBe(placed);
  expect(placed.end).toBe(end);
});
