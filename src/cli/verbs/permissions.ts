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
    run: async (view, args, { vhost }) => {
      const [user, configure, write, read] = args.map(String) as [string, string, string, string];
      await view.setPermission({ user, vhost: String(vhost), configure, write, read });
      return undefined;
    },
  },
  {
    name: 'clear_permissions',
    arguments: '<user>',
    about: 'Take away all that a user may do in a vhost.',
    vhost: true,
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
      rows: inVhost(await view.permissions(), options['vhost']),
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
    run: async (view, args, { vhost }) => {
      const [user, exchange, write, read] = args.map(String) as [string, string, string, string];
      await view.setTopicPermission({ user, vhost: String(vhost), exchange, write, read });
      return undefined;
    },
  },
  {
    name: 'clear_topic_permissions',
    arguments: '<user> [exchange]',
    about: 'Let a user use all routing keys again: of one exchange, or of all in the vhost.',
    vhost: true,
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
      rows: inVhost(await view.topicPermissions(), options['vhost']),
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
  readonly vhost: string;
}

function inVhost<T extends Row>(rows: readonly T[], vhost: unknown): T[] {
  return rows.filter((row) => row.vhost === vhost);
}

function ofUser<T extends Row>(rows: readonly T[], user: string): T[] {
  return rows.filter((row) => row.user === user);
}
