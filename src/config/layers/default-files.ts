// Owns where config files lie when the command line names none: those of Leveret, else those of a RabbitMQ. Never reads
// the lines of one.

import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../util/system/whole-file.ts';
import { ConfigError, unreadable } from '../config-error.ts';
import { placeOf } from '../origin.ts';
import { pluginsNotHere } from '../rabbitmq/plugins.ts';
import { FILE_VARIABLES, type FileVariable } from '../rabbitmq/variables.ts';
import type { Draft } from './draft.ts';
import type { Variables } from './environment.ts';
import type { Named } from './files.ts';
import { CONFIG_VARIABLE, type Environment } from './machine.ts';
import { existing, readIfPossible } from './optional-files.ts';

/** Where a start has its config files from. */
export type Place =
  /** The command line or a variable names them. */
  | { readonly is: 'named'; readonly globs: readonly Named[]; readonly why: string }
  /** They are Leveret's own. */
  | { readonly is: 'own'; readonly files: readonly string[]; readonly why: string }
  /** Those of a RabbitMQ are looked for below a root such as `/`. */
  | { readonly is: 'of RabbitMQ'; readonly root: string };

/** What a RabbitMQ has left. */
interface FilesOfRabbitmq {
  /** In the order in which they are to be read. */
  readonly files: readonly string[];
  /** A file of definitions that RabbitMQ's images load where there is no config file. */
  readonly definitions: string | null;
}

const WAY_OUT = 'leveret config check';

/** Where the files of a start are to be looked for: below `root`, unless a flag or a variable names them. */
export function placeOfFiles(
  configGlobs: readonly string[],
  env: Environment,
  root: string | null,
): Place {
  if (configGlobs.length > 0) {
    const by = { from: 'flag', name: '--config' } as const;
    const globs = configGlobs.map((glob) => ({ glob, by, orElse: 'leave the flag out' }));
    return { is: 'named', globs, why: '--config names the files' };
  }
  const given = env[CONFIG_VARIABLE] ?? '';
  if (given !== '') {
    const by = { from: 'environment', name: CONFIG_VARIABLE } as const;
    const orElse = 'leave the variable out';
    const globs = given.split(',').map((glob) => ({ glob: glob.trim(), by, orElse }));
    return { is: 'named', globs, why: `${CONFIG_VARIABLE} names the files` };
  }
  if (root === null) return { is: 'own', files: [], why: 'this start looks for no files' };
  const own = [
    ...existing(join(root, 'etc/leveret/leveret.conf')),
    ...inFolder(join(root, 'etc/leveret/conf.d'), '*.conf'),
  ];
  // An operator that has written these means them, whatever an old RabbitMQ has left.
  const [first] = own;
  if (first !== undefined) return { is: 'own', files: own, why: `${first} is there` };
  return { is: 'of RabbitMQ', root };
}

/** What is there of a RabbitMQ's files; `variables` may name other places. */
export async function filesOfRabbitmq(
  root: string,
  variables: Variables,
  draft: Draft,
  warnings: string[],
): Promise<FilesOfRabbitmq> {
  const find = async (variable: FileVariable, usual: string): Promise<readonly string[]> =>
    FILES_AT[variable](variables.get(variable)?.text ?? join(root, 'etc/rabbitmq', usual));
  const main = await find('RABBITMQ_CONFIG_FILE', 'rabbitmq');
  const more = await find('RABBITMQ_CONFIG_FILES', 'conf.d/*.conf');
  for (const path of await find('RABBITMQ_ADVANCED_CONFIG_FILE', 'advanced.config'))
    refuseAdvanced(path, draft);
  for (const path of await find('RABBITMQ_ENABLED_PLUGINS_FILE', 'enabled_plugins'))
    warnPlugins(path, warnings);
  const [definitions = null] = existing(join(root, 'etc/rabbitmq/definitions.json'));
  return { files: [...main, ...more], definitions };
}

/** One warning for each variable that names a file of RabbitMQ which is not there, or is not looked for. */
export async function warnOfFiles(
  variables: Variables,
  place: Place,
  warnings: string[],
): Promise<void> {
  for (const name of FILE_VARIABLES) {
    const given = variables.get(name);
    if (given === undefined) continue;
    const by = placeOf(given.origin, name);
    if (place.is !== 'of RabbitMQ') warnings.push(`${by}: this is not read: ${place.why}`);
    else if ((await FILES_AT[name](given.text)).length === 0)
      warnings.push(`${by}: there is no file at ${given.text}`);
  }
}

/** The files that a variable names, as RabbitMQ finds them; releases differ in the endings that may be left out. */
const FILES_AT: Readonly<
  Record<FileVariable, (path: string) => readonly string[] | Promise<readonly string[]>>
> = {
  // Where both formats are there, RabbitMQ reads the old one.
  RABBITMQ_CONFIG_FILE: (path) => firstOf(path, `${path}.config`, `${path}.conf`),
  RABBITMQ_CONFIG_FILES: moreFiles,
  RABBITMQ_ADVANCED_CONFIG_FILE: (path) => firstOf(path, `${path}.config`),
  RABBITMQ_CONF_ENV_FILE: existing,
  RABBITMQ_ENABLED_PLUGINS_FILE: existing,
};

function firstOf(...paths: readonly string[]): readonly string[] {
  return paths.flatMap(existing).slice(0, 1);
}

/** A folder, whose files all count, or a pattern. */
async function moreFiles(place: string): Promise<readonly string[]> {
  if (!/[*?[{]/.test(place)) return [...existing(place), ...inFolder(place, '*')];
  const [folder, pattern] = [dirname(place), basename(place)];
  if (/^[^*?[{]*\*[^*?[{]*$/.test(pattern) && !/[*?[{]/.test(folder))
    return inFolder(folder, pattern);
  // Only a start with such a pattern pays for loading this.
  const { default: fastGlob } = await import('fast-glob');
  return (await fastGlob(place, { onlyFiles: true })).sort();
}

/** The files whose names fit a pattern with one star; one with a dot before it fits no star. */
function inFolder(folder: string, pattern: string): readonly string[] {
  const [head = '', tail = ''] = pattern.split('*');
  const fits = (name: string): boolean =>
    name.startsWith(head) &&
    name.endsWith(tail) &&
    name.length >= head.length + tail.length &&
    (head !== '' || !name.startsWith('.'));
  try {
    const names = readdirSync(folder).filter(fits).sort();
    return names.flatMap((name) => existing(join(folder, name)));
  } catch {
    return [];
  }
}

/** The file beside the config file that holds Erlang terms: what it says must not be lost without a word. */
function refuseAdvanced(path: string, draft: Draft): void {
  const origin = { from: 'file', file: path, line: 0 } as const;
  const fault = faultOfAdvanced(path);
  if (fault !== null) draft.note(origin, '', '', { is: 'refused', fault });
}

function faultOfAdvanced(path: string): ConfigError | null {
  try {
    const text = readWholeFile(path, SMALL_FILE_BYTES_MAX).toString().replaceAll(/%.*$/gm, '');
    if (/^\s*(\[\s*\]\s*\.?\s*)?$/.test(text)) return null;
  } catch (error) {
    return unreadable(path, error);
  }
  const what = 'this has settings in Erlang terms, which are not read';
  const wayOut = `'${WAY_OUT} ${path}' prints them as lines for a config file; then take this file away`;
  return new ConfigError(path, what, wayOut);
}

function warnPlugins(path: string, warnings: string[]): void {
  const missing = pluginsNotHere(readIfPossible(path, warnings) ?? '');
  if (missing.length === 0) return;
  warnings.push(`${path}: plugins of RabbitMQ that are not here: ${missing.join(', ')}`);
}
