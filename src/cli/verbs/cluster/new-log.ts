// Owns `leveret cluster new-log`: a cluster begins with the data of a stopped broker. Never writes to the log itself.

import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { UsageError } from '../../exit-codes.ts';
import { fail, formatOptions, tell } from '../../verb/answers.ts';
import type { Options } from '../../verb/verb.ts';
import { describe, requireData, settingsFor } from '../../verb/verb-runner.ts';

/** The command. */
export function newLogCommand(): Command {
  const command = new Command('new-log')
    .description(
      'Begin the log of a cluster with the data of a stopped broker, which becomes a node.',
    )
    .helpOption('-h, --help', 'Show this help.')
    .addOption(new Option('--data-dir <folder>', 'The data folder of the stopped broker.'))
    .addOption(
      new Option('--config <glob...>', 'Config files of the node that it is to be.').default(
        [],
        'none',
      ),
    )
    .addOption(
      new Option('--force', 'Drop what the log has; all nodes of the cluster have to be stopped.'),
    )
    .addHelpText(
      'after',
      '\nStart that node first, and others, with empty folders, once it has a snapshot: leveret cluster status shows it.',
    )
    .action(async (options: Options) => {
      let settings = null;
      try {
        settings = await settingsFor(options);
        if (settings.clusterLog !== 'nats') {
          throw new UsageError(
            'the settings name no cluster: name the config file of the node with --config',
          );
        }
        await requireData(settings);
        const { newLog } = await import('../../../boot/cluster/new-log.ts');
        const seq = await newLog(settings, options['force'] === true);
        const { dataDir, clusterName } = settings;
        tell(
          `The log of ${clusterName} begins with ${resolve(dataDir)}, at record ${seq}\n`,
          options,
        );
      } catch (error) {
        fail(describe(error, settings), error);
      }
    });
  for (const option of formatOptions()) command.addOption(option);
  return command;
}
