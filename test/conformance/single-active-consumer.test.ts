// Single active consumer: one consumer is served, the next takes over when it goes.
import { expect, it } from 'vitest';
import { channelClose, collect, eventually, getSoon, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const SINGLE = { arguments: { 'x-single-active-consumer': true } };

it('serves the first consumer alone, then the next in the order of their coming', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  const first = await collect(channel, queue);
  const second = await collect(channel, queue);
  const third = await collect(channel, queue);
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  await eventually(() => first.bodies.length === 3);
  await channel.cancel(first.consumerTag);
  channel.sendToQueue(queue, Buffer.from('d'));
  await eventually(() => second.bodies.length === 1);
  await channel.cancel(second.consumerTag);
  channel.sendToQueue(queue, Buffer.from('e'));
  await eventually(() => third.bodies.length === 1);
  expect([first.bodies, second.bodies, third.bodies]).toEqual([['a', 'b', 'c'], ['d'], ['e']]);
});

it('keeps to the active consumer although it has no credit left', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  await channel.prefetch(1);
  const first = await collect(channel, queue, {});
  const second = await collect(channel, queue, {});
  for (const body of ['a', 'b']) channel.sendToQueue(queue, Buffer.from(body));
  await channel.waitForConfirms();
  await eventually(() => first.bodies.length === 1);
  expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 1, consumerCount: 2 });
  channel.ack(first.messages[0] as NonNullable<(typeof first.messages)[0]>);
  await eventually(() => first.bodies.length === 2);
  expect(second.bodies).toEqual([]);
});

it('hands over when the channel of the active consumer closes', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  const leaving = await broker.channel();
  const first = await collect(leaving, queue, {});
  const second = await collect(channel, queue, {});
  channel.sendToQueue(queue, Buffer.from('a'));
  await eventually(() => first.bodies.length === 1);
  await leaving.close();
  await eventually(() => second.bodies.length === 1);
  expect(second.messages[0]?.fields.redelivered).toBe(true);
});

it('refuses an exclusive consumer', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, ...SINGLE });
  const reply = await raw.call(1, 'basic.consume', { queue, exclusive: true });
  expect(reply).toMatchObject(
    channelClose(
      403,
      `ACCESS_REFUSED - queue '${queue}' in vhost '/' in exclusive use`,
      'basic.consume',
    ),
  );
});

it('hands over to the highest priority, and leaves who is active where it is', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  const first = await collect(channel, queue, { noAck: true });
  const second = await collect(channel, queue, { noAck: true });
  const high = await collect(channel, queue, { noAck: true, priority: 5 });
  channel.sendToQueue(queue, Buffer.from('a'));
  await eventually(() => first.bodies.length === 1);
  await channel.cancel(first.consumerTag);
  channel.sendToQueue(queue, Buffer.from('b'));
  await eventually(() => high.bodies.length === 1);
  await channel.cancel(high.consumerTag);
  channel.sendToQueue(queue, Buffer.from('c'));
  await eventually(() => second.bodies.length === 1);
  expect([first.bodies, high.bodies, second.bodies]).toEqual([['a'], ['b'], ['c']]);
});

it('gives the next consumer what the leaving one had not settled, first and in order', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  const leaving = await broker.channel();
  await leaving.prefetch(3);
  const first = await collect(leaving, queue, {});
  const second = await collect(channel, queue, {});
  for (const body of ['a', 'b', 'c', 'd', 'e']) channel.sendToQueue(queue, Buffer.from(body));
  await eventually(() => first.bodies.length === 3);
  leaving.ack(first.messages[1] as NonNullable<(typeof first.messages)[0]>);
  await eventually(() => first.bodies.length === 4);
  await leaving.close();
  await eventually(() => second.bodies.length === 4);
  expect(second.bodies).toEqual(['a', 'c', 'd', 'e']);
  expect(second.messages.map(({ fields }) => fields.redelivered)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

it('lets a cancelled consumer give back what it has, to the next one', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  const first = await collect(channel, queue, {});
  const second = await collect(channel, queue, {});
  channel.sendToQueue(queue, Buffer.from('a'));
  await eventually(() => first.bodies.length === 1);
  await channel.cancel(first.consumerTag);
  channel.nack(first.messages[0] as NonNullable<(typeof first.messages)[0]>);
  await eventually(() => second.bodies.length === 1);
  expect(second.messages[0]?.fields.redelivered).toBe(true);
});

it('gives by basic.get beside the active consumer', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, SINGLE);
  await channel.prefetch(1);
  const first = await collect(channel, queue, {});
  for (const body of ['a', 'b']) channel.sendToQueue(queue, Buffer.from(body));
  await eventually(() => first.bodies.length === 1);
  expect((await getSoon(channel, queue)).content.toString()).toBe('b');
});

it('goes with its last consumer where it is auto-delete, not with the active one', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { ...SINGLE, autoDelete: true });
  const first = await collect(channel, queue);
  const second = await collect(channel, queue);
  await channel.cancel(first.consumerTag);
  expect(await channel.checkQueue(queue)).toMatchObject({ consumerCount: 1 });
  await channel.cancel(second.consumerTag);
  const raw = await broker.raw();
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    replyCode: 404,
  });
});

it('takes false for none', async () => {
  const raw = await broker.raw();
  const queue = broker.name();
  await raw.call(1, 'queue.declare', { queue, arguments: { 'x-single-active-consumer': false } });
  const reply = await raw.call(1, 'basic.consume', { queue, exclusive: true });
  expect(reply.name).toBe('basic.consume-ok');
});
