// Owns opening a log on NATS: the one entry to this folder, which is loaded only where such a log is configured, since
// nothing else needs NATS's client. Never goes on with servers or streams that would not keep what a log promises.

import { checkMonitors, checkVersion } from './checks.ts';
import { NatsLog } from './client.ts';
import type { NatsPlace } from './place.ts';
import { openStreams } from './streams.ts';
import { NatsWay } from './way.ts';

/** Connects, checks the servers, and has the streams be there. Rejects with a StoreError. */
export async function openNatsLog(place: NatsPlace): Promise<NatsLog> {
  const findings = await checkMonitors(place);
  const way = await NatsWay.open(place);
  try {
    const { name, version } = way.server;
    const old = checkVersion(name, version);
    const warnings = new Set([...findings.warnings, ...(old === null ? [] : [old])]);
    const streams = await openStreams(way, place);
    return new NatsLog(way, streams, { ...findings, warnings: [...warnings] });
  } catch (error) {
    await way.close();
    throw error;
  }
}
