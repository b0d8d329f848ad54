import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AnyQueue } from '../../src/broker/queue/types/create-queue.ts';
import type { Outbox } from '../../src/server/wire/outbox.ts';
import { plain } from '../broker/plain-queue.ts';
import { eventually } from '../support/amqp.ts';
import type { RawConnection } from '../support/amqp-raw.ts';
import { publication } from './scripted.ts';
import {
  FakeClock,
  printedSeed,
  privately,
  Random,
  type TestServer,
  useServers,
} from './support.ts';

const start = useServers();

const KIB = 1024;
const HIGH_WATERMARK = 256 * KIB;

/** What the outboxes of all connections hold. */
function outboxes(broker: TestServer): { waitingBytes: number; pinned: unknown[] }[] {
  const { connections } = privately<{ connections: Set<{ outbox: Outbox }> }>(broker.server);
  return [...connections].map(({ outbox }) =>
    privately<{ waitingBytes: number; pinned: unknown[] }>(outbox),
  );
}

function waitingMost(broker: TestServer): number {
  return Math.max(0, ...outboxes(broker).map((outbox) => outbox.waitingBytes));
}

/** How many writes of the connection that is furthest behind are done. */
function writesDone(broker: TestServer): number {
  const { connections } = privately<{ connections: Set<{ outbox: Outbox }> }>(broker.server);
  const all = [...connections].map(({ outbox }) => outbox);
  all.sort((a, b) => b.waitingBytes - a.waitingBytes);
  return privately<{ writesDone: number }>(all[0] as Outbox).writesDone;
}

async function readyCount(raw: RawConnection, queue: string): Promise<number> {
  const { messageCount } = await raw.call(1, 'queue.declare', { queue, passive: true });
  return messageCount as number;
}

/** A body of that many bytes that begins with its number. */
function numbered(number: number, bytes: number): Buffer {
  const body = Buffer.alloc(bytes, number);
  body.writeUInt32BE(number);
  return body;
}

describe.each([
  ['small', 2 * KIB, 16_000],
  ['large', 100 * KIB, 320],
])('a consumer of %s messages that stops reading', (_title, bodyBytes, count) => {
  test('holds up nobody, costs no more than its outbox, and misses nothing', async () => {
    const broker = await start({ outboxHighWatermarkBytes: HIGH_WATERMARK });
    const stuck = await broker.open();
    const other = await broker.open();
    const publisher = await broker.open();
    await publisher.call(1, 'queue.declare', { queue: 'big' });
    await stuck.call(1, 'basic.consume', { queue: 'big', noAck: true, consumerTag: 'stuck' });
    await other.call(1, 'queue.declare', { queue: 'echo', exclusive: true });
    await other.call(1, 'basic.consume', { queue: 'echo', noAck: true });
    stuck.socket.pause();

    let most = 0;
    for (let i = 0; i < count; i++) {
      publisher.publish(1, { routingKey: 'big' }, {}, numbered(i, bodyBytes));
      if (i % 20 !== 0) continue;
      other.publish(1, { routingKey: 'echo' }, {}, Buffer.from(`${i}`));
      expect((await other.message(1)).body.toString()).toBe(`${i}`);
      most = Math.max(most, waitingMost(broker));
    }
    const ready = await readyCount(publisher, 'big');
    expect(ready).toBeGreaterThan(count / 2);
    // What a turn gathers comes on top of what the socket holds already.
    expect(most).toBeLessThan(2 * HIGH_WATERMARK + bodyBytes + 64 * KIB);

    stuck.socket.resume();
    for (let i = 0; i < count; i++) {
      const { method, body } = await stuck.message(1);
      expect(method['deliveryTag']).toBe(i + 1);
      if (!body.equals(numbered(i, bodyBytes))) expect(body.readUInt32BE()).toBe(i);
    }
    expect(await readyCount(publisher, 'big')).toBe(0);
    expect(stuck.unread()).toEqual([]);
  });
});

test('a consumer that reads slowly gets all, and the broker keeps what it has read no longer', async () => {
  const broker = await start({ outboxHighWatermarkBytes: HIGH_WATERMARK });
  const slow = await broker.open();
  const publisher = await broker.open();
  await publisher.call(1, 'queue.declare', { queue: 'q' });
  await slow.call(1, 'basic.consume', { queue: 'q', noAck: true });
  const count = 600;
  for (let i = 0; i < count; i++) {
    publisher.publish(1, { routingKey: 'q' }, {}, numbered(i, 64 * KIB));
  }
  let mostPinned = 0;
  let reading = true;
  const read = (async () => {
    for (let i = 0; i < count; i++) {
      const { body } = await slow.message(1);
      expect(body.readUInt32BE()).toBe(i);
      slow.socket.pause();
      await turn();
      slow.socket.resume();
    }
  })().finally(() => {
    reading = false;
  });
  while (reading) {
    mostPinned = Math.max(mostPinned, ...outboxes(broker).map((outbox) => outbox.pinned.length));
    await turn();
  }
  await read;
  // A message of this size has a segment of its own.
  expect(mostPinned).toBeLessThan(20);
});

test('a full consumer leaves its messages to one that has room', async () => {
  const broker = await start({ outboxHighWatermarkBytes: HIGH_WATERMARK });
  const stuck = await broker.open();
  const publisher = await broker.open();
  await publisher.call(1, 'queue.declare', { queue: 'shared' });
  await stuck.call(1, 'basic.consume', { queue: 'shared' });
  stuck.socket.pause();
  const count = 300;
  for (let i = 0; i < count; i++) {
    publisher.publish(1, { routingKey: 'shared' }, {}, numbered(i, 100 * KIB));
  }
  await eventually(async () => waitingMost(broker) >= HIGH_WATERMARK, 'a full outbox');
  const eager = await broker.open();
  await eager.call(1, 'basic.consume', { queue: 'shared' });
  const seen: number[] = [];
  const queue = broker.server.broker.vhosts.get('/')?.queues.get('shared');
  while (queue !== undefined && queue.readyCount > 0) {
    const { body, method } = await eager.message(1);
    seen.push(body.readUInt32BE());
    eager.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  }
  expect(seen.length).toBeGreaterThan(10);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  stuck.drop();
  await eventually(() => queue?.unackedCount === 0 || queue?.readyCount === 0, 'the requeue');
  while (seen.length < count) {
    const { body, method } = await eager.message(1);
    const number = body.readUInt32BE();
    if (!seen.includes(number)) seen.push(number);
    eager.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  }
  expect(new Set(seen).size).toBe(count);
});

test('a connection destroyed amid deliveries and publishes gives everything back once', async () => {
  const random = new Random(printedSeed('moments of destruction'));
  const broker = await start({ outboxHighWatermarkBytes: HIGH_WATERMARK });
  const keeper = await broker.open();
  await keeper.call(1, 'queue.declare', { queue: 'q' });
  const count = 120;
  const bodyBytes = 150 * KIB;
  for (let i = 0; i < count; i++) {
    keeper.publish(1, { routingKey: 'q' }, { deliveryMode: 1 + (i % 2) }, numbered(i, bodyBytes));
  }
  await eventually(async () => (await readyCount(keeper, 'q')) === count);
  for (let round = 0; round < 15; round++) {
    const raw = await broker.open();
    await raw.openChannel(2);
    await raw.call(1, 'basic.consume', { queue: 'q', consumerTag: 'a' });
    raw.send(2, 'basic.consume', { queue: 'q', consumerTag: 'b' });
    raw.send(2, 'basic.get', { queue: 'q' });
    if (round % 3 === 0) raw.socket.pause();
    const half = publication(1, { routingKey: 'q' }, {}, numbered(1000, 400 * KIB));
    raw.write(half.subarray(0, random.below(half.length)));
    for (let n = random.below(60); n > 0; n--) await turn();
    raw.drop();
    await eventually(() => broker.connectionCount === 1, 'the end of the connection');
    const queue = broker.server.broker.vhosts.get('/')?.queues.get('q');
    expect(queue).toMatchObject({ readyCount: count, unackedCount: 0 });
    expect(plain(queue as AnyQueue).readyBytes).toBe(count * bodyBytes);
    await eventually(() => broker.segments.every(({ pins }) => pins === 0), 'the last unpin');
  }
  await keeper.call(1, 'basic.consume', { queue: 'q', noAck: true });
  for (let i = 0; i < count; i++) {
    const { body, method } = await keeper.message(1);
    if (!body.equals(numbered(i, bodyBytes))) expect(body.readUInt32BE()).toBe(i);
    // The first was certainly delivered before.
    if (i === 0) expect(method['redelivered']).toBe(true);
  }
  await broker.expectNothingHeld();
});

test('what a requeue brings back is marked, and goes out before what is newer', async () => {
  const broker = await start();
  const first = await broker.open();
  const second = await broker.open();
  await first.call(1, 'queue.declare', { queue: 'q' });
  await first.call(1, 'basic.qos', { prefetchCount: 5 });
  await first.call(1, 'basic.consume', { queue: 'q' });
  for (let i = 0; i < 10; i++) second.publish(1, { routingKey: 'q' }, {}, numbered(i, 20_000));
  for (let i = 0; i < 5; i++) await first.message(1);
  first.drop();
  await eventually(() => broker.connectionCount === 1);
  await second.call(1, 'basic.consume', { queue: 'q' });
  for (let i = 0; i < 10; i++) {
    const { method, body } = await second.message(1);
    expect([body.readUInt32BE(), method['redelivered']]).toEqual([i, i < 5]);
  }
});

test('a publisher that breaks off in its content leaves no message', async () => {
  const broker = await start();
  const keeper = await broker.open();
  await keeper.call(1, 'queue.declare', { queue: 'q' });
  const whole = publication(1, { routingKey: 'q' }, { deliveryMode: 2 }, Buffer.alloc(5000), 1000);
  for (let at = 1; at < whole.length; at += 97) {
    const raw = await broker.open();
    raw.socket.end(whole.subarray(0, at));
    await raw.untilClosed();
  }
  await eventually(() => broker.connectionCount === 1);
  expect(await readyCount(keeper, 'q')).toBe(0);
});

describe('frames of at most 4096 bytes', () => {
  const BODY = numbered(7, 100 * KIB);
  const FRAME_MAX = 4096;

  /** Takes the frames of one message and shows that none is too large. */
  async function expectSmallFrames(raw: RawConnection, name: string): Promise<void> {
    const method = await raw.next(1);
    expect(method.name).toBe(name);
    const header = await raw.next(1);
    expect(header['bodySize']).toBe(BODY.length);
    const bodies: Buffer[] = [];
    for (let got = 0; got < BODY.length; ) {
      const { payload } = await raw.next(1);
      const part = payload as Buffer;
      expect(part.length).toBeLessThanOrEqual(FRAME_MAX - 8);
      bodies.push(part);
      got += part.length;
    }
    expect(bodies.length).toBe(Math.ceil(BODY.length / (FRAME_MAX - 8)));
    expect(Buffer.concat(bodies).equals(BODY)).toBe(true);
  }

  test.each([FRAME_MAX, 131_072])('come from a publisher with frame_max %i', async (frameMax) => {
    const broker = await start();
    const consumer = await broker.open({ frameMax: FRAME_MAX });
    const publisher = await broker.open({ frameMax });
    await consumer.call(1, 'queue.declare', { queue: 'q' });
    const publish = (fields: Record<string, unknown>, deliveryMode: number): void =>
      publisher.write(publication(1, fields, { deliveryMode }, BODY, frameMax - 8));
    for (const deliveryMode of [1, 2]) {
      publish({ routingKey: 'q' }, deliveryMode);
      await eventually(async () => (await readyCount(consumer, 'q')) === 1);
      consumer.send(1, 'basic.get', { queue: 'q', noAck: true });
      await expectSmallFrames(consumer, 'basic.get-ok');
    }
    await consumer.call(1, 'basic.consume', { queue: 'q', noAck: true });
    for (const deliveryMode of [1, 2]) {
      publish({ routingKey: 'q' }, deliveryMode);
      await expectSmallFrames(consumer, 'basic.deliver');
    }
  });

  test('carry a message that comes back as unroutable', async () => {
    const broker = await start();
    const raw = await broker.open({ frameMax: FRAME_MAX });
    raw.write(publication(1, { routingKey: 'nowhere', mandatory: true }, {}, BODY, FRAME_MAX - 8));
    await expectSmallFrames(raw, 'basic.return');
  });

  test('carry what a publisher sent in many pieces to one that takes large ones', async () => {
    const broker = await start();
    const publisher = await broker.open({ frameMax: FRAME_MAX });
    const consumer = await broker.open();
    await consumer.call(1, 'queue.declare', { queue: 'q' });
    await consumer.call(1, 'basic.consume', { queue: 'q', noAck: true });
    publisher.write(publication(1, { routingKey: 'q' }, {}, BODY, 1));
    const { body } = await consumer.message(1);
    expect(body.equals(BODY)).toBe(true);
  });
});

describe('tcp_listen_options.send_timeout', () => {
  const TIMEOUT_MS = 4000;

  /** Lets time pass as the timer wheel sees it. */
  async function pass(broker: TestServer, clock: FakeClock, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.nowMs += 100;
      broker.server.wheel.advance();
      await turn();
    }
  }

  test('ends a connection that has taken nothing for so long, and no other', async () => {
    const clock = new FakeClock();
    const broker = await start({ sendTimeoutMs: TIMEOUT_MS }, clock);
    const publisher = await broker.open();
    const deaf = await broker.open();
    const reader = await broker.open();
    for (const [raw, queue] of [
      [deaf, 'deaf'],
      [reader, 'reader'],
    ] as const) {
      await raw.call(1, 'queue.declare', { queue });
      await raw.call(1, 'basic.consume', { queue });
    }
    deaf.socket.pause();
    for (let i = 0; i < 200; i++) {
      publisher.publish(1, { routingKey: 'deaf' }, {}, numbered(i, 100 * KIB));
    }
    publisher.publish(1, { routingKey: 'reader' }, {}, numbered(0, 100 * KIB));
    await reader.message(1);
    await eventually(() => waitingMost(broker) > 0, 'a write that does not end');
    expect(await readyCount(publisher, 'deaf')).toBeGreaterThan(0);

    await pass(broker, clock, TIMEOUT_MS);
    expect(broker.connectionCount).toBe(3);
    await pass(broker, clock, TIMEOUT_MS / 2);
    await eventually(() => broker.connectionCount === 2, 'the end of the deaf one');
    expect(broker.lines.find(({ msg }) => msg === 'connection closed')?.reason).toContain(
      'took nothing for 4000 ms',
    );
    expect(await readyCount(publisher, 'deaf')).toBe(200);
    expect((await reader.call(1, 'basic.qos', {})).name).toBe('basic.qos-ok');
  });

  test('spares a peer that takes a large write little by little', async () => {
    const clock = new FakeClock();
    const broker = await start({ sendTimeoutMs: TIMEOUT_MS }, clock);
    const publisher = await broker.open();
    const slow = await broker.open();
    await slow.call(1, 'queue.declare', { queue: 'slow' });
    await slow.call(1, 'basic.consume', { queue: 'slow', noAck: true });
    slow.socket.pause();
    publisher.publish(1, { routingKey: 'slow' }, {}, Buffer.alloc(40 * 1024 * KIB));
    await eventually(() => waitingMost(broker) > 16 * 1024 * KIB, 'a write that does not end');
    const write = writesDone(broker);
    // One write all along: it is longer than what the system and the client hold at a time.
    let wanted = 0;
    slow.socket.on('data', (bytes: Buffer) => {
      wanted -= bytes.length;
      if (wanted <= 0) slow.socket.pause();
    });
    for (let step = 0; step < 5; step++) {
      wanted = 4096 * KIB;
      slow.socket.resume();
      await eventually(() => wanted <= 0, 'a part of it');
      expect(writesDone(broker), 'the write is under way').toBe(write);
      await pass(broker, clock, TIMEOUT_MS * 0.7);
    }
    expect(broker.connectionCount).toBe(2);
    wanted = Number.POSITIVE_INFINITY;
    slow.socket.resume();
    expect((await slow.message(1)).body).toHaveLength(40 * 1024 * KIB);
  });

  test('may be infinite: a peer may be deaf for as long as it likes', async () => {
    const clock = new FakeClock();
    const broker = await start({ sendTimeoutMs: Number.POSITIVE_INFINITY }, clock);
    const publisher = await broker.open();
    const deaf = await broker.open();
    await deaf.call(1, 'queue.declare', { queue: 'deaf' });
    await deaf.call(1, 'basic.consume', { queue: 'deaf' });
    deaf.socket.pause();
    for (let i = 0; i < 200; i++) {
      publisher.publish(1, { routingKey: 'deaf' }, {}, numbered(i, 100 * KIB));
    }
    await eventually(() => waitingMost(broker) > 0, 'a write that does not end');
    await pass(broker, clock, 10 * TIMEOUT_MS);
    expect(broker.connectionCount).toBe(2);
  });
});
