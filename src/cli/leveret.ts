// Owns the first choice of the command line: a broker that is started loads nothing of all the other
// commands, which would stay in its memory (4 MB). Never does what a command does.

import { Command } from 'commander';
import { overrideExit, refuseOddArguments } from './exit-codes.ts';
import { guardOutput, quietLibraries } from './print.ts';
import { startCommand } from './verbs/start.ts';

/** Runs a command line, as `process.argv` has it. */
export async function runLeveret(argv: readonly string[]): Promise<void> {
  quietLibraries();
  refuseOddArguments('leveret', argv.slice(2));
  if (argv[2] === 'start') {
    await startProgram().parseAsync(argv);
    return;
  }
  guardOutput();
  await (await import('./program.ts')).buildProgram().parseAsync(argv);
}

function startProgram(): Command {
  const program = new Command('leveret').addCommand(startCommand());
  overrideExit(program);
  return program;
}
