// Owns the routes about the broker as a whole: overview, nodes, and what tools ask to
// know which broker they talk to.

import { detailsOf, meanOf, withPast } from '../../broker/view/history/past.ts';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';
import { type Call, textOf } from '../call.ts';
import type { ClusterView } from '../cluster/cluster-view.ts';
import { otherNodeRow, standingOf } from '../cluster/rows.ts';
import { checkRanges, rangeOf } from '../history/ranges.ts';
import { badRequest, notFound } from '../http-error.ts';
import { done, get, ofDirectory, post, put, type Route } from '../route.ts';
import { featureFlags } from './feature-flags.ts';

/** The global parameter that is the name of the cluster. */
export const CLUSTER_NAME = 'cluster_name';

export const OVERVIEW_ROUTES: readonly Route[] = [
  get('/overview', 'management', overview),
  get('/nodes', 'monitoring', async (call) => {
    const { cluster } = call.context;
    const own = await node(call);
    if (cluster === null) return [own];
    // The one that answers first: where there is one, programs take the first.
    const others = cluster.nodes().filter(({ self }) => !self);
    return [own, ...others.map((each) => otherNodeRow(cluster, each))];
  }),
  get('/nodes/:node', 'monitoring', async (call) => {
    const { cluster } = call.context;
    const named = cluster?.nodes().find(({ name }) => name === call.param('node'));
    if (cluster !== null && named?.self === false) return otherNodeRow(cluster, named);
    ofThisNode(call);
    return node(call);
  }),
  get('/nodes/:node/memory', 'monitoring', (call) => {
    ofThisNode(call);
    return { memory: memory(call) };
  }),
  get('/nodes/:node/memory/relative', 'monitoring', (call) => {
    ofThisNode(call);
    return { memory: percentages(memory(call)) };
  }),
  // There is no Erlang, and so none of its tables.
  ...['', '/relative', '/:filter', '/:filter/relative'].map((rest) =>
    get(`/nodes/:node/memory/ets${rest}`, 'monitoring', (call) => {
      ofThisNode(call);
      return { ets_tables_memory: 'no_tables' };
    }),
  ),
  get('/cluster-name', 'management', (call) => ({ name: clusterName(call) })),
  ...ofDirectory(
    put('/cluster-name', 'administrator', (call) => {
      call.view.setGlobalParameter(CLUSTER_NAME, textOf('name', call.object('name')['name']));
      return done(call);
    }),
  ),
  get('/version', 'management', (call) => ({ version: call.view.version })),
  get('/extensions', 'management', () => []),
  get('/feature-flags', 'administrator', featureFlags),
  put('/feature-flags/:name/enable', 'administrator', (call) => {
    const flag = call.param('name');
    const known = flag === 'all' || featureFlags().some(({ name }) => name === flag);
    return known ? undefined : call.fail(400, 'bad_request', 'unsupported');
  }),
  get('/deprecated-features', 'administrator', () => []),
  get('/deprecated-features/used', 'administrator', () => []),
  get('/auth', null, () => ({
    oauth_enabled: false,
    enable_uaa: false,
    uaa_client_id: '',
    uaa_location: '',
  })),
  get('/config/effective', 'administrator', (call) =>
    Object.fromEntries(call.context.settings.list().map(({ name, value }) => [name, value])),
  ),
  post('/rebalance/queues', 'administrator', () => undefined),
  post('/backup', 'administrator', async (call) => {
    const { path } = call.object('path');
    const { backup, clock, log, admitsLine } = call.context;
    if (backup === null) throw badRequest('a broker in memory has no data to copy');
    const beganMs = clock.monotonicMs();
    const report = await backup(textOf('path', path));
    const ms = Math.round(clock.monotonicMs() - beganMs);
    const text = 'data copied';
    if (admitsLine(text)) log.info({ ...report, ms, user: call.principal.name }, text);
    return { ...report, ms };
  }),
];

/** What a node's past is shown of. */
const NODE_NAMES = [
  ...['mem_used', 'disk_free', 'fd_used', 'sockets_used', 'proc_used'],
  ...['connection_created', 'connection_closed', 'channel_created', 'channel_closed'],
  ...['queue_declared', 'queue_created', 'queue_deleted', 'io_sync_count', 'io_write_bytes'],
];

/** Refuses with 404 what is about another node. */
export function ofThisNode(call: Call): void {
  if (call.param('node') !== call.view.snapshots.node) throw notFound();
}

function clusterName(call: Call): string {
  const set = call.view.defined.globalParameter(CLUSTER_NAME);
  return typeof set?.value === 'string' ? set.value : call.view.snapshots.clusterName;
}

function exchangeTypes(call: Call): object[] {
  return call.view.snapshots.exchangeTypes.map((name) => ({
    name,
    description: '',
    enabled: true,
  }));
}

async function overview(call: Call): Promise<object> {
  const { snapshots, version, past } = call.view;
  const lengths = rangeOf(call, 'lengths');
  const msgRates = rangeOf(call, 'msg_rates');
  const dataRates = rangeOf(call, 'data_rates');
  checkRanges(call);
  const totals = await call.walked(snapshots.totals(call.watchedVhosts()));
  const { messages, messages_ready, messages_unacknowledged, messages_delayed, ...objects } =
    totals;
  const messageStats = await call.walked(snapshots.messageStats());
  const global = call.reaches('administrator');
  const setAside = await call.walked(snapshots.countSetAside(call.watchedVhosts(), global));
  const latency = await call.walked(snapshots.latency());
  const [all, ready, unacked] = snapshots.totalRates();
  const churn = Object.entries(snapshots.churn()).flatMap(([name, value]) => [
    [name, value],
    [`${name}_details`, snapshots.churnRate(name)],
  ]);
  return {
    management_version: RABBITMQ_VERSION,
    rabbitmq_version: RABBITMQ_VERSION,
    product_name: 'Leveret',
    product_version: version,
    erlang_version: '',
    erlang_full_version: `Node.js ${process.versions.node}`,
    rates_mode: 'basic',
    sample_retention_policies: { global: [], basic: [], detailed: [] },
    exchange_types: exchangeTypes(call),
    cluster_name: clusterName(call),
    node: snapshots.node,
    disable_stats: false,
    enable_queue_totals: false,
    statistics_db_event_queue: 0,
    statistics_interval: call.context.statisticsIntervalMs,
    message_stats: withPast(messageStats, past.whole, msgRates),
    churn_rates: withPast(Object.fromEntries(churn), past.whole, lengths),
    queue_totals: withPast(
      {
        messages,
        messages_details: all,
        messages_ready,
        messages_ready_details: ready,
        messages_unacknowledged,
        messages_unacknowledged_details: unacked,
        messages_delayed,
      },
      past.whole,
      lengths,
    ),
    object_totals: objects,
    ...(lengths === null
      ? {}
      : { object_totals_details: detailsOf(past.whole, Object.keys(objects), lengths) }),
    ...(dataRates === null
      ? {}
      : { data_rates_details: detailsOf(past.whole, ['recv_oct', 'send_oct'], dataRates) }),
    set_aside: setAside,
    latency,
    ...(call.reaches('monitoring') ? { listeners: listeners(call), contexts: contexts(call) } : {}),
  };
}

/** All that listens: AMQP, and the tools. */
export function listeners(call: Call): { readonly protocol: string; readonly port: number }[] {
  const { snapshots } = call.view;
  const tools = call.context.ports().map(({ protocol, host, port }) => ({
    node: snapshots.node,
    protocol,
    ip_address: host,
    port,
    socket_opts: {},
  }));
  return [...snapshots.host.listeners().map((each) => ({ ...each, socket_opts: {} })), ...tools];
}

function contexts(call: Call): object[] {
  return call.context.ports().map(({ host, port, protocol }) => ({
    node: call.view.snapshots.node,
    description: protocol.endsWith('prometheus') ? 'Leveret metrics' : 'Leveret management',
    path: protocol.endsWith('prometheus') ? '/metrics' : '/',
    ip: host,
    port: String(port),
    ssl_opts: [],
    cowboy_opts: '[]',
  }));
}

async function node(call: Call): Promise<object> {
  const { facts, clock, cluster } = call.context;
  const standing = cluster?.nodes().find(({ self }) => self);
  const { snapshots } = call.view;
  const resources = call.view.resources();
  const { connections, queues } = await call.walked(snapshots.totals(snapshots.vhostNames));
  return {
    name: snapshots.node,
    type: 'disc',
    running: true,
    os_pid: String(facts.pid),
    uptime: Math.round(clock.monotonicMs() - facts.startedMs),
    processors: 1,
    run_queue: 0,
    rates_mode: 'basic',
    partitions: [],
    being_drained: snapshots.host.intake.suspended,
    cluster_links: [],
    net_ticktime: 60,
    fd_used: await facts.openFiles(),
    fd_total: finite(facts.socketMax),
    sockets_used: connections,
    sockets_total: finite(facts.socketMax),
    proc_used: queues + connections,
    proc_total: 1_048_576,
    ...resources,
    mem_limit: finite(resources.mem_limit),
    disk_free: finite(resources.disk_free),
    mem_calculation_strategy: 'rss',
    db_dir: facts.dataDir ?? '',
    log_files: ['<stdout>'],
    config_files: [],
    enabled_plugins: ['rabbitmq_management', 'rabbitmq_prometheus'],
    auth_mechanisms: ['PLAIN', 'AMQPLAIN'].map((name) => ({
      name,
      description: '',
      enabled: true,
    })),
    exchange_types: exchangeTypes(call),
    contexts: contexts(call),
    applications: [
      { name: 'rabbit', description: 'RabbitMQ', version: RABBITMQ_VERSION },
      { name: 'leveret', description: 'Leveret', version: call.view.version },
    ],
    ...snapshots.churn(),
    ...commitsOf(call),
    ...pastOfNode(call),
    ...(standing === undefined ? {} : { leveret: standingOf(cluster as ClusterView, standing) }),
  };
}

/** How often the store was synced, how much was written, and how long that took: RabbitMQ's names for it. */
function commitsOf(call: Call): object {
  const { eighthsOfMs, kib } = call.view.snapshots.commits();
  const { count, sumMs } = eighthsOfMs;
  return {
    io_sync_count: count,
    io_sync_avg_time: count === 0 ? 0 : sumMs / 8 / count,
    io_write_count: count,
    io_write_bytes: kib.sumMs * 1024,
  };
}

function pastOfNode(call: Call): object {
  const { whole, now } = call.view.past;
  const asked = rangeOf(call, 'node_stats');
  checkRanges(call);
  const range = asked ?? now;
  const all = {
    ...detailsOf(whole, NODE_NAMES, range),
    io_write_count_details: detailsOf(whole, ['io_sync_count'], range)['io_sync_count_details'],
    io_sync_avg_time_details: meanOf(whole, 'io_sync_time', 'io_sync_count', range),
  };
  if (asked !== null) return all;
  const rates = Object.entries(all).map(([name, past]) => [name, { rate: past?.rate ?? 0 }]);
  return Object.fromEntries(rates);
}

/** JSON has no Infinity. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_SAFE_INTEGER;
}

/** Each number as a whole percentage of the memory that is taken, as RabbitMQ gives them. */
function percentages({ strategy: _, total, ...parts }: Memory): Record<string, number> {
  const share = (bytes: number): number => Math.round((100 * bytes) / Math.max(1, total.allocated));
  const shares = Object.entries(parts).map(([name, bytes]) => [name, share(bytes)]);
  return { total: 100, ...Object.fromEntries(shares) };
}

/** What the memory of the process is taken by, in bytes, in RabbitMQ's names. */
interface Memory {
  readonly binary: number;
  readonly code: number;
  readonly other_system: number;
  readonly queue_procs: number;
  readonly other_proc: number;
  readonly strategy: 'rss';
  readonly total: { readonly erlang: number; readonly rss: number; readonly allocated: number };
}

function memory(call: Call): Memory {
  const { heapUsed, external, rss } = process.memoryUsage();
  const resident = call.context.facts.residentBytes();
  return {
    binary: external,
    code: 0,
    other_system: Math.max(0, rss - heapUsed - external),
    queue_procs: 0,
    other_proc: heapUsed,
    strategy: 'rss',
    total: { erlang: heapUsed + external, rss: resident, allocated: rss },
  };
}
