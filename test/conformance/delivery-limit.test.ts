// Delivery limits and delivery counts, which RabbitMQ 3.10 has for quorum queues alone.
import type { Channel, GetMessage } from 'amqplib';
import { expect, it } from 'vitest';
import { eventually, useBroker } from '../support/amqp.ts';

const broker = useBroker();

/** Gets a message that may take a moment to come. */
async function take(channel: Channel, queue: string): Promise<GetMessage> {
  let found: GetMessage | false = false;
  await eventually(async () => {
    found = await channel.get(queue);
    return found !== false;
  });
  return found as unknown as GetMessage;
}

const countOf = (message: GetMessage): number =>
  Number(message.properties.headers?.['x-delivery-count'] ?? 0);

it('counts how often a message came back', async () => {
  const channel = await broker.channel();
  const queue = await broker.queue(channel, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum' },
  });
  channel.sendToQueue(queue, Buffer.from('again'), { persistent: true, headers: { kept: 'yes' } });
  for (let count = 0; count < 4; count++) {
    const message = await take(channel, queue);
    expect(countOf(message)).toBe(count);
    expect(message.fields.redelivered).toBe(count > 0);
    expect(message.properties.headers).toMatchObject({ kept: 'yes' });
    expect(message.content.toString()).toBe('again');
    channel.nack(message, false, true);
  }
});

it('dead-letters a message that comes back once too often', async () => {
  const channel = await broker.channel();
  const dead = await broker.queue(channel, { durable: true });
  const queue = await broker.queue(channel, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': 2,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': dead,
    },
  });
  channel.sendToQueue(queue, Buffer.from('poison'), { persistent: true });
  for (let count = 0; count < 3; count++) {
    const message = await take(channel, queue);
    expect(countOf(message)).toBe(count);
    channel.nack(message, false, true);
  }
  const message = await take(channel, dead);
  expect(message.content.toString()).toBe('poison');
  const { headers } = message.properties;
  expect(headers?.['x-first-death-reason']).toBe('delivery_limit');
  expect(headers?.['x-death']?.[0]).toMatchObject({ queue, reason: 'delivery_limit', count: 1 });
  expect(await channel.get(queue)).toBe(false);
});

it('drops it without a dead-letter exchange', async () => {
  const channel = await broker.channel();
  const queue = await broker.queue(channel, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 0 },
  });
  channel.sendToQueue(queue, Buffer.from('once'), { persistent: true });
  channel.nack(await take(channel, queue), false, true);
  await eventually(async () => (await channel.checkQueue(queue)).messageCount === 0);
  expect(await channel.get(queue)).toBe(false);
});

it.each([
  ['non-durable', { durable: false }],
  ['exclusive-owner', { durable: true, exclusive: true }],
  ['auto-delete', { durable: true, autoDelete: true }],
])('refuses a quorum queue with the property %s', async (property, options) => {
  const channel = await broker.channel();
  channel.on('error', () => {});
  const declared = channel.assertQueue(broker.name(), {
    ...options,
    arguments: { 'x-queue-type': 'quorum' },
  });
  await expect(declared).rejects.toThrow(`invalid property '${property}' for queue`);
});
