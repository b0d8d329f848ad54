// Owns the tests of what is remembered of connections and channels that closed: why, and what to do about it.

import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { ClosedView } from '../../../src/broker/view/server-port.ts';
import { eventually } from '../../support/amqp.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { FakeClock, type TestServer, useServers } from '../support.ts';

const start = useServers();

/** The newest that closed, once there are so many. */
async function newest(server: TestServer, count = 1): Promise<ClosedView> {
  const closed = (): readonly ClosedView[] => server.server.view.closed();
  await eventually(() => closed().length === count, 'what closed');
  return closed()[0] as ClosedView;
}

type Act = (raw: RawConnection) => void;

const FAULTS: readonly (readonly [what: string, act: Act, advice: string])[] = [
  [
    'a declaration that differs',
    (raw) => {
      raw.send(1, 'queue.declare', { queue: 'q', autoDelete: true });
    },
    'other properties',
  ],
  [
    'an ack of what was not delivered',
    (raw) => raw.send(1, 'basic.ack', { deliveryTag: 9n }),
    'settled a delivery twice',
  ],
  ['a queue that is not there', (raw) => raw.send(1, 'queue.purge', { queue: 'no' }), 'not there'],
  [
    'an exchange that is not there',
    (raw) => raw.send(1, 'exchange.declare', { exchange: 'no', passive: true }),
    'before publishing or binding',
  ],
  [
    'a second consumer beside an exclusive one',
    (raw) => {
      raw.send(1, 'basic.consume', { queue: 'q', exclusive: true });
      raw.send(1, 'basic.consume', { queue: 'q' });
    },
    'to itself',
  ],
  [
    'a queue in use that was to be deleted if unused',
    (raw) => {
      raw.send(1, 'basic.consume', { queue: 'q' });
      raw.send(1, 'queue.delete', { queue: 'q', ifUnused: true });
    },
    'only if it is unused',
  ],
  [
    'a consumer tag twice',
    (raw) => {
      raw.send(1, 'basic.consume', { queue: 'q', consumerTag: 'same' });
      raw.send(1, 'basic.consume', { queue: 'q', consumerTag: 'same' });
    },
    'the same tag',
  ],
  ['a channel that is not open', (raw) => raw.send(7, 'queue.purge', { queue: 'q' }), 'not open'],
];

test.each(FAULTS)('%s comes with advice', async (_what, act, advice) => {
  const server = await start();
  const raw = await server.open();
  await raw.call(1, 'queue.declare', { queue: 'q' });
  act(raw);
  for (let name = ''; !name.endsWith('.close'); ) {
    name = (await raw.next()).name;
    if (name === 'connection.close') raw.drop();
  }
  expect((await newest(server)).advice).toContain(advice);
});

test('a peer that hangs up comes with advice, and one that says goodbye does not', async () => {
  const server = await start();
  (await server.open()).drop();
  const hungUp = await newest(server);
  expect(hungUp).toMatchObject({ by: 'network', code: 0 });
  expect(hungUp.advice).toContain('without closing the connection');
  const raw = await server.open();
  await raw.call(0, 'connection.close', { replyCode: 541, replyText: 'a bug of the client' });
  raw.drop();
  expect(await newest(server, 2)).toMatchObject({ by: 'client', code: 541, advice: '' });
});

test('a peer that goes before it has sent a byte is not remembered, one that began is', async () => {
  const server = await start();
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const probe = connect(server.endpoint.port, '127.0.0.1');
    await eventually(() => server.connectionCount === 1, 'the probe');
    probe[leave]();
    await eventually(() => server.connectionCount === 0, 'the end of the probe');
  }
  connect(server.endpoint.port, '127.0.0.1').end('AM');
  expect(await newest(server)).toMatchObject({ by: 'network', kind: 'connection' });
});

test('a peer that does not finish the handshake comes with advice', async () => {
  const clock = new FakeClock();
  const server = await start({ handshakeTimeoutMs: 1000 }, clock);
  await server.dial();
  await eventually(() => server.connectionCount === 1, 'the connection');
  clock.nowMs += 5000;
  expect((await newest(server)).advice).toContain('in time');
});

test('a peer with another protocol is remembered with what it speaks, and where that belongs', async () => {
  const server = await start();
  const said: readonly (readonly [Buffer, string])[] = [
    [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'it does not speak AMQP 0-9-1'],
    [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1]), 'it speaks TLS'],
  ];
  for (const [at, [bytes, text]] of said.entries()) {
    const socket = connect(server.endpoint.port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', () => {}).resume();
    expect(await newest(server, at + 1)).toMatchObject({
      by: 'broker',
      code: 0,
      text: expect.stringContaining(text),
      advice: expect.stringContaining('listeners.ssl'),
    });
  }
});
