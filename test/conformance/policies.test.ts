// Policies as policies.json has them: which one holds, and how it goes with arguments.

import { randomBytes } from 'node:crypto';
import type { Channel, ConfirmChannel, Options } from 'amqplib';
import { expect } from 'vitest';
import { eventually, pause, prepared, useBroker, withPrepared } from '../support/amqp.ts';

const broker = useBroker();

/** They go with their vhost. */
const fresh = (prefix: string): string => prefix + randomBytes(6).toString('hex');

async function open(): Promise<ConfirmChannel> {
  const model = await broker.connect(`/${prepared('policies')}`);
  const channel = await model.createConfirmChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** A queue of that vhost, whose name begins as a policy asks. */
async function queue(
  channel: Channel,
  prefix: string,
  options: Options.AssertQueue = {},
): Promise<string> {
  const name = fresh(prefix);
  await channel.assertQueue(name, options);
  return name;
}

/** Publishes bodies '1' to 'n', and resolves when all are confirmed. */
async function fill(channel: ConfirmChannel, name: string, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) channel.sendToQueue(name, Buffer.from(String(n)));
  await channel.waitForConfirms();
}

const countOf = async (channel: Channel, name: string): Promise<number> =>
  (await channel.checkQueue(name)).messageCount;

withPrepared('a policy limits the length of a queue', async () => {
  const channel = await open();
  const name = await queue(channel, 'short-');
  await fill(channel, name, 5);
  expect(await countOf(channel, name)).toBe(3);
  const first = await channel.get(name, { noAck: true });
  expect(first).toMatchObject({ content: Buffer.from('3') });
});

withPrepared('of the lengths of argument and policy the smaller holds', async () => {
  const channel = await open();
  const smaller = await queue(channel, 'short-', { maxLength: 2 });
  const larger = await queue(channel, 'short-', { maxLength: 9 });
  await fill(channel, smaller, 5);
  await fill(channel, larger, 5);
  expect(await countOf(channel, smaller)).toBe(2);
  expect(await countOf(channel, larger)).toBe(3);
});

withPrepared('a policy holds for no queue that its pattern does not find', async () => {
  const channel = await open();
  const name = await queue(channel, 'other-short-');
  await fill(channel, name, 5);
  expect(await countOf(channel, name)).toBe(5);
});

withPrepared('a policy lets messages expire, an argument sooner', async () => {
  const channel = await open();
  const name = await queue(channel, 'ttl-');
  const sooner = await queue(channel, 'ttl-', { messageTtl: 0 });
  await fill(channel, name, 2);
  await fill(channel, sooner, 2);
  expect(await countOf(channel, sooner)).toBe(0);
  expect(await countOf(channel, name)).toBe(2);
  await eventually(async () => (await countOf(channel, name)) === 0);
});

withPrepared('a policy makes a full queue refuse messages', async () => {
  const channel = await open();
  const name = await queue(channel, 'full-');
  await fill(channel, name, 1);
  channel.sendToQueue(name, Buffer.from('2'));
  await expect(channel.waitForConfirms()).rejects.toThrow();
  expect(await countOf(channel, name)).toBe(1);
});

withPrepared('a policy says where dead letters go, unless an argument does', async () => {
  const channel = await open();
  const [byPolicy, byArgument] = [await queue(channel, 'caught-'), await queue(channel, 'caught-')];
  const own = fresh('own-');
  await channel.bindQueue(byPolicy, 'amq.direct', 'by-policy');
  await channel.bindQueue(byArgument, 'amq.direct', own);
  const plain = await queue(channel, 'dead-');
  const keyed = await queue(channel, 'dead-', {
    deadLetterExchange: 'amq.direct',
    deadLetterRoutingKey: own,
  });
  for (const name of [plain, keyed]) {
    await fill(channel, name, 1);
    const message = await channel.get(name);
    if (message === false) throw new Error('the queue is empty');
    channel.nack(message, false, false);
  }
  await eventually(async () => (await countOf(channel, byArgument)) === 1);
  expect(await countOf(channel, byPolicy)).toBe(1);
  expect(await channel.get(byPolicy, { noAck: true })).toMatchObject({
    properties: { headers: { 'x-death': [{ queue: plain, reason: 'rejected' }] } },
  });
});

withPrepared('a policy lets unused queues go', async () => {
  const channel = await open();
  const name = await queue(channel, 'gone-');
  const model = await broker.connect(`/${prepared('policies')}`);
  await eventually(async () => {
    // To ask for a queue is to use it.
    await pause(600);
    const other = await model.createChannel();
    other.on('error', () => undefined);
    return other.checkQueue(name).then(
      () => false,
      () => true,
    );
  });
});

withPrepared('only the policy with the highest priority holds, wholly', async () => {
  const channel = await open();
  const name = await queue(channel, 'ranked-');
  await fill(channel, name, 6);
  expect(await countOf(channel, name)).toBe(4);
});

withPrepared('of the limits of policy and operator policy the smaller holds', async () => {
  const channel = await open();
  const name = await queue(channel, 'operated-');
  const smaller = await queue(channel, 'operated-', { maxLength: 1 });
  await fill(channel, name, 6);
  await fill(channel, smaller, 6);
  expect(await countOf(channel, name)).toBe(2);
  expect(await countOf(channel, smaller)).toBe(1);
});

withPrepared('a policy limits the deliveries of a quorum queue', async () => {
  const channel = await open();
  const options = { durable: true, arguments: { 'x-queue-type': 'quorum' } };
  const name = await queue(channel, 'limited-', options);
  await fill(channel, name, 1);
  let deliveries = 0;
  await channel.consume(name, (message) => {
    if (message === null) return;
    deliveries += 1;
    channel.nack(message);
  });
  await eventually(async () => deliveries === 2);
  await eventually(async () => (await countOf(channel, name)) === 0);
  expect(deliveries).toBe(2);
});

withPrepared('a policy gives an exchange an alternate, unless an argument does', async () => {
  const channel = await open();
  const [byPolicy, byArgument] = [await queue(channel, 'caught-'), await queue(channel, 'caught-')];
  await channel.bindQueue(byPolicy, 'amq.fanout', '');
  const other = fresh('other-');
  await channel.assertExchange(other, 'fanout');
  await channel.bindQueue(byArgument, other, '');
  const [plain, own] = [fresh('alternate-'), fresh('alternate-')];
  await channel.assertExchange(plain, 'direct');
  await channel.assertExchange(own, 'direct', { alternateExchange: other });
  channel.publish(plain, 'nowhere', Buffer.from('1'));
  channel.publish(own, 'nowhere', Buffer.from('2'));
  await channel.waitForConfirms();
  expect(await channel.get(byPolicy, { noAck: true })).toMatchObject({ content: Buffer.from('1') });
  expect(await channel.get(byArgument, { noAck: true })).toMatchObject({
    content: Buffer.from('2'),
  });
  expect([await countOf(channel, byPolicy), await countOf(channel, byArgument)]).toEqual([0, 0]);
});

withPrepared('a policy is no part of a declaration', async () => {
  const channel = await open();
  const name = await queue(channel, 'short-');
  await channel.assertQueue(name);
  const raw = await broker.raw({ vhost: prepared('policies') });
  const answer = await raw.call(1, 'queue.declare', { queue: name, durable: true });
  expect(answer).toMatchObject({ name: 'queue.declare-ok', queue: name });
});
