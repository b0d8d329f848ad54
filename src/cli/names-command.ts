// Owns `leveret __names`, which completion scripts ask for the names of queues, vhosts, exchanges, schedules and users. Never
// prints a name that a shell would not take as one plain word, and never an error.

import { Command } from 'commander';
import { print } from './print.ts';
import { HttpApi } from './verb/http-api.ts';
import { namesAt } from './verb/missing.ts';
import { targetFor, targetOptions } from './verb/target-options.ts';
import type { Options } from './verb/verb.ts';

/** What can be asked for. */
export const NAMED = ['queues', 'exchanges', 'schedules', 'vhosts', 'users'] as const;
export type Named = (typeof NAMED)[number];

/** Those of them that lie in vhosts. */
const IN_VHOSTS: readonly string[] = ['queues', 'exchanges', 'schedules'];

/** Anything else could end a word, or be run: `compgen -W` expands what it is given. */
const PLAIN = /^[\w.:@%+,/-]+$/;
/** So many names are more than a screen shows. */
const NAMES_MAX = 1000;

/** The command; it is no part of the help. */
export function namesCommand(): Command {
  const command = new Command('__names').argument('<kind>').option('-p, --vhost <vhost>', '', '/');
  for (const option of targetOptions()) command.addOption(option);
  return command.action(async (kind: string, options: Options) => {
    try {
      const inVhost = IN_VHOSTS.includes(kind);
      const place = inVhost ? `/${encodeURIComponent(String(options['vhost']))}` : '';
      if (!(NAMED as readonly string[]).includes(kind)) return;
      const api = new HttpApi(targetFor(options));
      const names = (await namesAt((path) => api.get(path), `/${kind}${place}`)) ?? [];
      const plain = names.filter((name) => PLAIN.test(name)).slice(0, NAMES_MAX);
      print(plain.map((name) => `${name}\n`).join(''));
    } catch {
      // A line that is being typed is no place for an error.
    }
  });
}
