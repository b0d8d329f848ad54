// Owns the health checks of RabbitMQ's tools: 0 when all is well, 69 when it is not. Never changes anything.

import { connect } from 'node:net';
import { InvalidArgumentError, Option } from 'commander';
import { EXIT_UNAVAILABLE, EXIT_USAGE } from '../exit-codes.ts';
import { ApiError, type HttpApi, part } from '../verb/http-api.ts';
import { parseLimit } from '../verb/verb-runner.ts';
import { type CtlCall, CtlError, type CtlVerb } from './ctl-verb.ts';
import { type ListenerRow, nameOf, overviewOf } from './node-facts.ts';

const CONNECT_MS = 5000;

interface Check {
  readonly name: string;
  /** Below /health/checks. */
  readonly path: (call: CtlCall) => string;
  readonly arguments?: string;
  readonly options?: readonly Option[];
  banner(call: CtlCall): string;
  well(node: string, call: CtlCall): string;
}

const CHECKS: readonly Check[] = [
  {
    name: 'check_running',
    path: () => 'ready-to-serve-clients',
    banner: ({ node }) => `Checking if RabbitMQ is running on node ${node} ...`,
    well: (node) => `RabbitMQ on node ${node} is fully booted and running`,
  },
  {
    name: 'check_local_alarms',
    path: () => 'local-alarms',
    banner: ({ node }) => `Asking node ${node} to report any local resource alarms ...`,
    well: (node) => `Node ${node} reported no local alarms`,
  },
  {
    name: 'check_alarms',
    path: () => 'alarms',
    banner: ({ node }) => `Asking node ${node} to report any known resource alarms ...`,
    well: (node) => `Node ${node} reported no alarms, local or clusterwide`,
  },
  {
    name: 'check_virtual_hosts',
    path: () => 'virtual-hosts',
    banner: ({ node }) => `Checking if all vhosts are running on node ${node} ...`,
    well: (node) => `Node ${node} reported all vhosts as running`,
  },
  {
    name: 'check_port_listener',
    arguments: '<port>',
    path: ({ words: [port] }) => `port-listener/${portOf(port)}`,
    banner: ({ node, words: [port] }) =>
      `Asking node ${node} if there's an active listener on port ${port} ...`,
    well: (_node, { words: [port] }) => `A listener for port ${port} is running.`,
  },
  {
    name: 'check_protocol_listener',
    arguments: '<protocol>',
    path: ({ words: [protocol = ''] }) => `protocol-listener/${part(protocol)}`,
    banner: ({ node, words: [protocol] }) =>
      `Asking node ${node} if there's an active listener for protocol ${protocol} ...`,
    well: (_node, { words: [protocol] }) => `A listener for protocol ${protocol} is running.`,
  },
  {
    name: 'check_certificate_expiration',
    options: [
      new Option('--unit <unit>', 'days, weeks, months or years.')
        .argParser(unitOf)
        .default('weeks'),
      new Option('--within <n>', 'How many of them.').argParser(parseLimit).default(4),
    ],
    path: ({ options }) =>
      `certificate-expiration/${part(String(options['within']))}/${part(String(options['unit']))}`,
    banner: ({ node }) => `Checking certificate expiration on node ${node} ...`,
    well: (_node, { options }) =>
      `No certificates are expiring within ${options['within']} ${options['unit']}.`,
  },
  ...['quorum', 'mirror_sync'].map(
    (kind): Check => ({
      name: `check_if_node_is_${kind}_critical`,
      path: () => `node-is-${kind.replace('_', '-')}-critical`,
      banner: ({ node }) =>
        `Checking if node ${node} is critical for ${kind.replace('_', ' ')} ...`,
      well: (node) => `Node ${node} is the one node: no other depends on it`,
    }),
  ),
  {
    name: 'node_health_check',
    path: () => 'alarms',
    banner: ({ node }) =>
      'This command is DEPRECATED and will be removed in a future version.\n' +
      'It performs intrusive, opinionated health checks and requires a fully booted node.\n' +
      'Use one of the options covered in https://www.rabbitmq.com/monitoring.html#health-checks instead.\n' +
      `Timeout: 70 seconds ...\nChecking health of node ${node} ...`,
    well: () => 'Health check passed',
  },
];

const UNITS = ['days', 'weeks', 'months', 'years'];

function unitOf(text: string): string {
  const unit = text.toLowerCase();
  if (UNITS.includes(unit)) return unit;
  throw new InvalidArgumentError(`Allowed choices are ${UNITS.join(', ')}.`);
}

function portOf(word: string | undefined): number {
  const port = /^\d{1,5}$/.test(word ?? '') ? Number(word) : 0;
  if (port > 0 && port <= 65_535) return port;
  throw new CtlError(EXIT_USAGE, `a port is a number from 1 to 65535, not '${word}'`);
}

export const CHECK_VERBS: readonly CtlVerb[] = [
  ...CHECKS.map(
    ({ path, well, ...check }): CtlVerb => ({
      ...check,
      namesNode: true,
      about: `Check; ends with 69 where it fails.`,
      lenient: true,
      run: async (call) => {
        await call.api.get(`/health/checks/${path(call)}`);
        const message = well(call.node, call);
        return { text: `${message}\n`, value: { result: 'ok', message } };
      },
    }),
  ),
  {
    name: 'ping',
    about: 'Ends with 0 when the broker answers.',
    namesNode: true,
    banner: ({ node, timeoutMs }) =>
      `Will ping ${node}. This only checks if the OS process is running and answers. Timeout: ${timeoutMs ?? 60_000} ms.`,
    run: async ({ api }) => {
      // Not `is-in-service`, which fails in maintenance: a broker that answers is not to be restarted for it.
      await api.get('/health/checks/virtual-hosts').catch((error: unknown) => {
        // A broker that refuses the login does answer.
        if (!(error instanceof ApiError) || error.status !== 401) throw error;
      });
      return { text: 'Ping succeeded\n', value: { result: 'ok' } };
    },
  },
  {
    name: 'check_port_connectivity',
    about: 'Connect to each listener; ends with 69 where one does not answer.',
    lenient: true,
    namesNode: true,
    banner: ({ node }) => `Testing TCP connections to all active listeners on node ${node} ...`,
    run: checkPorts,
  },
  running('is_running', true),
  running('is_booting', false),
];

/** What answers is running, and has left its start behind. */
function running(name: string, answer: boolean): CtlVerb {
  return {
    name,
    about: answer ? 'Say whether the broker runs.' : 'Say whether the broker is still starting.',
    namesNode: true,
    banner: ({ node }) => `Asking node ${node} for its status ...`,
    run: async ({ api }) => {
      const node = await nameOf(api);
      const message = answer
        ? `RabbitMQ on node ${node} is fully booted and running`
        : `RabbitMQ on node ${node} is fully booted (check with is_running), stopped or has not started booting yet`;
      return { text: `${message}\n`, value: { result: answer, message } };
    },
  };
}

async function checkPorts({ api, node }: CtlCall) {
  const { listeners = [] } = await overviewOf(api);
  const failed: ListenerRow[] = [];
  for (const row of listeners)
    if (!(await connects(reachable(api, row), row.port))) failed.push(row);
  const shown = (rows: readonly ListenerRow[]): string =>
    [...new Set(rows.map(({ port }) => port))].join(', ');
  if (failed.length > 0) {
    throw new CtlError(EXIT_UNAVAILABLE, `cannot connect to port ${shown(failed)} of node ${node}`);
  }
  const message = `Successfully connected to ports ${shown(listeners)} on node ${node}`;
  return { text: `${message}.\n`, value: { result: 'ok', message } };
}

/** Where this machine reaches a listener: one on all addresses, or on the broker's own, has the broker's host. */
function reachable(api: HttpApi, { ip_address: host }: ListenerRow): string {
  const wide = ['0.0.0.0', '::', '[::]'].includes(host);
  if (wide) return api.host;
  const own = ['127.0.0.1', '::1'].includes(host);
  return own && !['127.0.0.1', 'localhost', '[::1]'].includes(api.host) ? api.host : host;
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
