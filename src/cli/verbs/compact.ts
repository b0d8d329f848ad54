// Owns `leveret compact`: the file of a stopped broker's data becomes as small as what it holds. Never
// copies anything itself.

import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { printError } from '../print.ts';
import { formatOptions, tell } from '../verb/answers.ts';
import type { Options } from '../verb/verb.ts';
import { describe, requireData, settingsFor } from '../verb/verb-runner.ts';

const MIB = 2 ** 20;

/** The command. */
export function compactCommand(): Command {
  const command = new Command('compact')
    .description('Return unused space in the data file of a stopped broker to the disk.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(
      new Option('--config <glob...>', 'Config files that name the data folder.').default(
        [],
        'none',
      ),
    )
    .addHelpText('after', '\nThe disk needs as much free room as the messages in it take.')
    .action(async (options: Options) => {
      let settings = null;
      try {
        settings = await settingsFor(options);
        await requireData(settings);
        const { compactData } = await import('../../boot/data-folder.ts');
        const { bytesBefore, bytesAfter } = await compactData(settings);
        const sizes = `${mib(bytesBefore)} before, ${mib(bytesAfter)} now`;
        tell(`Compacted the data in ${resolve(settings.dataDir)}: ${sizes}\n`, options);
      } catch (error) {
        printError(`leveret: ${describe(error, settings)}\n`);
        process.exitCode = 1;
      }
    });
  for (const option of formatOptions()) command.addOption(option);
  return command;
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
