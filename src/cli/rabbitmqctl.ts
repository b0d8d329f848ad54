// Owns the programs behind bin/rabbitmqctl, rabbitmq-diagnostics, rabbitmq-queues, rabbitmq-streams, -upgrade and -plugins:
// the verbs in RabbitMQ's spelling, with what it prints around them, so that scripts and health checks need no change.
// Never doubles a verb that `leveret` has.

import { Command } from 'commander';
import { NODE_NAME } from '../util/system/node-name.ts';
import { RABBITMQ_VERSION } from '../util/system/rabbitmq-version.ts';
import { UserError } from '../util/user-error.ts';
import { BANNERS, judged } from './ctl/banners.ts';
import { type CtlAnswer, type CtlCall, type CtlVerb, exitCodeOf } from './ctl/ctl-verb.ts';
import { type Manner, readManner } from './ctl/manner.ts';
import { readableName } from './ctl/node-facts.ts';
import { PLUGIN_VERBS } from './ctl/plugins.ts';
import { FOR_SCRIPTS, format } from './ctl/show/formats.ts';
import { EXIT_TIMEOUT, EXIT_USAGE, overrideExit, refuseOddArguments } from './exit-codes.ts';
import { guardOutput, print, printError, quietLibraries } from './print.ts';
import { OFFLINE_VERBS } from './program.ts';
import { refuseEmptyNames } from './verb/empty-argument.ts';
import { helpCommand } from './verb/help.ts';
import { HttpApi, targetOf } from './verb/http-api.ts';
import type { Arguments, Options } from './verb/verb.ts';
import { commandsOf, describe, type Show } from './verb/verb-runner.ts';
import { CTL_VERBS } from './verbs/ctl.ts';

/** The program with verbs of its own; all others share theirs. */
const PLUGINS = 'rabbitmq-plugins';

/** Verbs that wait by themselves as long as `--timeout` says. */
const WAITING = /^(?:wait|stop|shutdown|await_)/;

/** RabbitMQ prints no headers there. */
const WITHOUT_HEADS: readonly string[] = ['list_user_topic_permissions'];

/** Runs a command line, `name` being the program's. */
export async function runRabbitmqctl(name: string, args: readonly string[]): Promise<void> {
  quietLibraries();
  guardOutput();
  refuseOddArguments(name, args);
  let read: ReturnType<typeof readManner>;
  try {
    read = readManner(args);
  } catch (error) {
    fail(error);
    return;
  }
  const { manner, rest } = read;
  const program = new Command(name)
    .description("RabbitMQ's verbs, for Leveret.")
    .version(RABBITMQ_VERSION, '--version')
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand(false);
  for (const command of commandsFor(name, manner)) program.addCommand(command);
  program.addCommand(helpCommand(program));
  overrideExit(program);
  const [verb] = rest;
  if (verb === undefined) {
    printError(program.helpInformation());
    process.exitCode = EXIT_USAGE;
    return;
  }
  const timer = deadline(verb, manner);
  await program.parseAsync(rest, { from: 'user' });
  clearTimeout(timer);
}

function commandsFor(name: string, manner: Manner): Command[] {
  const own = name === PLUGINS ? PLUGIN_VERBS : CTL_VERBS;
  const commands = own.map((verb) => ctlCommand(verb, manner));
  if (name === PLUGINS) return commands;
  const shared = OFFLINE_VERBS.filter(({ name: each }) => !own.some((verb) => verb.name === each));
  return [...commands, ...commandsOf(shared, showOf(manner))];
}

/** How the verbs that `leveret` has too say what they found. */
function showOf(manner: Manner): Show {
  return {
    before: (verb, given, options) =>
      isLoud(manner) ? lineOf(BANNERS[verb]?.(given, options) ?? '') : '',
    answer: (answer, verb) => shown(answer, verb, manner),
    failure: (error) => `Error:\n${describe(error, null)}`,
    judged,
    exitCode: exitCodeOf,
  };
}

const lineOf = (text: string): string => (text === '' ? '' : `${text}\n`);

/** Whether more than the answer is printed. */
const isLoud = ({ quiet, silent, format: form }: Manner): boolean =>
  !quiet && !silent && !FOR_SCRIPTS.includes(form);

function shown(answer: NonNullable<CtlAnswer>, verb: string, manner: Manner): string {
  const heads = manner.headers && !manner.silent && !WITHOUT_HEADS.includes(verb);
  return format(answer, manner.format, heads);
}

function ctlCommand(verb: CtlVerb, manner: Manner): Command {
  const command = new Command(verb.name)
    .description(verb.about)
    .helpOption('-h, --help', 'Show this help.')
    .allowUnknownOption(verb.lenient === true)
    .allowExcessArguments(verb.lenient === true);
  if (verb.arguments !== undefined) command.arguments(verb.arguments);
  for (const option of verb.options ?? []) command.addOption(option);
  command.option('-p, --vhost <vhost>', 'The vhost.', '/');
  command.option('--url <url>', 'The HTTP API of the broker.');
  return command.action(async (...given: unknown[]) => {
    const words = (given.slice(0, -2) as Arguments[]).flatMap((each) => each ?? []) as string[];
    const options = given[given.length - 2] as Options;
    try {
      refuseEmptyNames(command.registeredArguments, given.slice(0, -2) as Arguments[]);
      const api = new HttpApi(targetOf(options['url']));
      const { timeoutMs } = manner;
      const node = verb.namesNode === true ? await readableName(api) : NODE_NAME;
      const vhost = String(options['vhost']);
      const call: CtlCall = { api, node, words, options, vhost, timeoutMs };
      if (isLoud(manner)) print(lineOf(verb.banner?.(call) ?? ''));
      const answer = await api.understanding(async () => verb.run(call));
      if (answer !== undefined) print(shown(answer, verb.name, manner));
    } catch (error) {
      fail(judged(verb.name, words, options, error));
    }
  });
}

function fail(error: unknown): void {
  printError(`Error:\n${describe(error, null)}\n`);
  process.exitCode = exitCodeOf(error);
}

/** What ends a verb that takes longer than `--timeout` says. */
function deadline(verb: string, { timeoutMs }: Manner): NodeJS.Timeout | undefined {
  if (timeoutMs === null || timeoutMs === 0 || WAITING.test(verb)) return undefined;
  const end = (): never => {
    const text = `operation ${verb} timed out. Timeout value used: ${timeoutMs}`;
    printError(`Error:\n${describe(new UserError(text), null)}\n`);
    process.exit(EXIT_TIMEOUT);
  };
  return setTimeout(end, timeoutMs).unref();
}
