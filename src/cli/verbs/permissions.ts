// Owns the verbs for permissions and topic permissions: set_*, clear_*, list_*. Never matches a
// pattern: the broker does.

import type { Verb } from '../verb/verb.ts';

const PATTERNS = ['configure', 'write', 'read'];
const NOTE = "Patterns are regular expressions; '.*' allows everything, '' nothing.";

export const permissionVerbs: readonly Verb[] = [
  {
    name: 'set_permissions',
    arguments: '<user> <configure> <write> <read>',
    about: 'Set what a user may configure, write to and read from in a vhost.',
    vhost: true,
    more: NOTE,
    done: ([user], { vhost }) =>
      `Set the permissions of the user '${user}' in the vhost '${vhost}'`,
    run: async (view, args, { vhost }) => {
      const [user, configure, write, read] = args.map(String) as [string, string, string, string];
      await view.setPermission({ user, vhost: String(vhost), configure, write, read });
      return undefined;
    },
  },
  {
    name: 'clear_permissions',
    arguments: '<user>',
    about: 'Revoke all permissions of a user in a vhost.',
    vhost: true,
    done: ([user], { vhost }) =>
      `Cleared the permissions of the user '${user}' in the vhost '${vhost}'`,
    run: async (view, [user], { vhost }) => {
      await view.clearPermission(String(user), String(vhost));
      return undefined;
    },
  },
  {
    name: 'list_permissions',
    about: 'List the permissions in a vhost.',
    vhost: true,
    run: async (view, _args, options) => ({
      columns: ['user', ...PATTERNS],
      rows: await view.permissions(String(options['vhost'])),
    }),
  },
  {
    name: 'list_user_permissions',
    arguments: '<user>',
    about: 'List the permissions of a user in all vhosts.',
    run: async (view, [user]) => ({
      columns: ['vhost', ...PATTERNS],
      rows: ofUser(await view.permissions(), await view.existingUser(String(user))),
    }),
  },
  {
    name: 'set_topic_permissions',
    arguments: '<user> <exchange> <write> <read>',
    about: 'Set which routing keys of a topic exchange a user may publish with and bind with.',
    vhost: true,
    more: `${NOTE} {username} and {vhost} stand for names.`,
    done: ([user, exchange], { vhost }) =>
      `Set the topic permissions of the user '${user}' for the exchange '${exchange}' in the vhost '${vhost}'`,
    run: async (view, args, { vhost }) => {
      const [user, exchange, write, read] = args.map(String) as [string, string, string, string];
      await view.setTopicPermission({ user, vhost: String(vhost), exchange, write, read });
      return undefined;
    },
  },
  {
    name: 'clear_topic_permissions',
    arguments: '<user> [exchange]',
    about: 'Clear topic permissions of a user, for one exchange or for the vhost.',
    vhost: true,
    done: ([user, exchange], { vhost }) =>
      `Cleared the topic permissions of the user '${user}' ${exchange === undefined ? '' : `for the exchange '${exchange}' `}in the vhost '${vhost}'`,
    run: async (view, [user, exchange], { vhost }) => {
      await view.clearTopicPermission(String(user), String(vhost), exchange as string | undefined);
      return undefined;
    },
  },
  {
    name: 'list_topic_permissions',
    about: 'List the topic permissions in a vhost.',
    vhost: true,
    run: async (view, _args, options) => ({
      columns: ['user', 'exchange', 'write', 'read'],
      rows: await view.topicPermissions(String(options['vhost'])),
    }),
  },
  {
    name: 'list_user_topic_permissions',
    arguments: '<user>',
    about: 'List the topic permissions of a user in all vhosts.',
    run: async (view, [user]) => ({
      columns: ['vhost', 'exchange', 'write', 'read'],
      rows: ofUser(await view.topicPermissions(), await view.existingUser(String(user))),
    }),
  },
];

interface Row {
  readonly user: string;
}

function ofUser<T extends Row>(rows: readonly T[], user: string): T[] {
  return rows.filter((row) => row.user === user);
}
