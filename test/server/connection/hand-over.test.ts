// A connection whose vhost another group of the cluster has: the client's handshake is said to that node again, and nothing that it
// sends or is sent is lost on the way.

import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { GroupPlaces } from '../../../src/server/group-places.ts';
import type { RawConnection } from '../../support/amqp-raw.ts';
import { encodeMethod, PROTOCOL_HEADER } from '../../support/amqp-wire.ts';
import { type TestServer, useServers } from '../support.ts';

const start = useServers();

/** A node whose vhost `shop` is in the group `jobs`, which is reached at this port; 0: nowhere. */
async function startBeside(port: number): Promise<TestServer> {
  const groups: GroupPlaces = {
    own: 'main',
    others: true,
    addressOf: () => 'jobs.example:5672',
    open: () =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1' }, () => resolve(socket));
        socket.on('error', reject);
      }),
  };
  const node = await start({}, undefined, undefined, groups);
  const { broker } = node.server;
  broker.putVhost('shop');
  const place = { group: 'jobs', since: 'm1', moving: null, fault: '' };
  broker.placeVhost('shop', { place });
  allow(node, 'shop');
  return node;
}

function allow(node: TestServer, vhost: string): void {
  const all = { configure: '.*', write: '.*', read: '.*' };
  node.server.broker.access.setPermission({ user: 'guest', vhost, ...all });
}

/** The node that has the vhost. */
async function startHome(): Promise<TestServer> {
  const node = await start();
  node.server.broker.putVhost('shop');
  allow(node, 'shop');
  return node;
}

const startOk = () =>
  encodeMethod(0, 'connection.start-ok', {
    clientProperties: { product: 'test' },
    mechanism: 'PLAIN',
    response: Buffer.from('\0guest\0guest'),
    locale: 'en_US',
  });
const TUNE_OK = { channelMax: 7, frameMax: 8192, heartbeat: 0 };

/** Takes frames until one of this name has come. */
async function until(raw: RawConnection, name: string) {
  for (;;) {
    const frame = await raw.next();
    if (frame.name === name || frame.name === 'socket closed') return frame;
  }
}

test('what a client sends behind connection.open, before it has the answer, comes to the other node', async () => {
  const home = await startHome();
  const node = await startBeside(home.endpoint.port);
  const raw = await node.dial();
  raw.write(
    Buffer.concat([
      PROTOCOL_HEADER,
      startOk(),
      encodeMethod(0, 'connection.tune-ok', TUNE_OK),
      encodeMethod(0, 'connection.open', { virtualHost: 'shop' }),
      encodeMethod(1, 'channel.open', {}),
      encodeMethod(1, 'queue.declare', { queue: 'q', durable: true }).subarray(0, 9),
    ]),
  );
  expect((await until(raw, 'channel.open-ok')).channel).toBe(1);
  raw.write(encodeMethod(1, 'queue.declare', { queue: 'q', durable: true }).subarray(9));
  expect((await until(raw, 'queue.declare-ok'))['queue']).toBe('q');
  expect([...(home.server.broker.vhosts.get('shop')?.queues.keys() ?? [])]).toEqual(['q']);
  expect(node.server.openConnections.size).toBe(0);
  const [there] = home.server.openConnections;
  expect(there?.channels.max).toBe(7);
  raw.send(0, 'connection.close', { replyCode: 200 });
  await until(raw, 'connection.close-ok');
  raw.socket.end();
});

test('a client is told what the other node says against it', async () => {
  const home = await start();
  const node = await startBeside(home.endpoint.port);
  const raw = await node.dial();
  const answer = await raw.open({ vhost: 'shop' });
  expect(answer).toMatchObject({ name: 'connection.close', replyCode: 530 });
  expect(answer['replyText']).toContain('vhost shop not found');
  raw.send(0, 'connection.close-ok');
});

test('without the other node it is closed, and told where the vhost is', async () => {
  const node = await startBeside(1);
  const raw = await node.dial();
  const answer = await raw.open({ vhost: 'shop' });
  expect(answer).toMatchObject({ name: 'connection.close', replyCode: 320 });
  expect(answer['replyText']).toContain(
    "vhost 'shop' is in group 'jobs' of this cluster: connect to jobs.example:5672",
  );
  raw.send(0, 'connection.close-ok');
});

test('one that speaks no AMQP is none', async () => {
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    other.close();
  });
  const node = await startBeside((other.address() as { port: number }).port);
  const raw = await node.dial();
  const answer = await raw.open({ vhost: 'shop' });
  expect(answer).toMatchObject({ name: 'connection.close', replyCode: 320 });
  raw.send(0, 'connection.close-ok');
});

test('a stop cuts the connections that were given away', async () => {
  const home = await startHome();
  const node = await startBeside(home.endpoint.port);
  const raw = await node.dial();
  expect((await raw.open({ vhost: 'shop' })).name).toBe('connection.open-ok');
  await node.server.closeConnections('the test');
  expect((await until(raw, 'socket closed')).name).toBe('socket closed');
});

test('a client that may not enter the vhost is refused before it is given away', async () => {
  const node = await startBeside(1);
  node.server.broker.access.clearPermission('guest', 'shop');
  const raw = await node.dial();
  const answer = await raw.open({ vhost: 'shop' });
  expect(answer).toMatchObject({ name: 'connection.close', replyCode: 530 });
  raw.send(0, 'connection.close-ok');
});
