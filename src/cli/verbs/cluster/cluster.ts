// Owns the command `leveret cluster`: which verbs it has. Never carries one out.

import { Command } from 'commander';
import { liveCommand } from '../../verb/live.ts';
import { demoCommand } from './demo.ts';
import { clusterVerbs } from './live.ts';
import { newLogCommand } from './new-log.ts';
import { placeVerb } from './place.ts';

/** The command with all its verbs. */
export function clusterCommand(): Command {
  const cluster = new Command('cluster')
    .description('Several nodes over one log.')
    .helpOption('-h, --help', 'Show this help.')
    .addCommand(demoCommand());
  for (const verb of [...clusterVerbs, placeVerb]) cluster.addCommand(liveCommand(verb));
  return cluster.addCommand(newLogCommand());
}
