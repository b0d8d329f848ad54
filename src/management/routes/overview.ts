// Owns the routes about the broker as a whole: overview, nodes, and what tools ask to
// know which broker they talk to.

import { type Call, textOf } from '../call.ts';
import { badRequest, notFound } from '../http-error.ts';
import { pick } from '../listing.ts';
import { done, get, post, put, type Route } from '../route.ts';

/** The release of RabbitMQ whose API this is. */
const API_VERSION = '3.13.7';
/** The global parameter that is the name of the cluster. */
export const CLUSTER_NAME = 'cluster_name';

export const OVERVIEW_ROUTES: readonly Route[] = [
  get('/overview', 'management', async (call) => pick(await overview(call), call.query['columns'])),
  get('/nodes', 'monitoring', async (call) => [pick(await node(call), call.query['columns'])]),
  get('/nodes/:node', 'monitoring', async (call) => {
    ofThisNode(call);
    return pick(await node(call), call.query['columns']);
  }),
  get('/nodes/:node/memory', 'monitoring', (call) => {
    ofThisNode(call);
    return { memory: memory(call) };
  }),
  get('/nodes/:node/memory/relative', 'monitoring', (call) => {
    ofThisNode(call);
    return { memory: percentages(memory(call)) };
  }),
  get('/cluster-name', 'management', (call) => ({ name: clusterName(call) })),
  put('/cluster-name', 'administrator', (call) => {
    call.view.setGlobalParameter(CLUSTER_NAME, call.object('name')['name']);
    return done(call);
  }),
  get('/version', 'management', (call) => ({ version: call.view.version })),
  get('/extensions', 'management', () => []),
  get('/feature-flags', 'administrator', () => []),
  get('/deprecated-features', 'administrator', () => []),
  get('/deprecated-features/used', 'administrator', () => []),
  get('/auth', null, () => ({ oauth_enabled: false, enable_uaa: false })),
  get('/config/effective', 'administrator', (call) => call.context.settings()),
  post('/rebalance/queues', 'administrator', () => undefined),
  post('/backup', 'administrator', async (call) => {
    const { path } = call.object('path');
    const { backup, clock, log, admitsLine } = call.context;
    if (backup === null) throw badRequest('a broker in memory has no data to copy');
    const beganMs = clock.monotonicMs();
    const report = await backup(textOf('path', path));
    const ms = Math.round(clock.monotonicMs() - beganMs);
    const text = 'data copied';
    if (admitsLine(text)) log.info({ ...report, ms, user: call.person.name }, text);
    return { ...report, ms };
  }),
];

function ofThisNode(call: Call): void {
  if (call.param('node') !== call.view.look.node) throw notFound();
}

function clusterName(call: Call): string {
  const set = call.view.defined.globalParameter(CLUSTER_NAME);
  return typeof set?.value === 'string' ? set.value : call.view.look.node;
}

function exchangeTypes(call: Call): object[] {
  return call.view.look.exchangeTypes.map((name) => ({ name, description: '', enabled: true }));
}

async function overview(call: Call): Promise<object> {
  const { look, version } = call.view;
  const totals = await call.walked(look.totals(call.watchedVhosts()));
  const { messages, messages_ready, messages_unacknowledged, ...objects } = totals;
  const messageStats = await call.walked(look.messageStats());
  const global = call.reaches('administrator');
  const setAside = await call.walked(look.countSetAside(call.watchedVhosts(), global));
  const latency = await call.walked(look.latency());
  const [all, ready, unacked] = look.totalRates();
  const churn = Object.entries(look.churn()).flatMap(([name, value]) => [
    [name, value],
    [`${name}_details`, look.churnRate(name)],
  ]);
  return {
    management_version: API_VERSION,
    rabbitmq_version: API_VERSION,
    product_name: 'Leveret',
    product_version: version,
    erlang_version: '',
    erlang_full_version: `Node.js ${process.versions.node}`,
    rates_mode: 'basic',
    sample_retention_policies: { global: [], basic: [], detailed: [] },
    exchange_types: exchangeTypes(call),
    cluster_name: clusterName(call),
    node: look.node,
    disable_stats: false,
    enable_queue_totals: false,
    statistics_db_event_queue: 0,
    statistics_interval: call.context.statisticsIntervalMs,
    message_stats: messageStats,
    churn_rates: Object.fromEntries(churn),
    queue_totals: {
      messages,
      messages_details: all,
      messages_ready,
      messages_ready_details: ready,
      messages_unacknowledged,
      messages_unacknowledged_details: unacked,
    },
    object_totals: objects,
    set_aside: setAside,
    latency,
    ...(call.reaches('monitoring') ? { listeners: listeners(call), contexts: contexts(call) } : {}),
  };
}

/** All that listens: AMQP, and the tools. */
export function listeners(call: Call): { readonly protocol: string; readonly port: number }[] {
  const { look } = call.view;
  const tools = call.context.ports().map(({ protocol, host, port }) => ({
    node: look.node,
    protocol,
    ip_address: host,
    port,
    socket_opts: {},
  }));
  return [...look.host.listeners().map((each) => ({ ...each, socket_opts: {} })), ...tools];
}

function contexts(call: Call): object[] {
  return call.context.ports().map(({ host, port, protocol }) => ({
    node: call.view.look.node,
    description: protocol === 'http' ? 'Leveret management' : 'Leveret metrics',
    path: protocol === 'http' ? '/' : '/metrics',
    ip: host,
    port: String(port),
    ssl_opts: [],
    cowboy_opts: '[]',
  }));
}

async function node(call: Call): Promise<object> {
  const { facts, clock } = call.context;
  const { look } = call.view;
  const resources = call.view.resources();
  const { connections, queues } = await call.walked(look.totals(look.vhostNames));
  return {
    name: look.node,
    type: 'disc',
    running: true,
    os_pid: String(facts.pid),
    uptime: Math.round(clock.monotonicMs() - facts.startedMs),
    processors: 1,
    run_queue: 0,
    rates_mode: 'basic',
    partitions: [],
    being_drained: false,
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
      { name: 'rabbit', description: 'RabbitMQ', version: API_VERSION },
      { name: 'leveret', description: 'Leveret', version: call.view.version },
    ],
    ...look.churn(),
  };
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
