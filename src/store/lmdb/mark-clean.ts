// Owns the one change that is made to a copy of a store: that it needs no log. Never touches a store that is in use.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { putPosition, readPosition } from '../log/position.ts';
import { openLmdbStore } from './open.ts';

/** Notes in a copy of the tables, which no process uses, that there is nothing behind them in a log. */
export async function markClean(folder: string): Promise<void> {
  const copy = await openLmdbStore(folder, { reserveBytes: 0 });
  const position = readPosition(copy);
  if (position !== null) putPosition(copy, { ...position, clean: true });
  await copy.close();
  await rm(join(folder, 'lock.mdb'), { force: true });
}
