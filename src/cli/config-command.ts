// Owns `leveret config check`: what config files mean, without a start, and the lines of old ones in the new format.
// Never judges a key: config/ does.

import { Command, Option } from 'commander';
import { explain, renderExplanation } from '../config/explain.ts';
import { type CheckedFiles, checkFiles } from '../config/layers/check-files.ts';
import { thisMachine } from '../config/layers/machine.ts';
import type { Config } from '../config/load.ts';
import { describeFailure } from './failure.ts';
import { counted } from './output.ts';
import { print, printError } from './print.ts';
import type { Options } from './verb/verb.ts';

/** Exit codes: nothing is wrong, something is. */
const GOOD = 0;
const WRONG = 1;

/** The group `leveret config`. */
export function configCommand(): Command {
  const check = new Command('check')
    .description('Show what config files mean, without starting a broker.')
    .helpOption('-h, --help', 'Show this help.')
    .argument('[file...]', 'The files; without any, those that a start would read.')
    .addOption(new Option('--json', 'Show the result as JSON.'))
    .addHelpText(
      'after',
      '\nFiles of Erlang terms (rabbitmq.config, advanced.config) are printed as lines for a config file.' +
        '\nExit codes: 0 no mistake, 1 mistakes.',
    )
    .action(async (files: string[], options: Options) => {
      process.exitCode = await checkThem(files, options['json'] === true);
    });
  return new Command('config')
    .description('Look at config files.')
    .helpOption('-h, --help', 'Show this help.')
    .addCommand(check);
}

/** Says what was found; returns the exit code. */
async function checkThem(files: readonly string[], json: boolean): Promise<number> {
  let checked: CheckedFiles;
  try {
    checked = await checkFiles(files, process.env, thisMachine(process.env));
  } catch (error) {
    printError(`leveret: ${describeFailure(error, null)}\n`);
    return WRONG;
  }
  const { config, classic } = checked;
  const explanation = explain(config);
  if (json) print(`${JSON.stringify({ ...explanation, classic }, null, 2)}\n`);
  else if (classic.length > 0) {
    // Standard output is a config file then, so what has no line there is said beside it.
    print(classic.map(({ text }) => text).join('\n'));
    for (const { message } of config.faults) printError(`leveret: ${message}\n`);
    for (const warning of config.warnings) printError(`leveret: warning: ${warning}\n`);
  } else print(renderExplanation(explanation, false));
  const { faultsOfFiles } = await import('../boot/check-files.ts');
  const ofFiles = await faultsOfFiles(config.settings);
  for (const error of ofFiles) {
    for (const line of describeFailure(error, config.settings).split('\n')) {
      printError(`leveret: ${line}\n`);
    }
  }
  const wrong = config.faults.length + ofFiles.length;
  // Beside a config file on standard output, and beside JSON, no other line has a place there.
  if (!json && classic.length === 0) print(verdict(config, wrong));
  else if (wrong > 0) printError(`leveret: ${verdict(config, wrong)}`);
  return wrong === 0 ? GOOD : WRONG;
}

/** What was found, in one line: how many mistakes, and in which lines of which files. */
function verdict({ told }: Config, wrong: number): string {
  if (wrong === 0) return 'no mistake\n';
  const places = new Map<string, number[]>();
  for (const { origin, meaning } of told) {
    if (meaning.is !== 'refused' || origin.from !== 'file' || origin.line === undefined) continue;
    places.set(origin.file, [...(places.get(origin.file) ?? []), origin.line]);
  }
  const lines = [...places].map(([file, numbers]) => {
    const all = [...new Set(numbers)].sort((a, b) => a - b);
    return `${all.length === 1 ? 'line' : 'lines'} ${all.join(', ')} of ${file}`;
  });
  const where = lines.length === 0 ? '' : `: ${lines.join('; ')}`;
  return `${counted(wrong, 'mistake')}${where}\n`;
}
