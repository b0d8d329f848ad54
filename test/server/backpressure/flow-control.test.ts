import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually, pause } from '../../support/amqp.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { publication } from '../scripted.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();

const BACKLOG = 1000;
/** Ten in a tick of the timer wheel. */
const FLOOR = 100;
const BODY = Buffer.alloc(500);
const SETTINGS = { flowBacklogMax: BACKLOG, flowFloor: FLOOR };

/** A broker whose clock stands still, with a queue `q`, and what is in it. */
class Scene {
  readonly clock = new FakeClock();
  broker!: TestServer;

  async start(): Promise<this> {
    this.broker = await start(SETTINGS, this.clock);
    const raw = await this.broker.open();
    await raw.call(1, 'queue.declare', { queue: 'q' });
    return this;
  }

  get ready(): number {
    return this.broker.server.broker.vhost('/').queues.get('q')?.readyCount ?? 0;
  }

  /** The next sample is taken. */
  async tick(): Promise<void> {
    this.clock.nowMs += 100;
    this.broker.server.wheel.advance();
    for (let i = 0; i < 20; i++) await turn();
  }

  /** A consumer that takes what its prefetch allows, and acks when it is told to. */
  async consumer(prefetchCount: number): Promise<RawConnection> {
    const raw = await this.broker.open();
    await raw.call(1, 'basic.qos', { prefetchCount });
    await raw.call(1, 'basic.consume', { queue: 'q' });
    return raw;
  }
}

/** Publishes so many at once. */
function flood(raw: RawConnection, count: number, queue = 'q'): void {
  const one = publication(1, { routingKey: queue }, {}, BODY);
  raw.write(Buffer.concat(Array.from({ length: count }, () => one)));
}

/** Looks in a row that must find the same: a publisher may also be held for a moment, for another reason. */
const LOOKS = 4;

/** Waits until the publisher is held back, and nothing has come in for a while; returns how much is ready. */
async function quiet(scene: Scene): Promise<number> {
  let before = -1;
  for (let same = 0; same < LOOKS; ) {
    const held = [...scene.broker.server.openConnections].some(({ paused }) => paused);
    same = held && before === scene.ready ? same + 1 : 0;
    before = scene.ready;
    for (let i = 0; i < 50; i++) await turn();
    await pause(5);
  }
  return before;
}

const IN_A_CHUNK = 65_536 / BODY.length;

test('a queue without consumers takes whatever comes', async () => {
  const scene = await new Scene().start();
  const publisher = await scene.broker.open();
  flood(publisher, 20 * BACKLOG);
  await eventually(() => scene.ready === 20 * BACKLOG, 'all of it');
});

test('a flooded queue whose consumers do nothing takes the floor, tick by tick', async () => {
  const scene = await new Scene().start();
  await scene.consumer(10);
  const publisher = await scene.broker.open();
  flood(publisher, 20 * BACKLOG);
  let before = await quiet(scene);
  expect(before).toBeGreaterThan(BACKLOG);
  expect(before).toBeLessThan(5 * BACKLOG);
  for (let i = 0; i < 10; i++) {
    await scene.tick();
    const now = await quiet(scene);
    expect(now - before).toBeGreaterThanOrEqual(FLOOR / 10);
    expect(now - before).toBeLessThan(FLOOR / 10 + 3 * IN_A_CHUNK);
    before = now;
  }
});

test('as much is let in as consumers have settled', async () => {
  const scene = await new Scene().start();
  const consumer = await scene.consumer(900);
  const publisher = await scene.broker.open();
  flood(publisher, 20 * BACKLOG);
  const before = await quiet(scene);
  consumer.send(1, 'basic.ack', { deliveryTag: 900, multiple: true });
  await eventually(() => scene.ready === before - 900, 'the deliveries');
  await scene.tick();
  const now = await quiet(scene);
  // A backlog far beyond the bound shrinks by a fifth of what is settled.
  expect(now - (before - 900)).toBeGreaterThanOrEqual(0.8 * 900);
  expect(now - (before - 900)).toBeLessThan(900 + 3 * IN_A_CHUNK);
});

test('consumers that catch up do not wait for the next sample', async () => {
  const scene = await new Scene().start();
  await scene.consumer(10);
  const publisher = await scene.broker.open();
  flood(publisher, 4 * BACKLOG);
  await quiet(scene);
  const keen = await scene.consumer(0);
  await eventually(() => scene.ready === 0, 'all of it, though the clock stands still');
  await keen.message(1);
});

test('other connections go on, and the held one gets its answers within a tick', async () => {
  const scene = await new Scene().start();
  await scene.consumer(10);
  const publisher = await scene.broker.open();
  const other = await scene.broker.open();
  await other.call(1, 'queue.declare', { queue: 'other' });
  flood(publisher, 2 * BACKLOG);
  await quiet(scene);
  flood(other, 5 * BACKLOG, 'other');
  await other.call(1, 'basic.qos', {});
  const { messageCount } = await other.call(1, 'queue.declare', { queue: 'other', passive: true });
  expect(messageCount).toBe(5 * BACKLOG);
  flood(publisher, 1);
  publisher.send(1, 'basic.qos', {});
  for (let i = 0; i < 20; i++) await scene.tick();
  expect((await publisher.next(1)).name).toBe('basic.qos-ok');
});

test('a connection that consumes from the queue it floods is not held back: its acks are needed', async () => {
  const scene = await new Scene().start();
  const both = await scene.consumer(10);
  flood(both, 20 * BACKLOG);
  await eventually(() => scene.ready > 19 * BACKLOG, 'all of it');
});

test('a flood into a full queue is refused as ever', async () => {
  const scene = await new Scene().start();
  const raw = await scene.broker.open();
  await raw.call(1, 'queue.declare', {
    queue: 'full',
    arguments: { 'x-max-length': 1500 },
  });
  await raw.call(1, 'basic.qos', { prefetchCount: 10 });
  await raw.call(1, 'basic.consume', { queue: 'full' });
  const publisher = await scene.broker.open();
  flood(publisher, 3 * BACKLOG, 'full');
  publisher.send(1, 'basic.qos', {});
  for (let i = 0; i < 100; i++) await scene.tick();
  expect((await publisher.next(1)).name).toBe('basic.qos-ok');
  expect(scene.broker.server.broker.vhost('/').queues.get('full')?.readyCount).toBe(1500);
});
