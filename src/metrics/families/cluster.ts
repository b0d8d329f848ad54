// Owns the metrics of a node of a cluster: its role, and the log that the nodes share. They are the same whether it leads or
// not. Never reads the broker.

import {
  type ClusterView,
  currentReplicas,
  leadingNode,
  ownNode,
} from '../../management/cluster/cluster-view.ts';
import { type Metric, one, type Sample } from './family.ts';

/** A metric of a node of a cluster. */
export interface ClusterMetric extends Metric {
  /** No sample: it is not known. */
  read(cluster: ClusterView): readonly Sample[];
}

type Read = (cluster: ClusterView) => number | null;

function metric(type: Metric['type'], name: string, help: string, read: Read): ClusterMetric {
  const sample = (value: number | null): readonly Sample[] => (value === null ? [] : one(value));
  return { name, type, help, read: (cluster) => sample(read(cluster)) };
}

const gauge = (name: string, help: string, read: Read): ClusterMetric =>
  metric('gauge', name, help, read);
const counter = (name: string, help: string, read: Read): ClusterMetric =>
  metric('counter', name, help, read);

const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

/** RabbitMQ has no such log; the names are whole. */
export const CLUSTER_METRICS: readonly ClusterMetric[] = [
  gauge('leveret_cluster_leader', 'Whether this node leads', (c) =>
    ownNode(c).role === 'leader' ? 1 : 0,
  ),
  gauge('leveret_cluster_leader_known', 'Whether this node knows of one that leads', (c) =>
    leadingNode(c) === null ? 0 : 1,
  ),
  gauge(
    'leveret_cluster_nodes_running',
    'Nodes of the cluster that gave a sign of late',
    (c) => c.nodes().filter(({ running }) => running).length,
  ),
  gauge(
    'leveret_cluster_epoch',
    'The record of the log by which its leader began to lead',
    (c) => ownNode(c).epoch,
  ),
  counter(
    'leveret_cluster_takeovers_total',
    'Times that this node began to lead',
    (c) => c.counts().takeovers,
  ),
  gauge(
    'leveret_log_inflight_bytes',
    'Bytes of batches that are appended to the log and not acknowledged yet',
    (c) => c.counts().inflightBytes,
  ),
  gauge('leveret_log_bytes', 'Size of the log', (c) => c.log()?.bytes ?? null),
  gauge('leveret_log_bytes_max', 'Size that it may have', (c) => c.log()?.bytesMax ?? null),
  gauge(
    'leveret_log_last_seq',
    'The last record of the log that this node knows of',
    (c) => ownNode(c).logLastSeq,
  ),
  gauge(
    'leveret_log_applied_seq',
    'The last record up to which this node has all changes',
    (c) => ownNode(c).appliedSeq,
  ),
  gauge(
    'leveret_log_trimmed_seq',
    'The record below which the log has none any more',
    (c) => c.log()?.firstSeq ?? null,
  ),
  gauge('leveret_log_lag_seconds', 'For how long this node has not been as far as the log', (c) =>
    seconds(ownNode(c).lagMs),
  ),
  counter(
    'leveret_log_ignored_records_total',
    'Records that this node has passed over since it follows, for they continue no epoch',
    (c) => ownNode(c).ignored,
  ),
  counter(
    'leveret_log_resyncs_total',
    'Times that this node had to read the log to know what had become of its records',
    (c) => c.counts().resyncs,
  ),
  gauge('leveret_log_replicas_current', 'Machines that have all of the log', (c) =>
    currentReplicas(c),
  ),
  gauge('leveret_log_replicas', 'Machines that are to have it', (c) => c.replicas),
  gauge('leveret_log_syncs', 'Whether they sync what they acknowledge', (c) => {
    const syncs = c.log()?.syncs ?? null;
    return syncs === null ? null : Number(syncs);
  }),
  gauge('leveret_log_seen_seconds', 'How long ago the log has answered', (c) =>
    seconds(c.log()?.ageMs ?? null),
  ),
  gauge('leveret_lease_age_seconds', 'How long ago this node renewed its lease to lead', (c) =>
    seconds(c.counts().leaseAgeMs),
  ),
  gauge('leveret_snapshot_age_seconds', 'Age of the newest snapshot of this node', (c) =>
    seconds(c.counts().snapshotAgeMs),
  ),
];
