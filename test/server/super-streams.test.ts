// Super streams over AMQP: consumed by their own name, in groups, with rights.

import { expect, test } from 'vitest';
import type { RawConnection } from '../support/amqp-raw.ts';
import { type Fields, typed } from '../support/amqp-wire.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();

/** A super stream `sums` with so many partitions. */
async function declared(raw: RawConnection, partitions: number): Promise<void> {
  const args = { 'x-super-stream': true };
  const exchange = { exchange: 'sums', type: 'direct', durable: true, arguments: args };
  await raw.call(1, 'exchange.declare', exchange);
  for (let n = 0; n < partitions; n++) {
    const queue = `sums-${n}`;
    const stream = { queue, durable: true, arguments: { 'x-queue-type': 'stream' } };
    await raw.call(1, 'queue.declare', stream);
    const order = { 'x-stream-partition-order': typed('l', n) };
    const binding = { queue, exchange: 'sums', routingKey: String(n), arguments: order };
    await raw.call(1, 'queue.bind', binding);
  }
}

const group = (name: string, more: Fields = {}) => ({
  queue: 'sums',
  arguments: { 'x-stream-group': name, 'x-stream-offset': 'first', ...more },
});

async function reader(server: TestServer, prefetchCount = 10): Promise<RawConnection> {
  const raw = await server.open();
  await raw.call(1, 'basic.qos', { prefetchCount });
  return raw;
}

test('deliveries of a super stream say their partition and their offset in it', async () => {
  const server = await start();
  const raw = await reader(server);
  await declared(raw, 3);
  await raw.call(1, 'confirm.select');
  // hello2 is hashed to 0, hello1 to 1 and hello4 to 2; a key that names a partition goes there.
  for (const routingKey of ['hello1', 'hello2', 'hello4', '1']) {
    raw.publish(1, { exchange: 'sums', routingKey }, {}, Buffer.from(routingKey));
  }
  const consumer = await reader(server);
  await consumer.call(1, 'basic.consume', group('g'));
  const came: unknown[] = [];
  for (let n = 0; n < 4; n++) {
    const { method, properties, body } = await consumer.message(1);
    const headers = properties['headers'] as Fields;
    came.push([headers['x-stream-partition'], headers['x-stream-offset'], body.toString()]);
    consumer.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  }
  const long = (value: number) => typed('l', value);
  expect(came).toHaveLength(4);
  expect(came).toEqual(
    expect.arrayContaining([
      [long(0), long(0), 'hello2'],
      [long(1), long(0), 'hello1'],
      [long(1), long(1), '1'],
      [long(2), long(0), 'hello4'],
    ]),
  );
});

test.each<[string, Fields, number, string]>([
  ['a group', { queue: 'sums' }, 406, "super stream 'sums' in vhost '/' is consumed by groups"],
  ['acks', { ...group('g'), noAck: true }, 540, 'automatic acknowledgement not supported'],
  ['an offset that can be read', group('g', { 'x-stream-offset': 'soon' }), 406, 'invalid arg'],
])('consuming a super stream needs %s', async (_, method, replyCode, text) => {
  const server = await start();
  const raw = await reader(server);
  await declared(raw, 1);
  raw.send(1, 'basic.consume', method);
  const closed = await raw.next();
  expect(closed).toMatchObject({ replyCode, replyText: expect.stringContaining(text) });
});

test('consuming a super stream needs a prefetch', async () => {
  const raw = await (await start()).open();
  await declared(raw, 1);
  expect(await raw.call(1, 'basic.consume', group('g'))).toMatchObject({
    replyCode: 406,
    replyText: expect.stringContaining('consumer prefetch count is not set'),
  });
});

test('a group is refused where it reads a partition by itself', async () => {
  const server = await start();
  const raw = await reader(server);
  await declared(raw, 2);
  await raw.call(1, 'basic.consume', { ...group('g'), queue: 'sums-1' });
  const other = await reader(server);
  expect(await other.call(1, 'basic.consume', group('g'))).toMatchObject({
    name: 'channel.close',
    replyCode: 405,
    replyText: expect.stringContaining("group 'g' reads stream 'sums-1' by itself now"),
  });
});

test.each([
  ['the super stream', '^sums-.*$', "queue 'sums' in vhost '/'"],
  ['each partition', '^sums(-0)?$', "queue 'sums-1' in vhost '/'"],
])('the right to read %s is needed', async (_, read, refused) => {
  const server = await start();
  await declared(await server.open(), 2);
  const { access } = server.server.broker;
  access.putUserNow({ name: 'app', tags: [] }, 'secret', 1);
  access.setPermission({ user: 'app', vhost: '/', configure: '', write: '', read });
  const raw = await server.open({ user: 'app', password: 'secret' });
  await raw.call(1, 'basic.qos', { prefetchCount: 1 });
  expect(await raw.call(1, 'basic.consume', group('g'))).toMatchObject({
    replyCode: 403,
    replyText: `ACCESS_REFUSED - read access to ${refused} refused for user 'app'`,
  });
});

test('a partition that comes and may not be read ends the consumer', async () => {
  const server = await start();
  const owner = await server.open();
  await declared(owner, 1);
  const { access } = server.server.broker;
  access.putUserNow({ name: 'app', tags: [] }, 'secret', 1);
  access.setPermission({ user: 'app', vhost: '/', configure: '', write: '', read: '^sums(-0)?$' });
  const raw = await server.open({
    user: 'app',
    password: 'secret',
    capabilities: { consumer_cancel_notify: true },
  });
  await raw.call(1, 'basic.qos', { prefetchCount: 1 });
  const { consumerTag } = await raw.call(1, 'basic.consume', group('g'));
  await declared(owner, 2);
  expect(await raw.next(1)).toMatchObject({ name: 'basic.cancel', consumerTag });
});

test('a channel that closes hands its share over, and the last one leaves nothing behind', async () => {
  const server = await start();
  const raw = await reader(server);
  await declared(raw, 2);
  for (let n = 0; n < 4; n++) {
    raw.publish(1, { exchange: 'sums', routingKey: String(n % 2) }, {}, Buffer.from(String(n)));
  }
  const first = await reader(server, 1);
  await first.call(1, 'basic.consume', group('g'));
  await first.message(1);
  const second = await reader(server, 4);
  await second.call(1, 'basic.consume', group('g'));
  first.drop();
  const bodies: string[] = [];
  for (let n = 0; n < 4; n++) bodies.push((await second.message(1)).body.toString());
  expect(bodies.toSorted()).toEqual(['0', '1', '2', '3']);
  await second.call(1, 'channel.close', { replyCode: 200 });
});
