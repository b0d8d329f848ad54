// Owns the verbs for a cluster that runs: `leveret cluster status`, `step-down` and `snapshot`. Never decides which node leads.

import { Option } from 'commander';
import { jsonText } from '../../../util/json/json-writer.ts';
import { render } from '../../output.ts';
import { formatOf } from '../../verb/answers.ts';
import type { LiveVerb } from '../../verb/live.ts';

/** What is read of the API. */
interface Cluster {
  readonly name: string;
  readonly group: string;
  readonly node: string;
  readonly leader: string | null;
  readonly nodes: readonly ClusterNode[];
  readonly groups: readonly { name: string; leader: string; amqp: string | null }[];
  readonly main_fault: string | null;
  readonly log: ClusterLog | null;
}

interface ClusterNode {
  readonly name: string;
  readonly running: boolean;
  readonly role: string;
  readonly epoch: number;
  readonly applied_seq: number;
  readonly lag_records: number;
  readonly lag_ms: number;
  readonly snapshot_seq: number | null;
  readonly amqp: string | null;
  readonly version: string;
}

interface ClusterLog {
  readonly server: string;
  readonly stream_leader: string;
  readonly replicas: readonly {
    readonly name: string;
    readonly current: boolean;
    readonly lag: number;
  }[];
  readonly replicas_wanted: number;
  readonly replicas_current: number;
  readonly sync_always: boolean | null;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly bytes: number;
  readonly bytes_max: number;
}

const MIB = 2 ** 20;

export const clusterVerbs: readonly LiveVerb[] = [
  {
    name: 'status',
    about: 'Show the nodes of a cluster and its log, as one node sees them.',
    run: async (api, _args, options) => {
      const cluster = await api.get<Cluster>('/cluster');
      return formatOf(options) === 'json' ? `${jsonText(cluster, 2)}\n` : statusText(cluster);
    },
  },
  {
    name: 'step-down',
    about: 'Have the node that leads give the lead to another one; any node can be asked.',
    options: [new Option('--force', 'Even where no other node can take it over at once.')],
    run: async (api, _args, options) => {
      const force = options['force'] === true ? '?force=true' : '';
      await api.call('PUT', `/cluster/step-down${force}`);
      return 'The leader steps down: `leveret cluster status` shows which node leads then\n';
    },
  },
  {
    name: 'follow-main',
    about:
      'Have the group of this node follow the group main, though that has another log than before.',
    run: async (api) => {
      await api.call('PUT', '/cluster/follow-main');
      return 'The group takes the users and vhosts of the group main over\n';
    },
  },
  {
    name: 'snapshot',
    about:
      'Make a snapshot of the node that leads, by which nodes can join; any node can be asked.',
    run: async (api) => {
      const made = (await api.call('PUT', '/cluster/snapshot')) as { snapshot_seq: number };
      return `There is a snapshot up to record ${made.snapshot_seq}\n`;
    },
  },
];

function statusText({ name, group, groups, node, leader, nodes, log, ...rest }: Cluster): string {
  const head: readonly (readonly [name: string, value: string])[] = [
    ['Cluster', `${name}, group ${group}`],
    ['Leader', leader ?? 'none is known'],
    ['Seen by', node],
    ...logLines(log),
    ...(rest.main_fault === null ? [] : [['Main', rest.main_fault] as const]),
  ];
  const rows = nodes.map((each) => ({
    node: each.name,
    role: each.running ? each.role : 'not running',
    epoch: each.epoch,
    applied: each.applied_seq,
    behind: each.lag_records,
    lag: `${(each.lag_ms / 1000).toFixed(1)} s`,
    snapshot: each.snapshot_seq ?? '',
    amqp: each.amqp ?? '',
    version: each.version,
  }));
  const columns = [
    ...['node', 'role', 'epoch', 'applied', 'behind', 'lag', 'snapshot', 'amqp', 'version'],
  ];
  const text = head.map(([what, value]) => `${what.padEnd(10)} ${value}\n`).join('');
  const table = render({ columns, rows }, 'table');
  // One group alone is the one above.
  if (groups.length < 2) return `${text}\n${table}`;
  const others = groups.map((each) => ({
    group: each.name,
    leader: each.leader,
    amqp: each.amqp ?? '',
  }));
  const of = render({ columns: ['group', 'leader', 'amqp'], rows: others }, 'table');
  return `${text}\n${table}\n${of}`;
}

function logLines(log: ClusterLog | null): [string, string][] {
  if (log === null) return [['Log', 'it has not answered']];
  const { first_seq: first, last_seq: last, bytes, bytes_max: bytesMax } = log;
  const behind = log.replicas.filter(({ current }) => !current).map(({ name }) => name);
  const parts = [
    `${log.replicas_current} of ${log.replicas_wanted} current`,
    ...(behind.length === 0 ? [] : [`behind: ${behind.join(', ')}`]),
    `ordered by ${log.stream_leader === '' ? 'none now' : log.stream_leader}`,
    syncText(log.sync_always),
  ];
  return [
    ['Log', `records ${first} to ${last}, ${mib(bytes)} of ${mib(bytesMax)} MiB`],
    ['Kept by', parts.join(', ')],
  ];
}

function syncText(syncs: boolean | null): string {
  if (syncs === null) return 'whether it syncs is unknown';
  return syncs ? 'synced' : 'NOT SYNCED: a power cut may lose what was confirmed';
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
