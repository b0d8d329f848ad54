// Owns the metrics of the broker as a whole, under RabbitMQ's names. Never writes them out.

import { droppedLines } from '../../util/log/dropped-lines.ts';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';
import {
  type BrokerMetric,
  counter,
  type Facts,
  finite,
  type Group,
  gauge,
  one,
  type Sample,
} from './family.ts';
import { GLOBAL_COUNTERS } from './global.ts';

/** What the API says of processes: there are none of Erlang's. */
const PROCESSES_MAX = 1_048_576;

const totals = (facts: Facts) => facts.totals;
const churn = ({ context }: Facts) => context.view.snapshots.churn();
const resources = ({ context }: Facts) => context.view.resources();
const commits = ({ context }: Facts) => context.view.snapshots.commits();

/** On every path: other metrics are joined with these. */
export const INFO: readonly BrokerMetric[] = [
  {
    name: 'build_info',
    type: 'gauge',
    help: 'Versions',
    read: ({ context }) => {
      const labels = {
        rabbitmq_version: RABBITMQ_VERSION,
        prometheus_plugin_version: RABBITMQ_VERSION,
        prometheus_client_version: '',
        erlang_version: '',
        product_name: 'Leveret',
        product_version: context.view.version,
      };
      return [[labels, 1]];
    },
  },
  {
    name: 'identity_info',
    type: 'gauge',
    help: 'The node and its cluster',
    read: ({ context, endpoint }) => {
      const { snapshots, defined } = context.view;
      const set = defined.globalParameter('cluster_name')?.value;
      const labels = {
        rabbitmq_node: snapshots.node,
        rabbitmq_cluster: typeof set === 'string' ? set : snapshots.node,
        rabbitmq_cluster_permanent_id: snapshots.node,
        rabbitmq_endpoint: endpoint,
      };
      return [[labels, 1]];
    },
  },
];

/** What can be asked for in `/metrics/detailed`. */
export const BROKER_GROUPS: readonly Group<BrokerMetric>[] = [
  {
    name: 'connection_churn_metrics',
    metrics: [
      counter('connections_opened_total', 'Connections opened', (f) => churn(f).connection_created),
      counter('connections_closed_total', 'Connections closed', (f) => churn(f).connection_closed),
      counter('channels_opened_total', 'Channels opened', (f) => churn(f).channel_created),
      counter('channels_closed_total', 'Channels closed', (f) => churn(f).channel_closed),
      counter('queues_declared_total', 'Queues declared', (f) => churn(f).queue_declared),
      counter('queues_created_total', 'Queues created', (f) => churn(f).queue_created),
      counter('queues_deleted_total', 'Queues deleted', (f) => churn(f).queue_deleted),
    ],
  },
  {
    name: 'node_coarse_metrics',
    metrics: [
      gauge('process_open_fds', 'Open file descriptors', ({ openFiles }) => openFiles),
      gauge('process_open_tcp_sockets', 'Open sockets', (f) => totals(f).connections),
      gauge('process_resident_memory_bytes', 'Resident memory', ({ context }) =>
        context.facts.residentBytes(),
      ),
      gauge('disk_space_available_bytes', 'Free disk space', (f) => finite(resources(f).disk_free)),
      gauge(
        'erlang_processes_used',
        'Queues and connections, as the HTTP API counts them',
        (f) => totals(f).queues + totals(f).connections,
      ),
    ],
  },
  {
    name: 'node_metrics',
    metrics: [
      gauge('process_max_fds', 'File descriptors allowed', ({ context }) =>
        finite(context.facts.socketMax),
      ),
      gauge('process_max_tcp_sockets', 'Sockets allowed', ({ context }) =>
        finite(context.facts.socketMax),
      ),
      gauge('resident_memory_limit_bytes', 'Memory watermark', (f) =>
        finite(resources(f).mem_limit),
      ),
      gauge(
        'disk_space_available_limit_bytes',
        'Disk watermark',
        (f) => resources(f).disk_free_limit,
      ),
      gauge('erlang_processes_limit', 'A bound that is never reached', () => PROCESSES_MAX),
      gauge(
        'erlang_uptime_seconds',
        'How long the process runs',
        ({ context: { clock, facts } }) => (clock.monotonicMs() - facts.startedMs) / 1000,
      ),
    ],
  },
  {
    name: 'node_persister_metrics',
    metrics: [
      counter('io_write_ops_total', 'Commits', (f) => commits(f).eighthsOfMs.count),
      counter('io_write_bytes_total', 'Bytes of commits', (f) => commits(f).kib.sumMs * 1024),
      counter('io_sync_ops_total', 'Commits synced', (f) => commits(f).eighthsOfMs.count),
      counter(
        'io_sync_time_seconds_total',
        'How long commits took',
        (f) => commits(f).eighthsOfMs.sumMs / 8000,
      ),
    ],
  },
  {
    name: 'auth_attempt_metrics',
    metrics: [
      logins('auth_attempts_total', 'Logins tried', (all) => all.succeeded + all.failed),
      logins('auth_attempts_succeeded_total', 'Logins that succeeded', (all) => all.succeeded),
      logins('auth_attempts_failed_total', 'Logins that failed', (all) => all.failed),
    ],
  },
];

function logins(
  name: string,
  help: string,
  read: (counts: { readonly succeeded: number; readonly failed: number }) => number,
): BrokerMetric {
  return {
    name,
    type: 'counter',
    help,
    read: ({ context }) =>
      Object.entries(context.view.snapshots.logins).map(
        ([protocol, counts]): Sample => [{ protocol }, read(counts)],
      ),
  };
}

/** What `/metrics` and `/metrics/per-object` have beside the groups. */
export const BROKER_METRICS: readonly BrokerMetric[] = [
  gauge('connections', 'Connections open', (f) => totals(f).connections),
  gauge('channels', 'Channels open', (f) => totals(f).channels),
  gauge('consumers', 'Consumers', (f) => totals(f).consumers),
  gauge('queues', 'Queues', (f) => totals(f).queues),
  gauge('alarms_memory_used_watermark', 'Whether the memory alarm is on', (f) =>
    Number(resources(f).mem_alarm),
  ),
  gauge('alarms_free_disk_space_watermark', 'Whether the disk alarm is on', (f) =>
    Number(resources(f).disk_free_alarm),
  ),
  gauge('alarms_file_descriptor_limit', 'Whether descriptors are short: never', () => 0),
  ...GLOBAL_COUNTERS,
];

/** What RabbitMQ has nothing like; the names are whole. */
export const OWN_METRICS: readonly BrokerMetric[] = [
  counter(
    'leveret_messages_dropped_total',
    'Messages that died in queues, and are gone',
    (f) => f.counts.droppedDead,
  ),
  counter(
    'leveret_messages_dead_lettered_total',
    'Messages that died in queues, and are in another one',
    (f) => f.counts.deadLettered,
  ),
  counter(
    'leveret_messages_refused_total',
    'Messages that full queues refused',
    (f) => f.counts.refused,
  ),
  {
    name: 'leveret_caught_exceptions_total',
    type: 'counter',
    help: 'Bugs that a peer came upon, and that ended that peer alone',
    read: ({ context }) => one(context.guard.caught),
  },
  {
    name: 'leveret_log_lines_dropped_total',
    type: 'counter',
    help: 'Lines of the log that could not be written',
    read: () => one(droppedLines.count),
  },
  {
    name: 'leveret_messages_set_aside_total',
    type: 'counter',
    help: 'Messages set aside since the start, since looking at them failed',
    read: ({ context }) => one(context.view.snapshots.setAside().total),
  },
  {
    name: 'leveret_messages_set_aside',
    type: 'gauge',
    help: 'Messages that are set aside now',
    read: ({ context }) => one(context.view.snapshots.setAside().messages),
  },
  {
    name: 'leveret_definitions_set_aside',
    type: 'gauge',
    help: 'Queues, vhosts and other rows that could not be read at the start',
    read: ({ context }) => one(context.view.snapshots.setAside().definitions),
  },
  {
    name: 'leveret_history_bytes',
    type: 'gauge',
    help: 'Memory of the history that the HTTP API shows',
    read: ({ context }) => one(context.view.past.bytes),
  },
];

/** Of a node of a cluster alone. */
export const LOG_ALARM: BrokerMetric = gauge(
  'leveret_log_alarm',
  'Whether publishers are blocked, since the log of the cluster is nearly full',
  (f) => Number(resources(f).log_alarm === true),
);
