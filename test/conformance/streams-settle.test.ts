// Consumers of queues of the type stream: acks are credit and no more, and nothing comes back.
import { expect, it } from 'vitest';
import {
  channelClose,
  connectionClose,
  eventually,
  expectedFor,
  isLeveret,
  useBroker,
} from '../support/amqp.ts';
import type { Fields } from '../support/amqp-wire.ts';
import {
  consume,
  inPlace,
  nothingMore,
  offsets,
  offsetsOf,
  type Read,
  read,
  useStreams,
} from './streams.ts';

const { stream, fill, reader } = useStreams(useBroker());
const CONSUME = 'basic.consume';

it('gives credit for acks: as many are on their way as the prefetch says', async () => {
  const queue = await stream(30);
  const raw = await reader(10);
  await consume(raw, queue, 'first');
  const tags = (all: readonly Read[]): unknown[] => all.map(({ deliveryTag }) => deliveryTag);
  expect(offsetsOf(await read(raw, 10))).toEqual(offsets(0, 10));
  await nothingMore(raw);
  raw.send(1, 'basic.ack', { deliveryTag: 1 });
  expect(offsetsOf(await read(raw, 1))).toEqual(offsets(10, 1));
  await nothingMore(raw);
  raw.send(1, 'basic.ack', { deliveryTag: 5, multiple: true });
  expect(tags(await read(raw, 4))).toEqual([12, 13, 14, 15]);
  raw.send(1, 'basic.ack', { deliveryTag: 9 });
  raw.send(1, 'basic.ack', { deliveryTag: 8 });
  expect(offsetsOf(await read(raw, 2))).toEqual(offsets(15, 2));
  await nothingMore(raw);
  raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  expect(offsetsOf(await read(raw, 10))).toEqual(offsets(17, 10));
});

it('keeps the prefetch that was set when the consumer came', async () => {
  const queue = await stream(30);
  const raw = await reader(5);
  await consume(raw, queue, 'first', { consumerTag: 'a' });
  await read(raw, 5);
  await raw.call(1, 'basic.qos', { prefetchCount: 20 });
  await nothingMore(raw);
  raw.send(1, 'basic.ack', { deliveryTag: 5, multiple: true });
  await read(raw, 5);
  await nothingMore(raw);
  await consume(raw, queue, 'first', { consumerTag: 'b' });
  expect(offsetsOf(await read(raw, 20))).toEqual(offsets(0, 20));
  await nothingMore(raw);
});

it('takes nack and reject for credit, where RabbitMQ 3.10 knows neither', async () => {
  const queue = await stream(20);
  const refusal = `NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues ${inPlace(queue)}`;
  for (const [method, fields] of [
    ['basic.nack', { deliveryTag: 1, requeue: true }],
    ['basic.nack', { deliveryTag: 1, requeue: false }],
    ['basic.reject', { deliveryTag: 1, requeue: true }],
    ['basic.reject', { deliveryTag: 1, requeue: false }],
  ] as const) {
    const raw = await reader(10);
    await consume(raw, queue, 'first');
    await read(raw, 10);
    raw.send(1, method, fields);
    const what = expectedFor<() => Promise<void>>({
      rabbitmq: async () =>
        expect(await raw.next(1)).toMatchObject({ replyCode: 540, replyText: refusal }),
      leveret: async () => expect(offsetsOf(await read(raw, 1))).toEqual(offsets(10, 1)),
    });
    await what();
  }
});

it('takes basic.recover for credit, where RabbitMQ 3.10 fails within', async () => {
  const queue = await stream(20);
  const raw = await reader(10);
  await consume(raw, queue, 'first');
  await read(raw, 10);
  expect(await raw.call(1, 'basic.recover', { requeue: true })).toMatchObject(
    expectedFor<object>({
      rabbitmq: connectionClose(541, 'INTERNAL_ERROR'),
      leveret: { name: 'basic.recover-ok' },
    }),
  );
  if (isLeveret) expect(offsetsOf(await read(raw, 10))).toEqual(offsets(10, 10));
});

it('refuses tags that it did not give out, or that are settled', async () => {
  const queue = await stream(5);
  for (const [first, then] of [
    [1, 1],
    [2, 999],
  ]) {
    const raw = await reader(10);
    await consume(raw, queue, 'first');
    await read(raw, 5);
    raw.send(1, 'basic.ack', { deliveryTag: first });
    const text = `PRECONDITION_FAILED - unknown delivery tag ${then}`;
    expect(await raw.call(1, 'basic.ack', { deliveryTag: then })).toMatchObject(
      channelClose(406, text, 'basic.ack'),
    );
  }
});

it('counts acks in a transaction when it is committed', async () => {
  const queue = await stream(20);
  const raw = await reader(10);
  await raw.call(1, 'tx.select');
  await consume(raw, queue, 'first');
  await read(raw, 10);
  raw.send(1, 'basic.ack', { deliveryTag: 5, multiple: true });
  expect((await raw.call(1, 'tx.rollback')).name).toBe('tx.rollback-ok');
  await nothingMore(raw);
  raw.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
  raw.send(1, 'tx.commit');
  // RabbitMQ delivers before it says that all is committed.
  await eventually(() => raw.unread().some(({ name }) => name === 'tx.commit-ok'));
  await eventually(() => raw.unread().filter(({ name }) => name === 'header').length === 3);
  const answer = raw.takeUnread().filter(({ name }) => name === 'header');
  expect(answer.map(({ properties }) => (properties as Fields)['headers'])).toEqual(
    offsets(10, 3).map((offset) => ({ 'x-stream-offset': offset })),
  );
});

it('gives several consumers everything, each from its own place', async () => {
  const queue = await stream(4);
  const raw = await reader();
  await raw.call(1, CONSUME, {
    queue,
    consumerTag: 'a',
    arguments: { 'x-stream-offset': 'first' },
  });
  expect(offsetsOf(await read(raw, 4))).toEqual(offsets(0, 4));
  await raw.call(1, CONSUME, { queue, consumerTag: 'b', arguments: { 'x-stream-offset': 2 } });
  expect(offsetsOf(await read(raw, 2))).toEqual(offsets(2, 2));
  await fill(queue, 1, 4);
  expect(offsetsOf(await read(raw, 2))).toEqual([...offsets(4, 1), ...offsets(4, 1)]);
});

it('takes acks for what a cancelled consumer was given, and forgets its place', async () => {
  const queue = await stream(12);
  const raw = await reader(10);
  await consume(raw, queue, 'first', { consumerTag: 'mine' });
  await read(raw, 10);
  expect((await raw.call(1, 'basic.cancel', { consumerTag: 'mine' })).name).toBe('basic.cancel-ok');
  raw.send(1, 'basic.ack', { deliveryTag: 3, multiple: true });
  await nothingMore(raw);
  // Its unacked messages take nothing off the credit of the next one.
  await consume(raw, queue, 'first', { consumerTag: 'mine' });
  expect(offsetsOf(await read(raw, 10))).toEqual(offsets(0, 10));
});

it('brings nothing back when a channel goes', async () => {
  const queue = await stream(3);
  const raw = await reader(10);
  await consume(raw, queue, 'first');
  await read(raw, 3);
  await raw.call(1, 'channel.close', { replyCode: 200 });
  await raw.openChannel(1);
  await raw.call(1, 'basic.qos', { prefetchCount: 10 });
  await raw.call(1, CONSUME, { queue });
  await nothingMore(raw);
  await fill(queue, 1, 3);
  expect(offsetsOf(await read(raw, 1))).toEqual(offsets(3, 1));
});
