// Owns `leveret restore`: a copy becomes the data of a stopped broker, once it was found sound.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { UserError } from '../../util/user-error.ts';
import { printError } from '../print.ts';
import { formatOptions, tell } from '../verb/answers.ts';
import type { Options } from '../verb/verb.ts';
import { describe, settingsFor } from '../verb/verb-runner.ts';

/** The command. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('Restore a copy of `leveret backup` into the data folder of a stopped broker.')
    .argument('<backup>', 'the folder of the copy')
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(
      new Option('--config <glob...>', 'Config files that name the data folder.').default(
        [],
        'none',
      ),
    )
    .addOption(new Option('--force', 'Even if the folder has data, which is kept beside it.'))
    .addHelpText('after', '\nThe copy is checked first, as by `leveret check`, and is not changed.')
    .action(async (backup: string, options: Options) => {
      let settings = null;
      try {
        settings = await settingsFor(options);
        await requireCopy(backup);
        requireSound(backup);
        const { restoreData } = await import('../../boot/data-folder.ts');
        const kept = await restoreData(settings, backup, options['force'] === true);
        const rest = kept === null ? '' : `What was there is kept in ${kept}\n`;
        tell(`Restored ${resolve(backup)} into ${resolve(settings.dataDir)}\n${rest}`, options);
      } catch (error) {
        printError(`leveret: ${describe(error, settings)}\n`);
        process.exitCode = 1;
      }
    });
  for (const option of formatOptions()) command.addOption(option);
  return command;
}

/** Rejects with a UserError for a folder that is no copy. */
async function requireCopy(backup: string): Promise<void> {
  const what = existsSync(backup)
    ? `${backup} holds no data of a broker`
    : `there is no folder ${backup}`;
  if (existsSync(backup) && (await (await import('../../boot/data-folder.ts')).holdsData(backup)))
    return;
  throw new UserError(`${what}: name the folder that \`leveret backup\` has written`);
}

/** Throws a UserError unless the copy is sound. A damaged one may end the process that reads it. */
function requireSound(backup: string): void {
  const program = process.argv[1] as string;
  const args = [program, 'check', '--data-dir', backup];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, LEVERET_DATA_DIR: '' },
  });
  if (status === 0) return;
  const why = `${stdout}${stderr}`.trim().split('\n').slice(0, 3).join('; ');
  throw new UserError(`the copy in ${backup} is not restored: ${why}`);
}
