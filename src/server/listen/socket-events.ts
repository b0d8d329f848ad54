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

/** Hands on what happens to a socket until it is closed, or the returned function is called. */
export function listenTo(socket: Socket, owner: SocketOwner, guard: Guard): () => void {
  const cut = (): unknown => socket.destroy();
  // No wrapper of its own: this is called for each chunk, and the owner catches what frames throw.
  const data = (bytes: Buffer): void => owner.onData(bytes);
  const end = guard.listener('end of input', () => owner.onEnd(), cut);
  const failed = (error: Error): void => owner.onSocketError(error);
  const error = guard.listener('socket error', failed, cut);
  const close = guard.listener('closed socket', () => owner.dispose());
  socket.on('data', data);
  socket.on('end', end);
  socket.on('error', error);
  socket.on('close', close);
  return () => {
    socket.off('data', data);
    socket.off('end', end);
    socket.off('error', error);
    socket.off('close', close);
  };
}
