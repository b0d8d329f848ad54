// Owns what a node answers to its peers, by the part that it plays. Never listens.

import type { Socket } from 'node:net';
import type { NodeRow } from '../../cluster/node-row.ts';
import type { PeerHandlers } from '../../cluster/peers/peer-server.ts';
import { jsonText } from '../../util/json/json-writer.ts';
import type { RunningBroker } from '../serve.ts';
import type { Copies } from './copies.ts';
import type { Term } from './term.ts';

/** The node that is asked, as it is at the moment. */
interface AskedNode {
  row(): NodeRow;
  copies(): Copies | null;
  /** Null: it does not lead. */
  term(): Term | null;
}

/** What it answers with. */
export function peerHandlers(node: AskedNode): PeerHandlers {
  // A connection that another node hands on is the broker's; without a broker, it is cut.
  const handOver = (socket: Socket, take: (broker: RunningBroker) => void): void => {
    const broker = node.term()?.broker;
    if (broker == null) socket.destroy();
    else take(broker);
  };
  return {
    status: () => jsonText(node.row()),
    newest: () => node.copies()?.keeper.newest ?? null,
    damaged: async (snapshot) => node.copies()?.keeper.damaged(snapshot),
    call: (path, given) =>
      node.term()?.groups?.call(path, given) ?? Promise.reject(new Error('it does not lead')),
    upgrades: {
      amqp: (socket) => handOver(socket, ({ takeProxied }) => takeProxied?.(socket)),
      http: (socket) => handOver(socket, ({ tools }) => tools?.takeProxied(socket)),
      'http-local': (socket) => handOver(socket, ({ tools }) => tools?.takeProxiedLocal(socket)),
    },
  };
}
