// Owns the tests of filters of streams over the wire: what a consumer with one is given, and how messages come by values.

import { type Channel, type ConfirmChannel, connect } from 'amqplib';
import { expect, test } from 'vitest';
import { alikePair } from '../../broker/queue/stream/filter/filtered-stream.ts';
import { useServers } from '../support.ts';

const start = useServers();

const STREAM = { durable: true, arguments: { 'x-queue-type': 'stream' } };

async function open(): Promise<{ channel: ConfirmChannel; close: () => Promise<void> }> {
  const server = await start();
  const connection = await connect(`amqp://127.0.0.1:${server.endpoint.port}`);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('s', STREAM);
  return { channel, close: () => connection.close() };
}

const valued = (value?: unknown) => ({
  headers: value === undefined ? {} : { 'x-stream-filter-value': value },
});

/** The bodies that a consumer is given, with their offsets, until it is cancelled at the end. */
async function replayed(channel: Channel, args: Record<string, unknown>): Promise<string[]> {
  const given: string[] = [];
  await channel.prefetch(2);
  await new Promise<void>((done, fail) => {
    const all = { 'x-stream-offset': 'first', 'x-stream-until': 'end', ...args };
    const take = (message: { content: Buffer } | null): void => {
      if (message === null) return done();
      const { headers } = (message as { properties?: { headers?: object } }).properties ?? {};
      const offset = (headers as Record<string, unknown>)['x-stream-offset'];
      given.push(`${offset} ${message.content.toString()}`);
      channel.ack(message as Parameters<Channel['ack']>[0]);
    };
    channel.consume('s', take, { arguments: all }).catch(fail);
  });
  return given;
}

test('a consumer is given what its filter says, and the end of a replay comes though nothing matches', async () => {
  const { channel, close } = await open();
  for (const value of ['a', 'b', undefined, 'a', 'c', 7, 'b']) {
    channel.sendToQueue('s', Buffer.from(String(value)), valued(value));
  }
  await channel.waitForConfirms();
  expect(await replayed(channel, { 'x-stream-filter': 'a' })).toEqual(['0 a', '3 a']);
  expect(await replayed(channel, { 'x-stream-filter': ['b', 'c'] })).toEqual(['1 b', '4 c', '6 b']);
  expect(
    await replayed(channel, { 'x-stream-filter': 'c', 'x-stream-match-unfiltered': true }),
  ).toEqual(['2 undefined', '4 c', '5 7']);
  expect(await replayed(channel, { 'x-stream-filter': 'nothing' })).toEqual([]);
  await close();
});

test('a search of more than one turn comes to its end', async () => {
  const { channel, close } = await open();
  const [one, other] = alikePair();
  for (let n = 0; n < 3_000; n++) channel.sendToQueue('s', Buffer.from('x'), valued(other));
  channel.sendToQueue('s', Buffer.from('found'), valued(one));
  await channel.waitForConfirms();
  expect(await replayed(channel, { 'x-stream-filter': one })).toEqual(['3000 found']);
  await close();
});

test('a consumer at the tail is given what comes and matches', async () => {
  const { channel, close } = await open();
  const given: string[] = [];
  await channel.prefetch(1);
  const came = new Promise<void>((done) => {
    const take = (message: Parameters<Channel['ack']>[0] | null): void => {
      if (message === null) return;
      given.push(message.content.toString());
      channel.ack(message);
      if (given.length === 2) done();
    };
    void channel.consume('s', take, { arguments: { 'x-stream-filter': 'a' } });
  });
  for (let n = 0; n < 600; n++) {
    const value = n % 300 === 299 ? 'a' : 'b';
    channel.sendToQueue('s', Buffer.from(String(n)), valued(value));
  }
  await came;
  expect(given).toEqual(['299', '599']);
  await close();
});

test('values count however a message comes into a stream: in a transaction, through exchanges, as a dead letter', async () => {
  const { channel, close } = await open();
  await channel.assertExchange('topics', 'topic');
  await channel.bindQueue('s', 'topics', '#');
  channel.publish('topics', 'k', Buffer.from('routed'), valued('a'));
  await channel.waitForConfirms();
  const letters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 's' };
  await channel.assertQueue('q', { arguments: letters });
  channel.sendToQueue('q', Buffer.from('dead'), { ...valued('a'), persistent: true });
  await channel.waitForConfirms();
  const got = await channel.get('q');
  if (got !== false) channel.nack(got, false, false);
  await channel.waitForConfirms();
  const given: string[] = [];
  while (given.length < 2)
    given.splice(0, 2, ...(await replayed(channel, { 'x-stream-filter': 'a' })));
  expect(given).toEqual(['0 routed', '1 dead']);
  await close();
});
