// Owns the control socket: a Unix socket below the data folder, on which the user that runs the broker, and root, are
// served without a password. Never knows what is asked for there.

import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Guard } from '../../util/guard.ts';
import { CONTROL_FOLDER, CONTROL_SOCKET, withShortPath } from '../../util/system/socket-path.ts';

/** So many connections at a time: an operator, some probes and scripts. */
export const LOCAL_CONNECTIONS_MAX = 32;

/** Whether the connection of a request is one of the control socket. */
export function isLocal(socket: Socket): boolean {
  return locals.has(socket);
}

/** Notes that a connection is one of the control socket. */
export function markLocal(socket: Socket): void {
  locals.add(socket);
}

const locals = new WeakSet<Socket>();

/**
 * Opens the control socket of the broker that holds the lock of the folder. What a broker that was killed left there is
 * replaced. Rejects with the system's error. Returns what closes it.
 */
export async function openControlSocket(
  dataDir: string,
  guard: Guard,
  take: (socket: Socket) => Promise<void>,
  failed: (error: Error) => void,
): Promise<() => Promise<void>> {
  const folder = join(dataDir, CONTROL_FOLDER);
  const path = join(folder, CONTROL_SOCKET);
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  // Before the socket is there: no other user gets in between its making and its mode.
  await chmod(folder, 0o700);
  await rm(path, { force: true });
  const cut = (socket: Socket): unknown => socket.destroy();
  const accept = (socket: Socket): void => {
    // One that ends before it is served ends quietly.
    socket.on('error', () => cut(socket));
    guard.promise('control socket', take(socket), () => cut(socket));
  };
  const accepted = guard.listener('control socket', accept, cut);
  const server = createServer(accepted);
  const close = async (): Promise<void> => {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(path, { force: true });
  };
  await withShortPath(folder, CONTROL_SOCKET, (short) => listen(server, short, failed));
  try {
    await chmod(path, 0o600);
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
  return close;
}

/** Resolves once the server listens; what fails from then on is told to `failed`. */
function listen(server: Server, path: string, failed: (error: Error) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      server.on('error', failed);
      resolve();
    });
  });
}
