// Owns what RabbitMQ's tools read of the node: its row in the API, its listeners and its alarms. Never shows it.

import { NODE_NAME } from '../../util/system/node-name.ts';
import type { HttpApi } from '../verb/http-api.ts';

/** What is read of the API. */
export interface Overview {
  readonly node: string;
  readonly cluster_name: string;
  readonly rabbitmq_version: string;
  readonly product_name: string;
  readonly product_version: string;
  readonly erlang_full_version: string;
  readonly object_totals: Readonly<Record<string, number>>;
  readonly listeners?: readonly ListenerRow[];
}

export interface ListenerRow {
  readonly protocol: string;
  readonly ip_address: string;
  readonly port: number;
}

export interface NodeRow {
  readonly name: string;
  readonly running: boolean;
  readonly os_pid: string;
  readonly uptime: number;
  readonly mem_used: number;
  readonly mem_limit: number;
  readonly disk_free: number;
  readonly disk_free_limit: number;
  readonly being_drained: boolean;
  readonly mem_alarm: boolean;
  readonly disk_free_alarm: boolean;
  readonly log_alarm?: boolean;
  readonly db_dir: string;
  readonly fd_used: number;
  readonly fd_total: number;
  readonly sockets_used: number;
  readonly sockets_total: number;
  readonly proc_used: number;
  readonly proc_total: number;
  readonly enabled_plugins: readonly string[];
  readonly config_files: readonly string[];
  readonly log_files: readonly string[];
}

/** The node that answers, as the API shows it: the first of its list. */
export async function nodeOf(api: HttpApi): Promise<NodeRow> {
  const [node] = await api.get<NodeRow[]>('/nodes');
  return node as NodeRow;
}

/** The node's name. */
export const nameOf = async (api: HttpApi): Promise<string> => (await overviewOf(api)).node;

/** The same, or the name that nodes have where nothing names them: no broker answers, or the login may not see it. */
export async function readableName(api: HttpApi): Promise<string> {
  try {
    return await nameOf(api);
  } catch {
    return NODE_NAME;
  }
}

export const overviewOf = (api: HttpApi): Promise<Overview> => api.get<Overview>('/overview');

/** A listener as the tools show it. */
export interface ShownListener {
  readonly node: string;
  readonly interface: string;
  readonly port: number;
  readonly protocol: string;
  readonly purpose: string;
}

const PURPOSES: Readonly<Record<string, string>> = {
  amqp: 'AMQP 0-9-1',
  'amqp/ssl': 'AMQP 0-9-1 over TLS',
  http: 'HTTP API',
  https: 'HTTP API over TLS (HTTPS)',
  'http/prometheus': 'Prometheus exporter API over HTTP',
};

/** The listeners, with IPv6 addresses in brackets as RabbitMQ shows them. */
export function listenersOf({ node, listeners = [] }: Overview): ShownListener[] {
  return listeners.map(({ protocol, ip_address: host, port }) => ({
    node,
    interface: host.includes(':') ? `[${host}]` : host,
    port,
    protocol,
    purpose: PURPOSES[protocol] ?? protocol,
  }));
}

/** The alarms in force, as RabbitMQ's API of health checks names them. */
export function alarmsOf({
  mem_alarm: memory,
  disk_free_alarm: disk,
  log_alarm: log,
  name,
}: NodeRow) {
  const flags = Object.entries({ memory, disk, log });
  const resources = flags.flatMap(([resource, isShort]) => (isShort === true ? [resource] : []));
  return resources.map((resource) => ({ resource, node: name }));
}
