// Owns finding out where the tables of a node are in the log, and whether they are of it. Never moves them.

import { StoreError } from '../../store/errors.ts';
import { isNew } from '../../store/format.ts';
import type { OpenedStore } from '../../store/opened-store.ts';
import { LOG_START } from '../../store/replicated/chain.ts';
import { type LogClient, UnansweredError } from '../../store/replicated/log-client.ts';
import { type LogPlace, readPlace } from '../../store/replicated/place.ts';

/** Where the tables are in the log of `cluster`. Rejects with a StoreError where they are not of it. */
async function placeOf(
  { store, folder }: OpenedStore,
  client: LogClient,
  cluster: string | null,
): Promise<LogPlace> {
  const { id } = await client.state();
  const place = readPlace(store);
  const where = folder?.path ?? 'memory';
  if (place === null) {
    if (isNew(store)) return { ...LOG_START, logId: id };
    throw new StoreError(
      `${where} holds the data of a broker that was in no cluster`,
      'begin a log with it (leveret cluster new-log), or name an empty folder',
    );
  }
  if (place.logId === id) return place;
  throw new StoreError(
    `${where} follows another log than the one of cluster ${cluster}`,
    'name the folder of this cluster, or an empty one, which is filled from the log',
  );
}

/** How long it waits for the log before it asks again, ms. */
const AGAIN_MS = 500;

/**
 * The same once the log answers, which it may not while its servers choose a leader of their own. Null: `stopping` said so
 * first. `pause` resolves after so many ms.
 */
export async function placeOnceAnswered(
  opened: OpenedStore,
  client: LogClient,
  cluster: string | null,
  pause: (ms: number) => Promise<void>,
  stopping: () => boolean,
): Promise<LogPlace | null> {
  while (!stopping()) {
    try {
      return await placeOf(opened, client, cluster);
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
    }
    await pause(AGAIN_MS);
  }
  return null;
}
