// Owns the tests of the connection to NATS that need no server of it: something that speaks as much of its protocol as a client
// needs to connect.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, test, vi } from 'vitest';
import { NO_LOGIN } from '../../../../src/store/replicated/nats/place.ts';
import { NatsWay } from '../../../../src/store/replicated/nats/way.ts';

const HOUR_MS = 3_600_000;
const INFO =
  'INFO {"server_name":"s0","version":"2.12.4","max_payload":1048576,"headers":true}\r\n';

const servers: Server[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Emits `greeted` once the client has all it needs. */
function greet(this: Server, socket: Socket): void {
  sockets.push(socket);
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    if (!bytes.includes('PING')) return;
    socket.write('PONG\r\n');
    this.emit('greeted');
  });
  socket.write(INFO);
}

async function open(server: Server): Promise<NatsWay> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return NatsWay.open({
    servers: [`127.0.0.1:${port}`],
    login: NO_LOGIN,
    tls: null,
    cluster: 'test',
    group: 'main',
    secretOf: 'main',
    node: 'n1',
    replicas: 1,
    logBytesMax: 2 ** 20,
    monitor: [],
    requireSync: false,
  });
}

test('a connection that is cut is made anew, also where the time of day was set back by hours', async () => {
  const server = createServer(greet);
  const way = await open(server);
  const now = Date.now;
  for (const setMs of [-HOUR_MS, -10 * HOUR_MS, HOUR_MS]) {
    const again = once(server, 'greeted');
    vi.spyOn(Date, 'now').mockImplementation(() => now() + setMs);
    sockets.at(-1)?.destroy();
    await again;
  }
  await way.close();
});
