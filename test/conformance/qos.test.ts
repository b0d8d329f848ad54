// basic.qos as RabbitMQ reads it: a limit per consumer, and one per channel.
import type { Channel } from 'amqplib';
import { expect, it } from 'vitest';
import {
  type Consumed,
  collect,
  connectionClose,
  eventually,
  untilReady,
  useBroker,
} from '../support/amqp.ts';

const broker = useBroker();

async function filled(channel: Channel, count: number): Promise<string> {
  const queue = await broker.queue(channel);
  for (let i = 0; i < count; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await untilReady(channel, queue, count);
  return queue;
}

/** Waits until so many are delivered, and sees by the count of ready ones that no more will be. */
async function untilStalled(
  consumers: Consumed[],
  delivered: number,
  queue: string,
  ready: number,
): Promise<void> {
  const channel = await broker.channel();
  const sum = () => consumers.reduce((total, consumer) => total + consumer.bodies.length, 0);
  await eventually(() => sum() >= delivered, `${delivered} deliveries`);
  await untilReady(channel, queue, ready);
  expect(sum()).toBe(delivered);
}

it('limits the unacked messages of each consumer by itself', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(3);
  const first = await collect(channel, queue, {});
  await untilStalled([first], 3, queue, 7);
  const second = await collect(channel, queue, {});
  await untilStalled([first, second], 6, queue, 4);
  expect(second.bodies).toHaveLength(3);
});

it('delivers one more for each ack', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 6);
  await channel.prefetch(2);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 2, queue, 4);
  for (let i = 0; i < 4; i += 1) {
    const message = consumer.messages[i];
    if (message !== undefined) channel.ack(message);
    await untilStalled([consumer], i + 3, queue, 3 - i);
  }
  expect(consumer.bodies).toEqual(['0', '1', '2', '3', '4', '5']);
});

it('sets no limit with 0', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 50);
  await channel.prefetch(0);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 50, queue, 0);
});

it('applies a change to new consumers only', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(2);
  const first = await collect(channel, queue, {});
  await untilStalled([first], 2, queue, 8);
  await channel.prefetch(5);
  await untilStalled([first], 2, queue, 8);
  const second = await collect(channel, queue, {});
  await untilStalled([first, second], 7, queue, 3);
  expect(second.bodies).toHaveLength(5);
});

it('shares one limit among all consumers of the channel where it is global', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(4, true);
  const first = await collect(channel, queue, {});
  const second = await collect(channel, queue, {});
  await untilStalled([first, second], 4, queue, 6);
  const message = first.messages[0] ?? second.messages[0];
  if (message !== undefined) channel.ack(message);
  await untilStalled([first, second], 5, queue, 5);
});

it('applies a global change to consumers that are there', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(2, true);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 2, queue, 8);
  await channel.prefetch(5, true);
  await untilStalled([consumer], 5, queue, 5);
  await channel.prefetch(0, true);
  await untilStalled([consumer], 10, queue, 0);
});

it('keeps to the tighter of both limits', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 20);
  await channel.prefetch(3);
  await channel.prefetch(5, true);
  const first = await collect(channel, queue, {});
  await untilStalled([first], 3, queue, 17);
  const second = await collect(channel, queue, {});
  await untilStalled([first, second], 5, queue, 15);
  expect(second.bodies).toHaveLength(2);
});

it('limits neither consumers without acks nor basic.get', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(1);
  await channel.prefetch(1, true);
  for (let i = 0; i < 3; i += 1) expect(await channel.get(queue)).toBeTruthy();
  const consumer = await collect(channel, queue, { noAck: true });
  await untilStalled([consumer], 7, queue, 0);
});

it('passes a consumer over that has no credit left', async () => {
  const channel = await broker.channel();
  const queue = await broker.queue(channel);
  await channel.prefetch(1);
  const slow = await collect(channel, queue, {});
  await channel.prefetch(0);
  const quick = await collect(channel, queue, {});
  for (let i = 0; i < 10; i += 1) channel.sendToQueue(queue, Buffer.from(`${i}`));
  await untilStalled([slow, quick], 10, queue, 0);
  expect(slow.bodies).toHaveLength(1);
});

it('gives the credit of a rejected message back', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 4);
  await channel.prefetch(1);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 1, queue, 3);
  channel.reject(consumer.messages[0] as NonNullable<(typeof consumer.messages)[0]>, false);
  await untilStalled([consumer], 2, queue, 2);
  expect(consumer.bodies).toEqual(['0', '1']);
});

it('holds back until enough is settled when the limit of the channel is lowered', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 10);
  await channel.prefetch(5, true);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 5, queue, 5);
  await channel.prefetch(2, true);
  for (const message of consumer.messages.slice(0, 3)) channel.ack(message);
  await untilStalled([consumer], 5, queue, 5);
  channel.ack(consumer.messages[3] as NonNullable<(typeof consumer.messages)[0]>);
  await untilStalled([consumer], 6, queue, 4);
});

it('counts what a cancelled consumer has not settled towards the limit of the channel', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 6);
  await channel.prefetch(2, true);
  const first = await collect(channel, queue, {});
  await untilStalled([first], 2, queue, 4);
  await channel.cancel(first.consumerTag);
  const second = await collect(channel, queue, {});
  await untilStalled([second], 0, queue, 4);
  channel.ack(first.messages[0] as NonNullable<(typeof first.messages)[0]>);
  await untilStalled([second], 1, queue, 3);
});

it('gives the credit back that recover takes', async () => {
  const channel = await broker.channel();
  const queue = await filled(channel, 2);
  await channel.prefetch(1);
  const consumer = await collect(channel, queue, {});
  await untilStalled([consumer], 1, queue, 1);
  await channel.recover();
  await untilStalled([consumer], 2, queue, 1);
  expect(consumer.bodies).toEqual(['0', '0']);
});

it('refuses a prefetch size', async () => {
  for (const global of [false, true]) {
    const raw = await broker.raw();
    expect(await raw.call(1, 'basic.qos', { prefetchSize: 9, global })).toMatchObject(
      connectionClose(540, 'NOT_IMPLEMENTED - prefetch_size!=0 (9)', 'basic.qos'),
    );
  }
});
