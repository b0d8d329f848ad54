// Owns the command `leveret cluster`: which verbs it has. Never carries one out.

import { Command } from 'commander';
import { demoCommand } from './demo.ts';

/** The command with all its verbs. */
export function clusterCommand(): Command {
  return new Command('cluster')
    .description('Several nodes over one log.')
    .helpOption('-h, --help', 'Show this help.')
    .addCommand(demoCommand());
}
