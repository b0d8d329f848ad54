// Owns the command `help` of a program, and the words of other programs for which there is another way here. Never knows
// a verb.

import { Command } from 'commander';
import { suggest } from '../../config/suggest.ts';
import { UsageError } from '../exit-codes.ts';
import { fail } from './answers.ts';

/** The command `help` of a program, also for a command of a group: `help list queues`. */
export function helpCommand(program: Command): Command {
  return new Command('help')
    .description('Show the help of a command.')
    .argument('[command...]')
    .helpOption('-h, --help', 'Show this help.')
    .action((words: string[]) => {
      let command = program;
      for (const word of words) {
        const found = command.commands.find((each) => namesOf(each).includes(word));
        if (found === undefined) {
          const error = unknown(program.name(), command, word);
          fail(error.message, error);
          return;
        }
        command = found;
      }
      command.outputHelp();
    });
}

const namesOf = (command: Command): string[] => [command.name(), ...command.aliases()];

function unknown(program: string, command: Command, word: string): UsageError {
  const what = command.parent === null ? 'command' : `command of ${command.name()}`;
  const nearest = suggest(word, command.commands.flatMap(namesOf));
  const hint = nearest === null ? `see \`${program} --help\`` : `did you mean ${nearest}?`;
  return new UsageError(`unknown ${what} '${word}'; ${hint}`);
}

/** How a broker is stopped, which no command of `leveret` does. */
const STOPPING =
  'a broker is stopped by Ctrl-C in its terminal, by SIGTERM to its process (kill, systemctl stop, docker stop), or by ' +
  '`rabbitmqctl stop` on its machine';

/** Commands that many look for, with what to do in their place. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  stop: STOPPING,
  shutdown: STOPPING,
  restart: `${STOPPING}; then run \`leveret start\` again`,
};

/** Hidden commands that say what to do in their place. */
export function elsewhereCommands(): Command[] {
  return Object.entries(ELSEWHERE).map(([name, text]) =>
    new Command(name)
      .allowExcessArguments()
      .allowUnknownOption()
      .action(() => {
        const error = new UsageError(`there is no command '${name}': ${text}`);
        fail(error.message, error);
      }),
  );
}

/** Puts lines behind the help of a command; `{command}` in them is how it was called. */
export function addMore(command: Command, more: string | undefined): void {
  if (more === undefined) return;
  command.addHelpText('after', () => `\n${more.replaceAll('{command}', pathOf(command))}`);
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent === null ? command.name() : `${pathOf(parent)} ${command.name()}`;
}
