// Owns giving room inside the store's file back to the file system, while no broker runs. Never reads
// what is in it.

import { chmod, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, wayOutOf } from '../util/system/system-error.ts';
import { syncFile, syncFolder } from './disk/sync-folder.ts';
import { causeText, StoreError } from './errors.ts';
import type { Store } from './port.ts';

const STORE = 'store';
const DATA = 'data.mdb';
const FRESH = 'store.compacting';
/** The folder that a restore brings its copy to, before that takes the place of the store. */
export const RESTORING = 'store.restoring';
/** The copy that a repair keeps, while it is being made. */
export const COPYING = 'data.mdb.copying';

/** How large the file was and is, bytes. */
export interface CompactReport {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Writes the store anew, without the room that holds nothing, closes it, and puts the new file in the place
 * of the old one in one step. The caller holds the lock of the folder. Rejects with a StoreError; the old
 * file is as it was then.
 */
export async function compactStore(store: Store, dataDir: string): Promise<CompactReport> {
  const old = join(dataDir, STORE, DATA);
  const folder = join(dataDir, FRESH);
  const fresh = join(folder, DATA);
  try {
    await dropUnfinished(dataDir);
    await mkdir(folder, { mode: 0o700 });
    await store.copyTo(folder, true);
    await chmod(fresh, 0o600);
    await syncFile(fresh);
    const bytesAfter = (await stat(fresh)).size;
    await store.close();
    const bytesBefore = (await stat(old)).size;
    await rename(fresh, old);
    await syncFolder(join(dataDir, STORE));
    return { bytesBefore, bytesAfter };
  } catch (cause) {
    throw new StoreError(
      `the store in ${dataDir} could not be written anew (${causeText(cause)}), and is as it was`,
      wayOut(cause),
      { cause },
    );
  } finally {
    await dropUnfinished(dataDir);
  }
}

function wayOut(cause: unknown): string {
  const room = 'make as much room on its disk as its messages take';
  return systemCode(cause) === 'ENOSPC' ? room : (wayOutOf(cause) ?? room);
}

/**
 * Removes what a compaction, a restore or a repair left that did not come to its end. Only where the data is in
 * its place: what such a one has put aside may be all there is.
 */
export async function dropUnfinished(dataDir: string): Promise<void> {
  for (const name of [FRESH, RESTORING, COPYING]) {
    await rm(join(dataDir, name), { recursive: true, force: true });
  }
}
