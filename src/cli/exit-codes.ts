// Owns how a wrong command line ends. Never parses one.

import type { Command } from 'commander';
import { printError } from './print.ts';

/** The exit code when the command line itself is wrong, as `sysexits.h` and rabbitmqctl have it. */
const EXIT_USAGE = 64;

/** A wrong command line ends with its own code, wherever in the tree of commands it was. */
export function overrideExit(command: Command): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  for (const each of command.commands) overrideExit(each);
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
