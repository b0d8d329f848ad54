// Owns the rows of a cluster in the HTTP API: of its nodes, and of its log. Never finds them out.

import type { VhostView } from '../../broker/view/sums.ts';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';
import {
  type ClusterNode,
  type ClusterView,
  currentReplicas,
  leadingNode,
  ownNode,
} from './cluster-view.ts';

/** What RabbitMQ has no word for: the `leveret` object of a node. */
export function standingOf(cluster: ClusterView, node: ClusterNode): object {
  const { role, epoch, appliedSeq, lagMs, snapshots } = node;
  // What one that runs has told was true at one time; of another one nothing is known but that it stands still.
  const known = node.running ? 0 : (cluster.log()?.lastSeq ?? 0);
  const last = Math.max(node.logLastSeq, known, appliedSeq);
  return {
    role,
    cluster: cluster.name,
    group: cluster.group,
    epoch,
    applied_seq: appliedSeq,
    log_last_seq: last,
    lag_records: last - appliedSeq,
    lag_ms: lagMs,
    snapshots,
    snapshot_seq: snapshots.at(-1) ?? null,
    ignored_records: node.ignored,
    amqp: node.amqp,
    version: node.version,
    silent_ms: Math.round(node.silentMs),
    ...(node.self ? { log: logRow(cluster) } : {}),
  };
}

/** A node other than the one that is asked, in RabbitMQ's fields as far as they are known. */
export function otherNodeRow(cluster: ClusterView, node: ClusterNode): object {
  return {
    name: node.name,
    type: 'disc',
    running: node.running,
    partitions: [],
    being_drained: false,
    cluster_links: [],
    ...(node.running
      ? {
          uptime: node.upMs,
          ...usageOf(node),
          applications: [
            { name: 'rabbit', description: 'RabbitMQ', version: RABBITMQ_VERSION },
            { name: 'leveret', description: 'Leveret', version: node.version },
          ],
        }
      : {}),
    leveret: standingOf(cluster, node),
  };
}

/** What a node has told of its machine, in RabbitMQ's names. */
function usageOf({ usage }: ClusterNode): object {
  if (usage === null) return {};
  const { memUsed, memLimit, diskFree, diskFreeLimit, fdUsed, fdTotal } = usage;
  return {
    mem_used: memUsed,
    mem_limit: memLimit,
    // One that does not lead has no publishers to block; this says what it would do.
    mem_alarm: memUsed >= memLimit,
    disk_free: diskFree,
    disk_free_limit: diskFreeLimit,
    disk_free_alarm: diskFree < diskFreeLimit,
    fd_used: fdUsed,
    fd_total: fdTotal,
    sockets_total: fdTotal,
  };
}

function logRow(cluster: ClusterView): object | null {
  const log = cluster.log();
  if (log === null) return null;
  return {
    server: log.server,
    stream_leader: log.leader,
    replicas: log.replicas,
    replicas_wanted: cluster.replicas,
    replicas_current: currentReplicas(cluster),
    sync_always: log.syncs,
    first_seq: log.firstSeq,
    last_seq: log.lastSeq,
    bytes: log.bytes,
    bytes_max: log.bytesMax,
    age_ms: Math.round(log.ageMs),
  };
}

/** The cluster as a whole, as one node sees it. */
export function clusterRow(cluster: ClusterView): object {
  return {
    name: cluster.name,
    group: cluster.group,
    node: ownNode(cluster).name,
    leader: leadingNode(cluster)?.name ?? null,
    nodes: cluster.nodes().map((each) => ({
      name: each.name,
      running: each.running,
      uptime: each.upMs,
      ...standingOf(cluster, { ...each, self: false }),
    })),
    groups: cluster.groups(),
    main_fault: cluster.mainFault(),
    log: logRow(cluster),
  };
}

/** Where in the cluster a vhost is. */
export function placeRow({ group, moving, fault }: VhostView['place']): object {
  return { group, moving_to: moving?.to ?? null, move_fault: fault === '' ? null : fault };
}

/** Why the log would stop with one machine less, or has stopped; null: it would not. */
export function criticalReason(cluster: ClusterView): string | null {
  const current = currentReplicas(cluster);
  if (current === null) return 'the log of the cluster has not answered';
  const majority = Math.floor(cluster.replicas / 2) + 1;
  // With one or two machines there is none to spare, and no one expects it.
  if (cluster.replicas <= 2 ? current >= cluster.replicas : current > majority) return null;
  return `${current} of ${cluster.replicas} machines have all of the log, and ${majority} are needed`;
}
