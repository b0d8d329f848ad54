// Queues of the type quorum, as their consumers see them.
import { expect, it } from 'vitest';
import {
  channelClose,
  collect,
  connectionClose,
  eventually,
  expectedFor,
  useBroker,
} from '../support/amqp.ts';
import type { Fields } from '../support/amqp-wire.ts';

const broker = useBroker();
const QUORUM = { durable: true, arguments: { 'x-queue-type': 'quorum' } };

async function rawQueue(more: object = {}) {
  const raw = await broker.raw();
  const queue = broker.name();
  const args = { ...QUORUM.arguments, ...more };
  await raw.call(1, 'queue.declare', { queue, durable: true, arguments: args });
  return { raw, queue };
}

it('gives the flag exclusive of a consumer no meaning', async () => {
  const { raw, queue } = await rawQueue();
  for (const consumerTag of ['a', 'b', 'c']) {
    const fields = { queue, consumerTag, exclusive: consumerTag !== 'c' };
    expect((await raw.call(1, 'basic.consume', fields)).name).toBe('basic.consume-ok');
  }
});

it('takes an exclusive consumer beside a single active one', async () => {
  const { raw, queue } = await rawQueue({ 'x-single-active-consumer': true });
  const reply = await raw.call(1, 'basic.consume', { queue, exclusive: true });
  expect(reply.name).toBe('basic.consume-ok');
});

it('refuses basic.get where there is a single active consumer', async () => {
  const { raw, queue } = await rawQueue({ 'x-single-active-consumer': true });
  const text =
    `RESOURCE_LOCKED - cannot obtain access to locked queue '${queue}' in vhost '/'. basic.get ` +
    'operations are not supported by quorum queues with single active consumer';
  expect(await raw.call(1, 'basic.get', { queue })).toMatchObject(
    channelClose(405, text, 'basic.get'),
  );
});

it('has one consumer served at a time where it is asked to', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, {
    durable: true,
    arguments: { ...QUORUM.arguments, 'x-single-active-consumer': true },
  });
  const leaving = await broker.channel();
  const first = await collect(leaving, queue, {});
  const second = await collect(channel, queue, {});
  for (const body of ['a', 'b']) channel.sendToQueue(queue, Buffer.from(body));
  await eventually(() => first.bodies.length === 2);
  expect(second.bodies).toEqual([]);
  await leaving.close();
  await eventually(() => second.bodies.length === 2);
  expect(second.bodies).toEqual(['a', 'b']);
});

it('limits the unacked messages of each consumer', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, QUORUM);
  await channel.prefetch(2);
  const consumer = await collect(channel, queue, {});
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  await eventually(async () => (await channel.checkQueue(queue)).messageCount === 1);
  await eventually(() => consumer.bodies.length === 2);
  channel.ack(consumer.messages[0] as NonNullable<(typeof consumer.messages)[0]>);
  await eventually(() => consumer.bodies.length === 3);
  expect(consumer.bodies).toEqual(['a', 'b', 'c']);
});

it('is consumed from under a limit for the whole channel, where RabbitMQ refuses', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'basic.qos', { prefetchCount: 1, global: true });
  const text = `NOT_IMPLEMENTED - queue '${queue}' in vhost '/' does not support global qos`;
  expect(await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' })).toMatchObject(
    expectedFor<object>({
      rabbitmq: connectionClose(540, text, 'basic.consume'),
      leveret: { name: 'basic.consume-ok' },
    }),
  );
});

it('takes a limit for the whole channel that comes later, or is none', async () => {
  const { raw, queue } = await rawQueue();
  await raw.call(1, 'basic.qos', { prefetchCount: 0, global: true });
  expect((await raw.call(1, 'basic.consume', { queue })).name).toBe('basic.consume-ok');
  const reply = await raw.call(1, 'basic.qos', { prefetchCount: 5, global: true });
  expect(reply.name).toBe('basic.qos-ok');
});

it('is deleted only if unused, or only if empty, where RabbitMQ knows no such deletion', async () => {
  for (const [flag, leveret] of [
    ['ifUnused', { name: 'channel.close', replyCode: 406 }],
    ['ifEmpty', { name: 'queue.delete-ok' }],
  ] as const) {
    const { raw, queue } = await rawQueue();
    await raw.call(1, 'basic.consume', { queue });
    const word = flag === 'ifUnused' ? 'if-unused' : 'if-empty';
    const text =
      `NOT_IMPLEMENTED - cannot delete queue '${queue}' in vhost '/'. queue.delete operations ` +
      `with ${word} flag set are not supported by quorum queues`;
    expect(await raw.call(1, 'queue.delete', { queue, [flag]: true })).toMatchObject(
      expectedFor<object>({ rabbitmq: connectionClose(540, text, 'queue.delete'), leveret }),
    );
  }
});

it('counts deliveries from 0 on for basic.get, and from the first return on for consumers', async () => {
  const { raw, queue } = await rawQueue();
  const fields = { routingKey: queue };
  raw.publish(1, fields, { deliveryMode: 2, headers: { own: 'a', 'x-delivery-count': 'a' } });
  const got: unknown[] = [];
  for (let tag = 1; tag <= 3; tag++) {
    await eventually(async () => {
      raw.send(1, 'basic.get', { queue });
      const reply = await raw.next(1);
      if (reply.name === 'basic.get-empty') return false;
      got.push(((await raw.next(1))['properties'] as Fields)['headers']);
      return true;
    });
    raw.send(1, 'basic.nack', { deliveryTag: tag, requeue: true });
  }
  const count = (value: number) => ({ own: 'a', 'x-delivery-count': { tag: 'l', value } });
  expect(got).toMatchObject([count(0), count(1), count(2)]);
  await raw.call(1, 'basic.consume', { queue, consumerTag: 'c' });
  expect((await raw.message(1)).properties['headers']).toMatchObject(count(3));
  raw.publish(1, fields, { headers: { own: 'b' } });
  expect((await raw.message(1)).properties['headers']).toEqual({ own: 'b' });
});
