// Owns the start of a broker on a data folder of its own: it opens the store, and hands it on. Never reads flags or
// variables, never ends the process: that is cli/.

import type { Logger } from 'pino';
import { readDefinitionFiles } from '../config/definition-files.ts';
import { LiveSettings } from '../config/live/live-settings.ts';
import type { Settings } from '../config/settings.ts';
import { readVersion } from '../config/version.ts';
import type { Replay } from '../store/log/open.ts';
import { openStore } from '../store/opened-store.ts';
import { systemClock } from '../util/clock.ts';
import { KeptLines } from '../util/log/kept-lines.ts';
import { keptLogger } from '../util/log/safe-logger.ts';
import { checkDefinitions } from './definitions.ts';
import { type Embedding, type RunningBroker, startOn } from './serve.ts';

/**
 * Starts a broker: opens the store, reads the state out of it, waits until what it adds is durable, and listens. When
 * it rejects, nothing is left open. Without an `embedding`, the process is the broker's own, and the engine of
 * the language is set up for it.
 */
export async function startBroker(
  settings: Settings,
  given: Logger,
  embedding: Embedding | null = null,
): Promise<RunningBroker> {
  return startLive(LiveSettings.of(settings), given, embedding);
}

/** The same with settings that may change while it runs. */
export async function startLive(
  live: LiveSettings,
  given: Logger,
  embedding: Embedding | null = null,
): Promise<RunningBroker> {
  const { settings } = live;
  if (settings.clusterLog === 'nats') {
    return (await import('./cluster/start.ts')).startClustered(live, given);
  }
  const lines = new KeptLines(embedding?.clock ?? systemClock);
  const logger = keptLogger(given, lines);
  const version = readVersion();
  const definitions = await readDefinitionFiles(settings.loadDefinitions);
  // What is wrong by itself is found before anything is made.
  checkDefinitions(definitions, settings);
  const opened = await openStore(settings, version);
  for (const warning of opened.folder?.warnings ?? []) logger.warn(warning);
  tellReplay(opened.replay, logger);
  if (opened.folder !== null && opened.store.logCounts === undefined) logger.warn(NO_LOG);
  return startOn({ live, settings, logger, lines, version, definitions, opened, embedding });
}

const NO_LOG =
  'there is no room on the disk for batches.log: until a start finds some, each batch is committed to data.mdb, which takes longer';

/** Says what the log had that the tables had not; nothing where that is nothing. */
function tellReplay(replay: Replay | null, logger: Logger): void {
  if (replay === null) return;
  const { records, bytes, ms, tornBytes } = replay;
  if (records > 0)
    logger.info({ records, bytes, ms }, 'the last batches were read back out of batches.log');
  if (tornBytes === 0) return;
  const torn =
    'the last record of batches.log is not whole: as a rule a write that was cut off, of which nothing was confirmed';
  logger.info({ bytes: tornBytes }, torn);
}
