// Owns looking at config files without a start, old ones in Erlang terms too. Never ends over what is wrong in one: that
// is among the faults.

import { isUtf8 } from 'node:buffer';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../util/system/whole-file.ts';
import { unreadable } from '../config-error.ts';
import { type Config, configOf, readConfig } from '../load.ts';
import type { Origin } from '../origin.ts';
import { looksClassic } from '../rabbitmq/classic.ts';
import type { Spelling } from '../setting.ts';
import { SETTINGS } from '../settings.ts';
import { Draft } from './draft.ts';
import { applyFiles, findFiles } from './files.ts';
import { applyConsequences } from './follow.ts';
import type { Environment, Machine } from './machine.ts';
import { rewrite } from './rewrite.ts';

/** An old file as text in the new format. */
export interface Rewritten {
  readonly file: string;
  readonly text: string;
}

/** What a look at files found. */
export interface CheckedFiles {
  readonly config: Config;
  readonly classic: readonly Rewritten[];
}

/** Looks at files by paths and patterns; without any, at those that a start would read, and its variables. */
export async function checkFiles(
  globs: readonly string[],
  env: Environment,
  machine: Machine,
): Promise<CheckedFiles> {
  if (globs.length === 0) {
    return { config: await readConfig({ configGlobs: [], env, flags: {}, machine }), classic: [] };
  }
  const draft = new Draft();
  const named = globs.map((glob) => ({
    glob,
    by: { from: 'argument' } as const,
    orElse: 'name no file, for those that a start would read',
  }));
  const files = await findFiles(named, draft);
  const old = new Map(files.flatMap((file) => oldFile(file, draft)));
  applyFiles(
    files.filter((file) => !old.has(file)),
    env,
    draft,
  );
  const classic = [...old].map(([file, text]) => ({ file, text: rewrite(file, text, env, draft) }));
  applyContainer(env, machine, draft);
  const config = configOf(draft, files, misnamed(files, old));
  return { config, classic };
}

/** A port alone is heard where a start in this place would hear it. */
function applyContainer(env: Environment, { inContainer }: Machine, draft: Draft): void {
  for (const variable of SETTINGS.inContainer.variables) {
    const text = env[variable.name] ?? '';
    const origin: Origin = { from: 'environment', name: variable.name };
    if (text !== '') draft.spelling(origin, variable as Spelling<unknown>, text, 'inContainer');
  }
  // What the files do not say may stand in the environment of the start.
  applyConsequences(draft, inContainer, false);
}

/** Says of files that RabbitMQ would read as Erlang terms by their names that they have none. */
function misnamed(files: readonly string[], old: ReadonlyMap<string, string>): readonly string[] {
  return files
    .filter((file) => file.endsWith('.config') && !old.has(file))
    .map(
      (file) =>
        `${file}: the name *.config means Erlang terms, [{rabbit, [...]}]., and there are none in it; ` +
        'call a file with lines of key = value *.conf',
    );
}

/** The file with its text, if it is one in Erlang terms. */
function oldFile(file: string, draft: Draft): readonly (readonly [string, string])[] {
  try {
    const bytes = readWholeFile(file, SMALL_FILE_BYTES_MAX);
    const text = bytes.toString().replace(/^\uFEFF/, '');
    if (!looksClassic(text)) return [];
    // Before UTF-8 was the rule, such files were in Latin-1.
    return [[file, isUtf8(bytes) ? text : bytes.toString('latin1')]];
  } catch (error) {
    const fault = unreadable(file, error);
    draft.note({ from: 'file', file, line: 0 }, '', '', { is: 'refused', fault });
    return [[file, '[]']];
  }
}
