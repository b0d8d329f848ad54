// Owns the tests of queues with groups, as clients see them.

import type { ConsumeMessage } from 'amqplib';
import { expect, test } from 'vitest';
import { setUp, take } from './support.ts';

test('a customer with very many jobs holds up no other, and jobs of one are done in order', async () => {
  const { channel } = await setUp();
  await channel.assertQueue('jobs', { arguments: { 'x-group-header': 'tenant' } });
  const send = (tenant: string | number, body: string) =>
    channel.sendToQueue('jobs', Buffer.from(body), { headers: { tenant } });
  for (let n = 0; n < 500; n++) send('large', `large ${n}`);
  for (let n = 0; n < 3; n++) send(7, `small ${n}`);
  await channel.waitForConfirms();
  const messages: ConsumeMessage[] = [];
  await channel.consume('jobs', (message) => {
    if (message !== null) messages.push(message);
  });
  const bodies = () => messages.map(({ content }) => String(content));
  await expect.poll(bodies).toEqual(['large 0', 'small 0']);
  channel.ack(messages[1] as ConsumeMessage);
  await expect.poll(bodies).toEqual(['large 0', 'small 0', 'small 1']);
  channel.nack(messages[0] as ConsumeMessage);
  await expect.poll(() => bodies().at(-1)).toBe('large 0');
  expect(messages.at(-1)?.fields.redelivered).toBe(true);
});

test('a job that is tried again later holds up its group alone', async () => {
  const { broker, channel } = await setUp();
  const args = { 'x-group-header': 'tenant', 'x-delayed-retry-min': 60_000 };
  await channel.assertQueue('jobs', { arguments: args });
  for (const [tenant, body] of [
    ['a', 'a1'],
    ['a', 'a2'],
    ['b', 'b1'],
  ]) {
    channel.sendToQueue('jobs', Buffer.from(String(body)), { headers: { tenant } });
  }
  await channel.waitForConfirms();
  const first = await channel.get('jobs');
  if (first === false) throw new Error('there is none');
  channel.nack(first);
  expect(await take(channel, 'jobs')).toBe('b1');
  expect(await take(channel, 'jobs')).toBe(null);
  await broker.clock.advance(60_000);
  expect(await take(channel, 'jobs')).toBe('a1');
  expect(await take(channel, 'jobs')).toBe('a2');
});

test('the concurrency of a queue without groups bounds all its consumers together', async () => {
  const { channel, connection } = await setUp();
  await channel.assertQueue('jobs', { arguments: { 'x-group-concurrency': 2 } });
  for (let n = 0; n < 6; n++) channel.sendToQueue('jobs', Buffer.from(`${n}`));
  await channel.waitForConfirms();
  const other = await connection.createChannel();
  const got: { readonly ack: () => void }[] = [];
  for (const each of [channel, other]) {
    await each.consume('jobs', (message) => {
      if (message !== null) got.push({ ack: () => each.ack(message) });
    });
  }
  await expect.poll(() => got.length).toBe(2);
  expect(await take(channel, 'jobs')).toBe(null);
  for (let n = 0; n < 6; n++) {
    await expect.poll(() => got.length).toBe(Math.min(6, n + 2));
    got[n]?.ack();
  }
});

test('groups and a highest priority exclude each other', async () => {
  const { channel } = await setUp();
  const closed = new Promise((resolve) => channel.on('error', resolve));
  const args = { 'x-group-header': 'tenant', 'x-max-priority': 5 };
  await expect(channel.assertQueue('jobs', { arguments: args })).rejects.toThrow(
    /PRECONDITION_FAILED - invalid arg 'x-group-header' for queue 'jobs' in vhost '\/': group_header_with_max_priority/,
  );
  await closed;
});
