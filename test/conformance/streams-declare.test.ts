// Queues of the type stream: what can be declared, what is refused, and what else does to queues that streams refuse.
import { expect, it } from 'vitest';
import {
  channelClose,
  collect,
  connectionClose,
  eventually,
  expectedFor,
  untilReady,
  useBroker,
} from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { type Fields, typed } from '../support/amqp-wire.ts';
import { inPlace } from './streams.ts';

const broker = useBroker();
const DECLARE = 'queue.declare';

const streamWith = (more: Fields): Fields => ({ 'x-queue-type': 'stream', ...more });

function declare(raw: RawConnection, queue: string, more: Fields = {}, flags: Fields = {}) {
  const fields = { queue, durable: true, arguments: streamWith(more), ...flags };
  return raw.attempt(DECLARE, fields);
}

/** RabbitMQ fails within, on the odd values that it did not think of. */
const refusedOrBroken = (text: string, method: string): object =>
  expectedFor<object>({
    rabbitmq: connectionClose(541, 'INTERNAL_ERROR'),
    leveret: channelClose(406, text, method),
  });

it('is durable, its own, and stays', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  for (const [flags, property] of [
    [{ exclusive: true }, 'exclusive-owner'],
    [{ autoDelete: true }, 'auto-delete'],
    [{ durable: false }, 'non-durable'],
    [{ exclusive: true, autoDelete: true, durable: false }, 'auto-delete'],
    [{ exclusive: true, durable: false }, 'exclusive-owner'],
  ] as const) {
    const text = `PRECONDITION_FAILED - invalid property '${property}' for ${inPlace(queue)}`;
    expect(await declare(raw, queue, {}, flags)).toMatchObject(channelClose(406, text, DECLARE));
  }
  expect(await declare(raw, queue)).toMatchObject({ name: 'queue.declare-ok', messageCount: 0 });
});

it('has a name of its own, before all else', async () => {
  const raw = await broker.raw();
  const text =
    'PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_stream_queue';
  for (const [more, flags] of [
    [{}, {}],
    [{}, { exclusive: true }],
    [{ 'x-message-ttl': 1 }, {}],
    [{ 'x-max-age': '1X' }, {}],
  ] as const) {
    expect(await declare(raw, '', more, flags)).toMatchObject(channelClose(406, text, DECLARE));
  }
});

it('refuses arguments that only other types know', async () => {
  const raw = await broker.raw();
  const cases: [string, unknown][] = [
    ['x-message-ttl', 1000],
    ['x-expires', 1000],
    ['x-dead-letter-exchange', 'x'],
    ['x-dead-letter-routing-key', 'x'],
    ['x-dead-letter-strategy', 'at-least-once'],
    ['x-max-priority', 5],
    ['x-overflow', 'drop-head'],
    ['x-delivery-limit', 5],
    ['x-single-active-consumer', true],
    ['x-max-in-memory-length', 5],
    ['x-max-in-memory-bytes', 5],
    ['x-queue-mode', 'lazy'],
    ['x-queue-version', 2],
    ['x-queue-master-locator', 'min-masters'],
    ['x-quorum-initial-group-size', 3],
  ];
  for (const [key, value] of cases) {
    const queue = broker.name();
    const text = `PRECONDITION_FAILED - invalid arg '${key}' for ${inPlace(queue)} of queue type rabbit_stream_queue`;
    expect(await declare(raw, queue, { [key]: value }), key).toMatchObject(
      channelClose(406, text, DECLARE),
    );
  }
});

it('refuses a length in messages, which Leveret knows', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const text = `PRECONDITION_FAILED - invalid arg 'x-max-length' for ${inPlace(queue)} of queue type rabbit_stream_queue`;
  expect(await declare(raw, queue, { 'x-max-length': 5 })).toMatchObject(
    expectedFor<object>({
      rabbitmq: channelClose(406, text, DECLARE),
      leveret: { name: 'queue.declare-ok' },
    }),
  );
});

it('refuses arguments of the wrong type or range', async () => {
  const raw = await broker.raw();
  const cases: [string, unknown, string][] = [
    ['x-max-age', '0s', 'invalid_max_age'],
    ['x-max-age', '1X', 'invalid_max_age'],
    ['x-max-age', '1', 'invalid_max_age'],
    ['x-max-age', '1.5h', 'invalid_max_age'],
    ['x-max-age', '1 h', 'invalid_max_age'],
    ['x-max-age', '1hh', 'invalid_max_age'],
    ['x-max-age', '1H', 'invalid_max_age'],
    ['x-max-age', 5, '{unacceptable_type,signedint}'],
    ['x-max-age', typed('l', 5), '{unacceptable_type,long}'],
    ['x-max-age', typed('d', 1.5), '{unacceptable_type,double}'],
    ['x-max-age', true, '{unacceptable_type,bool}'],
    ['x-max-age', null, '{unacceptable_type,void}'],
    ['x-max-age', typed('x', '1h'), '{unacceptable_type,binary}'],
    ['x-max-length-bytes', -1, '{value_negative,-1}'],
    ['x-max-length-bytes', '1000', '"expected integer, got longstr"'],
    ['x-max-length-bytes', typed('d', 1.5), '"expected integer, got double"'],
    ['x-stream-max-segment-size-bytes', -1, '{value_negative,-1}'],
    ['x-stream-max-segment-size-bytes', '5', '"expected integer, got longstr"'],
    ['x-initial-cluster-size', 0, '{value_zero,0}'],
    ['x-initial-cluster-size', -1, '{value_negative,-1}'],
    ['x-initial-cluster-size', '1', '"expected integer, got longstr"'],
    ['x-queue-leader-locator', 'nonsense', 'invalid_queue_locator_arg'],
    ['x-queue-leader-locator', 1, '{unacceptable_type,signedint}'],
    ['x-queue-type', 'STREAM', '"unsupported queue type \'STREAM\'"'],
    ['x-queue-type', '', '"unsupported queue type \'\'"'],
  ];
  for (const [key, value, reason] of cases) {
    const queue = broker.name();
    const text = `PRECONDITION_FAILED - invalid arg '${key}' for ${inPlace(queue)}: ${reason}`;
    expect(await declare(raw, queue, { [key]: value }), key).toMatchObject(
      channelClose(406, text, DECLARE),
    );
  }
});

it('refuses an age without a number', async () => {
  for (const value of ['', 'h', '-1s', '+1h']) {
    const raw = await broker.raw();
    const queue = broker.name();
    const text = `PRECONDITION_FAILED - invalid arg 'x-max-age' for ${inPlace(queue)}: invalid_max_age`;
    expect(await declare(raw, queue, { 'x-max-age': value }), value).toMatchObject(
      refusedOrBroken(text, DECLARE),
    );
  }
});

it('bounds the size of a segment, after all else', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const large = { 'x-stream-max-segment-size-bytes': typed('l', 3_000_000_001) };
  const text = 'PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes';
  expect(await declare(raw, queue, large)).toMatchObject(channelClose(406, text, DECLARE));
  for (const [more, flags, cause] of [
    [{}, { exclusive: true }, 'exclusive-owner'],
    [{ 'x-message-ttl': 1 }, {}, 'x-message-ttl'],
    [{ 'x-max-length-bytes': -1 }, {}, 'x-max-length-bytes'],
  ] as const) {
    const reply = await declare(raw, queue, { ...large, ...more }, flags);
    expect(reply['replyText']).toContain(`'${cause}'`);
  }
});

it('looks at values first, then at what the type does not know, then at the flags', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  for (const [more, flags, cause] of [
    [{ 'x-message-ttl': 1 }, { exclusive: true }, 'x-message-ttl'],
    [{ 'x-max-age': '1X' }, { exclusive: true }, 'x-max-age'],
    [{ 'x-message-ttl': 1, 'x-max-length-bytes': -1 }, {}, 'x-max-length-bytes'],
    [{ 'x-message-ttl': 'odd' }, { exclusive: true }, 'x-message-ttl'],
    [{ 'x-message-ttl': 1, 'x-max-priority': 3, 'x-expires': 1 }, {}, 'x-message-ttl'],
    [{ 'x-expires': 1, 'x-max-priority': 3, 'x-message-ttl': 1 }, {}, 'x-expires'],
  ] as const) {
    const reply = await declare(raw, queue, more, flags);
    expect(reply, JSON.stringify(more)).toMatchObject({ replyCode: 406 });
    expect(reply['replyText']).toContain(`'${cause}'`);
  }
});

it('takes arguments at the edges of their range, and keeps those that it does not know', async () => {
  const raw = await broker.raw();
  for (const more of [
    { 'x-max-age': '1Y' },
    { 'x-max-age': '2M' },
    { 'x-max-age': '3D' },
    { 'x-max-age': '1h' },
    { 'x-max-age': '5m' },
    { 'x-max-age': '7s' },
    { 'x-max-age': '01h' },
    { 'x-max-age': '99999999999999999999Y' },
    { 'x-max-length-bytes': 0 },
    { 'x-max-length-bytes': typed('l', 2 ** 40) },
    { 'x-max-length-bytes': typed('b', 5) },
    { 'x-stream-max-segment-size-bytes': 0 },
    { 'x-stream-max-segment-size-bytes': typed('l', 3_000_000_000) },
    { 'x-stream-filter-size-bytes': 16 },
    { 'x-stream-filter-size-bytes': 255 },
    { 'x-initial-cluster-size': 3 },
    { 'x-queue-leader-locator': 'client-local' },
    { 'x-queue-leader-locator': 'balanced' },
    { 'x-queue-leader-locator': 'random' },
    { 'x-queue-leader-locator': 'least-leaders' },
    { 'x-quorum-target-group-size': 3 },
    { 'x-of-mine': 'one' },
  ]) {
    const reply = await declare(raw, broker.name(), more);
    expect(reply.name, JSON.stringify(more)).toBe('queue.declare-ok');
  }
});

it('alone knows its arguments', async () => {
  const raw = await broker.raw();
  for (const type of ['classic', 'quorum']) {
    for (const [key, value] of [
      ['x-max-age', '1h'],
      ['x-stream-max-segment-size-bytes', 10],
    ] as const) {
      const queue = broker.name();
      const args = { 'x-queue-type': type, [key]: value };
      const text = `PRECONDITION_FAILED - invalid arg '${key}' for ${inPlace(queue)} of queue type rabbit_${type}_queue`;
      expect(await raw.attempt(DECLARE, { queue, durable: true, arguments: args })).toMatchObject(
        channelClose(406, text, DECLARE),
      );
    }
  }
});

it('is declared again with the same arguments only', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  const args = { 'x-max-age': '1h', 'x-max-length-bytes': 1000 };
  await declare(raw, queue, args);
  for (const same of [{}, { 'x-max-length-bytes': typed('l', 1000) }, { 'x-of-mine': 'one' }]) {
    expect((await declare(raw, queue, { ...args, ...same })).name).toBe('queue.declare-ok');
  }
  const age = `'x-max-age' for ${inPlace(queue)}`;
  for (const [other, text] of [
    [
      { 'x-max-length-bytes': 1000, 'x-max-age': '60m' },
      `${age}: received '60m' but current is '1h'`,
    ],
    [
      { 'x-max-length-bytes': 1000 },
      `${age}: received none but current is the value '1h' of type 'longstr'`,
    ],
    [
      { ...args, 'x-max-length-bytes': 2000 },
      `'x-max-length-bytes' for ${inPlace(queue)}: received '2000' but current is '1000'`,
    ],
    [
      { ...args, 'x-initial-cluster-size': 3 },
      `'x-initial-cluster-size' for ${inPlace(queue)}: received the value '3' of type 'signedint' but current is none`,
    ],
  ] as const) {
    expect(await declare(raw, queue, other)).toMatchObject(
      channelClose(406, `PRECONDITION_FAILED - inequivalent arg ${text}`, DECLARE),
    );
  }
});

it('is never of another type, nor of another life', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await declare(raw, queue);
  const inequivalent = `PRECONDITION_FAILED - inequivalent arg`;
  for (const [fields, text] of [
    [
      { durable: true, arguments: { 'x-queue-type': 'quorum' } },
      `'x-queue-type' for ${inPlace(queue)}: received 'quorum' but current is 'stream'`,
    ],
    [
      { durable: true },
      `'x-queue-type' for ${inPlace(queue)}: received none but current is the value 'stream' of type 'longstr'`,
    ],
    [{}, `'durable' for ${inPlace(queue)}: received 'false' but current is 'true'`],
    [
      { durable: true, autoDelete: true, arguments: streamWith({}) },
      `'auto_delete' for ${inPlace(queue)}: received 'true' but current is 'false'`,
    ],
  ] as const) {
    expect(await raw.attempt(DECLARE, { queue, ...fields })).toMatchObject(
      channelClose(406, `${inequivalent} ${text}`, DECLARE),
    );
  }
  expect(await declare(raw, queue, {}, { exclusive: true })).toMatchObject({ replyCode: 405 });
  const classic = broker.name();
  await raw.attempt(DECLARE, { queue: classic, durable: true });
  const text = `'x-queue-type' for ${inPlace(classic)}: received the value 'stream' of type 'longstr' but current is none`;
  expect(await declare(raw, classic, { 'x-max-age': '1h' })).toMatchObject(
    channelClose(406, `${inequivalent} ${text}`, DECLARE),
  );
});

it('counts its messages, acked or not, and its consumers', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { durable: true, arguments: streamWith({}) });
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  await channel.prefetch(10);
  const consumer = await collect(channel, queue, { arguments: { 'x-stream-offset': 'first' } });
  await eventually(() => consumer.bodies.length === 3);
  channel.ackAll();
  // RabbitMQ counts messages every five seconds, and consumers in its HTTP API alone.
  await untilReady(channel, queue, 3);
  const { consumerCount } = await channel.checkQueue(queue);
  expect(consumerCount).toBe(expectedFor({ rabbitmq: 0, leveret: 1 }));
});

it('is neither purged nor read by basic.get', async () => {
  for (const [method, fields] of [
    ['queue.purge', {}],
    ['basic.get', {}],
    ['basic.get', { noAck: true }],
  ] as const) {
    const raw = await broker.raw();
    const queue = broker.name();
    await declare(raw, queue);
    const text = `NOT_IMPLEMENTED - ${method} not supported by stream queues ${inPlace(queue)}`;
    expect(await raw.call(1, method, { queue, ...fields })).toMatchObject(
      connectionClose(540, text, method),
    );
  }
});

it('is deleted only if unused, or only if empty, where RabbitMQ deletes it all the same', async () => {
  for (const flag of ['ifUnused', 'ifEmpty']) {
    const channel = await broker.confirmChannel();
    const queue = await broker.queue(channel, { durable: true, arguments: streamWith({}) });
    channel.sendToQueue(queue, Buffer.from('a'));
    await channel.waitForConfirms();
    await channel.prefetch(1);
    await collect(channel, queue, {});
    const raw = await broker.raw();
    expect(await raw.attempt('queue.delete', { queue, [flag]: true })).toMatchObject(
      expectedFor<object>({
        rabbitmq: { name: 'queue.delete-ok', messageCount: 0 },
        leveret: { name: 'channel.close', replyCode: 406 },
      }),
    );
  }
});

it('cancels its consumers when it is deleted', async () => {
  const raw = await broker.raw({ capabilities: { consumer_cancel_notify: true } });
  const queue = broker.name();
  await declare(raw, queue);
  await raw.call(1, 'basic.qos', { prefetchCount: 3 });
  const offset = { 'x-stream-offset': 'first' };
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'reader', arguments: offset });
  raw.publish(1, { routingKey: queue });
  const { method } = await raw.message(1);
  await raw.attempt('queue.delete', { queue });
  expect(await raw.next(1)).toMatchObject({ name: 'basic.cancel', consumerTag: 'reader' });
  raw.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  expect((await raw.call(1, 'basic.qos', { prefetchCount: 4 })).name).toBe('basic.qos-ok');
});
