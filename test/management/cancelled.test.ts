// What consumers hear when an operator deletes over HTTP what they consume from, as RabbitMQ was seen to do it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { endpointOf, RawConnection } from '../support/amqp-raw.ts';
import { type Api, isOracle, startApi, until } from './support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** A connection with two channels that wants to be told, or not, of consumers that end. */
async function open(told: boolean, vhost = '/'): Promise<RawConnection> {
  const raw = await RawConnection.dial(endpointOf(api.amqpUrl));
  await raw.open({ vhost, capabilities: told ? { consumer_cancel_notify: true } : {} });
  await raw.openChannel(1);
  await raw.openChannel(2);
  return raw;
}

const KINDS: [string, object][] = [
  ['a transient queue', {}],
  ['a durable queue', { durable: true }],
  ['a quorum queue', { durable: true, arguments: { 'x-queue-type': 'quorum' } }],
  ['a queue with a single active consumer', { arguments: { 'x-single-active-consumer': true } }],
];

test.each(KINDS)(
  '%s that is deleted over HTTP cancels its consumers in order',
  async (_kind, traits) => {
    const raw = await open(true);
    const deaf = await open(false);
    await raw.call(1, 'queue.declare', { queue: 'q', ...traits });
    for (const [channel, consumerTag] of [
      [1, 'a'],
      [2, 'b'],
      [1, 'c'],
    ] as const) {
      await raw.call(channel, 'basic.consume', { queue: 'q', consumerTag });
    }
    await deaf.call(1, 'basic.consume', { queue: 'q', consumerTag: 'd' });
    expect((await api.call('DELETE', '/queues/%2F/q')).status).toBe(204);
    const cancel = { name: 'basic.cancel', nowait: true };
    expect(await raw.next(1)).toMatchObject({ ...cancel, consumerTag: 'a' });
    expect(await raw.next(1)).toMatchObject({ ...cancel, consumerTag: 'c' });
    expect(await raw.next(2)).toMatchObject({ ...cancel, consumerTag: 'b' });
    // Their tags are free again, and to cancel one that is gone is no error.
    expect((await raw.call(1, 'basic.cancel', { consumerTag: 'a' })).name).toBe('basic.cancel-ok');
    await raw.call(1, 'queue.declare', { queue: 'again', exclusive: true });
    const again = await raw.call(1, 'basic.consume', { queue: 'again', consumerTag: 'a' });
    expect(again.name).toBe('basic.consume-ok');
    // A client that does not know the notice hears nothing.
    expect((await deaf.call(1, 'basic.qos')).name).toBe('basic.qos-ok');
    await raw.close();
    await deaf.close();
  },
);

test('an exclusive queue of a connection is not deleted over HTTP, and its consumer goes on', async () => {
  const raw = await open(true);
  await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
  await raw.call(1, 'basic.consume', { queue: 'own', consumerTag: 'a' });
  expect((await api.call('DELETE', '/queues/%2F/own')).status).toBe(400);
  raw.publish(1, { routingKey: 'own' });
  expect((await raw.message(1)).method).toMatchObject({ consumerTag: 'a' });
  await raw.close();
});

test('a vhost that is deleted ends its connections, with one word on why', async () => {
  await api.call('PUT', '/vhosts/gone', {});
  await api.call('PUT', '/permissions/gone/guest', { configure: '.*', write: '.*', read: '.*' });
  const raw = await open(true, 'gone');
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'a' });
  expect((await api.call('DELETE', '/vhosts/gone')).status).toBe(204);
  let frame = await raw.next();
  // RabbitMQ deletes the queues first, and tells their consumers.
  while (isOracle && frame.name === 'basic.cancel') frame = await raw.next();
  expect(frame).toMatchObject({
    name: 'connection.close',
    replyCode: 320,
    replyText: "CONNECTION_FORCED - vhost 'gone' is deleted",
  });
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  expect(raw.unread()).toEqual([]);
  await until(async () => (await api.call('GET', '/vhosts/gone')).status === 404);
});
