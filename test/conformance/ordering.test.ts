// One publisher's messages keep their order in a queue, whoever consumes and however many.
import type { Message } from 'amqplib';
import { expect, it } from 'vitest';
import { eventually, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const COUNT = 5_000;

it('keeps the order of 5,000 messages among consumers on several channels', async () => {
  const publisher = await broker.confirmChannel();
  const queue = await broker.queue(publisher);
  const connection = await broker.connect();
  const seen: number[][] = [];
  let total = 0;
  for (let i = 0; i < 4; i += 1) {
    const channel = await connection.createChannel();
    await channel.prefetch(50);
    const mine: number[] = [];
    seen.push(mine);
    await channel.consume(queue, (message: Message | null) => {
      if (message === null) return;
      mine.push(Number(message.content.toString()));
      total += 1;
      channel.ack(message);
    });
  }
  for (let i = 0; i < COUNT; i += 1) publisher.sendToQueue(queue, Buffer.from(`${i}`));
  await publisher.waitForConfirms();
  await eventually(() => total === COUNT);
  for (const mine of seen) {
    expect(mine.length).toBeGreaterThan(0);
    expect(mine).toEqual([...mine].sort((a, b) => a - b));
  }
  expect(new Set(seen.flat()).size).toBe(COUNT);
});

it('keeps the order of each publisher where several publish at once', async () => {
  const channel = await broker.channel();
  const queue = await broker.queue(channel);
  const publishers = [
    await broker.confirmChannel(),
    await (await broker.connect()).createConfirmChannel(),
    await (await broker.connect()).createConfirmChannel(),
  ];
  const each = 500;
  for (let i = 0; i < each; i += 1) {
    publishers.forEach((publisher, index) => {
      publisher.sendToQueue(queue, Buffer.from(`${index}:${i}`));
    });
  }
  await Promise.all(publishers.map((publisher) => publisher.waitForConfirms()));
  const next = [0, 0, 0];
  for (let i = 0; i < 3 * each; i += 1) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) throw new Error(`only ${i} messages are there`);
    const [index, number] = message.content.toString().split(':').map(Number);
    expect(number).toBe(next[index as number]);
    next[index as number] = (number as number) + 1;
  }
  expect(next).toEqual([each, each, each]);
});

it('keeps the order between exchanges that lead to one queue', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  const exchanges = ['', await broker.exchange(channel, 'fanout')];
  exchanges.push(await broker.exchange(channel, 'topic'));
  for (const exchange of exchanges.slice(1)) await channel.bindQueue(queue, exchange, '#');
  for (let i = 0; i < 300; i += 1) {
    channel.publish(exchanges[i % 3] as string, queue, Buffer.from(`${i}`));
  }
  await channel.waitForConfirms();
  for (let i = 0; i < 300; i += 1) {
    const message = await channel.get(queue, { noAck: true });
    expect(message === false ? 'nothing' : message.content.toString()).toBe(`${i}`);
  }
});

it('keeps the order of small and large messages, transient and persistent', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { durable: true });
  const sizes = [10, 200_000, 0, 5_000, 1, 140_000];
  for (let i = 0; i < 60; i += 1) {
    const body = Buffer.alloc(4 + (sizes[i % sizes.length] as number));
    body.writeUInt32BE(i);
    channel.sendToQueue(queue, body, { persistent: i % 4 < 2 });
  }
  await channel.waitForConfirms();
  for (let i = 0; i < 60; i += 1) {
    const message = await channel.get(queue, { noAck: true });
    if (message === false) throw new Error(`only ${i} messages are there`);
    expect(message.content.readUInt32BE()).toBe(i);
    expect(message.content.length).toBe(4 + (sizes[i % sizes.length] as number));
  }
});
