// Owns opening LMDB's environment as the store wants it, keeping other processes out of its lock file, and the first room of
// its data file. Never writes rows.

import { open as openFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { syncFolder } from '../disk/sync-folder.ts';
import type { TableKeys } from './table-keys.ts';

export const LOCK_FILE = 'lock.mdb';
/** What LMDB's lock file is called while the environment is open. */
export const LOCK_FILE_IN_USE = 'lock.in-use';

/**
 * All tables share the root database, the table's number being the first byte of the key: a commit
 * then rewrites one tree's path and not one for each table. Against named databases, a commit of one
 * row in each of two tables measured 0.36 to 0.40 ms instead of 0.37 to 0.41 ms.
 */
export function openEnvironment(
  folder: string,
  keys: TableKeys,
  mapBytes: number,
  lasting: boolean,
): RootDatabase<Buffer, Buffer> {
  const settings = {
    path: folder,
    noSubdir: false,
    encoding: 'binary' as const,
    keyEncoder: keys,
    mapSize: mapBytes,
    permissionsMode: 0o600,
    // A settled commit is then a synced one, and no start-up code depends on the boot id.
    overlappingSync: false,
    noSync: !lasting,
    // Every commit is one explicit batch(), which is atomic by itself. Without batching by event
    // turn the writing thread starts within the call and not one turn later.
    eventTurnBatching: false,
    txnStartThreshold: 1,
  };
  return open<Buffer, Buffer>(settings);
}

/**
 * Gives the lock file of an environment that was just opened a name that other processes do not know. It has the number of the
 * last commit, and LMDB sets that, as any process opens the files, even only to read, to what it has read of the data a moment
 * before (lmdb 3.5.6). A commit made in that moment would be lost: the next one takes its place. So another process makes a
 * lock file of its own.
 */
export async function hideLock(folder: string): Promise<void> {
  if (process.platform === 'win32') return; // renames no file that is open
  await rename(join(folder, LOCK_FILE), join(folder, LOCK_FILE_IN_USE));
}

/**
 * Gives it its own name back, as it was closed or a crash has left it. Where that cannot be, LMDB makes another; but for that
 * a full disk has no room.
 */
export async function showLock(folder: string): Promise<void> {
  await rename(join(folder, LOCK_FILE_IN_USE), join(folder, LOCK_FILE)).catch(() => {});
}

/** Gives a new data file its first room, really written, and makes its name durable. */
export async function reserve(folder: string, file: string, bytes: number): Promise<void> {
  const data = await openFile(file, 'r+');
  try {
    const zeros = Buffer.alloc(2 ** 20);
    let end = (await data.stat()).size;
    while (end < bytes) {
      const { bytesWritten } = await data.write(zeros, 0, Math.min(zeros.length, bytes - end), end);
      end += bytesWritten;
    }
    await data.sync();
  } finally {
    await data.close();
  }
  await syncFolder(folder);
}
