// Owns the verbs that only rabbitmqctl and rabbitmq-diagnostics have: health checks, connections, and
// what there is nothing to do for here. Never doubles one that `leveret` has.

import { connect } from 'node:net';
import { ApiError, type HttpApi, part } from '../verb/http-api.ts';
import type { Answer, Arguments, Options } from '../verb/verb.ts';
import { VerbError } from '../verb/verb-error.ts';
import { statusVerb } from './live/status.ts';

/** One verb over HTTP. */
export interface CtlVerb {
  readonly name: string;
  readonly arguments?: string;
  readonly about: string;
  /** Takes options that it does not know. */
  readonly lenient?: boolean;
  run(api: HttpApi, args: readonly Arguments[], options: Options): Promise<Answer>;
}

const NODE = 'leveret';
const WAIT_MS = 60_000;
const PAUSE_MS = 250;
const CONNECT_MS = 5000;

/** A list of what the API has, with the columns that RabbitMQ shows unless others are named. */
function lister(name: string, path: string, usual: readonly string[], inVhost = false): CtlVerb {
  return {
    name,
    arguments: '[columns...]',
    about: `List ${path.slice(1)}.`,
    run: async (api, [asked], options) => {
      const columns =
        (asked as readonly string[]).length > 0 ? (asked as readonly string[]) : usual;
      const rows = await api.get<Readonly<Record<string, unknown>>[]>(
        inVhost ? `${path}/${part(String(options['vhost']))}` : path,
      );
      return { columns, rows: rows.map((row) => renamed(row)) };
    },
  };
}

/** RabbitMQ's tools have other names for some fields than its API. */
function renamed(row: Readonly<Record<string, unknown>>): object {
  const of = (name: string): Readonly<Record<string, unknown>> =>
    (row[name] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...row,
    pid: row['name'],
    connection: of('connection_details')['name'],
    queue_name: of('queue')['name'],
    channel_pid: of('channel_details')['name'],
  };
}

const done = async (): Promise<undefined> => undefined;

/** A verb that has no meaning for one node without Erlang, and says so. */
function senseless(name: string, why: string): CtlVerb {
  return {
    name,
    arguments: '[words...]',
    about: `Not to be had: ${why}.`,
    lenient: true,
    run: async () => {
      throw new VerbError(`${name} is not to be had: ${why}`);
    },
  };
}

/** A verb that scripts call and that there is nothing to do for. */
function needless(name: string, about: string): CtlVerb {
  return { name, arguments: '[words...]', about, lenient: true, run: done };
}

/** Verbs whose answer is whether a health check of the API is well. */
function check(name: string, path: string, well: string): CtlVerb {
  return {
    name,
    arguments: '[words...]',
    about: `Check: ${well}; ends with 69 when it is not so.`,
    lenient: true,
    run: async (api, [words]) => {
      const rest = (words as readonly string[]).map((word) => `/${part(word)}`).join('');
      await api.get(`/health/checks/${path}${rest}`);
      return `${well}\n`;
    },
  };
}

export const CTL_VERBS: readonly CtlVerb[] = [
  lister('list_connections', '/connections', ['user', 'peer_host', 'peer_port', 'state']),
  lister('list_channels', '/channels', [
    'pid',
    'user',
    'consumer_count',
    'messages_unacknowledged',
  ]),
  lister(
    'list_consumers',
    '/consumers',
    [
      'queue_name',
      'channel_pid',
      'consumer_tag',
      'ack_required',
      'prefetch_count',
      'active',
      'arguments',
    ],
    true,
  ),
  { ...statusVerb, name: 'status' },
  {
    name: 'ping',
    about: 'Ends with 0 when the broker answers.',
    run: async (api) => {
      try {
        await api.get('/health/checks/is-in-service');
      } catch (error) {
        // A broker that refuses the login does answer.
        if (!(error instanceof ApiError) || error.status !== 401) throw error;
      }
      return 'Ping succeeded\n';
    },
  },
  {
    name: 'check_running',
    about: 'Ends with 0 when the broker takes connections.',
    run: async (api) => {
      await api.get('/health/checks/ready-to-serve-clients');
      return `RabbitMQ on node ${NODE} is fully booted and running\n`;
    },
  },
  check('check_local_alarms', 'local-alarms', `Node ${NODE} reported no local alarms`),
  check('check_alarms', 'alarms', `Node ${NODE} reported no alarms, local or clusterwide`),
  check('check_virtual_hosts', 'virtual-hosts', `Node ${NODE} reported all vhosts as running`),
  check('check_port_listener', 'port-listener', 'A listener for that port is running'),
  check('check_protocol_listener', 'protocol-listener', 'A listener for that protocol is running'),
  check('check_certificate_expiration', 'certificate-expiration', 'No certificate expires by then'),
  check('check_if_node_is_quorum_critical', 'node-is-quorum-critical', `Node ${NODE} is alone`),
  { name: 'check_port_connectivity', about: 'Connect to each listener.', run: checkPorts },
  {
    name: 'listeners',
    about: 'List the listeners.',
    run: async (api) =>
      (await listeners(api))
        .map(
          ({ ip_address: host, port, protocol }) =>
            `Interface: ${host}, port: ${port}, protocol: ${protocol}\n`,
        )
        .join(''),
  },
  {
    name: 'server_version',
    about: 'Show the version.',
    run: async (api) => `${(await api.get<{ version: string }>('/version')).version}\n`,
  },
  {
    name: 'await_startup',
    about: 'Wait until the broker answers.',
    lenient: true,
    run: awaitStart,
  },
  {
    name: 'wait',
    arguments: '[pidfile]',
    about: 'Wait until the broker answers.',
    lenient: true,
    run: awaitStart,
  },
  {
    name: 'await_online_nodes',
    arguments: '<count>',
    about: 'Wait until the broker answers, which is one node.',
    run: async (api, [count]) => {
      if (Number(count) > 1) throw new VerbError('there is one node, and never more');
      return awaitStart(api);
    },
  },
  {
    name: 'cluster_status',
    about: 'Show the nodes, of which there is one.',
    run: async (api) => `Cluster name: ${(await api.get<{ name: string }>('/cluster-name')).name}

Disk Nodes

${NODE}

Running Nodes

${NODE}
`,
  },
  {
    name: 'close_connection',
    arguments: '<name> <reason>',
    about: 'Close a connection, by its name.',
    run: async (api, [name, reason]) => {
      await close(api, String(name), String(reason));
      return undefined;
    },
  },
  {
    name: 'close_all_connections',
    arguments: '<reason>',
    about: 'Close all connections.',
    lenient: true,
    run: async (api, [reason]) => {
      const all = await api.get<{ name: string }[]>('/connections');
      for (const { name } of all) await close(api, name, String(reason));
      return `Closed ${all.length} connections\n`;
    },
  },
  {
    name: 'environment',
    about: 'Show the settings in force.',
    run: async (api) => `${JSON.stringify(await api.get('/config/effective'), null, 2)}\n`,
  },
  {
    name: 'stop',
    arguments: '[pidfile]',
    about: 'Stop the broker, on its own machine.',
    run: stop,
  },
  { name: 'shutdown', about: 'Stop the broker, on its own machine.', run: stop },
  needless('enable_feature_flag', 'Nothing to do: all is enabled.'),
  needless('rebalance', 'Nothing to do: there is one node.'),
  {
    name: 'list_feature_flags',
    about: 'There are none.',
    run: async () => ({ columns: ['name', 'state'], rows: [] }),
  },
  senseless('stop_app', 'there is no Erlang application inside the process; use stop'),
  senseless('start_app', 'there is no Erlang application inside the process; run leveret start'),
  senseless('reset', 'stop the broker and remove its data folder'),
  senseless('eval', 'there is no Erlang here'),
  senseless('set_log_level', 'set log.level and start the broker again'),
  senseless('join_cluster', 'there is one node'),
  senseless('forget_cluster_node', 'there is one node'),
  senseless('rotate_logs', 'logs go to standard output'),
];

interface ListenerRow {
  readonly protocol: string;
  readonly ip_address: string;
  readonly port: number;
}

async function listeners(api: HttpApi): Promise<readonly ListenerRow[]> {
  const { listeners: all = [] } = await api.get<{ listeners?: ListenerRow[] }>('/overview');
  return all;
}

async function checkPorts(api: HttpApi): Promise<string> {
  const all = await listeners(api);
  const { hostname } = new URL(api.base);
  for (const { port, ip_address: host } of all) {
    const at = ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(host) ? hostname : host;
    if (!(await connects(at, port))) throw new VerbError(`cannot connect to port ${port} on ${at}`);
  }
  const ports = all.map(({ port }) => port).join(', ');
  return `Successfully connected to ports ${ports} on node ${NODE}.\n`;
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port, timeout: CONNECT_MS });
    const end = (well: boolean) => () => {
      socket.destroy();
      resolve(well);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}

async function awaitStart(api: HttpApi): Promise<undefined> {
  const untilMs = Date.now() + WAIT_MS;
  for (;;) {
    try {
      await api.get('/health/checks/ready-to-serve-clients');
      return undefined;
    } catch (error) {
      if (Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function close(api: HttpApi, name: string, reason: string): Promise<void> {
  await api.call('DELETE', `/connections/${part(name)}`, undefined, { 'x-reason': reason });
}

/** Only the process itself can end it: it is asked to by a signal, which works on its machine alone. */
async function stop(api: HttpApi): Promise<string> {
  const [node] = await api.get<{ os_pid: string }[]>('/nodes');
  const { hostname } = new URL(api.base);
  if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) {
    throw new VerbError(
      'a broker is stopped on its own machine: send SIGTERM to its process there',
    );
  }
  const pid = Number(node?.os_pid);
  process.kill(pid, 'SIGTERM');
  const untilMs = Date.now() + WAIT_MS;
  while (isAlive(pid) && Date.now() < untilMs) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return `Stopped node ${NODE}, pid ${pid}\n`;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
