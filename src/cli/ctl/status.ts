// Owns what RabbitMQ's tools say of the node as a whole: status, cluster_status, alarms, listeners, memory, versions.
// Never judges it: checks.ts does.

import { Option } from 'commander';
import { jsonText } from '../../util/json/json-writer.ts';
import { EXIT_USAGE } from '../exit-codes.ts';
import { type HttpApi, part } from '../verb/http-api.ts';
import { CtlError, type CtlVerb, type Report } from './ctl-verb.ts';
import {
  alarmsOf,
  listenersOf,
  type NodeRow,
  nodeOf,
  type Overview,
  overviewOf,
  type ShownListener,
} from './node-facts.ts';

const listenerLine = (each: ShownListener): string =>
  `interface: ${each.interface}, port: ${each.port}, protocol: ${each.protocol}, purpose: ${each.purpose}`;

function alarmLines(node: NodeRow): string[] {
  const all = alarmsOf(node);
  if (all.length === 0) return ['(none)'];
  const names: Readonly<Record<string, string>> = {
    memory: 'Memory',
    disk: 'Free disk space',
    log: 'Log of the cluster',
  };
  return all.map(({ resource, node: name }) => `${names[resource]} alarm on node ${name}`);
}

/** Lines below a heading. */
const section = (name: string, lines: readonly string[]): string =>
  `${name}\n\n${lines.join('\n')}\n`;

const UNITS: Readonly<Record<string, number>> = {
  bytes: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

const UNIT = new Option('--unit <unit>', `The unit of sizes: ${Object.keys(UNITS).join(', ')}.`);

/** Shows bytes in a unit. Throws a CtlError for one that there is not. */
function sizes(unit: unknown): (bytes: number) => string {
  const name = typeof unit === 'string' ? unit : 'gb';
  const size = UNITS[name.toLowerCase()];
  if (size === undefined) {
    const known = Object.keys(UNITS).join(', ');
    throw new CtlError(EXIT_USAGE, `there is no unit '${name}': choose from ${known}`);
  }
  return (bytes) => `${Number((bytes / size).toFixed(4))} ${name.toLowerCase()}`;
}

/** The memory by what it is for, in bytes, the largest first. */
type Memory = readonly (readonly [what: string, bytes: number])[];

async function memoryOf(api: HttpApi, { name }: NodeRow): Promise<Memory> {
  const { memory } = await api.get<{ memory: object }>(`/nodes/${part(name)}/memory`);
  const parts = Object.entries(memory).filter(([, bytes]) => typeof bytes === 'number');
  return (parts as [string, number][]).sort(([, a], [, b]) => b - a);
}

/** Of all of it, in percent with two digits. */
function shareOf(bytes: number, memory: Memory): number {
  const all = memory.reduce((sum, [, each]) => sum + each, 0);
  return all === 0 ? 0 : Number(((bytes / all) * 100).toFixed(2));
}

function statusValue(overview: Overview, node: NodeRow, memory: Memory): object {
  const { object_totals: totals } = overview;
  return {
    active_plugins: node.enabled_plugins,
    alarms: alarmsOf(node),
    config_files: node.config_files,
    data_directory: node.db_dir,
    disk_free: node.disk_free,
    disk_free_limit: node.disk_free_limit,
    enabled_plugin_file: '',
    erlang_version: overview.erlang_full_version,
    file_descriptors: {
      sockets_limit: node.sockets_total,
      sockets_used: node.sockets_used,
      total_limit: node.fd_total,
      total_used: node.fd_used,
    },
    is_under_maintenance: node.being_drained,
    listeners: listenersOf(overview),
    log_files: node.log_files,
    memory: {
      ...Object.fromEntries(memory),
      strategy: 'rss',
      total: { erlang: node.mem_used, rss: node.mem_used, allocated: node.mem_used },
    },
    net_ticktime: 60,
    os: process.platform,
    pid: Number(node.os_pid),
    processes: { limit: node.proc_total, used: node.proc_used },
    product_name: overview.product_name,
    product_version: overview.product_version,
    rabbitmq_version: overview.rabbitmq_version,
    release_series_support_status: 'supported',
    run_queue: 0,
    totals: {
      connection_count: totals['connections'],
      queue_count: totals['queues'],
      virtual_host_count: undefined as number | undefined,
    },
    uptime: Math.floor(node.uptime / 1000),
    vm_memory_calculation_strategy: 'rss',
    vm_memory_high_watermark_limit: node.mem_limit,
  };
}

async function status(api: HttpApi, unit: unknown): Promise<Report> {
  const size = sizes(unit);
  const [overview, node] = [await overviewOf(api), await nodeOf(api)];
  const vhosts = (await api.get<object[]>('/vhosts')).length;
  const memory = await memoryOf(api, node);
  const value = statusValue(overview, node, memory) as { totals: object };
  value.totals = { ...value.totals, virtual_host_count: vhosts };
  const { object_totals: totals } = overview;
  const files = (all: readonly string[]): string[] =>
    all.length === 0 ? ['(none)'] : all.map((each) => ` * ${each}`);
  const text = [
    section('Runtime', [
      `OS PID: ${node.os_pid}`,
      `OS: ${process.platform}`,
      `Uptime (seconds): ${Math.floor(node.uptime / 1000)}`,
      'Is under maintenance?: false',
      // Before any other line with RabbitMQ and a number in it: scripts take the first.
      `RabbitMQ version: ${overview.rabbitmq_version}`,
      `Product: ${overview.product_name} ${overview.product_version}`,
      `Node name: ${overview.node}`,
      `Runtime: ${overview.erlang_full_version}`,
    ]),
    section('Plugins', [
      'Enabled plugins:',
      '',
      ...node.enabled_plugins.map((each) => ` * ${each}`),
    ]),
    section('Data directory', [`Node data directory: ${node.db_dir}`]),
    section('Config files', files(node.config_files)),
    section('Log file(s)', files(node.log_files)),
    section('Alarms', alarmLines(node)),
    section('Memory', [
      `Total memory used: ${size(node.mem_used)}`,
      'Calculation strategy: rss',
      `Memory high watermark computed to: ${size(node.mem_limit)}`,
      '',
      ...memory.map(([what, bytes]) => `${what}: ${size(bytes)} (${shareOf(bytes, memory)} %)`),
    ]),
    section('File Descriptors', [
      `Total: ${node.fd_used}, limit: ${node.fd_total}`,
      `Sockets: ${node.sockets_used}, limit: ${node.sockets_total}`,
    ]),
    section('Free Disk Space', [
      `Low free disk space watermark: ${size(node.disk_free_limit)}`,
      `Free disk space: ${size(node.disk_free)}`,
    ]),
    section('Totals', [
      `Connection count: ${totals['connections']}`,
      `Queue count: ${totals['queues']}`,
      `Virtual host count: ${vhosts}`,
    ]),
    section(
      'Listeners',
      listenersOf(overview).map((each) => `I${listenerLine(each).slice(1)}`),
    ),
  ];
  return { text: text.join('\n'), value };
}

/** The same for each of some nodes. */
const of = <T>(nodes: readonly string[], value: T): Record<string, T> =>
  Object.fromEntries(nodes.map((node) => [node, value]));

async function clusterStatus(api: HttpApi): Promise<Report> {
  const [overview, node] = [await overviewOf(api), await nodeOf(api)];
  const flags = await api.get<{ name: string; state: string }[]>('/feature-flags');
  const name = overview.node;
  const version = overview.rabbitmq_version;
  const nodes = await api.get<NodeRow[]>('/nodes');
  const running = nodes.filter((each) => each.running).map((each) => each.name);
  const [names, online] = [nodes.map((each) => each.name).sort(), running.sort()];
  const text = [
    section('Basics', [`Cluster name: ${overview.cluster_name}`]),
    section('Disk Nodes', names),
    section('Running Nodes', online),
    section(
      'Versions',
      online.map((each) => `${each}: RabbitMQ ${version} on ${overview.erlang_full_version}`),
    ),
    section(
      'Maintenance status',
      online.map((each) => `Node: ${each}, status: not under maintenance`),
    ),
    section('Alarms', alarmLines(node)),
    section('Network Partitions', ['(none)']),
    section(
      'Listeners',
      listenersOf(overview).map((each) => `Node: ${name}, ${listenerLine(each)}`),
    ),
    section(
      'Feature flags',
      flags.map((each) => `Flag: ${each.name}, state: ${each.state}`),
    ),
  ];
  const value = {
    alarms: alarmsOf(node),
    cluster_name: overview.cluster_name,
    disk_nodes: names,
    feature_flags: flags,
    listeners: { [name]: listenersOf(overview) },
    maintenance_status: of(online, 'not under maintenance'),
    partitions: {},
    ram_nodes: [],
    running_nodes: online,
    versions: of(online, {
      erlang_version: overview.erlang_full_version,
      rabbitmq_name: overview.product_name,
      rabbitmq_version: version,
    }),
  };
  return { text: text.join('\n'), value };
}

export const STATUS_VERBS: readonly CtlVerb[] = [
  {
    name: 'status',
    about: 'Say how the broker is.',
    options: [UNIT],
    namesNode: true,
    banner: ({ node }) => `Status of node ${node} ...`,
    run: ({ api, options }) => status(api, options['unit']),
  },
  {
    name: 'cluster_status',
    about: 'Show the nodes: one, or those of a cluster.',
    namesNode: true,
    banner: ({ node }) => `Cluster status of node ${node} ...`,
    run: ({ api }) => clusterStatus(api),
  },
  {
    name: 'listeners',
    about: 'List the listeners.',
    namesNode: true,
    banner: ({ node }) => `Asking node ${node} to report its protocol listeners ...`,
    run: async ({ api }) => {
      const overview = await overviewOf(api);
      const all = listenersOf(overview);
      const lines = all.map((each) => `I${listenerLine(each).slice(1)}\n`);
      return { text: lines.join(''), value: { result: 'ok', node: overview.node, listeners: all } };
    },
  },
  {
    name: 'alarms',
    about: 'List the alarms in force.',
    namesNode: true,
    banner: ({ node }) => `Asking node ${node} to report any known resource alarms ...`,
    run: async ({ api }) => {
      const node = await nodeOf(api);
      const all = alarmsOf(node);
      const none = `Node ${node.name} reported no alarms, local or clusterwide\n`;
      const text = all.length === 0 ? none : `${alarmLines(node).join('\n')}\n`;
      return { text, value: { alarms: all, node: node.name, result: 'ok' } };
    },
  },
  {
    name: 'memory_breakdown',
    about: 'Show the memory of the process by what it is for.',
    options: [UNIT],
    namesNode: true,
    banner: ({ node }) => `Reporting memory breakdown on node ${node}...`,
    run: async ({ api, options }) => {
      const size = sizes(options['unit'] ?? 'gb');
      const node = await nodeOf(api);
      const memory = await memoryOf(api, node);
      const rows = memory.map(([what, bytes]) => ({
        what,
        bytes,
        percentage: shareOf(bytes, memory),
      }));
      return {
        text: rows.map((row) => `${row.what}: ${size(row.bytes)} (${row.percentage}%)\n`).join(''),
        value: Object.fromEntries(rows.map(({ what, ...rest }) => [what, rest])),
      };
    },
  },
  {
    name: 'server_version',
    about: 'Show the version of RabbitMQ that the broker behaves as.',
    namesNode: true,
    banner: ({ node }) => `Asking node ${node} for its RabbitMQ version...`,
    run: async ({ api }) => {
      const { rabbitmq_version: version } = await overviewOf(api);
      return { text: `${version}\n`, value: { result: 'ok', value: version } };
    },
  },
  {
    name: 'erlang_version',
    about: 'Show the version of the runtime, which is Node.js.',
    options: [new Option('--details', 'Taken without effect.'), new Option('--offline', 'Same.')],
    namesNode: true,
    banner: ({ node }) => `Asking node ${node} for its Erlang/OTP version...`,
    run: async ({ api }) => `${(await overviewOf(api)).erlang_full_version}\n`,
  },
  {
    name: 'environment',
    about: 'Show the settings in force.',
    namesNode: true,
    banner: ({ node }) => `Application environment of node ${node} ...`,
    run: async ({ api }) => {
      const value = await api.get<object>('/config/effective');
      return { text: `${jsonText(value, 2)}\n`, value };
    },
  },
  {
    name: 'list_feature_flags',
    arguments: '[columns...]',
    about: 'List the feature flags, all of which are enabled.',
    banner: () => 'Listing feature flags ...',
    run: async ({ api, words }) => {
      const rows = await api.get<object[]>('/feature-flags');
      return { columns: words.length > 0 ? words : ['name', 'state'], rows };
    },
  },
  {
    name: 'log_location',
    about: 'Show where the log goes.',
    lenient: true,
    run: async ({ api }) => `${(await nodeOf(api)).log_files.join('\n')}\n`,
  },
  {
    name: 'report',
    about: 'Show status, listeners, settings and all lists, for a report of a fault.',
    run: async (call) => {
      const { LIST_VERBS } = await import('./lists.ts');
      const { format } = await import('./show/formats.ts');
      const parts = [(await status(call.api, undefined)).text];
      for (const { name: vhost } of await call.api.get<{ name: string }[]>('/vhosts')) {
        for (const verb of LIST_VERBS) {
          const here = { ...call, vhost, words: [] };
          const answer = await verb.run(here);
          parts.push(`${verb.banner?.(here)}\n${format(answer ?? '', 'table', true)}`);
        }
      }
      parts.push(`${jsonText(await call.api.get('/config/effective'), 2)}\n`);
      return parts.join('\n');
    },
  },
];
