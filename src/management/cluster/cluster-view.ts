// Owns the window on a cluster for tools: its nodes, its log, and the acts of an operator. Never knows how a node comes to
// know them.

import type { IncomingMessage } from 'node:http';
import type { Histogram } from '../../util/histogram.ts';
import type { Joined } from '../../util/proxy/join-sockets.ts';

/** A node of a cluster, as it told of itself last. */
export interface ClusterNode {
  /** Its name in the HTTP API, such as `leveret@n1`, and in the cluster, such as `n1`. */
  readonly name: string;
  readonly node: string;
  readonly role: 'leader' | 'follower' | 'joining';
  readonly version: string;
  /** Whether it gave a sign of late. */
  readonly running: boolean;
  /** Whether it is the node that was asked. */
  readonly self: boolean;
  /** The record by which the leader that it follows, or is, began. */
  readonly epoch: number;
  /** The last record up to which it has all changes, and the last of the log that it knows of. */
  readonly appliedSeq: number;
  readonly logLastSeq: number;
  /** For how long its tables have not been as far as the log was, ms. */
  readonly lagMs: number;
  /** Records that it has passed over, since they do not continue their epoch. */
  readonly ignored: number;
  /** The records up to which its snapshots are, the oldest first. */
  readonly snapshots: readonly number[];
  /** Where clients reach it, `host:port`; null: nowhere. */
  readonly amqp: string | null;
  /** How long it has run, and not given a sign, ms. */
  readonly upMs: number;
  readonly silentMs: number;
  /** What it uses of its machine, and may: bytes, and files; null: that is not known. */
  readonly usage: {
    readonly memUsed: number;
    readonly memLimit: number;
    readonly diskFree: number;
    readonly diskFreeLimit: number;
    readonly fdUsed: number;
    readonly fdTotal: number;
  } | null;
}

/** A machine that keeps the log. */
export interface ClusterReplica {
  readonly name: string;
  /** Whether it has what the others have. */
  readonly current: boolean;
  /** How many records it is behind. */
  readonly lag: number;
}

/** The log, as this node has found it last. */
export interface ClusterLogView {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** The machine that this node is connected to, and the one that orders the records; empty: there is none now. */
  readonly server: string;
  readonly leader: string;
  readonly replicas: readonly ClusterReplica[];
  /** Whether each record is on disks before it is acknowledged; null: that is not known. */
  readonly syncs: boolean | null;
  /** How long ago it was found so, ms. */
  readonly ageMs: number;
}

/** What this node counts of its own doings in the cluster. */
export interface ClusterCounts {
  /** How often it has begun to lead. */
  readonly takeovers: number;
  /** How often it had to read the log to know what had become of its records. */
  readonly resyncs: number;
  /** How long appends to the log took; what was appended and is not acknowledged, bytes. */
  readonly appends: Histogram;
  readonly inflightBytes: number;
  /** How long ago it renewed the lease, ms; null: it does not lead. */
  readonly leaseAgeMs: number | null;
  /** How old its newest snapshot is, ms; null: it has none. */
  readonly snapshotAgeMs: number | null;
}

/** A group of vhosts of the cluster that a node leads. */
export interface ClusterGroup {
  readonly name: string;
  /** The node that leads it, such as `leveret@n1`. */
  readonly leader: string;
  /** Where clients reach it, `host:port`; null: nowhere. */
  readonly amqp: string | null;
}

/** The way to the HTTP API of another node. */
export interface LeaderWay {
  /** A connection to it, as one of the client of this socket. Rejects with an error that says why there is none. */
  open(client: IncomingMessage['socket']): Promise<Joined>;
}

/** The cluster, as one of its nodes sees it. */
export interface ClusterView {
  readonly name: string;
  readonly group: string;
  /** On how many machines the log is to be kept. */
  readonly replicas: number;
  /** All nodes that are known, by name; the one that is asked always is among them. */
  nodes(): readonly ClusterNode[];
  /** Null: the log has not answered yet. */
  log(): ClusterLogView | null;
  counts(): ClusterCounts;
  /**
   * Has this node lead no longer, so that another one does. Throws a UserError where it does not lead, or no other node could
   * take its place, unless `force` is set.
   */
  stepDown(user: string, force: boolean): void;
  /** The groups of the cluster that are known to be led, by name. */
  groups(): readonly ClusterGroup[];
  /** The way to the node that leads another group; null: none is known to. */
  wayTo(group: string): LeaderWay | null;
  /** Has a vhost move to a group; resolves once that is decided for good. Rejects with a Refusal. */
  place(vhost: string, group: string): Promise<void>;
  /** Why the users and vhosts of the group main cannot be followed; null: they can, or this is that group. */
  mainFault(): string | null;
  /** Has this group follow the group main, though that has another log than before. Throws a UserError. */
  followMain(): void;
  /** Makes a snapshot of this node now; resolves with the record up to which it is. Rejects with a UserError. */
  snapshot(): Promise<number>;
}

/** The node that is asked. */
export function ownNode(cluster: ClusterView): ClusterNode {
  return cluster.nodes().find(({ self }) => self) as ClusterNode;
}

/** The node that leads, as far as it is known; null: none is. */
export function leadingNode(cluster: ClusterView): ClusterNode | null {
  // One that was killed a moment ago has not been silent for long: the newest is right.
  return cluster
    .nodes()
    .filter(({ role, running }) => role === 'leader' && running)
    .reduce<ClusterNode | null>((a, b) => (a !== null && a.epoch > b.epoch ? a : b), null);
}

/** How many machines have all of the log; null: that is not known. */
export function currentReplicas(cluster: ClusterView): number | null {
  const log = cluster.log();
  return log === null ? null : log.replicas.filter(({ current }) => current).length;
}
