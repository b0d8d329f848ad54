// Owns `leveret list ...`: what there is in a running broker. Never computes a column.

import { Option } from 'commander';
import type { Listing } from '../../output.ts';
import type { HttpApi } from '../../verb/http-api.ts';
import { type LiveVerb, vhostPath } from '../../verb/live.ts';
import type { Options } from '../../verb/verb.ts';

/** One kind of thing to list. */
interface Kind {
  readonly name: string;
  readonly path: string;
  /** Whether it lies in vhosts. */
  readonly inVhosts?: boolean;
  readonly columns: readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    name: 'queues',
    path: '/queues',
    inVhosts: true,
    columns: [
      'vhost',
      'name',
      'messages_ready',
      'messages_unacknowledged',
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
    name: 'set-aside',
    path: '/set-aside',
    inVhosts: true,
    columns: ['id', 'kind', 'vhost', 'name', 'doing', 'error'],
  },
  {
    name: 'closed',
    path: '/closed',
    columns: ['time', 'kind', 'connection', 'channel', 'user', 'by', 'code', 'text', 'advice'],
  },
];

const ABOUT: Readonly<Record<string, string>> = {
  'set-aside': 'List messages that could not be looked at, and rows that could not be read.',
  closed: 'List the connections and channels that closed last, and why.',
};

export const listVerbs: readonly LiveVerb[] = KINDS.map((kind) => ({
  name: kind.name,
  arguments: '[columns...]',
  about: ABOUT[kind.name] ?? `List ${kind.name}.`,
  ...(kind.inVhosts ? { vhost: 'all' as const } : {}),
  options: [
    new Option('--sort <column>', 'The column to sort by; those that are highest last.'),
    new Option('--reverse', 'Sort the other way round.'),
    new Option('--name <text>', 'Only those whose name has this text.'),
  ],
  more: `Columns, unless others are named: ${kind.columns.join(', ')}. Any field of the HTTP API is one.`,
  run: (api, [columns], options) => list(api, kind, columns as readonly string[], options),
}));

async function list(
  api: HttpApi,
  { path, columns: usual }: Kind,
  asked: readonly string[],
  options: Options,
): Promise<Listing> {
  const columns = asked.length > 0 ? asked : usual;
  const query = new URLSearchParams({
    ...(typeof options['sort'] === 'string' ? { sort: options['sort'] } : {}),
    ...(options['reverse'] === true ? { sort_reverse: 'true' } : {}),
    ...(typeof options['name'] === 'string' ? { name: options['name'] } : {}),
  });
  const answer = await api.get<object>(`${path}${vhostPath(options)}?${query}`);
  const rows = (
    Array.isArray(answer) ? answer : (answer as { closed: object[] }).closed
  ) as object[];
  return { columns, rows: rows.map((row) => flat(row, columns)) };
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
  return Object.fromEntries(
    columns.map((column) => [
      column,
      column === 'time' ? new Date(at(column) as number).toISOString() : at(column),
    ]),
  );
}
