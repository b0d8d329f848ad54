// Owns the tests of what publishers to streams are told: of duplicates, of expectations that fail, of headers that make no
// sense, with confirms, without, and in transactions.

import { connect } from 'amqplib';
import { describe, expect, test } from 'vitest';
import type { RawConnection } from '../../../support/amqp-raw.ts';
import { type Fields, typed } from '../../../support/amqp-wire.ts';
import { type TestServer, useServers } from '../../support.ts';

const start = useServers();
/** As many as a route needs to be pushed in steps. */
const WIDE = 300;

const id = (name: string, number: unknown): Fields => ({
  headers: { 'x-stream-publisher': name, 'x-stream-publishing-id': number },
});
const expected = (name: string, number: unknown): Fields => ({
  headers: { 'x-stream-publisher': name, 'x-stream-expected-id': number },
});

/** A server with a stream `s` and a queue `q`, both bound to `amq.fanout`, and a channel in that mode. */
async function publisher(
  mode = 'confirm.select',
): Promise<{ server: TestServer; raw: RawConnection }> {
  const server = await start();
  const raw = await server.open();
  const stream = { 'x-queue-type': 'stream' };
  await raw.call(1, 'queue.declare', { queue: 's', durable: true, arguments: stream });
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  for (const queue of ['s', 'q']) {
    await raw.call(1, 'queue.bind', { queue, exchange: 'amq.fanout' });
  }
  if (mode !== '') await raw.call(1, mode);
  return { server, raw };
}

const send = (raw: RawConnection, properties: Fields, to: Fields = { routingKey: 's' }): void =>
  raw.publish(1, to, { deliveryMode: 2, ...properties }, Buffer.from('x'));

/** What is said of the publishes from one number to another: nacks may come before the acks of others. */
async function told(raw: RawConnection, to: number, from = 1): Promise<(string | undefined)[]> {
  const names = new Array<string | undefined>(to - from + 1).fill(undefined);
  while (names.includes(undefined)) {
    const { name, deliveryTag, multiple } = await raw.next(1);
    const last = Number(deliveryTag) - from;
    for (let n = multiple === true ? 0 : last; n <= last; n++) names[n] ??= name;
  }
  return names;
}

function countsOf({ server }: TestServer): Record<string, number> {
  const { queues } = server.broker.vhost('/');
  const { readyCount = 0, counts } = queues.get('s') ?? {};
  const { duplicates = 0, refused = 0 } = counts ?? {};
  return { stored: readyCount, duplicates, refused, queued: queues.get('q')?.readyCount ?? 0 };
}

const [ACK, NACK] = ['basic.ack', 'basic.nack'];

describe('a publisher is told', () => {
  test('that a duplicate is stored, which it is', async () => {
    const { server, raw } = await publisher();
    for (const number of [1, 2, 2, 1, 3])
      send(raw, id('p', number), { routingKey: 's', mandatory: true });
    expect(await told(raw, 5)).toEqual([ACK, ACK, ACK, ACK, ACK]);
    expect(countsOf(server)).toMatchObject({ stored: 3, duplicates: 2, refused: 0 });
  });

  test('only once what the duplicate repeats is on the disk', async () => {
    const { server, raw } = await publisher();
    await raw.openChannel(2);
    await raw.call(2, 'confirm.select');
    server.stickDisk();
    send(raw, id('p', 1));
    raw.publish(2, { routingKey: 's' }, id('p', 1), Buffer.from('x'));
    raw.send(2, 'basic.qos', {});
    expect(await raw.next(2)).toMatchObject({ name: 'basic.qos-ok' });
    expect(countsOf(server)).toMatchObject({ stored: 1, duplicates: 1 });
    server.unstickDisk();
    expect(await raw.next(2)).toMatchObject({ name: ACK });
  });

  test('that something else was first, by a nack', async () => {
    const { server, raw } = await publisher();
    for (const number of [0, 0, 1, 5, 2]) send(raw, expected('order-1', number));
    expect(await told(raw, 5)).toEqual([ACK, NACK, ACK, NACK, ACK]);
    expect(countsOf(server)).toMatchObject({ stored: 3, duplicates: 0, refused: 2 });
  });

  test('so by a nack also where a queue took the message', async () => {
    const { server, raw } = await publisher();
    send(raw, expected('a', 1), { exchange: 'amq.fanout' });
    send(raw, expected('a', 0), { exchange: 'amq.fanout' });
    expect(await told(raw, 2)).toEqual([NACK, ACK]);
    expect(countsOf(server)).toMatchObject({ stored: 1, refused: 1, queued: 2 });
  });

  test('nothing without confirms: what is refused is dropped, and counted', async () => {
    const { server, raw } = await publisher('');
    for (const number of [0, 0, 1]) send(raw, expected('a', number));
    await raw.call(1, 'basic.qos');
    expect(countsOf(server)).toMatchObject({ stored: 2, refused: 1 });
  });

  test('by its client as of any nack', async () => {
    const { server } = await publisher();
    const connection = await connect(`amqp://127.0.0.1:${server.endpoint.port}`);
    const channel = await connection.createConfirmChannel();
    const append = (after: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const headers = { 'x-stream-publisher': 'order-1', 'x-stream-expected-id': after };
        channel.sendToQueue('s', Buffer.from('x'), { persistent: true, headers }, (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        );
      });
    await append(0);
    await expect(append(0)).rejects.toThrow('message nacked');
    await append(1);
    await connection.close();
    expect(countsOf(server)).toMatchObject({ stored: 2, refused: 1 });
  });
});

describe('in a transaction', () => {
  test('each publish is looked at after those before it', async () => {
    const { server, raw } = await publisher('tx.select');
    for (const number of [0, 1, 2]) send(raw, expected('a', number));
    for (const number of [1, 1]) send(raw, id('b', number));
    await raw.call(1, 'tx.commit');
    expect(countsOf(server)).toMatchObject({ stored: 4, duplicates: 1, refused: 0 });
    send(raw, expected('a', 3));
    await raw.call(1, 'tx.rollback');
    send(raw, expected('a', 3));
    await raw.call(1, 'tx.commit');
    expect(countsOf(server)).toMatchObject({ stored: 5, refused: 0 });
  });

  test('the rest is stored where something else was first, and the commit says so', async () => {
    const { server, raw } = await publisher('tx.select');
    send(raw, expected('a', 7));
    send(raw, {}, { routingKey: 'q' });
    raw.send(1, 'tx.commit');
    expect(await raw.next(1)).toMatchObject({
      name: 'channel.close',
      replyCode: 406,
      replyText: 'PRECONDITION_FAILED - partial tx completion',
    });
    expect(countsOf(server)).toMatchObject({ stored: 0, refused: 1, queued: 1 });
  });
});

test('a delivery is acked by a publish that is a duplicate, and not by one that is refused', async () => {
  const { server, raw } = await publisher();
  for (let n = 0; n < 2; n++) send(raw, {}, { routingKey: 'q' });
  await told(raw, 2);
  for (let n = 0; n < 2; n++) {
    raw.send(1, 'basic.get', { queue: 'q' });
    await raw.message(1);
  }
  const acking = (tag: number, { headers }: Fields): Fields => ({
    headers: { ...(headers as Fields), 'x-ack-delivery-tag': tag },
  });
  send(raw, id('p', 1));
  send(raw, acking(1, id('p', 1)));
  send(raw, acking(2, expected('p', 9)));
  expect(await told(raw, 5, 3)).toEqual([ACK, ACK, NACK]);
  expect(server.server.broker.vhost('/').queues.get('q')?.unackedCount).toBe(1);
});

test('of very many streams and queues each has a message once', async () => {
  const { server, raw } = await publisher();
  for (let n = 0; n < WIDE; n++) {
    const args = n % 2 === 0 ? { 'x-queue-type': 'stream' } : {};
    await raw.call(1, 'queue.declare', { queue: `w${n}`, durable: true, arguments: args });
    await raw.call(1, 'queue.bind', { queue: `w${n}`, exchange: 'amq.fanout' });
  }
  for (const number of [1, 1, 2]) send(raw, id('p', number), { exchange: 'amq.fanout' });
  send(raw, expected('p', 0), { exchange: 'amq.fanout' });
  expect(await told(raw, 4)).toEqual([ACK, ACK, ACK, NACK]);
  const { queues } = server.server.broker.vhost('/');
  const kept = (odd: number) =>
    new Set(Array.from({ length: WIDE / 2 }, (_, n) => queues.get(`w${2 * n + odd}`)?.readyCount));
  expect([kept(0), kept(1)]).toEqual([new Set([2]), new Set([4])]);
});

describe('headers that make no sense', () => {
  const bad: [string, Fields, string][] = [
    [
      'an id that is a text',
      id('p', 'one'),
      "invalid header 'x-stream-publishing-id': an integer, not longstr",
    ],
    ['an empty name', id('', 1), "invalid header 'x-stream-publisher': a text of 1 to 255 bytes"],
    [
      'an expectation below 0',
      expected('p', typed('l', -1)),
      "invalid header 'x-stream-expected-id': an integer from 0 to 9007199254740990, not -1",
    ],
    [
      'an id without a name',
      { headers: { 'x-stream-publishing-id': 1 } },
      "invalid header 'x-stream-publishing-id': it goes with 'x-stream-publisher', a name",
    ],
  ];

  test.each(bad)('close the channel of what goes to a stream: %s', async (_, properties, text) => {
    const { server, raw } = await publisher();
    send(raw, properties, { exchange: 'amq.fanout' });
    expect(await raw.next(1)).toMatchObject({
      name: 'channel.close',
      replyCode: 406,
      replyText: `PRECONDITION_FAILED - ${text}`,
    });
    expect(countsOf(server)).toEqual({ stored: 0, duplicates: 0, refused: 0, queued: 0 });
  });

  test.each(bad)('mean nothing where no stream is: %s', async (_, properties) => {
    const { server, raw } = await publisher();
    send(raw, properties, { routingKey: 'q' });
    expect(await told(raw, 1)).toEqual([ACK]);
    expect(countsOf(server)).toMatchObject({ queued: 1 });
  });
});

test('queues take what streams would refuse', async () => {
  const { server, raw } = await publisher();
  for (let n = 0; n < 3; n++) send(raw, expected('a', 0), { routingKey: 'q' });
  expect(await told(raw, 3)).toEqual([ACK, ACK, ACK]);
  expect(countsOf(server)).toMatchObject({ queued: 3, stored: 0 });
});
