// Owns the tests of what a peer begins and does not end: how much of it a connection may hold, all
// together, and for how long.

import { expect, test } from 'vitest';
import type { ServerSettings } from '../../../src/server/settings.ts';
import { eventually } from '../../support/amqp.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { encodeContent, encodeFrame, encodeMethod } from '../../support/amqp-wire.ts';
import { FakeMachine } from '../../support/fake-machine.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();

const MIB = 2 ** 20;
const FRAME_BODY = 3;
const EMPTY_FRAME = encodeFrame(FRAME_BODY, 1, Buffer.alloc(0));

/** A broker on a machine and a clock of the test's own. */
class Scene {
  readonly machine = new FakeMachine();
  readonly clock = new FakeClock();
  broker!: TestServer;

  async start(settings: Partial<ServerSettings> = {}): Promise<this> {
    this.broker = await start({ heartbeatSeconds: 0, ...settings }, this.clock, this.machine);
    return this;
  }

  /** Lets so many seconds pass. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.clock.nowMs += 1000;
      this.broker.server.wheel.advance();
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  /** What is held of messages that are not complete or not committed, by the server's own count. */
  get heldBytes(): number {
    return this.broker.server.broker.core.receivingBytes;
  }
}

/** The frames of a publish, up to a part of the body. */
function begun(channel: number, bodyBytes: number, sentBytes: number): Buffer {
  const frames = encodeContent(channel, {}, Buffer.alloc(bodyBytes, 'b'), Math.max(1, sentBytes));
  const header = 7 + frames.readUInt32BE(3) + 1;
  const end = header + (sentBytes === 0 ? 0 : sentBytes + 8);
  return Buffer.concat([
    encodeMethod(channel, 'basic.publish', { routingKey: 'q' }),
    frames.subarray(0, end),
  ]);
}

/** Waits until the broker has read all that came before. */
async function settled(raw: RawConnection): Promise<void> {
  await raw.openChannel(99);
  await raw.call(99, 'channel.close', { replyCode: 200 });
}

test('empty body frames cost nothing, and the message comes whole', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(100_000, 'b');
  const frames = encodeContent(1, {}, body, 50_000);
  const header = 7 + frames.readUInt32BE(3) + 1;
  raw.write(encodeMethod(1, 'basic.publish', { routingKey: 'q' }));
  raw.write(frames.subarray(0, header));
  await settled(raw);
  const before = scene.heldBytes;
  raw.write(Buffer.concat(Array.from({ length: 50_000 }, () => EMPTY_FRAME)));
  await settled(raw);
  expect(scene.heldBytes).toBe(before);
  raw.write(frames.subarray(header));
  raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  expect((await raw.message(1)).body.equals(body)).toBe(true);
  expect(scene.heldBytes).toBe(0);
});

test('a body of frames of one byte holds about as much memory as it has bytes', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.from(Array.from({ length: 40_000 }, (_, i) => i & 0xff));
  const frames = encodeContent(1, {}, body, 1);
  raw.write(encodeMethod(1, 'basic.publish', { routingKey: 'q' }));
  raw.write(frames.subarray(0, frames.length - 9));
  await settled(raw);
  expect(scene.heldBytes).toBeGreaterThanOrEqual(body.length - 1);
  expect(scene.heldBytes).toBeLessThan(2 * body.length);
  raw.write(frames.subarray(frames.length - 9));
  raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  expect((await raw.message(1)).body.equals(body)).toBe(true);
});

test('contents that are half there on many channels are bounded together', async () => {
  const scene = await new Scene().start({ maxMessageBytes: 100_000, unfinishedMaxBytes: MIB });
  const raw = await scene.broker.open();
  for (let channel = 2; channel <= 60; channel++) await raw.openChannel(channel);
  for (let channel = 2; channel <= 60; channel++) raw.write(begun(channel, 30_000, 0));
  const closed = await raw.next(0);
  expect(closed).toMatchObject({ name: 'connection.close', replyCode: 506 });
  expect(closed['replyText']).toContain('unfinished_max_per_connection');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  expect(scene.heldBytes).toBe(0);
});

test('transactions of all channels of a connection are bounded together', async () => {
  const scene = await new Scene().start({ maxMessageBytes: 100_000, unfinishedMaxBytes: MIB });
  const raw = await scene.broker.open();
  for (let channel = 1; channel <= 40; channel++) {
    if (channel > 1) await raw.openChannel(channel);
    await raw.call(channel, 'tx.select');
    raw.publish(channel, { routingKey: 'q' }, {}, Buffer.alloc(50_000));
    if (channel * 50_000 > MIB) break;
  }
  expect(await raw.next(0)).toMatchObject({ name: 'connection.close', replyCode: 506 });
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  expect(scene.heldBytes).toBe(0);
});

test('a message that does not go on closes its connection, one that goes on does not', async () => {
  const scene = await new Scene().start({ unfinishedTimeoutMs: 60_000 });
  const [stuck, slow] = [await scene.broker.open(), await scene.broker.open()];
  await slow.call(1, 'queue.declare', { queue: 'q' });
  stuck.write(begun(1, 50_000, 1000));
  const body = Buffer.alloc(20, 'b');
  const frames = encodeContent(1, {}, body, 1);
  slow.write(encodeMethod(1, 'basic.publish', { routingKey: 'q' }));
  const header = 7 + frames.readUInt32BE(3) + 1;
  slow.write(frames.subarray(0, header));
  for (const raw of [stuck, slow]) await settled(raw);
  for (let i = 0; i < body.length; i++) {
    await scene.pass(30);
    slow.write(frames.subarray(header + i * 9, header + (i + 1) * 9));
    await settled(slow);
    // Frames that bring nothing are no progress, on whatever channel.
    if (!stuck.closed && i < 2) stuck.write(EMPTY_FRAME);
  }
  expect(await stuck.next(0)).toMatchObject({ name: 'connection.close', replyCode: 506 });
  slow.send(1, 'basic.get', { queue: 'q', noAck: true });
  expect((await slow.message(1)).body.equals(body)).toBe(true);
  expect(slow.closed).toBe(false);
});

test('a frame that does not come to its end closes its connection, however it drips in', async () => {
  const scene = await new Scene().start({ unfinishedTimeoutMs: 60_000 });
  const raw = await scene.broker.open();
  const method = encodeMethod(1, 'queue.declare', { queue: 'q'.repeat(200) });
  for (let at = 0; at < 20 && !raw.closed; at++) {
    raw.write(method.subarray(at, at + 1));
    await scene.pass(5);
  }
  expect(await raw.next(0)).toMatchObject({ name: 'connection.close', replyCode: 506 });
});

test('an idle connection between two messages is left alone', async () => {
  const scene = await new Scene().start({ unfinishedTimeoutMs: 60_000 });
  const raw = await scene.broker.open();
  await scene.pass(300);
  await settled(raw);
  expect(raw.closed).toBe(false);
});

test('when transactions hold too much together, the one that holds most is closed', async () => {
  const scene = await new Scene().start();
  const small = await scene.broker.open();
  const raws = [await scene.broker.open(), await scene.broker.open(), await scene.broker.open()];
  await small.call(1, 'queue.declare', { queue: 'q' });
  await small.call(1, 'tx.select');
  small.publish(1, { routingKey: 'q' }, {}, Buffer.from('mine'));
  await settled(small);
  // A quarter of 400 MiB is allowed.
  for (const [i, raw] of raws.entries()) {
    await raw.call(1, 'tx.select');
    for (let n = 0; n < 2; n++) {
      raw.publish(1, { routingKey: 'q' }, {}, Buffer.alloc((i === 1 ? 26 : 16) * MIB));
    }
    if (i < 2) await settled(raw);
  }
  expect(await raws[1]?.next(0)).toMatchObject({ name: 'connection.close', replyCode: 506 });
  await settled(raws[2] as RawConnection);
  await small.call(1, 'tx.commit');
  expect(scene.broker.server.broker.vhost('/').queues.get('q')?.readyCount).toBe(1);
});

test('an alarm that a blocked transaction holds ends it, not the others', async () => {
  const scene = await new Scene().start();
  const [owner, other] = [await scene.broker.open(), await scene.broker.open()];
  await owner.call(1, 'tx.select');
  for (let n = 0; n < 60; n++) owner.publish(1, { routingKey: 'q' }, {}, Buffer.alloc(MIB));
  await settled(owner);
  scene.machine.inUse = 500 * MIB;
  await scene.pass(3);
  owner.publish(1, { routingKey: 'q' }, {}, Buffer.alloc(MIB));
  await eventually(() => scene.broker.blockedCount === 1, 'the block');
  other.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  for (let i = 0; i < 100 && scene.heldBytes > MIB; i++) await scene.pass(1);
  expect(await owner.next(0)).toMatchObject({ name: 'connection.close', replyCode: 506 });
  scene.machine.inUse = 0;
  await scene.pass(5);
  await settled(other);
});

test('a peer that ends while it is blocked, without heartbeats, is noticed', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open({ heartbeat: 0 });
  scene.machine.inUse = 500 * MIB;
  await scene.pass(3);
  raw.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  await eventually(() => scene.broker.blockedCount === 1, 'the block');
  raw.socket.end();
  raw.socket.destroySoon();
  for (let i = 0; i < 1000 && scene.broker.connectionCount > 0; i++) await scene.pass(1);
  expect(scene.broker.connectionCount).toBe(0);
});
