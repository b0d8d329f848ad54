// Owns making a stream that carries AMQP over another transport look like a socket. Never reads it.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

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
