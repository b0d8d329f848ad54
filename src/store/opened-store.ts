// Owns opening all that a broker keeps its data in, and closing it: the locked folder, the store, the scratch
// store. Never reads what the store holds, but for its format.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../util/system/system-error.ts';
import { dropUnfinished } from './compact.ts';
import { StoreError } from './errors.ts';
import { type DataFolder, openDataFolder } from './folder.ts';
import { checkFormat, isNew } from './format.ts';
import { dataGone, signOfData } from './has-data.ts';
import { applyLog, beginLog, type Replay } from './log/open.ts';
import { LOG_FILE } from './log/ring/file.ts';
import { openMemoryStore } from './memory/engine.ts';
import type { Store } from './port.ts';
import { readPlace } from './replicated/place.ts';
import { Scratch } from './scratch.ts';

const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** A store with the folder that it holds locked, if it has one. */
export interface OpenedStore {
  /** The tables alone where there is no room for a log before them: it has no `logCounts` then. */
  readonly store: Store;
  readonly folder: DataFolder | null;
  /** Where messages go that memory is too small for and no restart needs. */
  readonly scratch: Scratch | null;
  /** What the log had that the tables had not; null: there is no log. */
  readonly replay: Replay | null;
}

/** Where the store lies, and how it is written. */
export interface StorePlace {
  readonly dataDir: string;
  readonly memory: boolean;
  readonly commitTimeoutMs: number;
  /**
   * Has each batch committed to the tables, and no log begun; what an earlier log has is brought into them all the same. For
   * what is done to the folder of a stopped broker.
   */
  readonly withoutLog?: boolean;
  /**
   * Whether the tables are to be those of a node of a cluster, which only its log may change, and which come from there where
   * they are gone; false unless given.
   */
  readonly replicated?: boolean;
  /** Whether they may be those of one, since they are only looked at; false unless given. */
  readonly lookedAt?: boolean;
  /** Goes on without what is damaged of the log, or not there; false unless given. */
  readonly withoutDamagedLog?: boolean;
  /** Looks at the folder of the tables before what the log has is brought into them; nothing is where it rejects. */
  readonly beforeLog?: (folder: string) => Promise<void>;
}

/**
 * Opens the store, making it when the folder is new. Rejects with a StoreError when the folder cannot be
 * used, its data cannot be read by this broker, or is gone; nothing is left open then.
 */
export async function openStore(place: StorePlace, brokerVersion: string): Promise<OpenedStore> {
  if (place.memory) {
    const store = openMemoryStore();
    checkFormat(store, brokerVersion);
    return { store, folder: null, scratch: null, replay: null };
  }
  const folder = await openDataFolder(place.dataDir);
  try {
    return { folder, ...(await openIn(folder.path, place, brokerVersion)) };
  } catch (error) {
    await folder.release();
    throw error;
  }
}

/** What `load` loads. Where it is LMDB's binary that cannot be loaded, rejects with a StoreError that says why. */
export async function lmdb<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const machine = `${process.platform} on ${process.arch}`;
    const orElse = 'or start with --memory (memory: true in a program), which keeps nothing';
    if (message.startsWith('No native build was found')) {
      const hint = `install Leveret without --omit=optional, ${orElse}`;
      throw new StoreError(`the binary of LMDB for ${machine} is not installed`, hint, { cause });
    }
    if (code !== 'ERR_DLOPEN_FAILED') throw cause;
    const why = message.split('\n')[0];
    const hint = `take a newer system, or compile it there with \`npm install lmdb\`, ${orElse}`;
    throw new StoreError(`the binary of LMDB cannot be loaded on ${machine} (${why})`, hint, {
      cause,
    });
  }
}

async function openIn(
  dataDir: string,
  place: StorePlace,
  brokerVersion: string,
): Promise<{ store: Store; scratch: Scratch; replay: Replay }> {
  const { commitTimeoutMs, withoutDamagedLog = false, beforeLog, replicated = false } = place;
  const mayFollow = replicated || place.lookedAt === true;
  const withoutLog = place.withoutLog === true || replicated;
  // What a node of a cluster has lost it gets again, from the log or another node.
  const sign = replicated ? null : await signOfData(dataDir);
  const { openLmdbStore, removeFiles } = await lmdb(() => import('./lmdb/open.ts'));
  const { markClean } = await import('./lmdb/mark-clean.ts');
  const path = join(dataDir, 'store');
  const tables = await openLmdbStore(path, { commitTimeoutMs });
  const fresh = isNew(tables);
  let logIsVoid = false;
  try {
    if (sign !== null && fresh) {
      throw dataGone(dataDir, sign, `${join(path, 'data.mdb')} holds nothing`);
    }
    if (!mayFollow && readPlace(tables) !== null) throw ofCluster(dataDir);
    // It is in the tables before anything is in the log, which an older Leveret would not look at.
    checkFormat(tables, brokerVersion, replicated);
    await beforeLog?.(path);
    const replay = await applyLog(tables, path, { withoutDamaged: withoutDamagedLog });
    logIsVoid = true;
    const begin = () => beginLog(tables, path, { commitTimeoutMs }, markClean);
    const store = withoutLog ? tables : await orAlone(begin, tables, fresh);
    const scratchPath = join(dataDir, 'scratch');
    await rm(scratchPath, { recursive: true, force: true });
    await dropUnfinished(dataDir);
    const scratch = new Scratch(() =>
      openLmdbStore(scratchPath, { commitTimeoutMs, lasting: false }),
    );
    return { store, scratch, replay };
  } catch (error) {
    await tables.close(false);
    // Files of a store that could not be made would look like one whose data is gone.
    if (fresh && sign === null) {
      await removeFiles(path);
      if (logIsVoid) await rm(join(path, LOG_FILE), { force: true });
    }
    throw error;
  }
}

/** The error for a folder whose tables follow a log that other nodes write. */
function ofCluster(dataDir: string): StoreError {
  return new StoreError(
    `${dataDir} is the folder of a node of a cluster, and would no longer be one after a change that its log does not have`,
    "start it with cluster.log and the other keys of cluster as before, or use a copy of it ('leveret backup'), which belongs to none",
  );
}

/** A log before the tables; where a used folder has no room for one, the tables alone: a full disk gets room by a start. */
async function orAlone(begin: () => Promise<Store>, tables: Store, fresh: boolean): Promise<Store> {
  try {
    return await begin();
  } catch (error) {
    const full = error instanceof StoreError && NO_ROOM.has(systemCode(error.cause));
    if (fresh || !full) throw error;
    return tables;
  }
}

/**
 * Closes all of it; what the store was given is durable then, and others may have the folder. Where `keep` is
 * false, after a start that failed, what is not sealed is forgotten: half of a first start, or of several files
 * of definitions, would be taken for the whole by the next one.
 */
export async function closeStore(
  { store, folder, scratch }: OpenedStore,
  keep = true,
): Promise<void> {
  try {
    await store.close(keep);
  } finally {
    try {
      await scratch?.close();
      if (folder !== null) await rm(join(folder.path, 'scratch'), { recursive: true, force: true });
    } finally {
      await folder?.release();
    }
  }
}
