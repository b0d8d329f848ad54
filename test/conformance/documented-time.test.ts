// Delays, retries and duplicates as the pages of RabbitMQ 4.3 and of its plugins have them: the broker that this suite
// was written against has none of it, so that those pages give what is expected. Left out on a RabbitMQ without them.
import type { Channel, ConfirmChannel, GetMessage, Options } from 'amqplib';
import { expect, inject, it, type TestContext } from 'vitest';
import { drain, getSoon, isLeveret, untilReady, useBroker } from '../support/amqp.ts';

const broker = useBroker();
const HOUR = 3_600_000;

/** A channel, unless the broker refuses what `declare` does: then the test is left out. */
async function channelWith(
  context: TestContext,
  declare: (channel: Channel) => Promise<unknown>,
): Promise<ConfirmChannel> {
  if (!isLeveret) {
    const model = await broker.connect();
    const channel = await model.createChannel();
    channel.on('error', () => undefined);
    await declare(channel).catch(() => context.skip('a plugin is not there'));
  }
  return broker.confirmChannel();
}

async function send(
  channel: ConfirmChannel,
  exchange: string,
  key: string,
  body: string,
  headers: Options.Publish['headers'] = {},
): Promise<void> {
  channel.publish(exchange, key, Buffer.from(body), { headers, persistent: true });
  await channel.waitForConfirms();
}

const delayed = (channel: Channel, type: string) =>
  broker.exchange(channel, 'x-delayed-message', { arguments: { 'x-delayed-type': type } });

it('delays what passes an x-delayed-message exchange, the shorter delay first', async (context) => {
  const channel = await channelWith(context, (each) => delayed(each, 'direct'));
  const exchange = await delayed(channel, 'direct');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'k');
  for (const [body, delay] of Object.entries({ long: 1_500, short: 100 })) {
    channel.publish(exchange, 'k', Buffer.from(body), { headers: { 'x-delay': delay } });
  }
  const first = await getSoon(channel, queue);
  expect(first.content.toString()).toBe('short');
  // The plugin says by this that it has waited.
  expect(first.properties.headers).toEqual({ 'x-delay': -100 });
  expect((await getSoon(channel, queue)).content.toString()).toBe('long');
});

it('routes by the type that x-delayed-type names, and at once without x-delay', async (context) => {
  const channel = await channelWith(context, (each) => delayed(each, 'topic'));
  const exchange = await delayed(channel, 'topic');
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'a.*');
  await send(channel, exchange, 'a.b', 'waits', { 'x-delay': HOUR });
  await send(channel, exchange, 'b.a', 'goes nowhere');
  await send(channel, exchange, 'a.c', 'at once');
  await untilReady(channel, queue, 1);
  expect(await drain(channel, queue)).toEqual(['at once']);
});

/** Only from 4.3 on RabbitMQ retries later; Leveret has a version of its own. */
const has43 =
  isLeveret || inject('brokerVersion').localeCompare('4.3', 'en', { numeric: true }) >= 0;

const retrying = (channel: Channel, args: Record<string, unknown>) =>
  broker.queue(channel, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-delayed-retry-min': HOUR, ...args },
  });

const RETURNS: Record<string, (channel: Channel, message: GetMessage) => unknown> = {
  nack: (channel, message) => channel.nack(message),
  reject: (channel, message) => channel.reject(message, true),
  'end of the channel': (channel) => channel.close(),
};

// The page on quorum queues, "Retry Types".
const WAITS: Record<string, readonly string[]> = {
  disabled: [],
  all: ['nack', 'reject', 'end of the channel'],
  failed: ['reject', 'end of the channel'],
  returned: ['nack'],
};

for (const [type, waiting] of Object.entries(WAITS)) {
  it.skipIf(!has43)(`with x-delayed-retry-type ${type}, waits after: ${waiting}`, async () => {
    for (const [how, comeBack] of Object.entries(RETURNS)) {
      const publisher = await broker.confirmChannel();
      const queue = await retrying(publisher, { 'x-delayed-retry-type': type });
      await send(publisher, '', queue, 'job');
      const worker = await broker.channel();
      await comeBack(worker, (await getSoon(worker, queue, {})) as GetMessage);
      // What comes next does not wait, and is behind what is ready again.
      await send(publisher, '', queue, 'next');
      await untilReady(publisher, queue, waiting.includes(how) ? 1 : 2);
      const [head] = await drain(publisher, queue);
      expect(head, how).toBe(waiting.includes(how) ? 'next' : 'job');
    }
  });
}

it.skipIf(!has43)('tries again later, with its count, up to the delivery limit', async () => {
  const channel = await broker.confirmChannel();
  const dead = await broker.queue(channel, { durable: true });
  const queue = await retrying(channel, {
    'x-delayed-retry-type': 'all',
    'x-delayed-retry-min': 50,
    'x-delayed-retry-max': 80,
    'x-delivery-limit': 2,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': dead,
  });
  await send(channel, '', queue, 'poison');
  const counts: unknown[] = [];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const message = await getSoon(channel, queue, {});
    const { headers } = message.properties;
    counts.push([headers?.['x-delivery-count'] ?? 0, headers?.['x-acquired-count'] ?? 0]);
    channel.reject(message, true);
  }
  expect(counts).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
  ]);
  const { headers } = (await getSoon(channel, dead)).properties;
  expect(headers?.['x-first-death-reason']).toBe('delivery_limit');
});

const unique = (channel: Channel) =>
  broker.exchange(channel, 'x-message-deduplication', { arguments: { 'x-cache-size': 10 } });
const key = (value: unknown) => ({ 'x-deduplication-header': value });

it('drops duplicates at an x-message-deduplication exchange, a fanout', async (context) => {
  const channel = await channelWith(context, unique);
  const exchange = await unique(channel);
  const queue = await broker.queue(channel);
  await channel.bindQueue(queue, exchange, 'a key that is not looked at');
  await send(channel, exchange, 'k', 'first', key('a'));
  await send(channel, exchange, 'k', 'again', key('a'));
  await send(channel, exchange, 'k', 'other', key('b'));
  await send(channel, exchange, 'k', 'without a key');
  await send(channel, exchange, 'k', 'without a key');
  await untilReady(channel, queue, 4);
  expect(await drain(channel, queue)).toEqual(['first', 'other', 'without a key', 'without a key']);
});

it('drops in a queue what is in it, and takes it again once that is acked', async (context) => {
  const channel = await channelWith(context, unique);
  const queue = await broker.queue(channel, { arguments: { 'x-message-deduplication': true } });
  await send(channel, '', queue, 'first', key('a'));
  await send(channel, '', queue, 'again', key('a'));
  const message = await getSoon(channel, queue, {});
  expect(message.content.toString()).toBe('first');
  expect(message.fields.messageCount).toBe(0);
  channel.ack(message);
  await send(channel, '', queue, 'once more', key('a'));
  await untilReady(channel, queue, 1);
  expect(await drain(channel, queue)).toEqual(['once more']);
});
