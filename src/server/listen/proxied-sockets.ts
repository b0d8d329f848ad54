// Owns connections that another node has accepted and hands on, with a line of the PROXY protocol before them: reading that
// line, and making their sockets tell of the client. Never checks that the other side is a node: the caller has.

import type { Socket } from 'node:net';
import type { Guard } from '../../util/guard.ts';
import { type ProxiedPeer, readProxyLine } from '../../util/proxy/proxy-line.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { TlsPeer } from '../tls/peer.ts';

/** How long a line may take. */
const LINE_TIMEOUT_MS = 10_000;

/** What takes the connections. */
export interface ProxiedTaker {
  readonly wheel: TimerWheel;
  readonly peerGuard: Guard;
  mayAccept(): boolean;
  accepted(socket: Socket, peer: TlsPeer | null): unknown;
}

/** The connections that other nodes have handed on. */
export class ProxiedSockets {
  /** How many are open. */
  count = 0;
  private readonly taker: ProxiedTaker;
  /** Those whose line has not come yet. */
  private readonly waiting = new Set<Socket>();
  private closed = false;

  constructor(taker: ProxiedTaker) {
    this.taker = taker;
  }

  /**
   * Takes a connection from a node: as that of the client, with its addresses and what TLS found out about it, once the line
   * has come. Where there is no room, or no line comes, it is cut. The caller has proved that the other side is a node: a
   * line makes any address of a client, also one from which users may log in that may not elsewhere.
   */
  accept(socket: Socket): void {
    const { wheel, peerGuard } = this.taker;
    if (this.closed || !this.taker.mayAccept()) {
      socket.destroy();
      return;
    }
    this.waiting.add(socket);
    const cut = (): unknown => socket.destroy();
    const late = new WheelTimer(cut);
    wheel.schedule(late, LINE_TIMEOUT_MS);
    this.count += 1;
    socket.once('close', () => {
      this.count -= 1;
      this.waiting.delete(socket);
      wheel.cancel(late);
    });
    socket.on('error', cut);
    let seen: Buffer = Buffer.alloc(0);
    const take = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes]);
      const line = readProxyLine(seen);
      if (line.is === 'unfinished') return;
      socket.off('data', listener);
      wheel.cancel(late);
      this.waiting.delete(socket);
      if (line.is === 'line') this.hand(socket, line.peer, seen.subarray(line.bytes));
      else socket.destroy();
    };
    const listener = peerGuard.listener('line of a proxy', take, cut);
    socket.on('data', listener);
  }

  /** Takes none any more, also none whose line is still to come: the broker stops, and nothing would tell them so. */
  close(): void {
    this.closed = true;
    for (const socket of this.waiting) socket.destroy();
  }

  private hand(socket: Socket, peer: ProxiedPeer, rest: Buffer): void {
    Object.defineProperties(socket, {
      remoteAddress: { value: peer.peerHost },
      remotePort: { value: peer.peerPort },
      localAddress: { value: peer.host },
      localPort: { value: peer.port },
    });
    this.taker.accepted(socket, peer.tls);
    if (rest.length > 0 && !socket.destroyed) socket.unshift(rest);
  }
}
