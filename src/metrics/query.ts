// Owns what a scrape asks for: the path, and which families and vhosts of `/metrics/detailed`. Never answers.

import type { Snapshots } from '../broker/view/snapshots.ts';
import { pathOf } from '../management/http/target.ts';

/** What is asked for. */
export type Endpoint = 'aggregated' | 'per-object' | 'detailed' | 'memory-breakdown';

const PATHS: ReadonlyMap<string, Endpoint> = new Map([
  ['', 'aggregated'],
  ['/per-object', 'per-object'],
  ['/detailed', 'detailed'],
  ['/memory-breakdown', 'memory-breakdown'],
]);

/** So much of a query is looked at. */
const QUERY_CHARS_MAX = 16 * 1024;

/** Which metrics a request to a target means, below `base`; null: there are none. */
export function endpointOf(target: string | undefined, base: string): Endpoint | null {
  const path = pathOf(target).replace(/\/$/, '');
  return path.startsWith(base) ? (PATHS.get(path.slice(base.length)) ?? null) : null;
}

/** What `/metrics/detailed` is asked for. */
export interface Filter {
  readonly families: ReadonlySet<string>;
  /** Null: no vhost is named. Those that are not there are left out. */
  readonly vhosts: ReadonlySet<string> | null;
}

export function filterOf(target: string | undefined, snapshots: Snapshots): Filter {
  const query = (target ?? '').split('?', 2)[1]?.slice(0, QUERY_CHARS_MAX) ?? '';
  const params = new URLSearchParams(query);
  const families = new Set(params.getAll('family'));
  // It is a part of the other: as in RabbitMQ, it is not told twice.
  if (families.has('queue_metrics')) families.delete('queue_consumer_count');
  const vhosts = params.getAll('vhost').filter((name) => snapshots.hasVhost(name));
  return { families, vhosts: params.has('vhost') ? new Set(vhosts) : null };
}
