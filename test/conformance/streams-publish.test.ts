// Queues of the type stream, as their publishers see them: what is stored, and what of it comes out again.
import { expect, it } from 'vitest';
import { expectedFor, useBroker } from '../support/amqp.ts';
import type { RawConnection, RawMessage } from '../support/amqp-raw.ts';
import { type Fields, typed } from '../support/amqp-wire.ts';

const broker = useBroker();

async function stream(raw: RawConnection): Promise<string> {
  const queue = broker.name();
  const args = { 'x-queue-type': 'stream' };
  await raw.call(1, 'queue.declare', { queue, durable: true, arguments: args });
  return queue;
}

/** A connection whose channel 1 confirms. */
async function publisher(): Promise<RawConnection> {
  const raw = await broker.raw();
  await raw.call(1, 'confirm.select');
  return raw;
}

/** The first so many messages of a stream. */
async function readAll(queue: string, count: number): Promise<RawMessage[]> {
  const raw = await broker.raw();
  await raw.call(1, 'basic.qos', { prefetchCount: 1000 });
  await raw.call(1, 'basic.consume', { queue, arguments: { 'x-stream-offset': 'first' } });
  const all: RawMessage[] = [];
  for (let n = 0; n < count; n += 1) all.push(await raw.message(1));
  return all;
}

const at = (offset: number) => ({ 'x-stream-offset': typed('l', offset) });

it('keeps properties and headers, and adds the offset', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const properties = {
    contentType: 'text/plain',
    contentEncoding: 'gzip',
    deliveryMode: 2,
    priority: 3,
    correlationId: 'c',
    replyTo: 'r',
    expiration: '60000',
    messageId: 'm',
    timestamp: 1_700_000_000,
    type: 't',
    userId: 'guest',
    appId: 'a',
  };
  const headers = { long: typed('l', 5), flag: true, nothing: null, bytes: Buffer.from('xy') };
  raw.publish(1, { routingKey: queue }, { ...properties, headers }, Buffer.from('body'));
  const [message] = await readAll(queue, 1);
  expect(message?.method).toMatchObject({ exchange: '', routingKey: queue, redelivered: false });
  expect(message?.properties).toMatchObject(properties);
  expect(message?.properties['headers']).toEqual({ ...headers, ...at(0) });
  expect(message?.body.toString()).toBe('body');
});

it('keeps tables and arrays in headers, which RabbitMQ 3.10 loses', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const headers = { table: { a: 'b' }, array: ['c'], last: 'd' };
  raw.publish(1, { routingKey: queue }, { headers });
  const [message] = await readAll(queue, 1);
  expect(message?.properties['headers']).toEqual(
    expectedFor<Fields>({
      rabbitmq: { last: 'd', ...at(0) },
      leveret: { ...headers, ...at(0) },
    }),
  );
});

it('adds the offset to what has no headers, and puts it over what the publisher calls so', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const own = { own: 'k' };
  const cases: [Fields, Fields][] = [
    [{}, {}],
    [{ headers: {} }, {}],
    [{ headers: { 'x-stream-offset': typed('l', 77), ...own } }, own],
    [{ headers: { ...own, 'x-stream-offset': 'text' } }, own],
    [{ headers: { 'x-stream-offset': typed('s', 77), ...own, z: 'last' } }, { ...own, z: 'last' }],
    [{ deliveryMode: 2, headers: { 'x-stream-offset': null } }, {}],
  ];
  for (const [properties] of cases) raw.publish(1, { routingKey: queue }, properties);
  const all = await readAll(queue, cases.length);
  for (const [n, [, rest]] of cases.entries()) {
    expect(all[n]?.properties['headers']).toEqual({ ...rest, ...at(n) });
  }
});

it('stores what is transient, and what has expired', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const kinds = [
    { deliveryMode: 1 },
    {},
    { expiration: '0' },
    { expiration: '1' },
    { priority: 9 },
  ];
  for (const properties of kinds) raw.publish(1, { routingKey: queue }, properties);
  const all = await readAll(queue, kinds.length);
  for (const [n, properties] of kinds.entries()) {
    expect(all[n]?.properties).toEqual({ ...properties, headers: at(n) });
  }
});

it('stores bodies of any length', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const lengths = [0, 1, 131_072, 300_000, 0];
  for (const length of lengths) {
    raw.publish(1, { routingKey: queue }, {}, Buffer.alloc(Math.min(length, 100_000), 'x'));
  }
  const all = await readAll(queue, lengths.length);
  expect(all.map(({ body }) => body.length)).toEqual(
    lengths.map((length) => Math.min(length, 100_000)),
  );
});

it('confirms, and returns what no queue takes', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  raw.publish(1, { routingKey: queue, mandatory: true });
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
  raw.publish(1, { routingKey: `${queue}-nowhere`, mandatory: true });
  expect((await raw.message(1)).method).toMatchObject({ name: 'basic.return', replyCode: 312 });
  expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 2 });
});

it('stores what a transaction commits, in order, and not what it rolls back', async () => {
  const raw = await broker.raw();
  const queue = await stream(raw);
  await raw.call(1, 'tx.select');
  raw.publish(1, { routingKey: queue }, {}, Buffer.from('gone'));
  await raw.call(1, 'tx.rollback');
  for (const body of ['a', 'b']) raw.publish(1, { routingKey: queue }, {}, Buffer.from(body));
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
  const bodies = (await readAll(queue, 2)).map(({ body }) => body.toString());
  expect(bodies).toEqual(['a', 'b']);
});

it('takes messages by any exchange, once each', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const other = await stream(raw);
  const bindings: [string, string, Fields][] = [
    ['amq.topic', `${queue}.#`, {}],
    ['amq.topic', `${queue}.*`, {}],
    ['amq.fanout', '', {}],
    ['amq.headers', '', { key: queue }],
    ['amq.direct', queue, {}],
  ];
  for (const [exchange, routingKey, args] of bindings) {
    const fields = { queue, exchange, routingKey, arguments: args };
    expect((await raw.call(1, 'queue.bind', fields)).name).toBe('queue.bind-ok');
  }
  const published: [Fields, Fields][] = [
    [{ exchange: 'amq.topic', routingKey: `${queue}.b` }, {}],
    [{ exchange: 'amq.fanout', routingKey: 'key' }, {}],
    [{ exchange: 'amq.headers' }, { headers: { key: queue } }],
    [{ exchange: 'amq.direct', routingKey: queue }, {}],
    [{ routingKey: queue }, { headers: { CC: [queue, other] } }],
  ];
  for (const [fields, properties] of published) {
    raw.publish(1, fields, properties);
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack' });
  }
  const all = await readAll(queue, published.length);
  for (const [n, [fields]] of published.entries()) expect(all[n]?.method).toMatchObject(fields);
  await readAll(other, 1);
});

it('takes dead letters, which RabbitMQ 3.10 loses on the way unless it must not', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue };
  const sources: Fields[] = [
    { 'x-message-ttl': 0, ...dead },
    {
      'x-queue-type': 'quorum',
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
      ...dead,
    },
  ];
  const expected: string[] = [];
  for (const [n, args] of sources.entries()) {
    const source = broker.name();
    await raw.call(1, 'queue.declare', { queue: source, durable: true, arguments: args });
    raw.publish(1, { routingKey: source }, { deliveryMode: 2 }, Buffer.from(String(n)));
    await raw.next(1);
    if (n === 0) continue;
    raw.send(1, 'basic.get', { queue: source });
    const { method } = await raw.message(1);
    raw.send(1, 'basic.reject', { deliveryTag: method['deliveryTag'] });
  }
  expected.push(...expectedFor({ rabbitmq: ['1'], leveret: ['0', '1'] }));
  const all = await readAll(queue, expected.length);
  expect(all.map(({ body }) => body.toString())).toEqual(expected);
  expect(all.at(-1)?.properties['headers']).toMatchObject({
    'x-first-death-reason': 'rejected',
    ...at(expected.length - 1),
  });
});

it('takes what an exchange gives to its alternate', async () => {
  const raw = await publisher();
  const queue = await stream(raw);
  const alternate = broker.name('x');
  const exchange = broker.name('x');
  await raw.call(1, 'exchange.declare', { exchange: alternate, type: 'fanout' });
  const args = { 'alternate-exchange': alternate };
  await raw.call(1, 'exchange.declare', { exchange, type: 'direct', arguments: args });
  await raw.call(1, 'queue.bind', { queue, exchange: alternate });
  raw.publish(1, { exchange, routingKey: 'nowhere' });
  const [message] = await readAll(queue, 1);
  expect(message?.method).toMatchObject({ exchange, routingKey: 'nowhere' });
  expect(message?.properties['headers']).toEqual(at(0));
});
