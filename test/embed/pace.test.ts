// Owns the tests of queues that give out messages at a rate, as clients see them.

import { expect, test } from 'vitest';
import { setUp, take } from './support.ts';

test('a consumer is given a bucketful, and the rest as time goes by', async () => {
  const { broker, channel } = await setUp();
  await channel.assertQueue('mails', { arguments: { 'x-delivery-rate': '3/60s' } });
  for (let n = 0; n < 6; n++) channel.sendToQueue('mails', Buffer.from(`mail ${n}`));
  await channel.waitForConfirms();
  const bodies: string[] = [];
  await channel.consume('mails', (message) => bodies.push(String(message?.content)), {
    noAck: true,
  });
  await expect.poll(() => bodies).toEqual(['mail 0', 'mail 1', 'mail 2']);
  expect(broker.queue('mails')).toMatchObject({ ready: 3 });
  await broker.clock.advance(20_000);
  await expect.poll(() => bodies.length).toBe(4);
  await broker.clock.advance(40_000);
  await expect.poll(() => bodies.length).toBe(6);
});

test('basic.get finds the queue empty until its turn has come', async () => {
  const { broker, channel } = await setUp();
  await channel.assertQueue('mails', { arguments: { 'x-delivery-rate': '1/m' } });
  for (const body of ['one', 'two']) channel.sendToQueue('mails', Buffer.from(body));
  await channel.waitForConfirms();
  expect(await take(channel, 'mails')).toBe('one');
  expect(await take(channel, 'mails')).toBe(null);
  await broker.clock.advance(60_000);
  expect(await take(channel, 'mails')).toBe('two');
});

test('what is no rate is refused', async () => {
  const { connection, channel } = await setUp();
  const closed = new Promise((resolve) => channel.on('error', resolve));
  const args = { 'x-delivery-rate': '50 a minute' };
  await expect(channel.assertQueue('mails', { arguments: args })).rejects.toThrow(
    /PRECONDITION_FAILED - invalid arg 'x-delivery-rate' for queue 'mails' in vhost '\/': invalid_rate/,
  );
  await closed;
  await connection.createChannel();
});
