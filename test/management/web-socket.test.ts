// How connections over WebSocket end, from either side: as those over plain sockets do, see
// test/server/connection/closing.test.ts. Time stands still unless a test moves it.

import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Context } from '../../src/management/context.ts';
import { acceptWebSockets } from '../../src/management/web-socket.ts';
import type { Connection } from '../../src/server/connection/connection.ts';
import type { ServerSettings } from '../../src/server/settings.ts';
import { ANSWERED } from '../../src/server/states.ts';
import { publication } from '../server/scripted.ts';
import { FakeClock, type TestServer, useServers } from '../server/support.ts';
import { eventually } from '../support/amqp.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { encodeMethod } from '../support/amqp-wire.ts';
import { FakeMachine } from '../support/fake-machine.ts';
import { BEFORE_LEAVING, CLOSE } from '../support/leaving.ts';
import { WebSocketPeer } from '../support/web-socket-peer.ts';

const start = useServers();
const MIB = 2 ** 20;
const https: HttpServer[] = [];

afterEach(() => {
  for (const http of https.splice(0)) http.close();
});

interface Opened {
  readonly machine: FakeMachine;
  readonly clock: FakeClock;
  readonly broker: TestServer;
  readonly peer: WebSocketPeer;
  readonly raw: RawConnection;
  skip(ms: number): void;
}

/** A broker whose time stands still, and a connection over WebSocket to it. */
async function open(settings: Partial<ServerSettings> = {}): Promise<Opened> {
  const clock = new FakeClock();
  const machine = new FakeMachine(Number.POSITIVE_INFINITY);
  const broker = await start({ heartbeatSeconds: 0, ...settings }, clock, machine);
  const { server } = broker;
  const http = createServer();
  https.push(http);
  acceptWebSockets(
    {
      clock,
      log: server.log,
      guard: server.peerGuard,
      pathPrefix: '',
      plainWebSocket: true,
      allowedPages: { origins: [], hosts: [], machine: '' },
      acceptAmqp: (stream, below) => server.streams.accept(stream, below),
    } as Partial<Context> as Context,
    http,
    { isAnswering: () => false, takenOver: () => {} },
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const peer = await WebSocketPeer.dial((http.address() as AddressInfo).port);
  const raw = RawConnection.over(peer as unknown as Socket, broker.endpoint);
  expect((await raw.open()).name).toBe('connection.open-ok');
  await raw.openChannel(1);
  const skip = (ms: number): void => {
    clock.nowMs += ms;
    server.wheel.advance();
  };
  return { machine, clock, broker, peer, raw, skip };
}

const gone = (broker: TestServer): Promise<unknown> =>
  eventually(() => broker.connectionCount === 0 && broker.server.streams.count === 0);

const hasQueue = (broker: TestServer, name: string): boolean =>
  broker.server.broker.vhosts.get('/')?.queues.has(name) === true;

/** How a peer may leave. */
const LEAVING: Record<string, (peer: WebSocketPeer) => void> = {
  'ends its side': (peer) => peer.tcp.end(),
  'hangs up': (peer) => peer.tcp.destroy(),
  resets: (peer) => peer.tcp.resetAndDestroy(),
  'sends a close frame': (peer) => peer.sendClose(),
  'sends a close frame and ends its side': (peer) => {
    peer.sendClose();
    peer.tcp.end();
  },
  'sends what is no frame': (peer) => peer.tcp.write(Buffer.alloc(64, 0xff)),
};
const BEFORE: typeof BEFORE_LEAVING = {
  ...BEFORE_LEAVING,
  'has half a frame on its way': (raw) => raw.write(Buffer.from([1, 0, 1, 0])),
};

for (const [before, prepare] of Object.entries(BEFORE)) {
  for (const [leaves, leave] of Object.entries(LEAVING)) {
    test(`a peer that ${before} and ${leaves} leaves nothing behind, without a timeout`, async () => {
      const { broker, peer, raw } = await open();
      await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
      await raw.call(1, 'basic.consume', { queue: 'own' });
      raw.publish(1, { routingKey: 'own' }, {}, Buffer.from('unacked'));
      await raw.message(1);
      await prepare(raw);
      leave(peer);
      await gone(broker);
      expect(hasQueue(broker, 'own')).toBe(false);
      peer.destroy();
    });
  }
}

test("after close-ok the socket is the peer's to close, and is cut after 30 s", async () => {
  const { broker, peer, raw, skip } = await open();
  await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  expect(hasQueue(broker, 'own')).toBe(false);
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  skip(29_900);
  await broker.expectServing();
  expect([raw.closed, peer.closes]).toEqual([false, 0]);
  skip(300);
  await gone(broker);
});

test('close-ok of the peer ends the WebSocket with a close frame', async () => {
  const { broker, peer, raw } = await open();
  expect((await raw.call(0, 'channel.open')).name).toBe('connection.close');
  raw.send(0, 'connection.close-ok');
  await eventually(() => peer.closes === 1);
  peer.sendClose();
  await gone(broker);
});

test('a peer that does not answer connection.close is cut after 30 s', async () => {
  const { broker, raw, skip } = await open();
  expect((await raw.call(0, 'channel.open')).name).toBe('connection.close');
  skip(29_900);
  await broker.expectServing();
  expect(raw.closed).toBe(false);
  skip(300);
  await gone(broker);
});

test('a peer that does not answer the close frame is cut after 5 s', async () => {
  const { broker, peer, raw, skip } = await open();
  raw.write(CLOSE);
  await raw.next();
  raw.write(Buffer.from('no frame of AMQP at all, whatever it is'));
  await eventually(() => peer.closes === 1);
  await broker.expectServing();
  expect(broker.connectionCount).toBeGreaterThan(0);
  skip(5100);
  await gone(broker);
});

test('a peer that closes and reads nothing of what it is owed is cut at the deadline', async () => {
  const { broker, peer, raw, skip } = await open({ outboxHighWatermarkBytes: 2 ** 26 });
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(2 ** 19);
  peer.tcp.pause();
  peer.pause();
  for (let i = 0; i < 48; i++) raw.publish(1, { routingKey: 'q' }, {}, body);
  for (let i = 0; i < 48; i++) raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  raw.write(CLOSE);
  const [connection] = broker.server.openConnections;
  await eventually(() => connection?.state === ANSWERED);
  expect(connection?.outbox.waitingBytes).toBeGreaterThan(2 ** 20);
  skip(30_200);
  await gone(broker);
});

test('of tens of thousands of tiny frames some are taken in a turn, then others have theirs', async () => {
  const { broker, peer } = await open();
  const [connection] = broker.server.openConnections as unknown as [Connection];
  const onData = connection.onData.bind(connection);
  const turns: number[] = [0];
  connection.onData = (bytes) => {
    turns[turns.length - 1] = (turns.at(-1) as number) + 1;
    onData(bytes);
  };
  const heartbeats = 8000;
  // Frames of a mask of zeros and one byte each, which together are heartbeats.
  const octets = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);
  const frames = [...octets].map((octet) => Buffer.from([0x82, 0x81, 0, 0, 0, 0, octet]));
  peer.tcp.write(Buffer.concat(Array.from({ length: heartbeats }, () => frames).flat()));
  const taken = (): number => turns.reduce((sum, each) => sum + each, 0);
  while (taken() < heartbeats * 8) {
    turns.push(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // One chunk of 64 KiB at most.
  expect(Math.max(...turns)).toBeLessThanOrEqual(2 ** 16 / 7 + 1);
  await broker.expectServing();
  peer.destroy();
});

test('pings count as frames do', async () => {
  const { broker, peer } = await open();
  const [connection] = broker.server.openConnections as unknown as [Connection];
  const before = connection.facts.received;
  const pings = 60_000;
  peer.tcp.write(
    Buffer.concat(Array.from({ length: pings }, () => Buffer.from([0x89, 0x80, 0, 0, 0, 0]))),
  );
  let most = 0;
  let seen = before;
  while (seen < before + pings * 6) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, connection.facts.received - seen);
    seen = connection.facts.received;
  }
  // A socket that is paused reads one chunk more.
  expect(most).toBeLessThanOrEqual(2 ** 17);
  peer.destroy();
});

test.each([
  ['in more than 1,024 fragments', [0x02, 0x81, 0, 0, 0, 0, 1], [0x00, 0x81, 0, 0, 0, 0, 1]],
])('a message %s ends its connection', async (_how, first, next) => {
  const { broker, peer } = await open();
  peer.tcp.write(Buffer.from(first));
  peer.tcp.write(Buffer.concat(Array.from({ length: 1030 }, () => Buffer.from(next))));
  await gone(broker);
});

test('what stands before a close frame is done, although it had to wait for the disk', async () => {
  const { broker, peer, raw } = await open();
  broker.stickDisk();
  raw.write(
    Buffer.concat([
      encodeMethod(1, 'queue.declare', { queue: 'one', durable: true }),
      encodeMethod(1, 'queue.declare', { queue: 'two', durable: true }),
      publication(1, { routingKey: 'two' }, { deliveryMode: 2 }, Buffer.from('kept')),
    ]),
  );
  peer.sendClose();
  await eventually(() => hasQueue(broker, 'one'));
  await eventually(() => peer.closes === 1);
  broker.unstickDisk();
  await eventually(() => hasQueue(broker, 'two'));
  await gone(broker);
  expect(broker.server.broker.vhosts.get('/')?.queues.get('two')?.readyCount).toBe(1);
});

for (const publishes of [1, 40]) {
  for (const [leaves, leave] of Object.entries(LEAVING)) {
    // What comes behind 40 publishes is not read: such a peer has to close its socket, both ways.
    if (publishes > 1 && !/hangs up|resets/.test(leaves)) continue;
    test(`a peer that is blocked by an alarm with ${publishes} publishes and ${leaves} is let go within seconds`, async () => {
      const { broker, machine, peer, raw, skip } = await open();
      const other = await broker.open();
      await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
      machine.inUse = 500 * MIB;
      skip(3000);
      for (let i = 0; i < publishes; i++) {
        raw.publish(1, { routingKey: 'own' }, {}, Buffer.alloc(10_000));
      }
      await eventually(() => broker.blockedCount === 1, 'the block');
      leave(peer);
      // The system tells of the end of a peer that is not read at the second write.
      for (let i = 0; i < 5; i++) {
        await other.call(1, 'basic.qos', { prefetchCount: 1 });
        skip(5000);
      }
      await eventually(() => broker.connectionCount === 1, 'the end of the peer');
      expect(hasQueue(broker, 'own')).toBe(false);
      machine.inUse = 0;
      skip(3000);
      peer.destroy();
    });
  }
}
