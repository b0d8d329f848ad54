import { describe, expect, test } from 'vitest';
import { LARGE_BODY_BYTES_MIN } from '../../src/message/record.ts';
import type { Outbox } from '../../src/server/wire/outbox.ts';
import { eventually } from '../support/amqp.ts';
import { encodeContent, encodeMethod } from '../support/amqp-wire.ts';
import { publication } from './scripted.ts';
import { privately, type TestServer, useServers } from './support.ts';

const start = useServers();

const MIB = 2 ** 20;
const BODY_BYTES = 6 * MIB;

/** A body that no other is like. */
function body(number: number): Buffer {
  const bytes = Buffer.alloc(BODY_BYTES);
  for (let at = 0; at < BODY_BYTES; at += 4) bytes.writeUInt32LE((at * 31 + number) >>> 0, at);
  return bytes;
}

function waitingMost(broker: TestServer): number {
  const { connections } = privately<{ connections: Set<{ outbox: Outbox }> }>(broker.server);
  return Math.max(0, ...[...connections].map(({ outbox }) => outbox.waitingBytes));
}

describe.each([
  ['transient', 1],
  ['persistent', 2],
])('large %s bodies', (_title, deliveryMode) => {
  test('come from several publishers at once, and go out without a copy of their own', async () => {
    const broker = await start();
    const consumer = await broker.open();
    await consumer.call(1, 'queue.declare', { queue: 'q', durable: true });
    const numbers = [0, 1, 2, 3, 4];
    const publishers = await Promise.all(numbers.map(() => broker.open()));
    const frames = numbers.map((number) =>
      publication(1, { routingKey: 'q' }, { deliveryMode }, body(number), 100_000),
    );
    const step = 700_000;
    for (let at = 0; at < BODY_BYTES + MIB; at += step) {
      for (const number of numbers) {
        const part = (frames[number] as Buffer).subarray(at, at + step);
        publishers[number]?.write(part);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { broker: heart } = broker.server;
    const queue = heart.vhost('/').queues.get('q');
    await eventually(() => queue?.readyCount === numbers.length, 'all bodies');
    expect(heart.core.receivingBytes).toBe(0);
    const large = broker.segments.filter(
      ({ end }) => end >= LARGE_BODY_BYTES_MIN && end >= BODY_BYTES,
    );
    expect(large).toHaveLength(numbers.length);
    await consumer.call(1, 'basic.consume', { queue: 'q' });
    const seen = new Set<number>();
    for (const _each of numbers) {
      const message = await consumer.message(1);
      const number = message.body.readUInt32LE(0);
      expect(message.body.equals(body(number))).toBe(true);
      seen.add(number);
    }
    expect(seen.size).toBe(numbers.length);
    expect(
      large.every(({ parts }) => parts !== null),
      'the parts were not joined',
    ).toBe(true);
  });
});

test('a peer that asks for large messages and reads none holds one of them, beside its bound', async () => {
  const watermark = 64 * 1024;
  const broker = await start({ outboxHighWatermarkBytes: watermark });
  const raw = await broker.open();
  const publisher = await broker.open();
  await publisher.call(1, 'queue.declare', { queue: 'q' });
  for (let i = 0; i < 5; i++) publisher.publish(1, { routingKey: 'q' }, {}, body(i));
  await publisher.call(1, 'basic.qos', {});
  raw.socket.pause();
  for (let i = 0; i < 5; i++) raw.send(1, 'basic.get', { queue: 'q' });
  await eventually(() => waitingMost(broker) > MIB, 'an answer that waits');
  const queue = broker.server.broker.vhost('/').queues.get('q');
  // What the system takes of them is gone from here; no more than that is asked for.
  const asked = 5 - (queue?.readyCount ?? 0);
  expect(asked).toBeLessThanOrEqual(3);
  expect(waitingMost(broker)).toBeLessThan(BODY_BYTES + 8 * watermark);
  raw.socket.resume();
  for (let i = 0; i < 5; i++) expect((await raw.message(1)).body.equals(body(i))).toBe(true);
});

test('a large delivery to a peer that reads nothing is the only one', async () => {
  const broker = await start({ outboxHighWatermarkBytes: 64 * 1024 });
  const raw = await broker.open();
  const publisher = await broker.open();
  await publisher.call(1, 'queue.declare', { queue: 'q' });
  await raw.call(1, 'basic.consume', { queue: 'q', noAck: true });
  raw.socket.pause();
  for (let i = 0; i < 5; i++) publisher.publish(1, { routingKey: 'q' }, {}, body(i));
  await publisher.call(1, 'basic.qos', {});
  expect(waitingMost(broker)).toBeLessThan(2 * BODY_BYTES);
  raw.socket.resume();
  for (let i = 0; i < 5; i++) expect((await raw.message(1)).body.equals(body(i))).toBe(true);
});

test('messages that come back are bounded as answers are', async () => {
  const watermark = 64 * 1024;
  const broker = await start({ outboxHighWatermarkBytes: watermark });
  const raw = await broker.open();
  raw.socket.pause();
  const one = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: 'nowhere', mandatory: true }),
    encodeContent(1, {}, body(7)),
  ]);
  for (let i = 0; i < 5; i++) raw.write(one);
  await eventually(() => waitingMost(broker) > MIB, 'a return that waits');
  expect(waitingMost(broker)).toBeLessThan(BODY_BYTES + 8 * watermark);
  raw.socket.resume();
  for (let i = 0; i < 5; i++) expect((await raw.message(1)).body.equals(body(7))).toBe(true);
});
