// Owns `leveret compact`: the file of a stopped broker's data becomes as small as what it holds. Never
// copies anything itself.

import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { print, printError } from '../print.ts';
import type { Options } from '../verb/verb.ts';
import { describe, requireData, settingsFor } from '../verb/verb-runner.ts';

const MIB = 2 ** 20;

/** The command. */
export function compactCommand(): Command {
  return new Command('compact')
    .description('Give room inside the data file of a stopped broker back to the disk.')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(new Option('--config <glob...>', 'Config files that name it.').default([], 'none'))
    .addHelpText('after', '\nThe disk needs as much free room as the messages take that are there.')
    .action(async (options: Options) => {
      let settings = null;
      try {
        settings = await settingsFor(options);
        await requireData(settings);
        const { compactData } = await import('../../main.ts');
        const { bytesBefore, bytesAfter } = await compactData(settings);
        const sizes = `${mib(bytesBefore)} before, ${mib(bytesAfter)} now`;
        print(`Compacted the data in ${resolve(settings.dataDir)}: ${sizes}\n`);
      } catch (error) {
        printError(`leveret: ${describe(error, settings)}\n`);
        process.exitCode = 1;
      }
    });
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
