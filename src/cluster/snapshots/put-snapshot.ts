// Owns putting a fetched snapshot in the place of a node's tables. Never fetches it, nor opens the tables for use.

import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFile, syncFolder } from '../../store/disk/sync-folder.ts';
import { causeText, StoreError } from '../../store/errors.ts';
import { markData } from '../../store/has-data.ts';
import { LOG_FILE } from '../../store/log/ring/file.ts';
import type { LogPlace } from '../../store/replicated/place.ts';
import { wayOutOf } from '../../util/system/system-error.ts';

const STORE = 'store';
const DATA = 'data.mdb';
const LOCK = 'lock.mdb';

/** Where a snapshot goes, and how it is looked at. */
export interface PutPlace {
  /** The data folder, whose lock the caller holds and whose store is closed. */
  readonly dataDir: string;
  /** The log that the node is to follow. */
  readonly logId: string;
  /** The place of the tables in a folder; null: they belong to no replicated log. */
  placeOf(folder: string): Promise<LogPlace | null>;
  /** Whether the tables in a folder hold nothing: those of a start that got no further. */
  isEmpty(folder: string): Promise<boolean>;
  /** Rejects with what is wrong with the tables in a folder. */
  check(folder: string): Promise<void>;
}

/**
 * Puts the `data.mdb` of a folder in the place of the tables, and returns how far these are then. The old ones are a true but
 * older part of the same log: they go once the new ones are in their place, in one step. The folder goes, too. Rejects with a
 * StoreError, and the tables are as they were, where the snapshot is damaged, of another log, or older than they, or where
 * they are those of a broker of its own.
 */
export async function putSnapshot(folder: string, place: PutPlace): Promise<LogPlace> {
  const fetched = await placeOfSnapshot(folder, place);
  const store = join(place.dataDir, STORE);
  if (await isFilled(join(store, DATA))) await requireOlder(store, fetched, place);
  try {
    await place.check(folder);
    const data = join(folder, DATA);
    await chmod(data, 0o600);
    await syncFile(data);
    await mkdir(store, { recursive: true, mode: 0o700 });
    // Neither is of use to tables of a replicated log. A log of batches would be taken for that of the new ones.
    for (const name of [LOG_FILE, LOCK]) await rm(join(store, name), { force: true });
    await rename(data, join(store, DATA));
    await syncFolder(store);
    await markData(place.dataDir);
    await syncFolder(place.dataDir);
    await rm(folder, { recursive: true, force: true });
    return fetched;
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError(
      `the snapshot could not be put into ${place.dataDir} (${causeText(cause)})`,
      wayOutOf(cause) ?? 'fix this, and start again',
      { cause },
    );
  }
}

async function placeOfSnapshot(folder: string, { placeOf, logId }: PutPlace): Promise<LogPlace> {
  const found = await placeOf(folder);
  if (found?.logId === logId) return found;
  throw new StoreError(
    'the snapshot of a peer is not of the log that this node follows',
    'see that all nodes have the same cluster.name and cluster.nats.servers',
  );
}

/** Only what the log has, or had, may be replaced. */
async function requireOlder(store: string, fetched: LogPlace, place: PutPlace): Promise<void> {
  const old = await place.placeOf(store);
  if (old === null && (await place.isEmpty(store))) return;
  if (old?.logId !== fetched.logId) {
    throw new StoreError(
      `the data in ${place.dataDir} is not of the cluster's log, and is not replaced`,
      'name a new data folder for this node, or move that one away',
    );
  }
  if (old.seq > fetched.seq) {
    throw new StoreError(
      `the snapshot ends at record ${fetched.seq} of the log, and this node has all up to ${old.seq}`,
      'start another node that has a newer one',
    );
  }
}

async function isFilled(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && found.size > 0;
}
