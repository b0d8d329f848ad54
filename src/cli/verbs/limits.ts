// Owns the verbs for limits of vhosts and users: set_*, clear_*, list_*. Never knows a limit: the
// broker does.

import { Option } from 'commander';
import type { Options, Verb, VerbView } from '../verb/verb.ts';
import { VerbError } from '../verb/verb-error.ts';
import { parseJson } from '../verb/verb-runner.ts';

const COLUMNS = ['limits'];

export const limitVerbs: readonly Verb[] = [
  {
    name: 'set_vhost_limits',
    arguments: '<limits>',
    about: 'Set all limits of a vhost: max-connections, max-queues. Negative ones limit nothing.',
    vhost: true,
    more: `Example:\n  leveret set_vhost_limits -p shop '{"max-queues":100}'`,
    run: async (view, [limits], { vhost }) => {
      await view.setVhostLimits(String(vhost), readLimits(limits));
      return undefined;
    },
  },
  {
    name: 'clear_vhost_limits',
    about: 'Take all limits of a vhost away.',
    vhost: true,
    run: async (view, _args, { vhost }) => {
      await view.setVhostLimits(String(vhost), {});
      return undefined;
    },
  },
  {
    name: 'list_vhost_limits',
    about: 'List the limits of vhosts that have any.',
    vhost: 'all',
    run: async (view, _args, options) => ({
      columns: ['vhost', ...COLUMNS],
      rows: await limited(await chosenVhosts(view, options), 'vhost', (name) =>
        view.vhostLimits(name),
      ),
    }),
  },
  {
    name: 'set_user_limits',
    arguments: '<user> <limits>',
    about: 'Set limits of a user: max-connections, max-channels. Those not given stay.',
    more: `Example:\n  leveret set_user_limits app '{"max-connections":10}'`,
    run: async (view, [user, limits]) => {
      const name = String(user);
      await view.setUserLimits(name, { ...(await view.userLimits(name)), ...readLimits(limits) });
      return undefined;
    },
  },
  {
    name: 'clear_user_limits',
    arguments: '<user> <limit>',
    about: 'Take one limit of a user away, or all of them: `all`.',
    run: async (view, [user, limit]) => {
      const name = String(user);
      const { [String(limit)]: gone, ...others } = { ...(await view.userLimits(name)) } as Options;
      if (limit !== 'all' && gone === undefined) {
        throw new VerbError(`the user '${name}' has no limit ${limit}`);
      }
      await view.setUserLimits(name, limit === 'all' ? {} : others);
      return undefined;
    },
  },
  {
    name: 'list_user_limits',
    about: 'List the limits of users that have any.',
    options: [new Option('--user <user>', 'Of this user alone.')],
    run: async (view, _args, { user }) => {
      const names =
        typeof user === 'string' ? [user] : (await view.users()).map(({ name }) => name);
      const rows = await limited(names, 'user', (each) => view.userLimits(each));
      return { columns: ['user', ...COLUMNS], rows };
    },
  },
];

/** Those of the named that have limits, with these. */
async function limited(
  names: readonly string[],
  column: string,
  limitsOf: (name: string) => object | Promise<object>,
): Promise<object[]> {
  const rows: object[] = [];
  for (const name of names) {
    const limits = await limitsOf(name);
    if (Object.keys(limits).length > 0) rows.push({ [column]: name, limits });
  }
  return rows;
}

async function chosenVhosts(view: VerbView, { vhost }: Options): Promise<string[]> {
  return typeof vhost === 'string' ? [vhost] : (await view.vhosts()).map(({ name }) => name);
}

function readLimits(text: unknown): Record<string, unknown> {
  const limits = parseJson(String(text));
  if (typeof limits === 'object' && limits !== null && !Array.isArray(limits)) {
    return limits as Record<string, unknown>;
  }
  throw new VerbError(`limits are a JSON object, such as {"max-connections":10}`);
}
