// Owns paths of sockets of the machine: that they are short enough for the system, and where the control socket of
// a broker lies. Never listens, never connects.

import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** The control socket of a broker, below its data folder: a folder of its own, which only the broker's user enters. */
export const CONTROL_FOLDER = 'control';
export const CONTROL_SOCKET = 'socket';

/** Unix sockets take paths of 107 bytes, on some systems of 103. */
const SOCKET_PATH_BYTES_MAX = 103;

/** The path of a folder is too long for a socket in it, and this system has no way around. */
export class LongPathError extends Error {}

/** Calls `use` with a path of the file that is short enough for a socket. Rejects with a LongPathError. */
export async function withShortPath<T>(
  folder: string,
  name: string,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const path = join(folder, name);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return use(path);
  if (process.platform !== 'linux') {
    throw new LongPathError(`the path of the data folder is too long: ${folder}`);
  }
  const handle = await open(folder, 'r');
  try {
    return await use(`/proc/self/fd/${handle.fd}/${name}`);
  } finally {
    await handle.close();
  }
}
