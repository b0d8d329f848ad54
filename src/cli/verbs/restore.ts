// Owns `leveret restore`: a copy becomes the data of a stopped broker, once it was found sound.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { print, printError } from '../print.ts';
import type { Options } from '../verb/verb.ts';
import { VerbError } from '../verb/verb-error.ts';
import { describe, settingsFor } from '../verb/verb-runner.ts';

/** The command. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('Put a copy by `leveret backup` in place of the data of a stopped broker.')
    .argument('<backup>', 'the folder of the copy')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(new Option('--config <glob...>', 'Config files that name it.').default([], 'none'))
    .addOption(new Option('--force', 'Also where there is data, which is kept beside it.'))
    .addHelpText('after', '\nThe copy is checked first, as by `leveret check`, and is not changed.')
    .action(async (backup: string, options: Options) => {
      let settings = null;
      try {
        settings = await settingsFor(options);
        requireSound(backup);
        const { restoreData } = await import('../../main.ts');
        const kept = await restoreData(settings, backup, options['force'] === true);
        print(`Restored ${resolve(backup)} into ${resolve(settings.dataDir)}\n`);
        if (kept !== null) print(`What was there is kept in ${kept}\n`);
      } catch (error) {
        printError(`leveret: ${describe(error, settings)}\n`);
        process.exitCode = 1;
      }
    });
}

/** Throws a VerbError unless the copy is sound. A damaged one may end the process that reads it. */
function requireSound(backup: string): void {
  const program = process.argv[1] as string;
  const args = [program, 'check', '--data-dir', backup];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, LEVERET_DATA_DIR: '' },
  });
  if (status === 0) return;
  const why = `${stdout}${stderr}`.trim().split('\n').slice(0, 3).join('; ');
  throw new VerbError(`the copy in ${backup} is not restored: ${why}`);
}
