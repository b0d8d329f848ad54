// Messages and queues that expire, queues that are full, and priorities.
import type { ConfirmChannel } from 'amqplib';
import { expect, it } from 'vitest';
import { drain, eventually, pause, untilReady, useBroker } from '../support/amqp.ts';
import { encodeMethod, typed } from '../support/amqp-wire.ts';

const broker = useBroker();

function send(channel: ConfirmChannel, queue: string, ...bodies: string[]): Promise<void> {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body));
  return channel.waitForConfirms();
}

it('expires messages by the time to live of their queue', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { messageTtl: 30 });
  await send(channel, queue, 'a', 'b');
  await untilReady(channel, queue, 0);
});

it('expires a message by its own expiration, the lower of both', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { messageTtl: 60_000 });
  channel.sendToQueue(queue, Buffer.from('short'), { expiration: '30' });
  await channel.waitForConfirms();
  await untilReady(channel, queue, 0);
});

it('never delivers a message that has expired behind a living one', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel);
  channel.sendToQueue(queue, Buffer.from('lives'));
  channel.sendToQueue(queue, Buffer.from('dies'), { expiration: '20' });
  channel.sendToQueue(queue, Buffer.from('lives too'));
  await channel.waitForConfirms();
  await pause(60);
  expect(await drain(channel, queue)).toEqual(['lives', 'lives too']);
});

it('takes a time to live of 0 for now or never', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { messageTtl: 0 });
  await send(channel, queue, 'never');
  expect(await drain(channel, queue)).toEqual([]);
  const bodies: string[] = [];
  await channel.consume(queue, (message) => bodies.push(`${message?.content}`), { noAck: true });
  await send(channel, queue, 'now');
  await eventually(() => bodies.length === 1);
  expect(bodies).toEqual(['now']);
});

it('does not expire what is unacked, but what comes back', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { messageTtl: 30 });
  // On a busy machine a message may expire before it can be got.
  const message = await eventually(async () => {
    await send(channel, queue, 'held');
    return channel.get(queue);
  });
  await pause(60);
  expect(message.content.toString()).toBe('held');
  channel.nack(message);
  await untilReady(channel, queue, 0);
});

it('deletes a queue that nobody used for the time of x-expires', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { expires: 60 });
  await eventually(async () => {
    const other = await broker.raw();
    // To ask for a queue is to use it.
    await pause(200);
    const asked = await other.attempt('queue.declare', { queue, passive: true });
    return asked['replyCode'] === 404;
  });
});

it('keeps a queue that has a consumer, however short x-expires is', async () => {
  const raw = await broker.raw();
  const queue = broker.name('kept');
  // Both in one write: on a busy machine the queue may expire between two.
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'queue.declare', { queue, arguments: { 'x-expires': typed('I', 60) } }),
      encodeMethod(1, 'basic.consume', { queue }),
    ]),
  );
  expect((await raw.next(1)).name).toBe('queue.declare-ok');
  expect((await raw.next(1)).name).toBe('basic.consume-ok');
  await pause(200);
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    name: 'queue.declare-ok',
    consumerCount: 1,
  });
});

it('drops the oldest messages beyond x-max-length', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { maxLength: 3 });
  await send(channel, queue, 'a', 'b', 'c', 'd', 'e');
  expect(await drain(channel, queue)).toEqual(['c', 'd', 'e']);
});

it('counts ready messages only towards x-max-length', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { maxLength: 2 });
  await send(channel, queue, 'a', 'b');
  await channel.get(queue);
  await send(channel, queue, 'c');
  expect(await drain(channel, queue)).toEqual(['b', 'c']);
});

it('drops the oldest messages beyond x-max-length-bytes of bodies', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { arguments: { 'x-max-length-bytes': 10 } });
  await send(channel, queue, 'aaaa', 'bbbb', 'cc', 'd');
  expect(await drain(channel, queue)).toEqual(['bbbb', 'cc', 'd']);
});

it('takes nothing into a full queue that rejects', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { maxLength: 2, overflow: 'reject-publish' });
  await send(channel, queue, 'a', 'b');
  await expect(send(channel, queue, 'c')).rejects.toThrow();
  expect(await drain(channel, queue)).toEqual(['a', 'b']);
});

it('delivers by priority, and in order within one', async () => {
  const channel = await broker.confirmChannel();
  const queue = await broker.queue(channel, { maxPriority: 5 });
  const messages: [string, number | null][] = [
    ['a1', 1],
    ['b0', null],
    ['c5', 5],
    ['d1', 1],
    ['e9', 9],
    ['f0', 0],
    ['g3', 3],
  ];
  for (const [body, priority] of messages) {
    channel.sendToQueue(queue, Buffer.from(body), priority === null ? {} : { priority });
  }
  await channel.waitForConfirms();
  expect(await drain(channel, queue)).toEqual(['c5', 'e9', 'g3', 'a1', 'd1', 'b0', 'f0']);
});
