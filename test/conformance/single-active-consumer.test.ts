// Single active consumer: one consumer is served, the next takes over when it goes.
import { expect, it } from 'vitest';
import { channelClose, collect, eventually, useBroker } from '../support/amqp.ts';

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
