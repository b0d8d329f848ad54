// Owns the tests of publishes that ack deliveries of their channel: what is acked, when, and what is refused.

import { describe, expect, test } from 'vitest';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import type { Connection } from '../../../../src/server/connection/connection.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { plain } from '../../../broker/plain-queue.ts';
import { eventually, pause } from '../../../support/amqp.ts';
import type { RawConnection } from '../../../support/amqp-raw.ts';
import { type Fields, typed } from '../../../support/amqp-wire.ts';
import { FakeClock, privately, type TestServer, useServers } from '../../support.ts';

const start = useServers();
const FULL = { 'x-max-length': 0, 'x-overflow': 'reject-publish' };
/** As many as a route needs to be pushed in steps. */
const WIDE = 300;

const acking = (tags: unknown, more: Fields = {}): Fields => ({
  deliveryMode: 2,
  headers: { 'x-ack-delivery-tag': tags, ...more },
});

const queueOf = (server: TestServer, name: string) => {
  const { readyCount, unackedCount, delayedCount } = server.server.broker
    .vhost('/')
    .queues.get(name) as unknown as Record<string, number>;
  return { ready: readyCount, unacked: unackedCount, delayed: delayedCount };
};
const HELD = { ready: 0, unacked: 1, delayed: 0 };
const EMPTY = { ready: 0, unacked: 0, delayed: 0 };
const ONE = { ready: 1, unacked: 0, delayed: 0 };

/** A worker on channel 1, in confirm mode unless told otherwise, that holds `count` messages of the queue `in`. */
async function worker(
  server: TestServer,
  { count = 1, mode = 'confirm.select' }: { count?: number; mode?: string } = {},
): Promise<RawConnection> {
  const raw = await server.open();
  await raw.call(1, 'queue.declare', { queue: 'in', durable: true });
  await raw.call(1, 'queue.declare', { queue: 'out', durable: true });
  await raw.openChannel(2);
  await raw.call(2, 'confirm.select');
  for (let n = 1; n <= count; n++) {
    raw.publish(2, { routingKey: 'in' }, { deliveryMode: 2 }, Buffer.from(`job ${n}`));
    await raw.next(2);
    raw.send(1, 'basic.get', { queue: 'in' });
    await raw.message(1);
  }
  await raw.call(1, mode);
  return raw;
}

async function take(raw: RawConnection, queue: string) {
  raw.send(2, 'basic.get', { queue, noAck: true });
  return raw.message(2);
}

/** Waits until all that was sent on channel 1 has been acted upon. */
const settled = (raw: RawConnection) => raw.call(1, 'basic.qos');

describe('a publish with x-ack-delivery-tag', () => {
  test('acks that delivery, is confirmed once, and does not carry the header', async () => {
    const server = await start();
    const raw = await worker(server);
    raw.publish(1, { routingKey: 'out' }, acking(1, { own: 'kept' }), Buffer.from('done'));
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
    expect(queueOf(server, 'in')).toEqual(EMPTY);
    const { body, properties } = await take(raw, 'out');
    expect(body.toString()).toBe('done');
    expect(properties).toMatchObject({ deliveryMode: 2, headers: { own: 'kept' } });
    expect(Object.keys(properties['headers'] as object)).toEqual(['own']);
    expect(raw.unread()).toEqual([]);
    raw.send(1, 'basic.ack', { deliveryTag: 1 });
    expect((await raw.next(1))['replyText']).toContain('unknown delivery tag 1');
  });

  test('takes a tag of any integer type, and acks all of an array', async () => {
    const server = await start();
    const raw = await worker(server, { count: 9 });
    const types = ['b', 'B', 's', 'u', 'I', 'i', 'l'];
    for (const [at, type] of types.entries()) {
      const value = type === 'l' ? BigInt(at + 1) : at + 1;
      raw.publish(1, { routingKey: 'out' }, acking(typed(type, value)), Buffer.from(type));
    }
    await settled(raw);
    expect(queueOf(server, 'in').unacked).toBe(2);
    raw.publish(1, { routingKey: 'out' }, acking([9, typed('l', 8n)]));
    raw.publish(1, { routingKey: 'out' }, acking([]));
    await settled(raw);
    expect(queueOf(server, 'in')).toEqual(EMPTY);
    expect(queueOf(server, 'out').ready).toBe(9);
  });

  test('acks what consumers of any queue were given, and they are given more', async () => {
    const server = await start();
    const raw = await server.open();
    for (const queue of ['in', 'other', 'out']) await raw.call(1, 'queue.declare', { queue });
    await raw.call(1, 'basic.qos', { prefetchCount: 1 });
    await raw.call(1, 'basic.consume', { queue: 'in', consumerTag: 'in' });
    await raw.call(1, 'basic.consume', { queue: 'other', consumerTag: 'other' });
    for (const queue of ['in', 'other', 'in']) raw.publish(1, { routingKey: queue });
    for (let n = 0; n < 2; n++) await raw.message(1);
    raw.publish(1, { routingKey: 'out' }, acking([1, 2]));
    expect((await raw.message(1)).method).toMatchObject({ deliveryTag: 3, consumerTag: 'in' });
    expect(queueOf(server, 'other')).toEqual(EMPTY);
    raw.publish(1, { routingKey: 'out' }, acking(3));
    await settled(raw);
    expect(queueOf(server, 'in')).toEqual(EMPTY);
  });

  test('may send the work back to its own queue, to be tried later', async () => {
    const server = await start();
    const raw = await worker(server);
    raw.publish(1, { routingKey: 'in' }, acking(1, { 'x-delay': 60_000 }), Buffer.from('again'));
    expect(await raw.next(1)).toMatchObject({ name: 'basic.ack', deliveryTag: 1 });
    expect(queueOf(server, 'in')).toEqual({ ready: 0, unacked: 0, delayed: 1 });
  });

  test('is stored in the batch that acks, and confirmed when that is durable', async () => {
    const server = await start();
    const raw = await worker(server, { count: 2 });
    const { core } = server.server.broker;
    const sealed: string[] = [];
    const seal = core.seal.bind(core);
    core.seal = () => {
      sealed.push(`${queueOf(server, 'in').unacked} in, ${queueOf(server, 'out').ready} out`);
      seal();
    };
    const before = server.store.batch;
    raw.publish(1, { routingKey: 'out' }, acking([1, 2]));
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(sealed).toContain('0 in, 1 out');
    expect(sealed.filter((state) => state !== '0 in, 1 out')).toEqual([]);
    expect(core.durableBatch).toBeGreaterThanOrEqual(before);
    core.seal = seal;
  });

  test('waits for the disk with its confirm also where only the ack has to get there', async () => {
    const server = await start();
    const raw = await worker(server);
    server.stickDisk();
    const headers = { 'x-ack-delivery-tag': 1 };
    raw.publish(1, { routingKey: 'out' }, { headers }, Buffer.from('transient'));
    await pause(20);
    expect(raw.unread()).toEqual([]);
    server.unstickDisk();
    expect((await raw.next(1)).name).toBe('basic.ack');
  });

  test('acks nothing when it is mandatory and has no route, and without mandatory acks', async () => {
    const server = await start();
    const raw = await worker(server);
    raw.publish(1, { routingKey: 'nowhere', mandatory: true }, acking(1));
    expect((await raw.message(1)).method).toMatchObject({ name: 'basic.return', replyCode: 312 });
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(queueOf(server, 'in')).toEqual(HELD);
    raw.publish(1, { routingKey: 'nowhere' }, acking(1));
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(queueOf(server, 'in')).toEqual(EMPTY);
  });

  test('acks nothing when a queue of its route is full, and can be made again', async () => {
    const server = await start();
    const raw = await worker(server);
    await raw.call(2, 'queue.declare', { queue: 'full', arguments: FULL });
    await raw.call(2, 'exchange.declare', { exchange: 'both', type: 'fanout' });
    for (const queue of ['out', 'full']) {
      await raw.call(2, 'queue.bind', { queue, exchange: 'both' });
    }
    for (const fields of [{ routingKey: 'full' }, { exchange: 'both' }]) {
      raw.publish(1, fields, acking(1));
      expect((await raw.next(1)).name).toBe('basic.nack');
      expect(queueOf(server, 'in')).toEqual(HELD);
    }
    // What the other queue took stays there, as with any publish that one of several refuses.
    expect(queueOf(server, 'out')).toEqual(ONE);
    raw.publish(1, { routingKey: 'out' }, acking(1));
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(queueOf(server, 'in')).toEqual(EMPTY);
  });

  test('means nothing for a delivery that was taken back, as a late ack does', async () => {
    const server = await start();
    const raw = await worker(server, { count: 2 });
    takeBack(server, 1);
    raw.publish(1, { routingKey: 'out' }, acking([1, 2]));
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(queueOf(server, 'in')).toEqual(ONE);
    expect(queueOf(server, 'out')).toEqual(ONE);
    const { counts } = server.server.broker.vhost('/').queues.get('in') as Queue;
    expect(counts).toMatchObject({ leasesExpired: 1, lateAcks: 1 });
  });
});

/** What a timeout with the action `requeue` does to a delivery of channel 1. */
function takeBack(server: TestServer, tag: number): void {
  const { connections } = privately<{ connections: Set<Connection> }>(server.server);
  for (const { channels } of connections) channels.at(1)?.deliveries.takeBack(tag, true);
}

describe('a publish with x-ack-delivery-tag is refused, and nothing changes, for', () => {
  const wrong: readonly (readonly [what: string, tags: unknown, text: string])[] = [
    ['an unknown tag', 7, 'unknown delivery tag 7'],
    ['tag 0', 0, 'unknown delivery tag 0'],
    ['a negative tag', typed('l', -1n), 'unknown delivery tag -1'],
    ['a tag that was never given', typed('l', 2n ** 62n), 'unknown delivery tag'],
    ['an unknown tag among others', [1, 7], 'unknown delivery tag 7'],
    ['a tag that is named twice', [1, 2, 1], 'names delivery tag 1 twice'],
    ['a text', '1', 'a delivery tag is an integer'],
    ['a number with a fraction', typed('d', 1), 'not double'],
    ['a table', { tag: 1 }, 'not table'],
    ['nothing', null, 'a delivery tag is an integer'],
    ['an array within an array', [[1]], 'not array'],
    ['too many tags', Array.from({ length: 1_025 }, (_, i) => i + 1), '1024 are the most'],
  ];
  for (const [what, tags, text] of wrong) {
    test(what, async () => {
      const server = await start();
      const raw = await worker(server, { count: 2 });
      raw.publish(1, { routingKey: 'out' }, acking(tags), Buffer.from('never'));
      expect(await raw.next(1)).toMatchObject({
        name: 'channel.close',
        replyCode: 406,
        replyText: expect.stringContaining(text),
        classId: 60,
        methodId: 40,
      });
      // The end of the channel gives both back.
      expect(queueOf(server, 'in')).toEqual({ ready: 2, unacked: 0, delayed: 0 });
      expect(queueOf(server, 'out')).toEqual(EMPTY);
    });
  }

  test('the tag of a delivery without acks, and of another channel', async () => {
    const server = await start();
    const raw = await worker(server);
    raw.publish(2, { routingKey: 'out' }, acking(1));
    expect((await raw.next(2))['replyText']).toContain('unknown delivery tag 1');
    raw.send(2, 'channel.close-ok');
    await raw.openChannel(2);
    await raw.call(1, 'basic.consume', { queue: 'out', noAck: true });
    raw.publish(2, { routingKey: 'out' });
    expect((await raw.message(1)).method).toMatchObject({ deliveryTag: 2 });
    raw.publish(1, { routingKey: 'out' }, acking(2));
    expect((await raw.next(1))['replyText']).toContain('unknown delivery tag 2');
  });

  test('an exchange that is not there, whatever the tag', async () => {
    const server = await start();
    const raw = await worker(server);
    raw.publish(1, { exchange: 'none' }, acking('x'));
    expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 404 });
    expect(queueOf(server, 'in')).toEqual(ONE);
  });
});

/** Time goes on, and by a lot with each look at it once it leaps: a turn then has one step of each act. */
class LeapingClock extends FakeClock {
  leaps = false;

  override monotonicMs(): number {
    if (this.leaps) this.nowMs += 5;
    return this.nowMs + systemClock.monotonicMs();
  }
}

/** Has acts that are one batch stand still after their first slice, the others go on; returns how to end that. */
function holdWhole(server: TestServer): () => void {
  const { slices } = server.server.broker.core;
  const inner = privately<{ acts: { whole: boolean }[] }>(slices);
  const run = slices.run.bind(slices);
  slices.run = () => {
    const whole = inner.acts.filter((act) => act.whole);
    inner.acts = inner.acts.filter((act) => !act.whole);
    run();
    inner.acts.unshift(...whole);
    return true;
  };
  return () => {
    slices.run = run;
  };
}

describe('a publish to hundreds of queues with x-ack-delivery-tag', () => {
  async function wide(clock = new LeapingClock()): Promise<[TestServer, RawConnection]> {
    const server = await start({ heartbeatSeconds: 0, unfinishedTimeoutMs: Infinity }, clock);
    const raw = await worker(server);
    await raw.call(1, 'exchange.declare', { exchange: 'wide', type: 'fanout' });
    for (let i = 0; i < WIDE; i++) {
      await raw.call(1, 'queue.declare', { queue: `w${i}`, durable: true });
      await raw.call(1, 'queue.bind', { queue: `w${i}`, exchange: 'wide' });
    }
    return [server, raw];
  }

  test('acks with its last step', async () => {
    const [server, raw] = await wide();
    raw.publish(1, { exchange: 'wide' }, acking(1));
    expect((await raw.next(1)).name).toBe('basic.ack');
    expect(queueOf(server, 'in')).toEqual(EMPTY);
    expect(queueOf(server, `w${WIDE - 1}`)).toEqual(ONE);
  });

  test('acks nothing where one of them is full', async () => {
    const [server, raw] = await wide();
    await raw.call(1, 'queue.declare', { queue: 'full', arguments: FULL });
    await raw.call(1, 'queue.bind', { queue: 'full', exchange: 'wide' });
    raw.publish(1, { exchange: 'wide' }, acking(1));
    expect((await raw.next(1)).name).toBe('basic.nack');
    expect(queueOf(server, 'in')).toEqual(HELD);
    raw.publish(1, { routingKey: 'out' }, acking(1));
    expect((await raw.next(1)).name).toBe('basic.ack');
  });

  for (const full of [false, true]) {
    test(`${full ? 'gives back' : 'acks'} what a client held that is gone by the last step${full ? ', where one is full' : ''}`, async () => {
      const clock = new LeapingClock();
      const [server, raw] = await wide(clock);
      if (full) {
        await raw.call(1, 'queue.declare', { queue: 'full', durable: true, arguments: FULL });
        await raw.call(1, 'queue.bind', { queue: 'full', exchange: 'wide' });
      }
      const { slices } = server.server.broker.core;
      const other = await server.open();
      const goOn = holdWhole(server);
      clock.leaps = true;
      raw.publish(1, { exchange: 'wide' }, acking(1));
      await expect.poll(() => slices.any).toBe(true);
      raw.drop();
      await expect.poll(() => server.connectionCount).toBe(1);
      expect(queueOf(server, 'in')).toEqual(HELD);
      goOn();
      await other.call(1, 'basic.qos');
      await expect.poll(() => slices.any).toBe(false);
      clock.leaps = false;
      expect(queueOf(server, `w${WIDE - 1}`)).toEqual(ONE);
      expect(queueOf(server, 'in')).toEqual(full ? ONE : EMPTY);
    });
  }
});

describe('in a transaction, x-ack-delivery-tag', () => {
  const tx = { mode: 'tx.select' };

  test('acks with the commit, and not with a rollback', async () => {
    const server = await start();
    const raw = await worker(server, tx);
    for (const end of ['tx.rollback', 'tx.commit']) {
      raw.publish(1, { routingKey: 'out' }, acking(1));
      await settled(raw);
      expect(queueOf(server, 'in')).toEqual(HELD);
      expect((await raw.call(1, end)).name).toBe(`${end}-ok`);
    }
    expect(queueOf(server, 'in')).toEqual(EMPTY);
    expect(queueOf(server, 'out')).toEqual(ONE);
  });

  test('settles a delivery once: a second publish or ack of it is refused', async () => {
    const server = await start();
    const raw = await worker(server, tx);
    for (const again of [
      () => raw.publish(1, { routingKey: 'out' }, acking(1)),
      () => raw.send(1, 'basic.ack', { deliveryTag: 1 }),
    ]) {
      raw.publish(1, { routingKey: 'out' }, acking(1));
      again();
      expect((await raw.next(1))['replyText']).toContain('unknown delivery tag 1');
      raw.send(1, 'channel.close-ok');
      expect(queueOf(server, 'in')).toEqual(ONE);
      await raw.openChannel(1);
      await raw.call(1, 'tx.select');
      raw.send(1, 'basic.get', { queue: 'in' });
      await raw.message(1);
    }
    raw.publish(1, { routingKey: 'out' }, acking(1));
    raw.send(1, 'basic.ack', { deliveryTag: 0, multiple: true });
    expect((await raw.call(1, 'tx.commit')).name).toBe('tx.commit-ok');
    expect(queueOf(server, 'in')).toEqual(EMPTY);
  });

  test('acks nothing for a publish that a queue refuses, or that has no route', async () => {
    const server = await start();
    const raw = await worker(server, { ...tx, count: 3 });
    await raw.call(1, 'queue.declare', { queue: 'full', arguments: FULL });
    raw.publish(1, { routingKey: 'nowhere', mandatory: true }, acking(1));
    raw.publish(1, { routingKey: 'nowhere' }, acking(2));
    raw.send(1, 'tx.commit');
    await raw.message(1);
    expect((await raw.next(1)).name).toBe('tx.commit-ok');
    expect(queueOf(server, 'in')).toEqual({ ...HELD, unacked: 2 });
    raw.publish(1, { routingKey: 'full' }, acking(3));
    raw.publish(1, { routingKey: 'out' }, acking(1));
    expect((await raw.call(1, 'tx.commit'))['replyText']).toContain('partial tx completion');
    expect(queueOf(server, 'in')).toEqual(ONE);
    expect(queueOf(server, 'out')).toEqual(ONE);
  });

  test('waits for the disk with tx.commit-ok', async () => {
    const server = await start();
    const raw = await worker(server, tx);
    server.stickDisk();
    raw.publish(1, { routingKey: 'nowhere' }, acking(1));
    raw.send(1, 'tx.commit');
    await pause(20);
    expect(raw.unread()).toEqual([]);
    server.unstickDisk();
    expect((await raw.next(1)).name).toBe('tx.commit-ok');
  });
});

describe('no consumer sees a step that a crash would undo:', () => {
  /** The broker with a worker that holds a delivery, and a consumer of all that comes next; the disk is stuck. */
  async function stuck(mode = 'confirm.select') {
    const server = await start();
    const raw = await worker(server, { mode });
    const next = await server.open();
    await next.call(1, 'queue.declare', { queue: 'later', durable: true });
    await next.call(1, 'queue.declare', { queue: 'sign' });
    for (const queue of ['out', 'sign'])
      await next.call(1, 'basic.consume', { queue, noAck: true });
    const other = await server.open();
    server.stickDisk();
    /** What the consumer has been given by the end of another turn. */
    const seen = async (): Promise<string[]> => {
      other.publish(1, { routingKey: 'sign' }, {}, Buffer.from('sign'));
      const bodies: string[] = [];
      while (bodies.at(-1) !== 'sign') bodies.push((await next.message(1)).body.toString());
      return bodies;
    };
    return { server, raw, next, other, seen };
  }

  test('what is handed on goes out once its batch is durable, and all that comes behind it', async () => {
    const { server, raw, next, seen } = await stuck();
    raw.publish(1, { routingKey: 'out' }, { deliveryMode: 2 }, Buffer.from('plain'));
    await settled(raw);
    expect(await seen()).toEqual(['plain', 'sign']);
    raw.publish(1, { routingKey: 'out' }, acking(1), Buffer.from('step'));
    raw.publish(1, { routingKey: 'out' }, { deliveryMode: 2 }, Buffer.from('behind'));
    await settled(raw);
    expect(await seen()).toEqual(['sign']);
    expect(queueOf(server, 'out')).toEqual({ ready: 2, unacked: 0, delayed: 0 });
    server.unstickDisk();
    expect((await next.message(1)).body.toString()).toBe('step');
    expect((await next.message(1)).body.toString()).toBe('behind');
  });

  test.each(['by a header', 'by basic.ack'])(
    'so does what a commit publishes that settles deliveries %s',
    async (how) => {
      const { server, raw, next, seen } = await stuck('tx.select');
      const header = how === 'by a header';
      raw.publish(1, { routingKey: 'out' }, header ? acking(1) : { deliveryMode: 2 });
      if (!header) raw.send(1, 'basic.ack', { deliveryTag: 1 });
      raw.send(1, 'tx.commit');
      await eventually(() => queueOf(server, 'in').unacked === 0);
      expect(await seen()).toEqual(['sign']);
      expect(queueOf(server, 'out').ready).toBe(1);
      server.unstickDisk();
      await next.message(1);
      expect((await raw.next(1)).name).toBe('tx.commit-ok');
    },
  );

  test('what a commit only publishes goes out at once', async () => {
    const { server, raw, next } = await stuck('tx.select');
    raw.publish(1, { routingKey: 'out' }, { deliveryMode: 2 }, Buffer.from('plain'));
    raw.send(1, 'tx.commit');
    expect((await next.message(1)).body.toString()).toBe('plain');
    server.unstickDisk();
    expect((await raw.next(1)).name).toBe('tx.commit-ok');
  });

  test('nor does a client that asks for it get it before', async () => {
    const { server, raw, next, seen } = await stuck();
    raw.publish(1, { routingKey: 'later' }, acking(1), Buffer.from('step'));
    await settled(raw);
    next.send(1, 'basic.get', { queue: 'later', noAck: true });
    await eventually(
      () => plain(server.server.broker.vhost('/').queue('later', server)).waitsForMark,
    );
    expect(queueOf(server, 'later')).toEqual(ONE);
    server.unstickDisk();
    expect((await next.message(1)).body.toString()).toBe('step');
    expect(await seen()).toEqual(['sign']);
  });
});
