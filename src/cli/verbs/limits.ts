// Owns the verbs for limits of vhosts and users: set_*, clear_*, list_*. Never knows a limit: the
// broker does.

import { Option } from 'commander';
import { UserError } from '../../util/user-error.ts';
import type { Options, Verb, VerbView } from '../verb/verb.ts';
import { parseJson } from '../verb/verb-runner.ts';

const COLUMNS = ['limits'];

export const limitVerbs: readonly Verb[] = [
  {
    name: 'set_vhost_limits',
    arguments: '<limits>',
    about: 'Set all limits of a vhost: max-connections, max-queues. Negative values mean no limit.',
    vhost: true,
    more: `Example:\n  {command} -p shop '{"max-queues":100}'`,
    done: (_args, { vhost }) => `Set the limits of the vhost '${vhost}'`,
    run: async (view, [limits], { vhost }) => {
      await view.setVhostLimits(String(vhost), readLimits(limits));
      return undefined;
    },
  },
  {
    name: 'clear_vhost_limits',
    about: 'Clear all limits of a vhost.',
    vhost: true,
    done: (_args, { vhost }) => `Cleared the limits of the vhost '${vhost}'`,
    run: async (view, _args, { vhost }) => {
      await view.setVhostLimits(String(vhost), {});
      return undefined;
    },
  },
  {
    name: 'list_vhost_limits',
    about: 'List vhosts with limits.',
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
    about: 'Set limits of a user: max-connections, max-channels. Other limits stay.',
    more: `Example:\n  {command} app '{"max-connections":10}'`,
    done: ([user]) => `Set limits of the user '${user}'`,
    run: async (view, [user, limits]) => {
      const name = String(user);
      await view.setUserLimits(name, { ...(await view.userLimits(name)), ...readLimits(limits) });
      return undefined;
    },
  },
  {
    name: 'clear_user_limits',
    arguments: '<user> <limit>',
    about: 'Clear one limit of a user, or `all`.',
    done: ([user, limit]) =>
      limit === 'all'
        ? `Cleared all limits of the user '${user}'`
        : `Cleared the limit ${limit} of the user '${user}'`,
    run: async (view, [user, limit]) => {
      const name = String(user);
      const { [String(limit)]: gone, ...others } = { ...(await view.userLimits(name)) } as Options;
      if (limit !== 'all' && gone === undefined) {
        throw new UserError(`the user '${name}' has no limit ${limit}`);
      }
      await view.setUserLimits(name, limit === 'all' ? {} : others);
      return undefined;
    },
  },
  {
    name: 'list_user_limits',
    about: 'List users with limits.',
    options: [new Option('--user <user>', 'Only of this user.')],
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
  throw new UserError(`limits are a JSON object, such as {"max-connections":10}`);
}
