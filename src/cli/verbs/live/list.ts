// Owns `leveret list ...`: what there is in a running broker. Never computes a column.

import { Option } from 'commander';
import { suggest } from '../../../config/suggest.ts';
import { UsageError } from '../../exit-codes.ts';
import type { Listing } from '../../output.ts';
import type { HttpApi } from '../../verb/http-api.ts';
import { type LiveVerb, vhostPath } from '../../verb/live.ts';
import type { Options } from '../../verb/verb.ts';
import { parseCount } from '../../verb/verb-runner.ts';

/** One kind of thing to list. */
interface Kind {
  readonly name: string;
  readonly path: string;
  /** Whether it lies in vhosts. */
  readonly inVhosts?: boolean;
  readonly columns: readonly string[];
  /** Fields that not every row has. */
  readonly rare?: readonly string[];
}

/** Columns with times. */
const TIMES: ReadonlySet<string> = new Set(['time', 'next_at', 'last_at', 'next_delayed_at']);

const KINDS: readonly Kind[] = [
  {
    name: 'queues',
    path: '/queues',
    inVhosts: true,
    rare: [
      'committed_offset',
      'deaths',
      'first_offset',
      'groups',
      'idle_since',
      'last_offset',
      'limits',
      'next_offset',
      'readers',
      'segments',
      'leader',
      'members',
      'online',
      'owner_pid_details',
      'oldest_message_age_ms',
    ],
    columns: [
      'vhost',
      'name',
      'messages_ready',
      'messages_unacknowledged',
      'messages_delayed',
      'consumers',
      'message_bytes',
      'policy',
    ],
  },
  {
    name: 'exchanges',
    path: '/exchanges',
    inVhosts: true,
    columns: ['vhost', 'name', 'type', 'durable', 'auto_delete', 'internal', 'policy'],
  },
  {
    name: 'bindings',
    path: '/bindings',
    inVhosts: true,
    columns: ['vhost', 'source', 'destination_type', 'destination', 'routing_key', 'arguments'],
  },
  {
    name: 'connections',
    path: '/connections',
    rare: ['blocked_since', 'client_properties', 'peer_cert_subject', 'ssl_protocol', 'ssl_cipher'],
    columns: [
      'name',
      'user_provided_name',
      'user',
      'vhost',
      'state',
      'channels',
      'recv_oct',
      'send_oct',
    ],
  },
  {
    name: 'channels',
    path: '/channels',
    columns: [
      'name',
      'connection_details.user_provided_name',
      'user',
      'vhost',
      'consumer_count',
      'prefetch_count',
      'messages_unacknowledged',
      'messages_unconfirmed',
    ],
  },
  {
    name: 'consumers',
    path: '/consumers',
    inVhosts: true,
    columns: [
      'queue.vhost',
      'queue.name',
      'consumer_tag',
      'ack_required',
      'prefetch_count',
      'active',
      'channel_details.user_provided_name',
    ],
  },
  { name: 'users', path: '/users', columns: ['name', 'tags'] },
  {
    name: 'vhosts',
    path: '/vhosts',
    columns: ['name', 'description', 'tags', 'messages_ready', 'messages_unacknowledged'],
  },
  {
    name: 'permissions',
    path: '/permissions',
    columns: ['user', 'vhost', 'configure', 'write', 'read'],
  },
  {
    name: 'policies',
    path: '/policies',
    inVhosts: true,
    columns: ['vhost', 'name', 'pattern', 'apply-to', 'definition', 'priority'],
  },
  {
    name: 'schedules',
    path: '/schedules',
    inVhosts: true,
    rare: ['cron', 'time_zone', 'every'],
    columns: [
      'vhost',
      'name',
      'cron',
      'time_zone',
      'every',
      'exchange',
      'routing_key',
      'next_at',
      'last_at',
      'last_error',
    ],
  },
  {
    name: 'set-aside',
    path: '/set-aside',
    inVhosts: true,
    columns: ['id', 'kind', 'vhost', 'name', 'doing', 'error'],
  },
  {
    name: 'closed',
    path: '/closed',
    columns: [
      'time',
      'kind',
      'connection',
      'user_provided_name',
      'channel',
      'user',
      'by',
      'code',
      'text',
      'advice',
    ],
  },
];

const ABOUT: Readonly<Record<string, string>> = {
  'set-aside': 'List messages and rows that could not be read and were set aside.',
  closed: 'List the connections and channels that closed last, and why.',
};

export const listVerbs: readonly LiveVerb[] = KINDS.map((kind) => ({
  name: kind.name,
  arguments: '[columns...]',
  about: ABOUT[kind.name] ?? `List ${kind.name}.`,
  ...(kind.inVhosts ? { vhost: 'all' as const } : {}),
  options: [
    new Option('--sort <column>', 'The column to sort by, the highest value last.'),
    new Option('--reverse', 'Sort the other way round.'),
    new Option('--name <text>', 'Only rows whose name contains this text.'),
    new Option('--limit <n>', 'The most to show.').argParser(parseCount),
  ],
  more: `Columns, unless others are named: ${kind.columns.join(', ')}. Any field of the HTTP API is one.`,
  run: (api, [columns], options) => list(api, kind, columns as readonly string[], options),
}));

async function list(
  api: HttpApi,
  kind: Kind,
  asked: readonly string[],
  options: Options,
): Promise<Listing> {
  const { path } = kind;
  const columns = asked.length > 0 ? asked : kind.columns;
  const query = new URLSearchParams({
    ...(typeof options['sort'] === 'string' ? { sort: options['sort'] } : {}),
    ...(options['reverse'] === true ? { sort_reverse: 'true' } : {}),
    ...(typeof options['name'] === 'string' ? { name: options['name'] } : {}),
  });
  const answer = await api.get<object>(`${path}${vhostPath(options)}?${query}`);
  const rows = (
    Array.isArray(answer) ? answer : (answer as { closed: object[] }).closed
  ) as object[];
  const { sort } = options;
  requireColumns(kind, rows, typeof sort === 'string' ? [...columns, sort] : columns);
  const shown = rows.slice(0, (options['limit'] as number | undefined) ?? rows.length);
  return { columns, rows: shown.map((row) => flat(row, columns)) };
}

/** Throws a UsageError for a column that no row has; of one such as `a.b`, field a has to be there. */
function requireColumns(kind: Kind, rows: readonly object[], columns: readonly string[]): void {
  if (rows.length === 0) return;
  const known = new Set([...kind.columns, ...(kind.rare ?? []), ...rows.flatMap(Object.keys)]);
  const first = (column: string): string => column.split('.')[0] ?? '';
  for (const each of [...known]) known.add(first(each));
  for (const column of columns) {
    if (known.has(first(column))) continue;
    const nearest = suggest(column, [...known]);
    const hint =
      nearest === null ? `there are ${[...known].join(', ')}` : `did you mean '${nearest}'?`;
    throw new UsageError(`there is no column '${column}'; ${hint}`);
  }
}

/** The same for the column that queues are sorted by. */
export function requireQueueColumn(rows: readonly object[], column: string): void {
  requireColumns(KINDS[0] as Kind, rows, [column]);
}

/** A row with the columns that are asked for, `a.b` being field b of field a. */
function flat(row: object, columns: readonly string[]): object {
  const at = (path: string): unknown =>
    path
      .split('.')
      .reduce<unknown>(
        (value, name) =>
          typeof value === 'object' && value !== null
            ? (value as Readonly<Record<string, unknown>>)[name]
            : undefined,
        row,
      );
  const shown = (column: string): unknown => {
    const value = at(column);
    // The API has milliseconds; null: there is no such time.
    return TIMES.has(column) && typeof value === 'number' ? new Date(value).toISOString() : value;
  };
  return Object.fromEntries(columns.map((column) => [column, shown(column)]));
}
