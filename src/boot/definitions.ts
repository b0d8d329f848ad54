// Owns the files of definitions that a start takes in. Never reads them from the disk: config/definition-files.ts does.

import type { Logger } from 'pino';
import type { Broker } from '../broker/broker.ts';
import { DefinitionsRefusal } from '../broker/definitions/faults.ts';
import { importDefinitions } from '../broker/definitions/import.ts';
import { checkFile } from '../broker/definitions/read.ts';
import { Refusal } from '../broker/errors.ts';
import { ConfigError, ConfigErrors } from '../config/config-error.ts';
import type { DefinitionFiles } from '../config/definition-files.ts';
import type { Settings } from '../config/settings.ts';
import type { JsonValue } from '../util/json/json.ts';

/** Whether files of definitions bring users: then the settings' own is not made. */
export function bringsUsers({ files }: DefinitionFiles): boolean {
  return files.some(({ json }) => {
    const { users } = (json ?? {}) as { readonly users?: unknown };
    return Array.isArray(users) && users.length > 0;
  });
}

/** Whether each file is right by itself; throws a ConfigError with all that is wrong in any of them. */
export function checkDefinitions({ files }: DefinitionFiles, settings: Settings): void {
  const wrong = files.flatMap(({ path, json }) =>
    faultsOf(path, () => checkFile(json as JsonValue, settings.skipUnsupportedDefinitions)),
  );
  if (wrong.length > 0) throw asOne(wrong);
}

/** Takes in the files of definitions, each wholly or not at all; throws a ConfigError. */
export function loadDefinitions(
  broker: Broker,
  { files, hash }: DefinitionFiles,
  settings: Settings,
  logger: Logger,
): void {
  if (files.length === 0) return;
  const { policyRows } = broker;
  if (settings.skipUnchangedDefinitions && policyRows.importHash() === hash) {
    logger.info({ files: files.map(({ path }) => path) }, 'definitions are unchanged: not loaded');
    return;
  }
  const skipUnsupported = settings.skipUnsupportedDefinitions;
  for (const { path, json } of files) {
    const wrong = faultsOf(path, () => {
      const warnings = importDefinitions(broker, json as JsonValue, { skipUnsupported });
      for (const warning of warnings) logger.warn({ file: path }, warning);
    });
    if (wrong.length > 0) throw asOne(wrong);
    logger.info({ file: path }, 'definitions loaded');
  }
  policyRows.putImportHash(hash);
  broker.core.definitionChanged();
}

const WAY_OUT =
  'correct the file, take it off load_definitions, or set definitions.skip_unsupported = true, which takes the rest';

/** Runs what may refuse what a file says; an error for each cause, which names the file. */
function faultsOf(path: string, run: () => void): readonly ConfigError[] {
  try {
    run();
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const causes = error instanceof DefinitionsRefusal ? error.causes : [error.message];
    return causes.map((cause) => new ConfigError(path, cause, WAY_OUT));
  }
}

function asOne(wrong: readonly ConfigError[]): ConfigError {
  const [first] = wrong;
  return wrong.length === 1 && first !== undefined ? first : new ConfigErrors('definitions', wrong);
}
