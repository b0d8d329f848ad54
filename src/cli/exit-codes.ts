// Owns how a wrong command line ends. Never parses one.

import type { Command } from 'commander';

/** The exit code when the command line itself is wrong, as `sysexits.h` and rabbitmqctl have it. */
const EXIT_USAGE = 64;

/** A wrong command line ends with its own code, wherever in the tree of commands it was. */
export function overrideExit(command: Command): void {
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  for (const each of command.commands) overrideExit(each);
}
