// Owns the tests of what a transaction holds, how much of it, and when its commit is answered.

import { expect, test } from 'vitest';
import { Exchange } from '../../../../src/broker/exchange/exchange.ts';
import { Route } from '../../../../src/broker/routing/route.ts';
import { Chunk } from '../../../../src/message/chunk.ts';
import {
  AllUnfinishedBytes,
  UnfinishedBytes,
} from '../../../../src/server/backpressure/unfinished-bytes.ts';
import { SETTLE_ACK, Transaction } from '../../../../src/server/channel/publish/transaction.ts';
import { pause } from '../../../support/amqp.ts';
import type { RawConnection } from '../../../support/amqp-raw.ts';
import { encodeMethod } from '../../../support/amqp-wire.ts';
import { publication } from '../../scripted.ts';
import { printedSeed, Random, useServers } from '../../support.ts';

const start = useServers();

const declaration = { durable: true, autoDelete: false, internal: false, arguments: new Map() };
const NOWHERE = new Route(new Exchange({ name: '', type: 'direct', ...declaration }), [], 1, true);

/** Holds the bytes from 2 on of a chunk that others go on to use. */
function holdShared(transaction: Transaction, bytes: Buffer): void {
  const chunk = new Chunk();
  chunk.load(bytes, true);
  transaction.stage(chunk, 2, bytes.length, 0, NOWHERE, false, 0, null);
}

test('a record out of a shared chunk is copied', () => {
  const transaction = new Transaction(
    1_000,
    new UnfinishedBytes(new AllUnfinishedBytes({ receivingBytes: 0 })),
  );
  const bytes = Buffer.from('..record');
  holdShared(transaction, bytes);
  bytes.fill(0);
  expect(transaction.publishes[0]?.bytes.toString()).toBe('record');
  expect(transaction.publishes[0]?.end).toBe(6);
});

test('a record in parts is kept as it is', () => {
  const transaction = new Transaction(
    1_000,
    new UnfinishedBytes(new AllUnfinishedBytes({ receivingBytes: 0 })),
  );
  const chunk = new Chunk();
  const bytes = Buffer.from('head');
  const parts = [Buffer.from('bo'), Buffer.from('dy')];
  chunk.loadRecord(bytes, parts);
  transaction.stage(chunk, 0, 8, 4, NOWHERE, true, 7, null);
  chunk.unload();
  const [held] = transaction.publishes;
  expect(held?.bytes).toBe(bytes);
  expect(held?.parts).toBe(parts);
  expect(held).toMatchObject({ end: 8, bodyBytes: 4, mandatory: true, flags: 7 });
});

test('what is cleared counts no more', () => {
  const transaction = new Transaction(
    700,
    new UnfinishedBytes(new AllUnfinishedBytes({ receivingBytes: 0 })),
  );
  holdShared(transaction, Buffer.alloc(100));
  holdShared(transaction, Buffer.alloc(90));
  expect(() => holdShared(transaction, Buffer.alloc(10))).toThrow(
    'transaction size 962 is larger than configured max size 700',
  );
  transaction.settle(4, SETTLE_ACK);
  expect(transaction.settles(4)).toBe(true);
  transaction.clear();
  expect(transaction.settles(4)).toBe(false);
  expect(transaction.publishes).toEqual([]);
  expect(transaction.tags).toEqual([]);
  holdShared(transaction, Buffer.alloc(100));
});

test('a transaction that is too large closes its channel and is forgotten', async () => {
  const broker = await start({ maxTransactionBytes: 10_000 });
  const raw = await broker.open();
  const { queue } = await raw.call(1, 'queue.declare', {});
  await raw.call(1, 'tx.select');
  for (let i = 0; i < 4; i++) raw.publish(1, { routingKey: queue }, {}, Buffer.alloc(3_000));
  expect(await raw.next(1)).toMatchObject({
    name: 'channel.close',
    replyCode: 406,
    replyText: expect.stringMatching(
      /transaction size \d+ is larger than configured max size 10000/,
    ),
    classId: 60,
    methodId: 40,
  });
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
  expect(await raw.call(1, 'queue.declare', { queue, passive: true })).toMatchObject({
    messageCount: 0,
  });
});

/** Publishes a message, waits until it is on disk, and gets it on channel 1; gives its tag. */
async function heldDurably(raw: RawConnection, queue: string): Promise<unknown> {
  await raw.openChannel(2);
  await raw.call(2, 'confirm.select');
  raw.publish(2, { routingKey: queue }, { deliveryMode: 2 }, Buffer.from('old'));
  await raw.next(2);
  raw.send(1, 'basic.get', { queue });
  return (await raw.message(1)).method['deliveryTag'];
}

test('commit-ok waits until publishes and acks are durable', async () => {
  const broker = await start();
  const raw = await broker.open();
  const { queue } = await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  const deliveryTag = await heldDurably(raw, 'q');
  await raw.call(1, 'tx.select');
  for (const act of [
    () => raw.send(1, 'basic.ack', { deliveryTag }),
    () => raw.publish(1, { routingKey: queue }, { deliveryMode: 2 }, Buffer.from('new')),
  ]) {
    broker.stickDisk();
    act();
    raw.send(1, 'tx.commit');
    await pause(20);
    expect(raw.unread()).toEqual([]);
    broker.unstickDisk();
    expect((await raw.next(1)).name).toBe('tx.commit-ok');
  }
});

test('commit-ok waits for no disk when nothing durable changed', async () => {
  const broker = await start();
  const raw = await broker.open();
  const { queue } = await raw.call(1, 'queue.declare', {});
  await raw.call(1, 'tx.select');
  broker.stickDisk();
  raw.publish(1, { routingKey: queue }, { deliveryMode: 2 }, Buffer.from('x'));
  expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
  broker.unstickDisk();
});

test('a commit goes into one batch, its settlements with its publishes', async () => {
  const broker = await start();
  const raw = await broker.open();
  const { queue } = await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  const deliveryTag = await heldDurably(raw, 'q');
  await raw.call(1, 'tx.select');
  for (let i = 0; i < 50; i++) {
    raw.publish(1, { routingKey: queue }, { deliveryMode: 2 }, Buffer.alloc(100_000));
  }
  raw.send(1, 'basic.ack', { deliveryTag });
  await raw.call(1, 'basic.qos');
  const before = broker.store.batch;
  await raw.call(1, 'tx.commit');
  // More than what a batch gathers by itself (4 MiB), and yet but one was sealed.
  expect(broker.store.batch).toBe(before + 1);
  expect(broker.server.broker.core.durableBatch).toBe(before);
});

test('publishes are what they were, however the bytes of a transaction are cut', async () => {
  const seed = printedSeed('transactions cut anywhere');
  const random = new Random(seed);
  for (let round = 0; round < 6; round++) {
    const broker = await start();
    const raw = await broker.open();
    await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
    await raw.call(1, 'queue.declare', { queue: 'copy' });
    await raw.call(1, 'tx.select');
    const bodies: Buffer[] = [];
    const parts: Buffer[] = [];
    for (const size of [0, 10, 3_000, 17_000, 33_000, 60_000, 150_000]) {
      const body = random.bytes(size);
      bodies.push(body);
      const headers = { CC: ['q'], BCC: ['copy'], size };
      parts.push(publication(1, { routingKey: 'q' }, { deliveryMode: 2, headers }, body, 20_000));
    }
    let left = Buffer.concat([...parts, encodeMethod(1, 'tx.commit')]);
    while (left.length > 0) {
      const length = round === 0 ? left.length : 1 + random.below(90_000);
      raw.write(left.subarray(0, length));
      left = left.subarray(length);
      if (random.below(2) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await raw.next(1)).name).toBe('tx.commit-ok');
    for (const queue of ['q', 'copy']) {
      for (const body of bodies) {
        raw.send(1, 'basic.get', { queue, noAck: true });
        const message = await raw.message(1);
        expect(message.body.equals(body), `${body.length} bytes in ${queue}`).toBe(true);
        expect(Object.keys(message.properties['headers'] as object)).toEqual(['CC', 'size']);
      }
    }
  }
});
