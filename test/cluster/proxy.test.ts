import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectAmqp } from 'amqplib';
import { afterEach, describe, expect, test } from 'vitest';
import { AmqpProxy, type LeaderPort } from '../../src/cluster/proxy.ts';
import { systemClock } from '../../src/util/clock.ts';
import { readProxyLine } from '../../src/util/proxy/proxy-line.ts';
import { useServers } from '../server/support.ts';
import { RawConnection } from '../support/amqp-raw.ts';
import { usePorts } from './peers/ports.ts';

const servers = useServers();
const ports = usePorts();
const open: (Server | Socket)[] = [];

afterEach(() => {
  for (const each of open.splice(0)) {
    if ('destroy' in each) each.destroy();
    else each.close();
  }
});

/** A port that gives its sockets away. */
async function portOf(take: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.push(socket);
    take(socket);
  });
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it has no address');
  return address.port;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  open.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** A proxy before a leader, and the port of its clients. */
async function proxyTo(leader: LeaderPort | null) {
  const said: { reason?: string }[] = [];
  const log = { warn: (fields: object): unknown => said.push(fields) };
  const proxy = new AmqpProxy(() => leader, log, systemClock);
  return { proxy, said, port: await portOf((socket) => proxy.accepted(socket, null)) };
}

/** A leader whose end of each connection the test has. */
async function heldLeader() {
  const ends: Socket[] = [];
  const port = await portOf((socket) => {
    socket.on('error', () => {});
    ends.push(socket);
  });
  const leader: LeaderPort = { open: () => dial(port) };
  const end = async (): Promise<Socket> => {
    await expect.poll(() => ends.length).toBeGreaterThan(0);
    return ends[0] as Socket;
  };
  return { leader, end };
}

describe('a node that does not lead', () => {
  test('hands connections on to the one that leads, as those of their clients', async () => {
    const broker = await servers();
    const { client } = await ports({
      upgrades: { amqp: (socket) => broker.server.proxied.accept(socket), http: null },
    });
    const { port, proxy } = await proxyTo(client());
    const connection = await connectAmqp(`amqp://127.0.0.1:${port}`);
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const body = Buffer.alloc(3 * 2 ** 20, 'x');
    channel.sendToQueue(queue, body);
    await channel.waitForConfirms();
    const message = await channel.get(queue, { noAck: true });
    expect(message !== false && message.content.equals(body)).toBe(true);
    const [known] = broker.server.openConnections;
    expect(known?.facts).toMatchObject({ peerHost: '127.0.0.1', port, tls: null });
    expect(proxy.count).toBe(1);
    await connection.close();
    await expect.poll(() => proxy.count).toBe(0);
  });

  test('ends a connection with that of the leader, after what was said last', async () => {
    const broker = await servers();
    const { client } = await ports({
      upgrades: { amqp: (socket) => broker.server.proxied.accept(socket), http: null },
    });
    const { port } = await proxyTo(client());
    const raw = RawConnection.over(await dial(port), { ...broker.endpoint, password: 'wrong' });
    expect((await raw.open()).name).toBe('connection.close');
    raw.drop();
  });

  test('refuses a connection at once while none is known to lead', async () => {
    const { port, proxy } = await proxyTo(null);
    expect(proxy.mayAccept()).toBe(false);
    const socket = await dial(port);
    socket.resume();
    await once(socket, 'close');
    expect(socket.bytesRead).toBe(0);
  });

  test('refuses a connection where the leader cannot be reached, and says so once in a while', async () => {
    const down = new Error('node n2 is down');
    const { port, said } = await proxyTo({ open: () => Promise.reject(down) });
    for (let n = 0; n < 3; n += 1) {
      const socket = await dial(port);
      socket.resume();
      await once(socket, 'close');
    }
    expect(said).toEqual([{ reason: 'node n2 is down', connections: 1 }]);
  });

  test('sends its line first, and ends the side of the leader with that of the client', async () => {
    const { leader, end } = await heldLeader();
    const { port, proxy } = await proxyTo(leader);
    const client = await dial(port);
    client.write('AMQP');
    const upstream = await end();
    let seen = '';
    upstream.on('data', (bytes: Buffer) => {
      seen += bytes.toString('latin1');
    });
    await expect.poll(() => seen.endsWith('AMQP')).toBe(true);
    const line = readProxyLine(Buffer.from(seen, 'latin1'));
    expect(line).toMatchObject({ is: 'line', bytes: seen.length - 4 });
    const closed = once(upstream, 'end');
    client.destroy();
    await closed;
    upstream.end();
    await expect.poll(() => proxy.count).toBe(0);
  });

  test('ends the side of the client with that of the leader, and with all others', async () => {
    const { leader, end } = await heldLeader();
    const { port, proxy } = await proxyTo(leader);
    const client = await dial(port);
    client.resume();
    const closed = once(client, 'close');
    (await end()).destroy();
    await closed;
    const second = await dial(port);
    second.resume();
    await expect.poll(() => proxy.count).toBe(1);
    proxy.cutAll();
    await once(second, 'close');
    expect(proxy.count).toBe(0);
  });

  test.each(['client', 'leader'])('holds little for a %s that takes nothing', async (stuck) => {
    const { leader, end } = await heldLeader();
    const { port } = await proxyTo(leader);
    const client = await dial(port);
    const upstream = await end();
    const [from, to] = stuck === 'leader' ? [client, upstream] : [upstream, client];
    to.pause();
    const piece = Buffer.alloc(2 ** 20);
    // What the system's buffers take goes; then the proxy takes no more.
    let pieces = 0;
    let isHeld = false;
    while (!isHeld && pieces < 200) {
      pieces += 1;
      const sent = new Promise<boolean>((resolve) => {
        from.write(piece, () => resolve(true));
      });
      const turns = async (): Promise<boolean> => {
        for (let n = 0; n < 2000; n += 1) await new Promise((resolve) => setImmediate(resolve));
        return false;
      };
      isHeld = !(await Promise.race([sent, turns()]));
    }
    expect(isHeld).toBe(true);
    let received = 0;
    to.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    to.resume();
    await expect.poll(() => received).toBeGreaterThanOrEqual(pieces * piece.length);
  });
});
