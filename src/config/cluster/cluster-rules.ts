// Owns what settings of the cluster ask of one another, once all layers are laid, and what follows from them. Never
// reads a text.

import { MAIN_GROUP } from '../../util/system/main-group.ts';
import { ConfigError } from '../config-error.ts';
import type { Draft } from '../layers/draft.ts';
import { type Origin, placeOf } from '../origin.ts';
import type { Setting } from '../setting.ts';
import { SETTINGS, type Settings } from '../settings.ts';

type Field = keyof Settings;

/** A log needs these; a node cannot make them up. */
const NEEDED: readonly Field[] = ['clusterName', 'clusterNode', 'clusterNatsServers'];
/** Renewals in a lease: two may be late before the leader has to doubt it. */
const RENEWALS_MIN = 3;
/** Snapshots' worth of the log: it is trimmed behind the older of two, while the next one is made. */
const SNAPSHOTS_MIN = 3;

/**
 * Adds faults to the draft for settings that do not go together, and names the node.
 *
 * @param complete whether all layers are there; without, what is missing may stand in one that is not
 */
export function applyClusterRules(draft: Draft, complete: boolean): void {
  const { settings, origins } = draft;
  if (settings.clusterLog === 'nats') {
    if (complete) requireNeeded(draft);
    if (settings.clusterGroup !== MAIN_GROUP && settings.loadDefinitions.length > 0) {
      const problem = `the group '${settings.clusterGroup}' takes users and vhosts over from the group ${MAIN_GROUP}`;
      refuse(draft, 'loadDefinitions', problem, [
        `set it for the nodes of the group ${MAIN_GROUP} alone`,
        'and import what is in vhosts of this group by HTTP (POST /api/definitions/{vhost})',
      ]);
    }
    if (settings.memory) {
      refuse(draft, 'memory', 'this keeps nothing on disk, and cluster.log = nats needs a disk', [
        'leave it out, or set cluster.log = none',
      ]);
    }
  }
  requireTimes(draft);
  requireSizes(draft);
  requireBoth(draft, 'clusterNatsTlsCert', 'clusterNatsTlsKey', complete);
  requireBoth(draft, 'clusterNatsTlsKey', 'clusterNatsTlsCert', complete);
  requireBoth(draft, 'clusterNatsUser', 'clusterNatsPassword', complete);
  requireBoth(draft, 'clusterNatsPassword', 'clusterNatsUser', complete);
  requireOneLogin(draft);
  const named = origins.get('clusterNode')?.at(-1);
  if (settings.clusterNode !== null && named !== undefined && !origins.has('nodeName'))
    draft.follow('nodeName', `${settings.nodeName}@${settings.clusterNode}`, named);
}

/** Says that a node is none of a cluster though it names servers of one; null: nothing looks like that. */
export function idleClusterText({ clusterLog, clusterNatsServers }: Settings): string | null {
  if (clusterLog !== 'none' || clusterNatsServers.length === 0) return null;
  return (
    'cluster.nats.servers has no effect while cluster.log is none: this node is alone; ' +
    'set cluster.log = nats for a cluster'
  );
}

function requireNeeded(draft: Draft): void {
  for (const field of NEEDED) {
    const value = draft.settings[field];
    const isThere = value !== null && !(Array.isArray(value) && value.length === 0);
    if (isThere || wasRefused(draft, field)) continue;
    const { key, example } = rowOf(field);
    refuse(draft, 'clusterLog', `nats needs ${key} too`, [`set it, for example '${example}'`]);
  }
}

function requireTimes(draft: Draft): void {
  const { clusterLeaseMs: lease, clusterRenewMs: renew } = draft.settings;
  if (renew * RENEWALS_MIN <= lease) return;
  refuse(
    draft,
    draft.origins.has('clusterRenewMs') ? 'clusterRenewMs' : 'clusterLeaseMs',
    `cluster.renew (${SETTINGS.clusterRenewMs.show(renew)}) is more than a third of cluster.lease ` +
      `(${SETTINGS.clusterLeaseMs.show(lease)}), so that a leader could lose its lease by one late renewal`,
    [
      `set cluster.renew to at most ${Math.floor(lease / RENEWALS_MIN)}ms`,
      `or cluster.lease to at least ${renew * RENEWALS_MIN}ms`,
    ],
  );
}

function requireSizes(draft: Draft): void {
  const { clusterSnapshotBytes: snapshot, clusterLogBytesMax: log } = draft.settings;
  if (snapshot * SNAPSHOTS_MIN <= log) return;
  refuse(
    draft,
    draft.origins.has('clusterSnapshotBytes') ? 'clusterSnapshotBytes' : 'clusterLogBytesMax',
    `cluster.snapshot.bytes (${snapshot}) is more than a third of cluster.log_bytes_max (${log}), so that the log ` +
      'could be full before it may be trimmed',
    [
      `set cluster.snapshot.bytes to at most ${Math.floor(log / SNAPSHOTS_MIN)}`,
      `or cluster.log_bytes_max to at least ${snapshot * SNAPSHOTS_MIN}`,
    ],
  );
}

/** What logs in to NATS: one of these. */
const LOGINS: readonly Field[] = ['clusterNatsCredentials', 'clusterNatsUser', 'clusterNatsToken'];

/** Servers go by one way to log in, and which one is not for a node to choose. */
function requireOneLogin(draft: Draft): void {
  const given = LOGINS.filter((field) => draft.settings[field] !== null);
  const [first, second] = given;
  if (first === undefined || second === undefined) return;
  const ways = given.map((field) => `leave out ${rowOf(field).key}`);
  refuse(draft, second, `${rowOf(first).key} is set too, and one login is enough`, ways);
}

/** A certificate is nothing without its key, a password without its user, nor the other way round. */
function requireBoth(draft: Draft, field: Field, other: Field, complete: boolean): void {
  if (!complete || draft.settings[field] === null || draft.settings[other] !== null) return;
  if (wasRefused(draft, other)) return;
  const { key, example } = rowOf(other);
  refuse(draft, field, `${key} has to be set too`, [`set it, for example '${example}'`]);
}

/** Adds a fault at the place where this field was set last. */
function refuse(draft: Draft, field: Field, problem: string, ways: readonly string[]): void {
  const row = rowOf(field);
  // One of the fields at odds is set: the defaults go together.
  const origin = draft.origins.get(field)?.at(-1) as Origin;
  const name = origin.from === 'flag' || origin.from === 'environment' ? origin.name : row.key;
  const fault = new ConfigError(placeOf(origin, row.key), problem, ways.join(', '));
  draft.note(origin, name, row.show(draft.settings[field]), { is: 'refused', fault });
}

/** Whether the text of a field is among the faults already, so that it only seems to be missing. */
function wasRefused({ told }: Draft, field: Field): boolean {
  const { key, variables } = rowOf(field);
  const names = [key, ...variables.map(({ name }) => name)];
  return told.some(({ name, meaning }) => meaning.is === 'refused' && names.includes(name));
}

function rowOf(field: Field): Setting<unknown> {
  return SETTINGS[field] as Setting<unknown>;
}
