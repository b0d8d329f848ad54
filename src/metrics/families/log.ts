// Owns the metrics of the log that batches go to before the store's tables have them. Never reads the store.

import { type BrokerMetric, counter, type Facts, gauge } from './family.ts';

const log = ({ context }: Facts) => context.view.snapshots.log();

/** RabbitMQ has no such log; the names are whole. All are 0 where the broker keeps its data in memory. */
export const LOG_METRICS: readonly BrokerMetric[] = [
  counter('leveret_store_log_appends_total', 'Writes to the log', (f) => log(f).appends),
  counter(
    'leveret_store_log_append_seconds_total',
    'How long writes to the log took',
    (f) => log(f).appendMs / 1000,
  ),
  counter(
    'leveret_store_log_appended_bytes_total',
    'Bytes of batches written to the log',
    (f) => log(f).appendedBytes,
  ),
  counter(
    'leveret_store_direct_commits_total',
    'Commits of batches to the tables without the log',
    (f) => log(f).directCommits,
  ),
  counter(
    'leveret_store_checkpoints_total',
    'Times that the tables took up what was in the log',
    (f) => log(f).checkpoints,
  ),
  counter(
    'leveret_store_checkpoint_seconds_total',
    'How long that took',
    (f) => log(f).checkpointMs / 1000,
  ),
  gauge(
    'leveret_store_log_unapplied_records',
    'Records of the log that the tables do not have yet',
    (f) => log(f).unappliedRecords,
  ),
  gauge(
    'leveret_store_log_unapplied_bytes',
    'Room that they take in the log',
    (f) => log(f).unappliedBytes,
  ),
  gauge('leveret_store_log_bytes', 'Size of the log on the disk', (f) => log(f).logBytes),
];
