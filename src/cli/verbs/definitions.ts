// Owns the verbs export_definitions and import_definitions. Never reads a definition: the broker
// does.

import { readDefinitionFile } from '../../config/definition-files.ts';
import { wayOutOf } from '../../util/system/system-error.ts';
import { writeWholeFile } from '../../util/system/write-whole.ts';
import type { Verb } from '../verb/verb.ts';
import { VerbError } from '../verb/verb-error.ts';

/** Definitions hold the hashes of passwords. */
const FILE_MODE = 0o600;

export const definitionVerbs: readonly Verb[] = [
  {
    name: 'export_definitions',
    arguments: '<file>',
    about: "Write all definitions as JSON, in RabbitMQ's format; '-' is standard output.",
    vhost: 'all',
    more: 'With -p only what lies in that vhost, for an import into any.',
    run: async (view, [file], { vhost }) => {
      const json = await view.exportDefinitions(vhost as string | undefined);
      const text = `${JSON.stringify(json, null, 2)}\n`;
      if (file === '-') return text;
      try {
        writeWholeFile(String(file), text, FILE_MODE);
      } catch (error) {
        const wayOut = wayOutOf(error);
        const what = `${file} cannot be written (${(error as Error).message})`;
        throw new VerbError(wayOut === null ? what : `${what}: ${wayOut}`);
      }
      return undefined;
    },
  },
  {
    name: 'import_definitions',
    arguments: '[file]',
    about: "Take in definitions, all or none; without a file, or with '-', from standard input.",
    vhost: 'all',
    more: 'With -p everything goes into that vhost, which must be there.',
    run: async (view, [file = '-'], { vhost }) => {
      const { json } = readDefinitionFile(String(file));
      const warnings = await view.importDefinitions(json, vhost as string | undefined);
      return warnings.map((warning) => `${warning}\n`).join('');
    },
  },
];
