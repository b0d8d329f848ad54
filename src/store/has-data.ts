// Owns telling a data folder that has held a broker's data from a new one, so that data which is gone is
// noticed. Never opens the store.

import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { wayOutOf } from '../util/system/system-error.ts';
import { syncFolder } from './disk/sync-folder.ts';
import { causeText, StoreError } from './errors.ts';
import { LOG_FILE } from './log/ring/file.ts';
import { BLOCK_BYTES, RECORD_HEAD_BYTES } from './log/ring/format.ts';

/*
 * A start on a folder without data makes a new broker, and that must happen to new folders only: an empty
 * data.mdb, or one that is not there, is all that a broken file system or a wrong `rm` leaves of a million
 * messages. A folder has held data when any of these is there:
 *
 *   has-data                written once the first batch is durable, and before any client can connect
 *   store/lock.mdb          of LMDB, with the number of a commit; for folders older than has-data
 *   store/batches.log       with a record: one that was just made holds nothing behind its first block
 *   store.before-<time>     what a restore put aside
 *   store.restoring         what a restore was about to bring
 *   data.mdb.damaged-<time> what a repair kept
 *
 * The files in lock/ say nothing: a start that failed, or was killed before its first batch, leaves them too,
 * and the next one has to go on as if it were the first.
 */
const MARK = 'has-data';
const MARK_TEXT =
  'The folder beside this file holds the data of a Leveret broker. While this file is here, the broker does\n' +
  'not start without that data. To begin anew without any, remove this file and the folder store.\n';
const SIGNS = /^(has-data|store\.restoring|store\.before-.*|data\.mdb\.damaged-.*)$/;
const LOCK_FILE = 'lock.mdb';
/** In lock.mdb: u32 magic, u32 format, u64 number of the last commit since it was opened or made. */
const LOCK_HEAD_BYTES = 16;
const LAST_COMMIT_AT = 8;

/**
 * What says that a folder has held data, or null when it is new. Rejects with a StoreError when it has and
 * its data is gone.
 */
export async function signOfData(dataDir: string): Promise<string | null> {
  const sign = await findSign(dataDir);
  if (sign === null) return null;
  const store = join(dataDir, 'store');
  const data = join(store, 'data.mdb');
  if ((await sizeOf(store)) === null) throw dataGone(dataDir, sign, `${store} is not there`);
  const size = await sizeOf(data);
  if (size === null) throw dataGone(dataDir, sign, `${data} is not there`);
  if (size === 0) throw dataGone(dataDir, sign, `${data} is empty`);
  return sign;
}

/** The error for a folder whose data is gone: what says that it was there, and what is found instead. */
export function dataGone(dataDir: string, sign: string, found: string): StoreError {
  return new StoreError(
    `the data of the broker in ${dataDir} is gone: ${found}, and ${sign} says that there was data`,
    "bring it back with 'leveret restore' from a copy, or, to begin anew with nothing, move all of that " +
      'folder away',
    { damaged: true },
  );
}

/** Notes that a folder holds data. Rejects with the system's error; the folder works without it. */
export async function markData(dataDir: string): Promise<void> {
  const path = join(dataDir, MARK);
  if ((await sizeOf(path)) !== null) return;
  const file = await open(path, 'w', 0o600);
  try {
    // That it is there is what counts, so what cannot be written of its text does no harm.
    await file.writeFile(MARK_TEXT);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dataDir);
}

/** Takes the note away again, of a folder that was to get data and did not. */
export function unmarkData(dataDir: string): Promise<void> {
  return rm(join(dataDir, MARK), { force: true });
}

async function findSign(dataDir: string): Promise<string | null> {
  const names = await namesIn(dataDir);
  const name = names.find((each) => SIGNS.test(each));
  if (name !== undefined) return join(dataDir, name);
  const lock = join(dataDir, 'store', LOCK_FILE);
  if (await hasCommits(lock)) return lock;
  const log = join(dataDir, 'store', LOG_FILE);
  return (await hasRecords(log)) ? log : null;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (cause) {
    if (isNotThere(cause)) return [];
    throw unreadable(folder, cause);
  }
}

async function hasCommits(path: string): Promise<boolean> {
  const head = await read(path, 0, LOCK_HEAD_BYTES);
  return head.length === LOCK_HEAD_BYTES && head.readBigUInt64LE(LAST_COMMIT_AT) > 0n;
}

async function hasRecords(path: string): Promise<boolean> {
  return (await read(path, BLOCK_BYTES, RECORD_HEAD_BYTES)).some((each) => each !== 0);
}

/** Bytes of a file, as far as it has them; none where it is not there. */
async function read(path: string, at: number, bytes: number): Promise<Buffer> {
  // What is no regular file is refused where the store is opened.
  if ((await sizeOf(path)) === null || !(await stat(path)).isFile()) return Buffer.alloc(0);
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The size of a file or folder; null: nothing is there. */
async function sizeOf(path: string): Promise<number | null> {
  try {
    const found = await stat(path);
    // What is no file has no size that means anything; opening the store says what it is.
    return found.isFile() ? found.size : Number.POSITIVE_INFINITY;
  } catch (cause) {
    if (isNotThere(cause)) return null;
    throw unreadable(path, cause);
  }
}

function isNotThere(cause: unknown): boolean {
  return (
    cause instanceof Error &&
    'code' in cause &&
    (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
  );
}

function unreadable(path: string, cause: unknown): StoreError {
  return new StoreError(
    `${path} cannot be looked at (${causeText(cause)})`,
    wayOutOf(cause) ?? 'let the broker read it, or name another data folder',
    { cause },
  );
}
