// Owns copies of the data of a broker that runs, and bringing one back: where they lie, that they are
// whole and durable. Never reads what is in them.

import { constants } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { wayOutOf } from '../util/system/system-error.ts';
import { COPYING, RESTORING } from './compact.ts';
import { syncFile, syncFolder } from './disk/sync-folder.ts';
import { causeText, StoreError } from './errors.ts';
import { makeFolder } from './folder.ts';
import { markData, unmarkData } from './has-data.ts';
import { LOG_FILE } from './log/ring/file.ts';
import type { Store } from './port.ts';

const STORE = 'store';
const DATA = 'data.mdb';

/** A copy that was made. */
export interface BackupReport {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Copies a store into `target`, which becomes a data folder that a broker can start on. All batches that
 * are durable now are in it. Resolves when the copy is durable, rejects with a StoreError; then nothing of
 * it is left.
 */
export async function backUp(store: Store, dataDir: string, target: string): Promise<BackupReport> {
  if (!isAbsolute(target)) {
    throw new StoreError(
      `'${target}' is no absolute path`,
      'the broker writes the copy: name the path on its machine',
    );
  }
  const path = resolve(target);
  const within = relative(resolve(dataDir), path);
  if (within === '' || !(within.startsWith('..') || isAbsolute(within))) {
    throw new StoreError(`${path} lies within the data folder`, 'name a folder outside of it');
  }
  await requireEmpty(path);
  const folder = join(path, STORE);
  try {
    await makeFolder(folder);
    await chmod(path, 0o700);
    await store.copyTo(folder);
    const data = join(folder, DATA);
    await chmod(data, 0o600);
    await syncFile(data);
    await markData(path);
    for (const each of [folder, path, dirname(path)]) await syncFolder(each);
    return { path, bytes: (await stat(data)).size };
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    await unmarkData(path);
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(
      `the copy to ${path} failed (${causeText(cause)}), and nothing of it is kept`,
      'make room there, give the broker the right to write there, or name another folder',
      { cause },
    );
  }
}

async function requireEmpty(path: string): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new StoreError(
      `${path} cannot be a folder for a copy (${causeText(error)})`,
      'name another',
    );
  }
  if (entries.length > 0) {
    throw new StoreError(`${path} is there and not empty`, 'name a new folder, or empty it');
  }
}

/**
 * Puts a copy in place of the data folder of a stopped broker, whose lock the caller holds. What is there
 * is kept beside it; returns where, or null when nothing was. Until the last step the old data stays.
 */
export async function putBack(
  backup: string,
  dataDir: string,
  nowMs: number,
): Promise<string | null> {
  const from = join(resolve(backup), STORE);
  const store = join(resolve(dataDir), STORE);
  const fresh = join(resolve(dataDir), RESTORING);
  try {
    await copyInto(fresh, from);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    throw new StoreError(
      `the copy could not be brought into ${dataDir} (${causeText(cause)}), and nothing is changed`,
      wayOutOf(cause) ?? 'fix this, and try again',
      { cause },
    );
  }
  let kept: string | null = null;
  if (await hasData(dataDir)) {
    kept = `${store}.before-${nowMs}`;
    await rename(store, kept);
  } else {
    await rm(store, { recursive: true, force: true });
  }
  await rename(fresh, store);
  await syncFolder(resolve(dataDir));
  return kept;
}

/** Makes a folder with a durable copy of a data file, and of its log: one that was copied by hand may need it. */
async function copyInto(folder: string, from: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  for (const name of (await isFile(join(from, LOG_FILE))) ? [LOG_FILE, DATA] : [DATA]) {
    const file = join(folder, name);
    await copyFile(join(from, name), file);
    await chmod(file, 0o600);
    await syncFile(file);
  }
  await syncFolder(folder);
}

/**
 * Copies the data file of a stopped broker beside it, durably, before something changes it, with `log` that of its log too,
 * if it is there. Returns where. Rejects with a StoreError; nothing of the copy that failed is left then.
 */
export async function keepDamaged(dataDir: string, nowMs: number, log: boolean): Promise<string[]> {
  const names = log && (await isFile(join(dataDir, STORE, LOG_FILE))) ? [DATA, LOG_FILE] : [DATA];
  const copies: string[] = [];
  for (const name of names) {
    const copy = join(dataDir, `${name}.damaged-${nowMs}`);
    await keepFile(dataDir, name, copy);
    copies.push(copy);
  }
  return copies;
}

async function keepFile(dataDir: string, name: string, copy: string): Promise<void> {
  const fresh = join(dataDir, COPYING);
  try {
    await rm(fresh, { force: true });
    await copyFile(join(dataDir, STORE, name), fresh, constants.COPYFILE_FICLONE);
    await syncFile(fresh);
    await rename(fresh, copy);
    await syncFolder(dataDir);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw new StoreError(
      `the data could not be copied to ${copy} before its repair (${causeText(cause)}), and nothing is changed`,
      wayOutOf(cause) ?? 'fix this, and try again',
      { cause },
    );
  }
}

/** Whether a folder holds the data of a broker. */
export function hasData(folder: string): Promise<boolean> {
  return stat(join(resolve(folder), STORE, DATA)).then(
    (found) => found.isFile() && found.size > 0,
    () => false,
  );
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
