// Owns opening a store of LMDB in a folder, and how its file begins. Never writes once it is open: engine.ts does.

import { statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import type { Store } from '../port.ts';
import { checkFiles } from './check-files.ts';
import { LmdbStore } from './engine.ts';
import {
  hideLock,
  LOCK_FILE,
  LOCK_FILE_IN_USE,
  openEnvironment,
  reserve,
  showLock,
} from './environment.ts';
import { cannotOpen } from './failures.ts';
import { tableKeys } from './table-keys.ts';
import { redo, WIDE_CHANGES } from './wide-batch.ts';

/** How to open an LMDB store; what is left out has a good default. */
export interface LmdbStoreOptions {
  /** A commit that has not settled after this long counts as failed. */
  readonly commitTimeoutMs?: number;
  /** Address space to map; beyond it the map is made anew, which costs a pause. */
  readonly mapBytes?: number;
  /** Size a new data file is given at once. */
  readonly reserveBytes?: number;
  /** Whether what it holds is to outlive the process and the machine; true unless given. */
  readonly lasting?: boolean;
  /** A batch of more changes is committed in parts: see wide-batch.ts. */
  readonly wideChanges?: number;
}

const COMMIT_TIMEOUT_MS = 30_000;
/** Fits into the 39 bits of address space that some ARM kernels give a process. */
const MAP_BYTES = 128 * 2 ** 30;
/**
 * A commit that makes the file longer also syncs the file system's journal: that made the commit of
 * one small message 0.44 ms instead of 0.34 ms. So the file starts with some room.
 */
const RESERVE_BYTES = 16 * 2 ** 20;
/** Opens the store in a folder, making both when they are not there. */
export async function openLmdbStore(
  folder: string,
  options: LmdbStoreOptions = {},
): Promise<Store> {
  const file = join(folder, 'data.mdb');
  let fresh = false;
  let db: RootDatabase<Buffer, Buffer> | null = null;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const keys = tableKeys();
    const mapBytes = options.mapBytes ?? MAP_BYTES;
    await showLock(folder);
    await checkFiles(folder, mapBytes);
    // An empty file was made, and nothing was written: it is as good as none.
    fresh = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
    const { lasting = true } = options;
    db = openEnvironment(folder, keys, mapBytes, lasting);
    await hideLock(folder);
    if (fresh && lasting) await reserve(folder, file, options.reserveBytes ?? RESERVE_BYTES);
    await redo(db, keys);
    const { commitTimeoutMs = COMMIT_TIMEOUT_MS, wideChanges = WIDE_CHANGES } = options;
    return new LmdbStore(folder, db, keys, commitTimeoutMs, wideChanges);
  } catch (cause) {
    await db?.close();
    if (fresh) await removeFiles(folder);
    throw cannotOpen(folder, cause);
  }
}

/** Files of a store that could not be made would look like one whose data is gone. */
export async function removeFiles(folder: string): Promise<void> {
  for (const name of ['data.mdb', LOCK_FILE, LOCK_FILE_IN_USE]) {
    await rm(join(folder, name), { force: true });
  }
}
