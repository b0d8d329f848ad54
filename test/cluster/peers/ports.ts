// A cluster port and peers that ask it, for tests.
import { connect, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import { type PeerAddress, PeerClient } from '../../../src/cluster/peers/peer-client.ts';
import { peerKey } from '../../../src/cluster/peers/peer-key.ts';
import {
  type PeerHandlers,
  PeerServer,
  type PeerServerOptions,
} from '../../../src/cluster/peers/peer-server.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { Guard } from '../../../src/util/guard.ts';

export const KEY = await peerKey('a secret of this test');
export const OTHER_KEY = await peerKey('another secret');

const HANDLERS: PeerHandlers = {
  status: () => '{"role":"leader"}',
  newest: () => null,
  damaged: async () => {},
  upgrades: { amqp: null, http: null },
};

export interface Port {
  readonly server: PeerServer;
  readonly port: number;
  readonly said: { peer?: string; reason?: string; result?: string; text: string }[];
  client(changed?: Partial<PeerAddress>): PeerClient;
  /** A connection that has said nothing. */
  silent(): Socket;
}

/** Opens ports; they are closed after each test. */
export function usePorts() {
  const open: PeerServer[] = [];
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of open.splice(0)) await server.close();
  });
  return async (
    handlers: Partial<PeerHandlers> = {},
    options: Partial<PeerServerOptions> = {},
  ): Promise<Port> => {
    const said: Port['said'] = [];
    const say = (fields: object, text: string): unknown => said.push({ ...fields, text });
    const log = { info: say, warn: say, error: say };
    const guard = new Guard(log, systemClock, () => false);
    const server = new PeerServer(
      { host: '127.0.0.1', port: 0, key: KEY, connectionsMax: 10, ...options },
      { ...HANDLERS, ...handlers },
      guard,
      log,
      systemClock,
    );
    open.push(server);
    const { port } = await server.listen();
    return {
      server,
      port,
      said,
      client: (changed = {}) =>
        new PeerClient({ name: 'n2', host: '127.0.0.1', port, key: KEY, node: 'n1', ...changed }),
      silent: () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => {});
        sockets.push(socket);
        return socket;
      },
    };
  };
}
