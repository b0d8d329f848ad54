// Owns what makes a backup of a node's tables those of a broker of its own. Never touches tables that are in use.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openLmdbStore } from '../../store/lmdb/open.ts';
import { removePlace } from '../../store/replicated/place.ts';

/** Has the tables in a folder, which no process uses, follow no log any more. */
export async function withoutPlace(folder: string): Promise<void> {
  const copy = await openLmdbStore(folder, { reserveBytes: 0 });
  removePlace(copy);
  await copy.close();
  await rm(join(folder, 'lock.mdb'), { force: true });
}
