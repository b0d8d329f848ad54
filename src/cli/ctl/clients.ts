// Owns the verbs that close connections, and that take no new ones for a while. Never closes one itself: the broker does.

import { Option } from 'commander';
import { closeConnection } from '../verb/close-connection.ts';
import { ApiError, type HttpApi } from '../verb/http-api.ts';
import { parseLimit } from '../verb/verb-runner.ts';
import type { CtlVerb } from './ctl-verb.ts';
import type { Row } from './show/columns.ts';

/** RabbitMQ takes the id of an Erlang process, which here stands for the name: `<leveret.NAME>`. */
function nameIn(word: string): string {
  return /^<[^.>]+\.(.+)>$/.exec(word)?.[1] ?? word;
}

/** Closes the connections that are wanted, at most so many, 0 for all; resolves with how many. */
async function closeAll(
  api: HttpApi,
  wanted: (row: Row) => boolean,
  reason: string,
  limit = 0,
): Promise<number> {
  const all = (await api.get<Row[]>('/connections')).filter(wanted);
  const rows = limit === 0 ? all : all.slice(0, limit);
  for (const { name } of rows) {
    await closeConnection(api, String(name), reason).catch((error: unknown) => {
      // It has closed by itself meanwhile.
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    });
  }
  return rows.length;
}

/** What clients are told of a broker that is drained. */
const DRAINED = 'Node was put into maintenance mode';

const suspend = async (api: HttpApi, suspended: boolean): Promise<undefined> => {
  await api.call('PUT', '/leveret/listeners', { suspended });
  return undefined;
};

export const CLIENT_VERBS: readonly CtlVerb[] = [
  {
    name: 'close_connection',
    arguments: '<name> <reason>',
    about: 'Close a connection, by its name or by the pid that list_connections shows.',
    banner: ({ words: [name, reason] }) => `Closing connection ${name}, reason: ${reason}...`,
    run: async ({ api, words: [name = '', reason = ''] }) => {
      await closeConnection(api, nameIn(name), reason);
      return undefined;
    },
  },
  {
    name: 'close_all_connections',
    arguments: '<reason>',
    about: 'Close all connections of a vhost, or with --global all there are.',
    options: [
      new Option('--global', 'Of all vhosts.'),
      new Option('--limit <n>', 'So many at most.').argParser(parseLimit).default(0, 'no limit'),
      new Option('--per-connection-delay <ms>', 'Taken without effect.').argParser(parseLimit),
    ],
    namesNode: true,
    banner: ({ node, vhost, options, words: [reason] }) =>
      options['global'] === true
        ? `Closing all connections to node ${node} (across all vhosts), reason: ${reason}...`
        : `Closing all connections in vhost ${vhost}, reason: ${reason}...`,
    run: async ({ api, vhost, options, words: [reason = ''] }) => {
      const wanted = (row: Row): boolean => options['global'] === true || row['vhost'] === vhost;
      const count = await closeAll(api, wanted, reason, Number(options['limit']));
      return `Closed ${count} connections\n`;
    },
  },
  {
    name: 'close_all_user_connections',
    arguments: '<user> <reason>',
    about: 'Close all connections of a user.',
    banner: ({ words: [user, reason] }) =>
      `Closing all connections for user ${user}, reason: ${reason}...`,
    run: async ({ api, words: [user, reason = ''] }) => {
      await closeAll(api, (row) => row['user'] === user, reason);
      return undefined;
    },
  },
  {
    name: 'suspend_listeners',
    about: 'Take no new client connections; those that there are stay.',
    namesNode: true,
    banner: ({ node }) =>
      `Will suspend client connection listeners on node ${node}. The node will no longer accept client connections!`,
    run: ({ api }) => suspend(api, true),
  },
  {
    name: 'resume_listeners',
    about: 'Take client connections again.',
    namesNode: true,
    banner: ({ node }) =>
      `Will resume client connection listeners on node ${node}. The node will now accept client connections`,
    run: ({ api }) => suspend(api, false),
  },
  {
    name: 'drain',
    about: 'Take no new client connections, and close those that there are.',
    namesNode: true,
    banner: ({ node }) =>
      `Will put node ${node} into maintenance mode. The node will no longer serve any client traffic!`,
    run: async ({ api }) => {
      await suspend(api, true);
      await closeAll(api, () => true, DRAINED);
      return undefined;
    },
  },
  {
    name: 'revive',
    about: 'End maintenance: take client connections again.',
    namesNode: true,
    banner: ({ node }) =>
      `Will put node ${node} back into service. The node will serve clients again`,
    run: ({ api }) => suspend(api, false),
  },
];
