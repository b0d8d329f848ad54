// Owns the command line as a whole: the program, its version and its verbs. Never does what a verb
// does: each has a file in verbs/.

import { Command } from 'commander';
import { readVersion } from '../config/version.ts';
import { startCommand } from './verbs/start.ts';

/** The program `leveret`, ready to parse its arguments. */
export function buildProgram(): Command {
  return new Command('leveret')
    .description('A fast, durable AMQP 0-9-1 message broker.')
    .version(readVersion(), '-V, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show this help.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .addCommand(startCommand());
}
