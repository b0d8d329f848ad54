// Owns reading how far a copy of the tables is in the replicated log. Never opens tables that are in use.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { refuseNewer } from '../format.ts';
import { type LogPlace, readPlace } from '../replicated/place.ts';
import { openLmdbStore } from './open.ts';

/**
 * The place of the tables in a folder that no process uses; null: they belong to no replicated log. Rejects with a StoreError
 * where they cannot be opened, which is a TooNewError where a later Leveret wrote them, and with a CorruptRecordError.
 */
export async function placeOfCopy(folder: string): Promise<LogPlace | null> {
  const copy = await openLmdbStore(folder, { reserveBytes: 0 });
  try {
    refuseNewer(copy, 'the copy of the tables');
    return readPlace(copy);
  } finally {
    await copy.close();
    await rm(join(folder, 'lock.mdb'), { force: true });
  }
}
