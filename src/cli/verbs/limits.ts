// Owns the verbs for limits of vhosts and users: set_*, clear_*, list_*. Never knows a limit: the
// broker does.

import { Option } from 'commander';
import { type Options, parseJson, type Verb, type View } from '../offline.ts';
import { VerbError } from '../verb-error.ts';

const COLUMNS = ['limits'];

export const limitVerbs: readonly Verb[] = [
  {
    name: 'set_vhost_limits',
    arguments: '<limits>',
    about: 'Set all limits of a vhost: max-connections, max-queues. Negative ones limit nothing.',
    vhost: true,
    more: `Example:\n  leveret set_vhost_limits -p shop '{"max-queues":100}'`,
    run: (view, [limits], { vhost }) => {
      view.setVhostLimits(String(vhost), readLimits(limits));
      return undefined;
    },
  },
  {
    name: 'clear_vhost_limits',
    about: 'Take all limits of a vhost away.',
    vhost: true,
    run: (view, _args, { vhost }) => {
      view.setVhostLimits(String(vhost), {});
      return undefined;
    },
  },
  {
    name: 'list_vhost_limits',
    about: 'List the limits of vhosts that have any.',
    vhost: 'all',
    run: (view, _args, options) => ({
      columns: ['vhost', ...COLUMNS],
      rows: chosenVhosts(view, options)
        .map((vhost) => ({ vhost, limits: view.vhostLimits(vhost) }))
        .filter(({ limits }) => Object.keys(limits).length > 0),
    }),
  },
  {
    name: 'set_user_limits',
    arguments: '<user> <limits>',
    about: 'Set limits of a user: max-connections, max-channels. Those not given stay.',
    more: `Example:\n  leveret set_user_limits app '{"max-connections":10}'`,
    run: (view, [user, limits]) => {
      const name = String(user);
      view.setUserLimits(name, { ...view.userLimits(name), ...readLimits(limits) });
      return undefined;
    },
  },
  {
    name: 'clear_user_limits',
    arguments: '<user> <limit>',
    about: 'Take one limit of a user away, or all of them: `all`.',
    run: (view, [user, limit]) => {
      const name = String(user);
      const { [String(limit)]: gone, ...others } = { ...view.userLimits(name) } as Options;
      if (limit !== 'all' && gone === undefined) {
        throw new VerbError(`the user '${name}' has no limit ${limit}`);
      }
      view.setUserLimits(name, limit === 'all' ? {} : others);
      return undefined;
    },
  },
  {
    name: 'list_user_limits',
    about: 'List the limits of users that have any.',
    options: [new Option('--user <user>', 'Of this user alone.')],
    run: (view, _args, { user }) => {
      const names = typeof user === 'string' ? [user] : view.users().map(({ name }) => name);
      const rows = names.map((name) => ({ user: name, limits: view.userLimits(name) }));
      return {
        columns: ['user', ...COLUMNS],
        rows: rows.filter(({ limits }) => Object.keys(limits).length > 0),
      };
    },
  },
];

function chosenVhosts(view: View, { vhost }: Options): string[] {
  return typeof vhost === 'string' ? [vhost] : view.vhosts().map(({ name }) => name);
}

function readLimits(text: unknown): Record<string, unknown> {
  const limits = parseJson(String(text));
  if (typeof limits === 'object' && limits !== null && !Array.isArray(limits)) {
    return limits as Record<string, unknown>;
  }
  throw new VerbError(`limits are a JSON object, such as {"max-connections":10}`);
}
