// Owns the program behind bin/rabbitmqctl and bin/rabbitmq-diagnostics: the verbs in RabbitMQ's spelling,
// with what it prints around them, so that scripts and health checks need no change. Never doubles a
// verb that `leveret` has.

import { Command } from 'commander';
import { readVersion } from '../config/version.ts';
import { printableLine } from '../util/log/printable.ts';
import { overrideExit, refuseOddArguments } from './exit-codes.ts';
import { type Listing, renderRows } from './output.ts';
import { guardOutput, print, printError, quietLibraries } from './print.ts';
import { OFFLINE_VERBS } from './program.ts';
import { HttpApi, targetOf } from './verb/http-api.ts';
import type { Answer, Arguments, Options } from './verb/verb.ts';
import { commandsOf, describe, type Show } from './verb/verb-runner.ts';
import { CTL_VERBS, type CtlVerb } from './verbs/ctl.ts';

/** The exit code for whatever is not there or does not answer, as RabbitMQ's tools have it. */
const EXIT_UNAVAILABLE = 69;

/** What was asked for beside the verb: RabbitMQ takes it before the verb and behind it. */
interface Manner {
  quiet: boolean;
  silent: boolean;
  headers: boolean;
  format: string;
}

const FLAGS_WITH_VALUE = ['-n', '--node', '-t', '--timeout', '--formatter', '--erlang-cookie'];
const FLAGS = ['-q', '--quiet', '-s', '--silent', '-l', '--longnames', '--no-table-headers'];

/** Takes the flags that any verb may have out of a command line, and puts the verb first. */
export function readManner(args: readonly string[]): { manner: Manner; rest: string[] } {
  const manner: Manner = { quiet: false, silent: false, headers: true, format: 'table' };
  const verb: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [flag, inline] = arg.startsWith('--') ? arg.split('=', 2) : [arg];
    if (FLAGS_WITH_VALUE.includes(flag as string)) {
      const value = inline ?? args[++i] ?? '';
      if (flag === '--formatter') manner.format = value;
    } else if (FLAGS.includes(arg)) {
      if (arg === '-q' || arg === '--quiet') manner.quiet = true;
      if (arg === '-s' || arg === '--silent') manner.silent = true;
      if (arg === '--no-table-headers') manner.headers = false;
    } else if (verb.length === 0 && (arg === '-p' || arg === '--vhost')) {
      rest.push('-p', args[++i] ?? '');
    } else if (verb.length === 0 && !arg.startsWith('-')) {
      verb.push(arg);
    } else {
      rest.push(arg);
    }
  }
  return { manner, rest: [...verb, ...rest] };
}

/** Runs a command line, `name` being the program's. */
export async function runRabbitmqctl(name: string, args: readonly string[]): Promise<void> {
  quietLibraries();
  guardOutput();
  refuseOddArguments(name, args);
  const { manner, rest } = readManner(args);
  const show: Show = {
    before: (verb, given, options) => {
      if (manner.quiet || manner.silent || manner.format === 'json') return '';
      const line = BANNERS[verb]?.(given, options);
      return line === undefined ? '' : `${line}\n`;
    },
    answer: (answer, verb) => shown(answer, verb, manner),
    failure: (error) => `Error:\n${describe(error, null)}`,
    exitCode: EXIT_UNAVAILABLE,
  };
  const program = new Command(name)
    .description("RabbitMQ's verbs, for Leveret.")
    .version(readVersion(), '--version')
    .helpOption('-h, --help', 'Show this help.');
  for (const command of commandsOf(OFFLINE_VERBS, show)) program.addCommand(command);
  for (const verb of CTL_VERBS) program.addCommand(ctlCommand(verb, show));
  overrideExit(program);
  if (rest.length === 0) program.help();
  await program.parseAsync(rest, { from: 'user' });
}

function ctlCommand(verb: CtlVerb, show: Show): Command {
  const command = new Command(verb.name)
    .description(verb.about)
    .allowUnknownOption(verb.lenient === true);
  if (verb.arguments !== undefined) command.arguments(verb.arguments);
  command.option('-p, --vhost <vhost>', 'The vhost.', '/');
  command.option('--url <url>', 'The HTTP API of the broker.');
  return command.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as Arguments[];
    const options = given[args.length] as Options;
    print(show.before(verb.name, args, options));
    try {
      const api = new HttpApi(targetOf(options['url']));
      const answer = await api.understanding(() => verb.run(api, args, options));
      if (answer !== undefined) print(show.answer(answer, verb.name, options));
    } catch (error) {
      printError(`${show.failure(error, null)}\n`);
      process.exitCode = show.exitCode;
    }
  });
}

function shown(answer: NonNullable<Answer>, verb: string, manner: Manner): string {
  if (typeof answer === 'string') return answer;
  const columns = COLUMNS[verb] ?? answer.columns;
  const listing: Listing = { ...answer, columns };
  if (manner.format === 'json') {
    const rows = renderRows(listing);
    const objects = rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
    return `${JSON.stringify(objects, null, 1)}\n`;
  }
  const rows = renderRows(listing);
  if (rows.length === 0) return '';
  const lines = rows.map((row) => row.map((each) => printableLine(cell(each))).join('\t'));
  const heads = manner.silent || !manner.headers ? [] : [columns.join('\t')];
  return `${[...heads, ...lines].join('\n')}\n`;
}

/** A value as RabbitMQ's tools write it. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return `[${value.map(cell).join(', ')}]`;
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value).replaceAll(/[\t\n]/g, ' ');
}

/** Where RabbitMQ shows other columns than `leveret` does. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = { list_vhosts: ['name'] };

type Banner = (args: readonly Arguments[], options: Options) => string;

const inVhost =
  (what: string): Banner =>
  (_args, { vhost }) =>
    `Listing ${what} for vhost ${vhost} ...`;
const quoted =
  (what: string): Banner =>
  (_args, { vhost }) =>
    `Listing ${what} for vhost "${vhost}" ...`;
const named =
  (what: string): Banner =>
  ([name]) =>
    `${what} "${name}" ...`;

/** What RabbitMQ's tools say before they do something, without -q. */
const BANNERS: Readonly<Record<string, Banner>> = {
  list_queues: (args, options) => `Timeout: 60.0 seconds ...\n${inVhost('queues')(args, options)}`,
  list_exchanges: inVhost('exchanges'),
  list_bindings: inVhost('bindings'),
  list_users: () => 'Listing users ...',
  list_vhosts: () => 'Listing vhosts ...',
  list_permissions: quoted('permissions'),
  list_policies: quoted('policies'),
  list_connections: () => 'Listing connections ...',
  list_channels: () => 'Listing channels ...',
  list_consumers: (_args, { vhost }) => `Listing consumers in vhost ${vhost} ...`,
  add_user: named('Adding user'),
  delete_user: named('Deleting user'),
  change_password: named('Changing password for user'),
  authenticate_user: named('Authenticating user'),
  set_user_tags: ([name, tags]) =>
    `Setting tags for user "${name}" to [${(tags as readonly string[]).join(', ')}] ...`,
  add_vhost: named('Adding vhost'),
  delete_vhost: named('Deleting vhost'),
  set_permissions: ([name], { vhost }) =>
    `Setting permissions for user "${name}" in vhost "${vhost}" ...`,
  clear_permissions: ([name], { vhost }) =>
    `Clearing permissions for user "${name}" in vhost "${vhost}" ...`,
  set_policy: ([name, pattern, definition], { vhost, priority }) =>
    `Setting policy "${name}" for pattern "${pattern}" to "${definition}" with priority "${priority}" for vhost "${vhost}" ...`,
  clear_policy: ([name], { vhost }) => `Clearing policy "${name}" on vhost "${vhost}" ...`,
  delete_queue: ([name], { vhost }) => `Deleting queue '${name}' on vhost '${vhost}' ...`,
  purge_queue: ([name], { vhost }) => `Purging queue '${name}' in vhost '${vhost}' ...`,
  export_definitions: ([file]) => `Exporting definitions in JSON to a file at "${file}" ...`,
  import_definitions: ([file]) => `Importing definitions in JSON from a file at "${file}" ...`,
  close_connection: ([name, reason]) => `Closing connection ${name}, reason: ${reason}...`,
  close_all_connections: ([reason], { vhost }) =>
    `Closing all connections in vhost ${vhost}, reason: ${reason}...`,
  check_running: () => 'Checking if RabbitMQ is running on node leveret ...',
  check_local_alarms: () => 'Asking node leveret to report any local resource alarms ...',
  check_port_connectivity: () =>
    'Testing TCP connections to all active listeners on node leveret ...',
  check_virtual_hosts: () => 'Checking if all vhosts are running on node leveret ...',
  ping: () =>
    'Will ping leveret. This only checks if the OS process is running and registered with epmd. Timeout: 60000 ms.',
  status: () => 'Status of node leveret ...',
  listeners: () => 'Asking node leveret to report its protocol listeners ...',
  server_version: () => 'Asking node leveret for its RabbitMQ version...',
};
