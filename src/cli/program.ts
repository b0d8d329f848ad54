// Owns the command line as a whole: the program, its version and its verbs. Never does what a verb
// does: each has a file in verbs/.

import { Command } from 'commander';
import { readVersion } from '../config/version.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config-command.ts';
import { overrideExit } from './exit-codes.ts';
import { namesCommand } from './names-command.ts';
import { elsewhereCommands, helpCommand } from './verb/help.ts';
import { groupCommand, type LiveVerb, liveCommand, type VerbGroup } from './verb/live.ts';
import type { LoneVerb, Verb } from './verb/verb.ts';
import { commandsOf } from './verb/verb-runner.ts';
import { checkCommand } from './verbs/check.ts';
import { clusterCommand } from './verbs/cluster/cluster.ts';
import { compactCommand } from './verbs/compact.ts';

import { definitionVerbs } from './verbs/definitions.ts';
import { limitVerbs } from './verbs/limits.ts';
import { backupVerb } from './verbs/live/backup.ts';
import { listVerbs } from './verbs/live/list.ts';
import { messageVerbs } from './verbs/live/messages.ts';
import { scheduleVerbs } from './verbs/live/schedules.ts';
import { settingVerbs } from './verbs/live/settings.ts';
import { statusVerb, topVerb } from './verbs/live/status.ts';
import { streamVerbs } from './verbs/live/streams.ts';
import { superStreamVerbs } from './verbs/live/super-streams.ts';
import {
  closeVerb,
  declareVerbs,
  deleteVerbs,
  pauseVerbs,
  purgeVerb,
} from './verbs/live/topology.ts';
import { parameterVerbs } from './verbs/parameters.ts';
import { perfCommand } from './verbs/perf.ts';
import { permissionVerbs } from './verbs/permissions.ts';
import { policyVerbs } from './verbs/policies.ts';
import { restoreCommand } from './verbs/restore.ts';
import { startCommand } from './verbs/start.ts';
import { topologyVerbs } from './verbs/topology.ts';
import { userVerbs } from './verbs/users.ts';
import { vhostVerbs } from './verbs/vhosts.ts';

/** The verbs for a broker, stopped or running; docs/managing.md lists them. */
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
    .helpCommand(false)
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .commandsGroup('Run a broker:')
    .addCommand(startCommand())
    .addCommand(checkCommand())
    .addCommand(compactCommand())
    .addCommand(restoreCommand())
    .addCommand(configCommand())
    .addCommand(clusterCommand())
    .commandsGroup('Look at a running broker, and manage it:');
  for (const verb of [statusVerb, topVerb]) program.addCommand(liveCommand(verb));
  for (const group of GROUPS) program.addCommand(groupCommand(group));
  for (const verb of [purgeVerb, ...pauseVerbs, closeVerb, ...messageVerbs, backupVerb])
    program.addCommand(liveCommand(verb));
  program.commandsGroup('The lists of `leveret list` under their own names:');
  for (const verb of listVerbs) program.addCommand(shortList(verb));
  program.commandsGroup('Measure any broker:').addCommand(perfCommand());
  program.commandsGroup(
    'The same by the names of rabbitmqctl, also on the folder of a stopped broker:',
  );
  for (const command of commandsOf(OFFLINE_VERBS)) program.addCommand(command);
  program.commandsGroup('More:').addCommand(completionCommand(program));
  program.addCommand(helpCommand(program));
  for (const hidden of [namesCommand(), ...elsewhereCommands()])
    program.addCommand(hidden, { hidden: true });
  overrideExit(program);
  return program;
}

/** `leveret connections` for `leveret list connections`; also as rabbitmqctl calls it, where no other verb is. */
function shortList(verb: LiveVerb): Command {
  const command = liveCommand(verb);
  const alias = `list_${verb.name.replace('-', '_')}`;
  return OFFLINE_VERBS.some(({ name }) => name === alias) ? command : command.alias(alias);
}

/** Verbs that rabbitmqctl has under a name of their own, in a group and under a short name. */
function renamed(names: Readonly<Record<string, string>>): Command[] {
  return Object.entries(names).flatMap(([short, name]) => {
    const verb = OFFLINE_VERBS.find((each) => each.name === name);
    return verb === undefined ? [] : commandsOf([{ ...verb, name: short }]);
  });
}

const GROUPS: readonly VerbGroup[] = [
  {
    name: 'list',
    about: 'List queues, exchanges, bindings, connections, channels, consumers and more.',
    commands: listVerbs.map(liveCommand),
  },
  {
    name: 'settings',
    about: 'Show the settings of the broker, and change them while it runs.',
    commands: settingVerbs.map(liveCommand),
  },
  {
    name: 'schedule',
    about: 'Have the broker publish messages at given times; `leveret schedules` lists them.',
    commands: scheduleVerbs.map(liveCommand),
  },
  {
    name: 'streams',
    about:
      'Make super streams; see what reads streams and how far it is behind; set places of groups.',
    commands: [...superStreamVerbs, ...streamVerbs].map(liveCommand),
  },
  {
    name: 'declare',
    about: 'Declare a queue, an exchange or a binding.',
    commands: declareVerbs.map(liveCommand),
  },
  {
    name: 'delete',
    about: 'Delete a queue, an exchange or a binding.',
    commands: deleteVerbs.map(liveCommand),
  },
  {
    name: 'user',
    about: 'Add, change and delete users.',
    commands: renamed({
      add: 'add_user',
      delete: 'delete_user',
      password: 'change_password',
      tags: 'set_user_tags',
      list: 'list_users',
    }),
  },
  {
    name: 'vhost',
    about: 'Add and delete vhosts.',
    commands: renamed({ add: 'add_vhost', delete: 'delete_vhost', list: 'list_vhosts' }),
  },
  {
    name: 'permission',
    about: 'Grant and revoke permissions in vhosts.',
    commands: renamed({
      set: 'set_permissions',
      clear: 'clear_permissions',
      list: 'list_permissions',
    }),
  },
  {
    name: 'policy',
    about: 'Set and clear policies.',
    commands: renamed({ set: 'set_policy', clear: 'clear_policy', list: 'list_policies' }),
  },
  {
    name: 'definitions',
    about: 'Export definitions to a file, and import them.',
    commands: renamed({ export: 'export_definitions', import: 'import_definitions' }),
  },
];
