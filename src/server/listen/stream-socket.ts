// Owns connections whose AMQP comes over another transport, such as WebSocket: how many there are, and making
// their streams look like sockets. Never reads one.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Guard } from '../../util/guard.ts';
import { notedTls } from '../../util/proxy/handed-on.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { TlsPeer } from '../tls/peer.ts';

/** How long what has come may still be acted upon once the socket below has ended. */
const ORPHAN_TIMEOUT_MS = 5000;

/** What takes the connections. */
export interface StreamTaker {
  readonly wheel: TimerWheel;
  readonly peerGuard: Guard;
  mayAccept(): boolean;
  accepted(socket: Socket, peer: TlsPeer | null): { readonly identity: { readonly user: string } };
}

/** The connections over other transports. */
export class Streams {
  /** How many are open. */
  count = 0;
  private readonly taker: StreamTaker;

  constructor(taker: StreamTaker) {
    this.taker = taker;
  }

  /**
   * Takes a stream over a socket. Returns what says whether its peer has logged in; null: there is no room
   * for it, and it is cut.
   */
  accept(stream: Duplex, below: Socket): (() => boolean) | null {
    if (!this.taker.mayAccept()) {
      stream.destroy();
      return null;
    }
    this.count += 1;
    const { wheel, peerGuard } = this.taker;
    // Where an alarm or the like keeps the stream from being read, its end would not be seen.
    const orphaned = new WheelTimer(() => stream.destroy());
    const leave = (): void => wheel.schedule(orphaned, ORPHAN_TIMEOUT_MS);
    const left = peerGuard.listener('end below a stream', leave, () => stream.destroy());
    below.once('finish', left);
    below.once('close', left);
    stream.once('close', () => {
      this.count -= 1;
      below.off('finish', left);
      below.off('close', left);
      wheel.cancel(orphaned);
    });
    const connection = this.taker.accepted(asSocket(stream, below), tlsPeerOf(below));
    return () => connection.identity.user !== '';
  }
}

/** What the handshake of TLS found out, where the socket below is one with TLS. */
function tlsPeerOf(below: Socket): TlsPeer | null {
  const noted = notedTls(below);
  if (noted !== undefined) return noted === null ? null : { ...noted, certificate: null };
  if (!('getCipher' in below)) return null;
  const secure = below as TLSSocket;
  const protocol = secure.getProtocol() ?? '';
  return { protocol, cipher: secure.getCipher().name, certificate: null, refusal: null };
}

/** The stream with the ends and the byte counts of the socket below it. */
function asSocket(stream: Duplex, below: Socket): Socket {
  const { remoteAddress, remotePort, localAddress, localPort } = below;
  const ends = { remoteAddress, remotePort, localAddress, localPort };
  const fields = Object.entries(ends).map(([name, value]) => [name, { value }]);
  return Object.defineProperties(stream, {
    ...Object.fromEntries(fields),
    bytesRead: { get: () => below.bytesRead },
    bytesWritten: { get: () => below.bytesWritten },
  }) as Socket;
}
