// Owns the verbs for users, vhosts and permissions where RabbitMQ's tools say or do something else than `leveret`.
// Never checks a right: the broker does.

import { EXIT_DATA, EXIT_NO_USER, EXIT_UNAVAILABLE } from '../exit-codes.ts';
import { ApiError, type HttpApi, part } from '../verb/http-api.ts';
import { vhostOptions } from '../verb/vhost-options.ts';
import { type CtlCall, CtlError, type CtlVerb } from './ctl-verb.ts';
import type { Row } from './show/columns.ts';

const noUser = (name: string, code: number): CtlError =>
  new CtlError(code, `User "${name}" does not exist`);

/** Runs a call about a user; one that is not there is named. */
async function aboutUser<T>(name: string, code: number, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) throw noUser(name, code);
    throw error;
  }
}

const wordsOf = ({ words }: CtlCall): string => words[0] as string;

export const USER_VERBS: readonly CtlVerb[] = [
  {
    name: 'list_users',
    about: 'List all users with their tags.',
    banner: () => 'Listing users ...',
    run: async ({ api }) => {
      const rows = await api.get<Row[]>('/users');
      const shown = rows.map(({ name, tags }) => ({ user: name, tags }));
      return { columns: ['user', 'tags'], rows: shown };
    },
  },
  {
    name: 'delete_user',
    arguments: '<name>',
    about: 'Delete a user with its permissions.',
    banner: (call) => `Deleting user "${wordsOf(call)}" ...`,
    run: async (call) => {
      const name = wordsOf(call);
      await aboutUser(name, EXIT_NO_USER, () => call.api.call('DELETE', `/users/${part(name)}`));
      return undefined;
    },
  },
  permissionsOf('list_user_permissions', 'permissions', 'permissions', [
    'vhost',
    'configure',
    'write',
    'read',
  ]),
  permissionsOf('list_user_topic_permissions', 'topic-permissions', 'topic permissions', [
    'vhost',
    'exchange',
    'write',
    'read',
  ]),
  {
    name: 'add_vhost',
    arguments: '<name>',
    about: 'Make a vhost; one that is there stays as it is.',
    options: vhostOptions(),
    banner: (call) => `Adding vhost "${wordsOf(call)}" ...`,
    run: async (call) => {
      const { description, tags, defaultQueueType } = call.options;
      const path = `/vhosts/${part(wordsOf(call))}`;
      if (await call.api.has(path)) return undefined;
      await call.api.call('PUT', path, {
        ...(description === undefined ? {} : { description }),
        ...(tags === undefined ? {} : { tags }),
        ...(defaultQueueType === undefined ? {} : { default_queue_type: defaultQueueType }),
      });
      return undefined;
    },
  },
  {
    name: 'delete_vhost',
    arguments: '<name>',
    about: 'Delete a vhost with all that lies in it.',
    banner: (call) => `Deleting vhost "${wordsOf(call)}" ...`,
    run: async (call) => {
      const name = wordsOf(call);
      await requireVhost(call.api, name);
      await call.api.call('DELETE', `/vhosts/${part(name)}`);
      return undefined;
    },
  },
  {
    name: 'set_vhost_tags',
    arguments: '<name> [tags...]',
    about: 'Set all tags of a vhost.',
    banner: ({ words: [name, ...tags] }) =>
      `Setting tags for vhost "${name}" to [${tags.join(', ')}] ...`,
    run: async ({ api, words: [name = '', ...tags] }) => {
      await requireVhost(api, name);
      await api.call('PUT', `/vhosts/${part(name)}`, { tags: tags.join(',') });
      return undefined;
    },
  },
  {
    name: 'restart_vhost',
    about: 'Nothing to do: a vhost of a broker that runs is running.',
    namesNode: true,
    banner: ({ node, vhost }) => `Trying to restart vhost '${vhost}' on node '${node}' ...`,
    run: async ({ api, vhost, node }) => {
      await requireVhost(api, vhost);
      return `Vhost '${vhost}' is already running on node '${node}'\n`;
    },
  },
];

/** Rejects with RabbitMQ's error for a vhost that is not there. */
async function requireVhost(api: HttpApi, name: string): Promise<void> {
  if (await api.has(`/vhosts/${part(name)}`)) return;
  throw new CtlError(EXIT_DATA, `Virtual host '${name}' does not exist`);
}

function permissionsOf(
  name: string,
  path: string,
  what: string,
  columns: readonly string[],
): CtlVerb {
  return {
    name,
    arguments: '<user>',
    about: `List the ${what} of a user in all vhosts.`,
    banner: (call) => `Listing ${what} for user "${wordsOf(call)}" ...`,
    run: async (call) => {
      const user = wordsOf(call);
      const rows = await aboutUser(user, EXIT_UNAVAILABLE, () =>
        call.api.get<Row[]>(`/users/${part(user)}/${path}`),
      );
      return { columns, rows };
    },
  };
}
