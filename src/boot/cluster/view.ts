// Owns what tools are shown of the cluster, and may ask of this node in it. Never plays a role in it: member.ts does.

import type { LogLook } from '../../cluster/log-look.ts';
import type { NodeRow } from '../../cluster/node-row.ts';
import type { SeenNode } from '../../cluster/presence.ts';
import type { Settings } from '../../config/settings.ts';
import type {
  ClusterCounts,
  ClusterLogView,
  ClusterNode,
  ClusterView,
  LeaderWay,
} from '../../management/cluster/cluster-view.ts';
import { StoreError } from '../../store/errors.ts';

/** What it is made of. */
export interface MemberFacts {
  readonly settings: Settings;
  readonly look: LogLook;
  /** The nodes that this one knows of, itself included. */
  nodes(): readonly SeenNode[];
  counts(): ClusterCounts;
  /** Whether this node leads. */
  leads(): boolean;
  stepDown(user: string): void;
  /** The leaders of all groups of the cluster. */
  leaders(): readonly NodeRow[];
  wayTo(group: string): LeaderWay | null;
  /** See ClusterView; null: this node does not lead. */
  place(vhost: string, group: string): Promise<void> | null;
  mainFault(): string | null;
  /** The same of ClusterView; false: this node does not lead. */
  followMain(): boolean;
  /** Makes a snapshot; resolves with the record up to which it is. Rejects with a StoreError. */
  snapshot(): Promise<number>;
}

/** Another node has to be no further behind than so many records to take the lead over at once. */
const BEHIND_MAX = 10_000;

/** The window on the cluster that a node gives. */
export function clusterViewOf(facts: MemberFacts): ClusterView {
  const { settings, look } = facts;
  // The loader refuses settings of a cluster without these.
  const own = settings.clusterNode as string;
  const nodes = (): ClusterNode[] => facts.nodes().map((seen) => nodeOf(seen, own));
  return {
    name: settings.clusterName as string,
    group: settings.clusterGroup,
    replicas: settings.clusterReplicas,
    nodes,
    log: () => logOf(look),
    counts: () => facts.counts(),
    stepDown: (user, force) => {
      if (!facts.leads()) throw notLeading();
      if (!force) requireOther(nodes());
      facts.stepDown(user);
    },
    groups: () =>
      facts.leaders().map(({ group, name, amqp }) => ({ name: group, leader: name, amqp })),
    wayTo: (group) => facts.wayTo(group),
    place: (vhost, group) => facts.place(vhost, group) ?? Promise.reject(notLeading()),
    mainFault: () => facts.mainFault(),
    followMain: () => {
      if (!facts.followMain()) throw notLeading();
    },
    snapshot: () => facts.snapshot(),
  };
}

const notLeading = (): StoreError =>
  new StoreError('this node does not lead', 'ask the one that does');

/** Throws a StoreError where no node could lead in the place of this one. */
function requireOther(nodes: readonly ClusterNode[]): void {
  const last = Math.max(...nodes.map(({ appliedSeq }) => appliedSeq));
  const others = nodes.filter(({ self, role, running }) => !self && running && role === 'follower');
  if (others.some(({ appliedSeq }) => last - appliedSeq <= BEHIND_MAX)) return;
  throw new StoreError(
    others.length === 0
      ? 'no other node follows, so that this one would soon lead again'
      : `all other nodes are more than ${BEHIND_MAX} records behind`,
    'start another node, or set force=true',
  );
}

function nodeOf(seen: SeenNode, own: string): ClusterNode {
  const { node, name, role, version, running, epoch, lagMs, ignored, snapshots, amqp } = seen;
  return {
    ...{ node, name, role, version, running, epoch, lagMs, ignored, snapshots, amqp },
    self: node === own,
    appliedSeq: seen.reached,
    logLastSeq: seen.last,
    upMs: seen.upMs,
    silentMs: seen.silentMs,
    usage: seen.usage,
  };
}

function logOf({ seen }: LogLook): ClusterLogView | null {
  if (seen === null) return null;
  const { first, last, bytes, bytesMax, server, leader, replicas, syncs, ageMs } = seen;
  return {
    firstSeq: first,
    lastSeq: last,
    bytes,
    bytesMax,
    server,
    leader,
    replicas,
    syncs,
    ageMs,
  };
}
