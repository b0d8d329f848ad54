import { expect, test } from 'vitest';
import { eventually } from '../../support/amqp.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { encodeContent, encodeMethod } from '../../support/amqp-wire.ts';
import { FakeMachine } from '../../support/fake-machine.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();

const CAPABILITIES = { authentication_failure_close: true, 'connection.blocked': true };
const MIB = 2 ** 20;

/** A broker on a machine and a clock of the test's own. */
class Scene {
  readonly machine = new FakeMachine();
  readonly clock = new FakeClock();
  broker!: TestServer;

  async start(): Promise<this> {
    this.broker = await start({ heartbeatSeconds: 0 }, this.clock, this.machine);
    return this;
  }

  open(capabilities: Record<string, boolean> = CAPABILITIES): Promise<RawConnection> {
    return this.broker.open({ capabilities });
  }

  /** Lets the broker look at the machine. */
  async look(): Promise<void> {
    this.clock.nowMs += 3000;
    this.broker.server.wheel.advance();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }

  async memory(inUse: number): Promise<void> {
    this.machine.inUse = inUse;
    await this.look();
  }

  async disk(free: number): Promise<void> {
    this.machine.free = free;
    await this.look();
  }
}

async function settled(raw: RawConnection): Promise<void> {
  await raw.call(1, 'basic.qos', { prefetchCount: 0 });
}

test('a connection is blocked by its first publish in an alarm, and what it sent comes afterwards', async () => {
  const scene = await new Scene().start();
  const raw = await scene.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('before'));
  await settled(raw);
  await scene.memory(400 * MIB);
  await settled(raw);
  expect(raw.unread()).toEqual([]);

  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('in the alarm'));
  expect(await raw.next(0)).toMatchObject({
    name: 'connection.blocked',
    reason: 'low on memory',
  });
  const consumer = await scene.open();
  const { messageCount } = await consumer.call(1, 'queue.declare', { queue: 'q', passive: true });
  expect(messageCount).toBe(1);

  await scene.memory(300 * MIB);
  expect((await raw.next(0)).name).toBe('connection.unblocked');
  await settled(raw);
  await consumer.call(1, 'basic.consume', { queue: 'q', noAck: true });
  expect((await consumer.message(1)).body.toString()).toBe('before');
  expect((await consumer.message(1)).body.toString()).toBe('in the alarm');
});

test('consumers go on in an alarm, also on connections that are opened in it', async () => {
  const scene = await new Scene().start();
  const publisher = await scene.open();
  await publisher.call(1, 'queue.declare', { queue: 'q' });
  for (let i = 0; i < 3; i++) publisher.publish(1, { routingKey: 'q' }, {}, Buffer.from(`${i}`));
  await settled(publisher);
  await scene.memory(500 * MIB);
  const consumer = await scene.open();
  await consumer.call(1, 'basic.consume', { queue: 'q' });
  for (let i = 0; i < 3; i++) {
    const { method } = await consumer.message(1);
    consumer.send(1, 'basic.ack', { deliveryTag: method['deliveryTag'] });
  }
  await settled(consumer);
  expect(consumer.unread()).toEqual([]);
  expect(scene.broker.server.broker.vhost('/').queues.get('q')?.unackedCount).toBe(0);
  await scene.memory(0);
});

test('a newcomer that publishes in an alarm is blocked, and one that does not know the notice is not told', async () => {
  const scene = await new Scene().start();
  await scene.memory(500 * MIB);
  const mute = await scene.open({ authentication_failure_close: true });
  await mute.call(1, 'queue.declare', { queue: 'q' });
  mute.publish(1, { routingKey: 'q' }, {}, Buffer.from('x'));
  mute.send(1, 'basic.qos', { prefetchCount: 1 });
  const { broker } = scene.broker.server;
  await eventually(() => scene.broker.blockedCount === 1, 'the block');
  expect(mute.unread()).toEqual([]);
  expect(broker.vhost('/').queues.get('q')?.readyCount).toBe(0);
  await scene.memory(0);
  expect((await mute.next(1)).name).toBe('basic.qos-ok');
  expect(broker.vhost('/').queues.get('q')?.readyCount).toBe(1);
});

test('two alarms are one reason, and the connection is told of the end of both only', async () => {
  const scene = await new Scene().start();
  await scene.disk(10 * MIB);
  await scene.memory(500 * MIB);
  const raw = await scene.open();
  raw.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  expect(await raw.next(0)).toMatchObject({ reason: 'low on disk & memory' });
  await scene.memory(0);
  expect(raw.unread()).toEqual([]);
  const other = await scene.open();
  other.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  expect(await other.next(0)).toMatchObject({ reason: 'low on disk' });
  await scene.disk(1000 * MIB);
  expect((await raw.next(0)).name).toBe('connection.unblocked');
  expect((await other.next(0)).name).toBe('connection.unblocked');
});

test('a large body is held back in its middle, and goes on where it was', async () => {
  const scene = await new Scene().start();
  const raw = await scene.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(MIB, 'b');
  const frames = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: 'q' }),
    encodeContent(1, {}, body, 100_000),
  ]);
  raw.write(frames.subarray(0, 300_000));
  const { broker } = scene.broker.server;
  await eventually(() => broker.core.receivingBytes > 290_000, 'the first part');
  await scene.disk(0);
  raw.write(frames.subarray(300_000));
  expect((await raw.next(0)).name).toBe('connection.blocked');
  expect(broker.core.receivingBytes).toBeLessThan(600_000);
  await scene.disk(1000 * MIB);
  expect((await raw.next(0)).name).toBe('connection.unblocked');
  await settled(raw);
  expect(broker.core.receivingBytes).toBe(0);
  raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  expect((await raw.message(1)).body.equals(body)).toBe(true);
});

test('a commit with publishes waits for the end of the alarm', async () => {
  const scene = await new Scene().start();
  const raw = await scene.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  await raw.call(1, 'tx.select');
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.from('x'));
  await settled(raw);
  await scene.disk(0);
  raw.send(1, 'tx.commit');
  expect((await raw.next(0)).name).toBe('connection.blocked');
  expect(scene.broker.server.broker.vhost('/').queues.get('q')?.readyCount).toBe(0);
  await scene.disk(1000 * MIB);
  expect((await raw.next(0)).name).toBe('connection.unblocked');
  expect((await raw.next(1)).name).toBe('tx.commit-ok');
  expect(scene.broker.server.broker.vhost('/').queues.get('q')?.readyCount).toBe(1);
});

test('what a transaction holds counts as on its way to the disk, until it ends', async () => {
  const scene = await new Scene().start();
  const { broker } = scene.broker.server;
  const raw = await scene.open();
  await raw.call(1, 'tx.select');
  for (let i = 0; i < 10; i++) raw.publish(1, { routingKey: 'q' }, {}, Buffer.alloc(MIB));
  await settled(raw);
  expect(broker.core.receivingBytes).toBeGreaterThan(10 * MIB);
  await raw.call(1, 'tx.rollback');
  expect(broker.core.receivingBytes).toBe(0);
  raw.publish(1, { routingKey: 'q' }, {}, Buffer.alloc(MIB));
  await settled(raw);
  expect(broker.core.receivingBytes).toBeGreaterThan(MIB);
  raw.drop();
  await eventually(() => broker.core.receivingBytes === 0, 'the end of the connection');
});

test('a blocked connection is not closed for its silence, and gets heartbeats', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open({ capabilities: CAPABILITIES, heartbeat: 10 });
  await scene.memory(500 * MIB);
  raw.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  expect((await raw.next(0)).name).toBe('connection.blocked');
  for (let seconds = 0; seconds < 60; seconds += 3) await scene.look();
  await eventually(() => raw.heartbeats > 2, 'heartbeats');
  expect(raw.closed).toBe(false);
  await scene.memory(0);
  expect((await raw.next(0)).name).toBe('connection.unblocked');
});

test('a blocked connection can be closed by the broker, and its answer is read', async () => {
  const scene = await new Scene().start();
  const raw = await scene.open();
  await scene.memory(500 * MIB);
  raw.publish(1, { routingKey: 'nowhere' }, {}, Buffer.alloc(MIB));
  expect((await raw.next(0)).name).toBe('connection.blocked');
  const { server } = scene.broker;
  server.connectionsForced(server.broker.vhost('/'), 'the test says so');
  expect((await raw.next(0)).name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  await scene.memory(0);
});

test('bodies that are half there come to their end one at a time while memory is short', async () => {
  const scene = await new Scene().start();
  const { broker } = scene.broker.server;
  const admin = await scene.open();
  await admin.call(1, 'queue.declare', { queue: 'q' });
  const raws = await Promise.all([0, 1, 2].map(() => scene.open()));
  const frames = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: 'q' }),
    encodeContent(1, {}, Buffer.alloc(MIB, 'b'), 100_000),
  ]);
  for (const raw of raws) raw.write(frames.subarray(0, 400_000));
  await eventually(() => broker.core.receivingBytes > 1_150_000, 'the first parts');
  await scene.memory(500 * MIB);
  for (const raw of raws) raw.write(frames.subarray(400_000, 500_000));
  for (const raw of raws) expect((await raw.next(0)).name).toBe('connection.blocked');
  const queue = broker.vhost('/').queues.get('q');
  for (const raw of raws) raw.write(Buffer.concat([frames.subarray(500_000), frames]));
  for (const ended of [1, 2, 3]) {
    await scene.look();
    await eventually(() => queue?.readyCount === ended, `${ended} at their end`);
    await settled(admin);
    expect(queue?.readyCount).toBe(ended);
  }
  await scene.look();
  expect(queue?.readyCount, 'what they publish next waits').toBe(3);
  expect(raws.flatMap((raw) => raw.unread())).toEqual([]);
  await scene.memory(0);
  for (const raw of raws) expect((await raw.next(0)).name).toBe('connection.unblocked');
  await eventually(() => queue?.readyCount === 6, 'all');
});

test('one that does not go on is passed over, and while the disk is short nobody goes on', async () => {
  const scene = await new Scene().start();
  const { broker } = scene.broker.server;
  const admin = await scene.open();
  await admin.call(1, 'queue.declare', { queue: 'q' });
  const [idle, keen] = [await scene.open(), await scene.open()];
  const frames = Buffer.concat([
    encodeMethod(1, 'basic.publish', { routingKey: 'q' }),
    encodeContent(1, {}, Buffer.alloc(MIB, 'b'), 100_000),
  ]);
  idle.write(frames.subarray(0, 800_000));
  keen.write(frames.subarray(0, 400_000));
  await eventually(() => broker.core.receivingBytes > 1_150_000, 'the first parts');
  scene.machine.free = 0;
  await scene.memory(500 * MIB);
  idle.write(frames.subarray(800_000, 900_000));
  keen.write(frames.subarray(400_000));
  for (const raw of [idle, keen]) expect((await raw.next(0)).name).toBe('connection.blocked');
  const queue = broker.vhost('/').queues.get('q');
  for (let i = 0; i < 10; i++) await scene.look();
  expect(queue?.readyCount).toBe(0);
  await scene.disk(1000 * MIB);
  for (let i = 0; i < 10; i++) await scene.look();
  await eventually(() => queue?.readyCount === 1, 'the end of the one that goes on');
  await scene.memory(0);
});

test('a blocked peer that is gone is noticed by the heartbeats that it does not take', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open({ capabilities: CAPABILITIES, heartbeat: 4 });
  await scene.memory(500 * MIB);
  raw.publish(1, { routingKey: 'nowhere' }, {}, Buffer.from('x'));
  expect((await raw.next(0)).name).toBe('connection.blocked');
  raw.drop();
  for (let i = 0; i < 100 && scene.broker.connectionCount > 0; i++) {
    await scene.look();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(scene.broker.connectionCount).toBe(0);
  await scene.memory(0);
});
