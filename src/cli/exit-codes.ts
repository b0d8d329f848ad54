// Owns the codes that commands end with, and how a wrong command line ends. Never parses one.

import type { Command } from 'commander';
import { ConfigError } from '../config/config-error.ts';
import { UserError } from '../util/user-error.ts';
import { printError } from './print.ts';

/** The codes, from sysexits.h as RabbitMQ's tools have them: the command line itself is wrong. */
export const EXIT_USAGE = 64;
export const EXIT_DATA = 65;
export const EXIT_NO_USER = 67;
/** What is not there, or does not answer; a health check that failed. */
export const EXIT_UNAVAILABLE = 69;
export const EXIT_SOFTWARE = 70;
export const EXIT_TIMEOUT = 75;

/** A command line that is wrong in a way that only the verb can tell, as a column that is none. */
export class UsageError extends UserError {}

/** No broker answers where one was looked for. */
export class UnavailableError extends UserError {}

/** The exit code for an error: 64, 69, or 1 for all others. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE;
  if (error instanceof ConfigError && error.isUsage) return EXIT_USAGE;
  return error instanceof UnavailableError ? EXIT_UNAVAILABLE : 1;
}

/** A wrong command line ends with its own code and one line, wherever in the tree of commands it was. */
export function overrideExit(command: Command, path = command.name()): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  command.configureOutput({ outputError: (text, write) => write(usageLine(path, text)) });
  for (const each of command.commands) overrideExit(each, `${path} ${each.name()}`);
}

/** What the help of a command answers, where the parser has no guess. */
const IN_HELP =
  /^(missing required argument|too many arguments|unknown (command|option)|.* argument missing)/;

/**
 * What the parser says in two lines, as all errors are written: `leveret: unknown command 'x'; did you mean y?` `path` is
 * the command that was called, from the program on.
 */
export function usageLine(path: string, text: string): string {
  const [program] = path.split(' ');
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\(Did you mean (.*)\)$/, '; did you mean $1')
    .replaceAll(/\s*\n\s*/g, ' ');
  const hint =
    IN_HELP.test(line) && !line.includes('did you mean') ? `; see \`${path} --help\`` : '';
  return `${program}: ${line}${hint}\n`;
}

/**
 * Ends the process over an argument that is not UTF-8: the runtime puts U+FFFD in place of its letters, and a
 * password or a name would become another.
 */
export function refuseOddArguments(program: string, args: readonly string[]): void {
  const at = args.findIndex((each) => each.includes('\uFFFD'));
  if (at === -1) return;
  printError(`${program}: argument ${at + 1} is not UTF-8: write it in that encoding\n`);
  process.exit(EXIT_USAGE);
}
