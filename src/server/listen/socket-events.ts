// Owns attaching a connection to the events of its socket, under the guard. Never handles one.

import type { Socket } from 'node:net';
import type { Guard } from '../../util/guard.ts';

/** What a connection does about its socket. */
export interface SocketOwner {
  /** Takes a chunk; an error of what is in it never leaves this. */
  onData(bytes: Buffer): void;
  onEnd(): void;
  onSocketError(error: Error): void;
  /** The socket is gone. */
  dispose(): void;
}

/** Hands on what happens to a socket until it is closed. */
export function listenTo(socket: Socket, owner: SocketOwner, guard: Guard): void {
  const cut = (): unknown => socket.destroy();
  // No wrapper of its own: this is called for each chunk, and the owner catches what frames throw.
  socket.on('data', (bytes: Buffer) => owner.onData(bytes));
  socket.on(
    'end',
    guard.listener('end of input', () => owner.onEnd(), cut),
  );
  socket.on(
    'error',
    guard.listener('socket error', (error: Error) => owner.onSocketError(error), cut),
  );
  socket.on(
    'close',
    guard.listener('closed socket', () => owner.dispose()),
  );
}
