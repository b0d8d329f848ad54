// Owns beginning a log with the data of a stopped broker: from then on its folder is that of a node of the cluster. Never starts
// a broker.

import { Timing } from '../../cluster/timing.ts';
import type { Settings } from '../../config/settings.ts';
import { readVersion } from '../../config/version.ts';
import { StoreError } from '../../store/errors.ts';
import { isNew } from '../../store/format.ts';
import { closeStore, openStore } from '../../store/opened-store.ts';
import { LOG_START } from '../../store/replicated/chain.ts';
import { LeaseWatch } from '../../store/replicated/lease.ts';
import type { LogClient } from '../../store/replicated/log-client.ts';
import { putPlace } from '../../store/replicated/place.ts';
import { BEAT, beatBody, recordHead } from '../../store/replicated/record.ts';
import { systemClock } from '../../util/clock.ts';
import { openLog } from './start.ts';

/** How often it looks whether a node leads, ms. */
const LOOK_MS = 250;

/** Begins the log of the cluster that the settings name, see `beginLogWith`. */
export async function newLog(settings: Settings, force: boolean): Promise<number> {
  const client = await openLog(settings);
  try {
    return await beginLogWith(settings, client, force);
  } finally {
    await client.close();
  }
}

/**
 * Has the log of a cluster go on from the data of a stopped broker; resolves with the record up to which its tables are now.
 * A node whose folder is empty, or that is not that far, needs a snapshot from then on. Rejects with a StoreError, where the
 * log has records and `force` is not set, where a node leads, or where there are no data.
 */
export async function beginLogWith(
  settings: Settings,
  client: LogClient,
  force: boolean,
): Promise<number> {
  const { id, last } = await client.state();
  if (last > 0 && !force) {
    throw new StoreError(
      `the log of cluster ${settings.clusterName} has ${last} records already`,
      'stop all its nodes and set --force, which drops them: all nodes will have the data of this folder then',
    );
  }
  await refuseLead(settings, client);
  const opened = await openStore({ ...settings, replicated: true }, readVersion());
  let isPlaced = false;
  try {
    if (isNew(opened.store)) {
      throw new StoreError(
        `${settings.dataDir} holds no data to begin a log with`,
        'start the node: with an empty folder it begins, or follows, by itself',
      );
    }
    // It counts nowhere. Behind it the log begins, so that no node takes the log alone for all there is.
    const body = beatBody(LOG_START.digest);
    const seq = await client.append([recordHead(BEAT, 0, 0, [body]), body], last);
    await client.purge(seq + 1);
    putPlace(opened.store, { ...LOG_START, seq, logId: id });
    opened.store.seal();
    isPlaced = true;
    return seq;
  } finally {
    await closeStore(opened, isPlaced);
  }
}

/** Rejects with a StoreError where a node leads. */
async function refuseLead({ clusterLeaseMs: leaseMs }: Settings, client: LogClient): Promise<void> {
  let failure: unknown = null;
  const timing = new Timing(systemClock, (error) => {
    failure = error;
  });
  try {
    const watch = new LeaseWatch(client.lease, systemClock, leaseMs);
    const untilMs = systemClock.monotonicMs() + 2 * leaseMs;
    let seen: number | null = null;
    while (!(await watch.look())) {
      if (failure !== null) throw failure;
      const now = watch.seen?.revision ?? null;
      const isRenewed = seen !== null && now !== null && now !== seen;
      seen = now ?? seen;
      if (isRenewed || systemClock.monotonicMs() >= untilMs) {
        throw new StoreError('a node of the cluster leads', 'stop all its nodes first');
      }
      await timing.pause(Math.min(LOOK_MS, leaseMs / 4));
    }
  } finally {
    timing.stop();
  }
}
