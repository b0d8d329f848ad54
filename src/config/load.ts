// Owns the order of the layers: defaults < config files < environment < flags, and the message when
// one of them is wrong. Never knows a single setting by name: the table does.

import { statSync } from 'node:fs';
import { wayOutOf } from '../util/system/system-error.ts';
import { readWholeFile, SMALL_FILE_BYTES_MAX, UnfitFileError } from '../util/system/whole-file.ts';
import { parseConf } from './conf-file.ts';
import { ConfigError } from './config-error.ts';
import { nearest } from './nearest.ts';
import { refusalOf } from './refused-keys.ts';
import { MalformedValue, type Setting, type Spelling } from './setting.ts';
import { SETTINGS, type Settings } from './settings.ts';

/** Where settings come from, the weakest first. */
export interface Sources {
  /** Paths or glob patterns; the files they find are read in order of name. */
  readonly configGlobs: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Flags as written on the command line, such as `--port`, with their text: `true` for a switch. */
  readonly flags: Readonly<Record<string, string>>;
  /** Told of what looks like a mistake but need not be one, such as an unknown `LEVERET_` variable. */
  readonly onWarning?: (warning: string) => void;
}

const ROWS: readonly [string, Setting<unknown>][] = Object.entries(SETTINGS);
const KEYS = ROWS.map(([, row]) => row.key);
const VARIABLES = ROWS.flatMap(([, row]) => row.variables.map((variable) => variable.name));

const SEE_ALL = `see 'leveret start --help' for all keys`;

/** Reads all layers. Rejects with a ConfigError at the first thing that is wrong. */
export async function loadSettings(sources: Sources): Promise<Settings> {
  const values = new Map<string, unknown>(ROWS.map(([field, row]) => [field, row.initial]));
  for (const file of await findFiles(sources.configGlobs)) applyFile(file, values);
  applyEnvironment(sources, values);
  for (const [field, row] of ROWS) {
    for (const flag of row.flags) {
      const text = sources.flags[flag.name];
      if (text !== undefined) applySpelling('command line', flag, text, field, values);
    }
  }
  // The table gives every field its reader, so the values have the types that Settings derives from it.
  return Object.fromEntries(values) as unknown as Settings;
}

/**
 * The defaults with what a program sets by the keys of config files, later ones over earlier ones.
 * Throws a ConfigError; `place` names where the keys stand.
 */
export function settingsOf(place: string, lines: Iterable<readonly [string, string]>): Settings {
  const values = new Map<string, unknown>(ROWS.map(([field, row]) => [field, row.initial]));
  for (const [key, value] of lines) applyKey(`${place}: ${key}`, key, value, values);
  return Object.fromEntries(values) as unknown as Settings;
}

function applyFile(file: string, values: Map<string, unknown>): void {
  for (const { line, key, value } of parseConf(file, readBytes(file))) {
    applyKey(`${file}:${line}: ${key}`, key, value, values);
  }
}

function applyKey(place: string, key: string, value: string, values: Map<string, unknown>): void {
  const found = ROWS.find(([, row]) => key === row.key || memberOf(row, key) !== null);
  if (found === undefined) {
    const refused = refusalOf(key);
    if (refused !== null) throw new ConfigError(place, refused.what, refused.wayOut);
    const meant = nearest(key, KEYS);
    const wayOut = meant === null ? `remove it, or ${SEE_ALL}` : `did you mean '${meant}'?`;
    throw new ConfigError(place, `there is no setting of this name`, wayOut);
  }
  const [field, row] = found;
  const member = memberOf(row, key);
  const before = values.get(field);
  const read = (): unknown =>
    member === null ? row.read(value, before) : row.readMember?.(member, value, before);
  values.set(field, attempt(place, `write for example '${row.example}'`, read));
}

/** The `guest` of `loopback_users.guest`, or null when the key names no member of this setting. */
function memberOf(row: Setting<unknown>, key: string): string | null {
  if (row.readMember === undefined || !key.startsWith(`${row.key}.`)) return null;
  return key.slice(row.key.length + 1);
}

function applyEnvironment(sources: Sources, values: Map<string, unknown>): void {
  const { env, onWarning } = sources;
  for (const [field, row] of ROWS) {
    for (const variable of row.variables) {
      const text = env[variable.name];
      // An empty variable is how a compose file says that it is not set.
      if (text === undefined || text === '' || isServiceLink(variable.name, text)) continue;
      applySpelling('environment', variable, text, field, values);
    }
  }
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('LEVERET_') || VARIABLES.includes(name)) continue;
    if (isServiceLink(name, text ?? '')) continue;
    const meant = nearest(name, VARIABLES);
    const guess = meant === null ? '' : `; did you mean ${meant}?`;
    onWarning?.(`environment: ${name}: there is no setting of this name${guess}`);
  }
}

/**
 * Whether Kubernetes or Docker set this variable for a service called `leveret`
 * (`LEVERET_PORT=tcp://10.0.0.1:5672`, `LEVERET_SERVICE_HOST`), rather than a person.
 */
function isServiceLink(name: string, text: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)/.test(name) || /^(tcp|udp|sctp):/.test(text)
  );
}

function applySpelling(
  layer: string,
  spelling: Spelling<unknown>,
  text: string,
  field: string,
  values: Map<string, unknown>,
): void {
  const read = (): unknown => {
    // What the system hands over is bytes; no operator means a password with half of a letter in it.
    if (text.includes('\uFFFD')) throw new MalformedValue('this is not UTF-8');
    return spelling.read(text, values.get(field));
  };
  values.set(field, attempt(`${layer}: ${spelling.name}`, 'change or remove it', read));
}

function attempt(place: string, wayOut: string, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedValue)) throw error;
    throw new ConfigError(place, error.message, wayOut);
  }
}

async function findFiles(globs: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const glob of globs) {
    for (const file of await filesOf(glob)) files.add(file);
  }
  return [...files].sort();
}

async function filesOf(glob: string): Promise<readonly string[]> {
  const place = `command line: --config ${glob}`;
  if (glob === '')
    throw new ConfigError(place, 'no path is given', 'write one, or leave the flag out');
  // A path is taken as it is, whatever signs of a pattern it holds.
  const there = statSync(glob, { throwIfNoEntry: false });
  if (there?.isDirectory()) {
    throw new ConfigError(place, 'this is a folder', `write '${glob.replace(/\/$/, '')}/*.conf'`);
  }
  if (there !== undefined) return [glob];
  // Only a broker with config files pays for loading this.
  const { default: fastGlob } = await import('fast-glob');
  const found = await fastGlob(glob, { dot: true, onlyFiles: true });
  if (found.length > 0) return found;
  throw new ConfigError(place, 'no file is found there', 'correct the path, or leave the flag out');
}

function readBytes(file: string): Buffer {
  try {
    return readWholeFile(file, SMALL_FILE_BYTES_MAX);
  } catch (error) {
    if (error instanceof UnfitFileError) {
      throw new ConfigError(file, `cannot be read: ${error.message}`, error.hint);
    }
    const why = error instanceof Error ? error.message : String(error);
    const wayOut = wayOutOf(error) ?? 'give this user the right to read it';
    throw new ConfigError(file, `cannot be read (${why})`, wayOut);
  }
}
