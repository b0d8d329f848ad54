import { expect, test } from 'vitest';
import type { Connection } from '../../src/server/connection/connection.ts';
import { eventually } from '../support/amqp.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { publication } from './scripted.ts';
import { FakeClock, privately, type TestServer, useServers } from './support.ts';

const start = useServers();

// Declarations that a client sends without waiting for answers share a commit; what follows waits behind them.
// The clock stands still: all of a chunk is done in one turn, however busy the machine is.

const BIND = { queue: 'q', exchange: 'amq.topic' };

const bind = (channel: number, routingKey: string): Buffer =>
  encodeMethod(channel, 'queue.bind', { ...BIND, routingKey });

/** A broker with a durable queue, a connection to it, and that connection inside the broker. */
async function prepared(): Promise<{ broker: TestServer; raw: RawConnection; inside: Connection }> {
  const broker = await start({}, new FakeClock());
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q', durable: true });
  await raw.openChannel(2);
  raw.chunks.length = 0;
  const { connections } = privately<{ connections: Set<Connection> }>(broker.server);
  return { broker, raw, inside: [...connections][0] as Connection };
}

/** Awaits that so many answers stand behind the disk, and that what was written could have come. */
async function untilHeld(broker: TestServer, inside: Connection, answers: number): Promise<void> {
  await eventually(
    () => inside.outbox.barriers.answers === answers,
    `${answers} answers that wait`,
  );
  const other = await broker.open();
  await other.call(1, 'basic.qos', {});
  await other.close();
}

test('bindings that are sent without waiting are answered together, when one commit has them all', async () => {
  const { broker, raw, inside } = await prepared();
  broker.stickDisk();
  const before = broker.store.batch;
  raw.write(Buffer.concat(Array.from({ length: 50 }, (_, i) => bind((i % 2) + 1, `key.${i}`))));
  await untilHeld(broker, inside, 50);
  expect(raw.chunks).toEqual([]);
  broker.unstickDisk();
  for (let i = 0; i < 50; i++) {
    expect(await raw.next()).toMatchObject({ name: 'queue.bind-ok', channel: (i % 2) + 1 });
  }
  expect(raw.chunks).toEqual([Array.from({ length: 50 }, () => 'queue.bind-ok')]);
  expect(broker.store.batch - before).toBeLessThan(10);
});

test('nothing that comes behind a durable binding overtakes its answer', async () => {
  const { broker, raw, inside } = await prepared();
  await raw.call(2, 'queue.declare', { queue: 'transient' });
  await raw.call(2, 'confirm.select');
  raw.chunks.length = 0;
  broker.stickDisk();
  raw.write(
    Buffer.concat([
      bind(1, 'key'),
      encodeMethod(2, 'basic.qos', { prefetchCount: 1 }),
      publication(2, { exchange: 'amq.topic', routingKey: 'key' }, {}, Buffer.from('routed')),
      encodeMethod(1, 'basic.get', { queue: 'q', noAck: true }),
      encodeMethod(2, 'basic.get', { queue: 'transient' }),
      encodeMethod(1, 'basic.consume', { queue: 'transient', consumerTag: 'c', noAck: true }),
      publication(2, { routingKey: 'transient' }, {}, Buffer.from('delivered')),
      encodeMethod(1, 'queue.declare', { queue: 'another' }),
    ]),
  );
  await untilHeld(broker, inside, 2);
  raw.write(
    Buffer.concat([
      encodeMethod(2, 'queue.declare', { queue: 'absent', passive: true }),
      encodeMethod(0, 'connection.close', { replyCode: 200 }),
    ]),
  );
  await eventually(() => !inside.channelCount, 'the end of the channels');
  await untilHeld(broker, inside, 2);
  expect(raw.chunks).toEqual([]);
  broker.unstickDisk();
  const seen: string[] = [];
  while (seen.at(-1) !== 'connection.close-ok') seen.push((await raw.next()).name);
  expect(seen).toEqual([
    'queue.bind-ok',
    'basic.qos-ok',
    'basic.get-ok',
    'header',
    'body',
    'basic.get-empty',
    'basic.consume-ok',
    'queue.declare-ok',
    'basic.deliver',
    'header',
    'body',
    'basic.ack',
    'channel.close',
    'connection.close-ok',
  ]);
  expect(raw.chunks.length).toBe(1);
});

test('what was answered before a declaration does not wait for it', async () => {
  const { broker, raw, inside } = await prepared();
  broker.stickDisk();
  const qos = encodeMethod(1, 'basic.qos', {});
  raw.write(Buffer.concat([qos, qos, bind(1, 'a'), qos]));
  expect((await raw.next()).name).toBe('basic.qos-ok');
  expect((await raw.next()).name).toBe('basic.qos-ok');
  await untilHeld(broker, inside, 1);
  expect(raw.unread()).toEqual([]);
  broker.unstickDisk();
  expect((await raw.next()).name).toBe('queue.bind-ok');
  expect((await raw.next()).name).toBe('basic.qos-ok');
});

test('answers of one commit do not wait for the next', async () => {
  const { broker, raw, inside } = await prepared();
  broker.stickDisk();
  raw.write(Buffer.concat([bind(1, 'a'), bind(1, 'b')]));
  await untilHeld(broker, inside, 2);
  // The first batch is written by now, and these gather for the second.
  raw.write(Buffer.concat([bind(2, 'c'), bind(2, 'd')]));
  await untilHeld(broker, inside, 4);
  broker.unstickDisk();
  broker.stickDisk();
  expect(await raw.next()).toMatchObject({ name: 'queue.bind-ok', channel: 1 });
  expect(await raw.next()).toMatchObject({ name: 'queue.bind-ok', channel: 1 });
  await untilHeld(broker, inside, 2);
  expect(raw.unread()).toEqual([]);
  broker.unstickDisk();
  expect(await raw.next()).toMatchObject({ name: 'queue.bind-ok', channel: 2 });
  expect(await raw.next()).toMatchObject({ name: 'queue.bind-ok', channel: 2 });
});

test('a connection with a thousand answers that wait is not read on before the disk has them', async () => {
  const { broker, raw, inside } = await prepared();
  broker.stickDisk();
  raw.write(Buffer.concat(Array.from({ length: 1500 }, (_, i) => bind(1, `key.${i}`))));
  await untilHeld(broker, inside, 1024);
  expect(inside.paused).toBe(true);
  broker.unstickDisk();
  for (let i = 0; i < 1500; i++) expect((await raw.next()).name).toBe('queue.bind-ok');
});

test('a connection that breaks with answers that wait gives back all it held', async () => {
  const { broker, raw, inside } = await prepared();
  broker.stickDisk();
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'basic.consume', { queue: 'q' }),
      bind(1, 'key'),
      ...Array.from({ length: 30 }, () =>
        publication(2, { exchange: 'amq.topic', routingKey: 'key' }, {}, Buffer.alloc(20_000)),
      ),
    ]),
  );
  await untilHeld(broker, inside, 1);
  raw.drop();
  await eventually(() => inside.channelCount === 0, 'the end of the channels');
  broker.unstickDisk();
  await broker.expectNothingHeld();
});

test('a client that has ended its side gets the answers that wait, and then the end', async () => {
  const broker = await start({}, new FakeClock());
  const raw = await RawConnection.dial(broker.endpoint, null, true);
  await raw.open();
  await raw.openChannel(1);
  broker.stickDisk();
  raw.socket.end(
    Buffer.concat([
      encodeMethod(1, 'queue.declare', { queue: 'one', durable: true }),
      encodeMethod(1, 'queue.declare', { queue: 'two', durable: true }),
    ]),
  );
  await eventually(() => broker.server.broker.vhosts.get('/')?.queues.has('two') === true);
  const other = await broker.open();
  await other.call(1, 'basic.qos', {});
  expect(raw.unread()).toEqual([]);
  expect(raw.closed).toBe(false);
  broker.unstickDisk();
  expect(await raw.next()).toMatchObject({ name: 'queue.declare-ok', queue: 'one' });
  expect(await raw.next()).toMatchObject({ name: 'queue.declare-ok', queue: 'two' });
  expect((await raw.next()).name).toBe('socket closed');
  raw.drop();
});
