// Owns the command line as a whole: the program, its version and its verbs. Never does what a verb
// does: each has a file in verbs/.

import { Command } from 'commander';
import { readVersion } from '../config/version.ts';
import { commandsOf, type LoneVerb, type Verb } from './offline.ts';
import { checkCommand } from './verbs/check.ts';
import { definitionVerbs } from './verbs/definitions.ts';
import { limitVerbs } from './verbs/limits.ts';
import { parameterVerbs } from './verbs/parameters.ts';
import { permissionVerbs } from './verbs/permissions.ts';
import { policyVerbs } from './verbs/policies.ts';
import { startCommand } from './verbs/start.ts';
import { topologyVerbs } from './verbs/topology.ts';
import { userVerbs } from './verbs/users.ts';
import { vhostVerbs } from './verbs/vhosts.ts';

/** The exit code when the command line itself is wrong, as `sysexits.h` and rabbitmqctl have it. */
const EXIT_USAGE = 64;

/** The verbs for a stopped broker; docs/managing.md lists them. */
export const OFFLINE_VERBS: readonly (Verb | LoneVerb)[] = [
  ...userVerbs,
  ...vhostVerbs,
  ...permissionVerbs,
  ...policyVerbs,
  ...limitVerbs,
  ...parameterVerbs,
  ...topologyVerbs,
  ...definitionVerbs,
];

/** The program `leveret`, ready to parse its arguments. */
export function buildProgram(): Command {
  const program = new Command('leveret')
    .description('A fast, durable AMQP 0-9-1 message broker.')
    .version(readVersion(), '-V, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .commandsGroup('Run a broker:')
    .addCommand(startCommand())
    .commandsGroup('Manage a stopped broker, on its data folder:');
  program.addCommand(checkCommand());
  for (const command of commandsOf(OFFLINE_VERBS)) program.addCommand(command);
  for (const command of [program, ...program.commands]) {
    command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  }
  return program;
}
