import { expect, test } from 'vitest';
import { eventually } from '../support/amqp.ts';
import { encodeFrame, encodeMethod } from '../support/amqp-wire.ts';
import { publication } from './scripted.ts';
import { privately, type TestServer, useServers } from './support.ts';

const start = useServers();

// What follows a durable declaration waits until the declaration is on disk.

test('a wrong frame behind a durable declaration gives back what came before it', async () => {
  const broker = await start();
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(1000);
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'exchange.declare', { exchange: 'x', type: 'fanout', durable: true }),
      ...Array.from({ length: 30 }, () => publication(1, { routingKey: 'q' }, {}, body)),
      encodeFrame(99, 1, Buffer.alloc(10)),
    ]),
  );
  expect((await raw.next()).name).toBe('exchange.declare-ok');
  expect(await raw.next()).toMatchObject({ name: 'connection.close', replyCode: 501 });
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  await broker.expectNothingHeld();
});

test('a connection that breaks while a declaration waits gives back what follows it', async () => {
  const broker = await start();
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(1000);
  const publishes = Array.from({ length: 30 }, () => publication(1, { routingKey: 'q' }, {}, body));
  raw.write(
    Buffer.concat([
      ...publishes,
      encodeMethod(1, 'exchange.declare', { exchange: 'x', type: 'fanout', durable: true }),
      ...publishes,
    ]),
  );
  raw.socket.destroySoon();
  await raw.untilClosed();
  await broker.expectNothingHeld();
});

test('answers keep the order of the questions, however long the disk takes', async () => {
  const broker = await start();
  const raw = await broker.open();
  await raw.openChannel(2);
  const names = Array.from({ length: 20 }, (_, i) => `held-${i}`);
  raw.write(
    Buffer.concat(
      names.flatMap((queue) => [
        encodeMethod(1, 'queue.declare', { queue, durable: true }),
        encodeMethod(2, 'queue.declare', { queue: `${queue}-transient` }),
        encodeMethod(1, 'queue.bind', { queue, exchange: 'amq.fanout' }),
        encodeMethod(2, 'queue.delete', { queue: `${queue}-transient` }),
      ]),
    ),
  );
  for (const queue of names) {
    const answers = [await raw.next(), await raw.next(), await raw.next(), await raw.next()];
    expect(answers).toMatchObject([
      { name: 'queue.declare-ok', channel: 1, queue },
      { name: 'queue.declare-ok', channel: 2, queue: `${queue}-transient` },
      { name: 'queue.bind-ok', channel: 1 },
      { name: 'queue.delete-ok', channel: 2 },
    ]);
  }
});

test('a broker that stops while a declaration waits ends the connection in good order', async () => {
  const broker = await start();
  const raw = await broker.open();
  broker.stickDisk();
  raw.send(1, 'queue.declare', { queue: 'late', durable: true });
  await eventually(() => broker.server.broker.vhosts.get('/')?.queues.has('late') ?? false);
  const stopped = broker.server.closeConnections('shutdown');
  broker.unstickDisk();
  expect((await raw.next()).name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  await stopped;
  expect(raw.unread().map((frame) => frame.name)).toEqual([]);
});

/** A durable queue with messages that the disk has, and that no consumer has seen. */
async function storedMessages(broker: TestServer, queue: string, count: number): Promise<void> {
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue, durable: true });
  await raw.call(1, 'confirm.select');
  for (let i = 1; i <= count; i++) {
    raw.publish(1, { routingKey: queue }, { deliveryMode: 2 }, Buffer.from(`message ${i}`));
    await raw.next(1);
  }
  await raw.close();
}

test('basic.get of a queue that is deleted while it waits is told that there is none', async () => {
  const broker = await start();
  await storedMessages(broker, 'gone', 1);
  const raw = await broker.open();
  const other = await broker.open();
  broker.stickDisk();
  raw.send(1, 'basic.get', { queue: 'gone' });
  await eventually(() => pausedCount(broker) === 1, 'a basic.get that waits');
  other.send(1, 'queue.delete', { queue: 'gone', nowait: true });
  await other.call(1, 'basic.qos', {});
  broker.unstickDisk();
  expect(await raw.next(1)).toMatchObject({ name: 'channel.close', replyCode: 404, methodId: 70 });
  raw.send(1, 'channel.close-ok');
  await raw.openChannel(1);
});

test('basic.get that has to wait twice is answered before what was asked after it', async () => {
  const broker = await start();
  await storedMessages(broker, 'q', 3);
  const first = await broker.open();
  const second = await broker.open();
  const questions = Buffer.concat([
    encodeMethod(1, 'basic.get', { queue: 'q', noAck: true }),
    encodeMethod(1, 'basic.qos', {}),
  ]);
  broker.stickDisk();
  first.write(questions);
  await eventually(() => pausedCount(broker) === 1, 'a basic.get that waits');
  second.write(questions);
  await eventually(() => pausedCount(broker) === 2, 'another basic.get that waits');
  // The disk is asked for one delivery, which is the first's; the second has to ask again.
  broker.unstickDisk();
  for (const [raw, body] of [
    [first, 'message 1'],
    [second, 'message 2'],
  ] as const) {
    expect((await raw.message(1)).body.toString()).toBe(body);
    expect((await raw.next(1)).name).toBe('basic.qos-ok');
  }
});

test('messages that wait for the disk go back when the broker stops', async () => {
  const broker = await start();
  await storedMessages(broker, 'q', 1);
  const raw = await broker.open();
  broker.stickDisk();
  raw.send(1, 'basic.get', { queue: 'q' });
  await eventually(() => pausedCount(broker) === 1, 'a basic.get that waits');
  const stopped = broker.server.closeConnections('shutdown');
  broker.unstickDisk();
  expect((await raw.next()).name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
  await stopped;
  expect(raw.unread().map((frame) => frame.name)).toEqual([]);
  const queue = broker.server.broker.vhosts.get('/')?.queues.get('q');
  expect(queue).toMatchObject({ readyCount: 1, unackedCount: 0 });
});

/** Connections that the broker does not read at the moment. */
function pausedCount(broker: TestServer): number {
  const { connections } = privately<{ connections: Set<{ paused: boolean }> }>(broker.server);
  return [...connections].filter((connection) => connection.paused).length;
}
