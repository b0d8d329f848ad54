// Owns making a stream that carries AMQP over another transport look like a socket. Never reads it.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { TlsPeer } from './listener.ts';

/** What the handshake of TLS found out, where the socket below is one with TLS. */
export function tlsPeerOf(below: Socket): TlsPeer | null {
  if (!('getCipher' in below)) return null;
  const secure = below as TLSSocket;
  const protocol = secure.getProtocol() ?? '';
  return { protocol, cipher: secure.getCipher().name, certificate: null };
}

/** The stream with the ends and the byte counts of the socket below it. */
export function asSocket(stream: Duplex, below: Socket): Socket {
  const { remoteAddress, remotePort, localAddress, localPort } = below;
  const ends = { remoteAddress, remotePort, localAddress, localPort };
  const fields = Object.entries(ends).map(([name, value]) => [name, { value }]);
  return Object.defineProperties(stream, {
    ...Object.fromEntries(fields),
    bytesRead: { get: () => below.bytesRead },
    bytesWritten: { get: () => below.bytesWritten },
  }) as Socket;
}
