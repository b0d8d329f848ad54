import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ANSWERED } from '../../../src/server/states.ts';
import { eventually } from '../../support/amqp.ts';
import { RawConnection } from '../../support/amqp-raw.ts';
import { encodeFrame, encodeMethod, HEARTBEAT } from '../../support/amqp-wire.ts';
import { makeCertificates, writeServerFiles } from '../../support/certificates.ts';
import { BEFORE_LEAVING, CLOSE } from '../../support/leaving.ts';
import { publication } from '../scripted.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();
const { authority, server: certificate } = makeCertificates();
const tlsFiles = writeServerFiles(
  mkdtempSync(join(tmpdir(), 'leveret-closing-')),
  authority,
  certificate,
);

/** A broker whose time stands still, and a connection to it. */
async function open(heartbeat = 0) {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  return { clock, broker, raw: await broker.open({ heartbeat }) };
}

/** Lets time go by at once. */
function skip(broker: TestServer, clock: FakeClock, ms: number): void {
  clock.nowMs += ms;
  broker.server.wheel.advance();
}

/** Answers a question on a connection of its own, so that all that came before has been seen. */
async function settled(broker: TestServer): Promise<void> {
  await broker.expectServing();
}

test('a close is answered as often as it is sent, in one write and later', async () => {
  const { raw, broker } = await open();
  raw.chunks.length = 0;
  raw.write(Buffer.concat([CLOSE, CLOSE, CLOSE]));
  await raw.next();
  expect(raw.chunks).toEqual([
    ['connection.close-ok', 'connection.close-ok', 'connection.close-ok'],
  ]);
  raw.takeUnread();
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await settled(broker);
  expect(raw.closed).toBe(false);
});

test("after close-ok the socket is the peer's to close: nothing else is answered or acted upon", async () => {
  const { raw, broker } = await open();
  raw.write(CLOSE);
  await raw.next();
  raw.write(
    Buffer.concat([
      HEARTBEAT,
      encodeMethod(2, 'channel.open'),
      encodeMethod(1, 'queue.declare', { queue: 'too-late' }),
      publication(1, { routingKey: 'too-late' }, {}, Buffer.from('x')),
      encodeMethod(0, 'connection.open', { virtualHost: '/' }),
      CLOSE,
    ]),
  );
  expect((await raw.next()).name).toBe('connection.close-ok');
  await settled(broker);
  expect(raw.unread()).toEqual([]);
  expect(raw.closed).toBe(false);
  expect(broker.server.broker.vhosts.get('/')?.queues.has('too-late')).toBe(false);
  raw.socket.end();
  await raw.untilClosed();
  await eventually(() => broker.connectionCount === 0);
});

test.each([
  [0, 30_000],
  [600, 30_000],
  [7, 7000],
])(
  'with a heartbeat of %i s, a peer that does not close its socket is cut after %i ms',
  async (heartbeat, afterMs) => {
    const { raw, broker, clock } = await open(heartbeat);
    raw.write(CLOSE);
    await raw.next();
    skip(broker, clock, afterMs - 100);
    await settled(broker);
    expect(raw.closed).toBe(false);
    skip(broker, clock, 300);
    await raw.untilClosed();
    await eventually(() => broker.connectionCount === 0);
    expect(raw.heartbeats).toBe(0);
  },
);

test.each([
  [0, 30_000],
  [7, 7000],
])(
  'with a heartbeat of %i s, a peer that does not answer connection.close is cut after %i ms',
  async (heartbeat, afterMs) => {
    const { raw, broker, clock } = await open(heartbeat);
    raw.send(0, 'channel.open');
    expect((await raw.next()).name).toBe('connection.close');
    skip(broker, clock, afterMs - 100);
    await settled(broker);
    expect(raw.closed).toBe(false);
    skip(broker, clock, 300);
    await raw.untilClosed();
  },
);

test('a peer whose login is refused is cut after 3 s, whether it understands why or not', async () => {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  const [told, untold] = [await broker.dial(), await broker.dial()];
  await told.start();
  expect((await told.login({ password: 'wrong' })).name).toBe('connection.close');
  await untold.start();
  untold.send(0, 'connection.start-ok', {
    clientProperties: {},
    mechanism: 'PLAIN',
    response: Buffer.from('\0guest\0wrong'),
    locale: 'en_US',
  });
  await eventually(() => broker.lines.filter(({ msg }) => msg === 'login refused').length === 2);
  skip(broker, clock, 2900);
  await settled(broker);
  expect([told.closed, untold.closed]).toEqual([false, false]);
  skip(broker, clock, 300);
  await Promise.all([told.untilClosed(), untold.untilClosed()]);
});

test('crossing closes are each answered, and close-ok ends the socket', async () => {
  const { raw } = await open();
  raw.send(0, 'channel.open');
  expect((await raw.next()).name).toBe('connection.close');
  raw.write(Buffer.concat([CLOSE, CLOSE]));
  expect((await raw.next()).name).toBe('connection.close-ok');
  expect((await raw.next()).name).toBe('connection.close-ok');
  expect(raw.closed).toBe(false);
  raw.send(0, 'connection.close-ok');
  await raw.untilClosed();
});

test('bytes that are no frame, behind a close, end the socket without a word', async () => {
  for (const closed of [true, false]) {
    const { raw } = await open();
    if (closed) raw.write(CLOSE);
    else raw.send(0, 'channel.open');
    await raw.next();
    raw.write(Buffer.from('no frame at all, whatever it is'));
    await raw.untilClosed();
    expect(raw.unread()).toEqual([]);
  }
});

test('a close-ok that answers nothing is an error', async () => {
  const { raw } = await open();
  raw.send(0, 'connection.close-ok');
  expect(await raw.next()).toMatchObject({ name: 'connection.close', replyCode: 504 });
});

test('what a connection held is given back before its close is answered', async () => {
  const { raw, broker } = await open();
  const other = await broker.open();
  await other.call(1, 'queue.declare', { queue: 'shared' });
  await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
  other.publish(1, { routingKey: 'shared' }, {}, Buffer.from('taken'));
  await raw.call(1, 'basic.consume', { queue: 'shared', exclusive: true });
  await raw.message(1);
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  // The socket of the first is still open on both sides.
  expect(await other.call(1, 'basic.get', { queue: 'shared', noAck: true })).toMatchObject({
    name: 'basic.get-ok',
    redelivered: true,
  });
  await other.next(1);
  await other.next(1);
  expect((await other.call(1, 'basic.consume', { queue: 'shared', exclusive: true })).name).toBe(
    'basic.consume-ok',
  );
  expect((await other.call(1, 'queue.declare', { queue: 'own' })).name).toBe('queue.declare-ok');
  expect(raw.closed).toBe(false);
});

test('a connection that has its answer takes no place in connection_max', async () => {
  const broker = await start({ connectionMax: 1 });
  const raw = await broker.open();
  raw.write(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await broker.expectServing();
  expect(raw.closed).toBe(false);
});

/** How a peer may leave; each is tried before, with and after its close, and over TLS too. */
const LEAVING: Record<string, (raw: RawConnection) => void> = {
  'ends its side': (raw) => raw.socket.end(),
  'hangs up': (raw) => raw.socket.destroy(),
  resets: (raw) => raw.socket.resetAndDestroy(),
};

for (const tls of [false, true]) {
  for (const [before, prepare] of Object.entries(BEFORE_LEAVING)) {
    for (const [leaves, leave] of Object.entries(LEAVING)) {
      if (tls && leaves === 'resets') continue;
      test(`a peer that ${before} and ${leaves}${tls ? ' over TLS' : ''} leaves nothing behind, without a timeout`, async () => {
        const broker = await start(tls ? tlsFiles : {}, new FakeClock());
        const raw = tls ? await broker.openTls({ ca: authority.pem }) : await broker.open();
        await raw.call(1, 'queue.declare', { queue: 'own', exclusive: true });
        await raw.call(1, 'basic.consume', { queue: 'own' });
        raw.publish(1, { routingKey: 'own' }, {}, Buffer.from('unacked'));
        await raw.message(1);
        await prepare(raw);
        leave(raw);
        // Time stands still: whatever ends the connection, it is no deadline.
        await eventually(() => broker.connectionCount === 0);
        expect(broker.server.broker.vhosts.get('/')?.queues.size).toBe(0);
      });
    }
  }
}

test('a close with the end of the stream behind it is answered', async () => {
  const broker = await start();
  const raw = await RawConnection.dial(broker.endpoint, null, true);
  await raw.open();
  raw.socket.end(CLOSE);
  expect((await raw.next()).name).toBe('connection.close-ok');
  await raw.untilClosed();
});

test('what stands before the end of the stream is done, although it had to wait for the disk', async () => {
  const broker = await start();
  const raw = await RawConnection.dial(broker.endpoint, null, true);
  await raw.open();
  await raw.openChannel(1);
  broker.stickDisk();
  raw.socket.end(
    Buffer.concat([
      encodeMethod(1, 'queue.declare', { queue: 'one', durable: true }),
      encodeMethod(1, 'queue.declare', { queue: 'two', durable: true }),
      CLOSE,
    ]),
  );
  await eventually(() => broker.server.broker.vhosts.get('/')?.queues.has('one') === true);
  broker.unstickDisk();
  const names = [await raw.next(), await raw.next(), await raw.next()].map(({ name }) => name);
  expect(names).toEqual(['queue.declare-ok', 'queue.declare-ok', 'connection.close-ok']);
  await raw.untilClosed();
});

test('a peer that keeps its half of a socket open is cut five seconds after the other half', async () => {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  const raw = await RawConnection.dial(broker.endpoint, null, true);
  raw.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
  expect((await raw.next()).name).toBe('protocol header');
  await eventually(() => raw.closed);
  await settled(broker);
  await eventually(() => broker.connectionCount === 1);
  skip(broker, clock, 5100);
  await eventually(() => broker.connectionCount === 0);
  raw.drop();
});

test('a peer that closes and reads nothing of what it is owed is cut at the deadline', async () => {
  const clock = new FakeClock();
  const broker = await start({ outboxHighWatermarkBytes: 2 ** 26 }, clock);
  const raw = await broker.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  const body = Buffer.alloc(1 << 20);
  raw.socket.pause();
  for (let i = 0; i < 24; i++) raw.publish(1, { routingKey: 'q' }, {}, body);
  for (let i = 0; i < 24; i++) raw.send(1, 'basic.get', { queue: 'q', noAck: true });
  raw.write(CLOSE);
  await eventually(() => broker.server.broker.vhosts.get('/')?.queues.get('q')?.readyCount === 0);
  const [connection] = broker.server.openConnections;
  await eventually(() => connection?.state === ANSWERED);
  expect(connection?.outbox.waitingBytes).toBeGreaterThan(2 ** 20);
  await eventually(() => broker.connectionCount === 1);
  skip(broker, clock, 30_200);
  await eventually(() => broker.connectionCount === 0);
});

test('a flood of closes from a peer that does not read is not read on for ever', async () => {
  const { raw, broker } = await open();
  raw.socket.pause();
  const many = Buffer.concat(Array.from({ length: 5000 }, () => CLOSE));
  for (let i = 0; i < 400; i++) raw.write(many);
  await eventually(
    () => [...broker.server.openConnections].some(({ paused }) => paused),
    'the flood to be held back',
  );
  const [connection] = broker.server.openConnections;
  expect(connection?.outbox.waitingBytes).toBeLessThan(32 * 2 ** 20);
  raw.socket.destroy();
});

test('a stop does not wait for those who have their answer', async () => {
  const broker = await start({}, new FakeClock());
  const raw = await RawConnection.dial(broker.endpoint);
  await raw.open();
  raw.write(CLOSE);
  await raw.next();
  await broker.server.closeConnections('shutdown');
  await raw.untilClosed();
});

test('a stop waits five seconds at most for those who do not answer', async () => {
  const clock = new FakeClock();
  const broker = await start({}, clock);
  const raw = await broker.open();
  const before = await broker.open();
  before.write(encodeFrame(1, 0, Buffer.from([0, 20, 0, 10, 0])));
  expect((await before.next()).name).toBe('connection.close');
  const stopped = broker.server.closeConnections('shutdown');
  expect((await raw.next()).name).toBe('connection.close');
  skip(broker, clock, 5200);
  await stopped;
});
