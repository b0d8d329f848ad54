// Owns finding and reading the files that `load_definitions` names. Never knows what definitions are:
// the broker does.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseJsonText } from '../util/json-input.ts';
import { readWholeFile, UnfitFileError } from '../util/whole-file.ts';
import { ConfigError } from './config-error.ts';

/** A file of JSON. */
export interface DefinitionFile {
  readonly path: string;
  readonly json: unknown;
}

/** The files in the order in which they are to be loaded. */
export interface DefinitionFiles {
  readonly files: readonly DefinitionFile[];
  /** Tells whether anything in any of them has changed. */
  readonly hash: string;
}

/** No text of this runtime is longer. */
const BYTES_MAX = 2 ** 29 - 32;

const WAY_OUT = 'correct load_definitions, or leave it out';

/**
 * Reads the files that paths, patterns and folders name: those of a pattern or a folder (its *.json)
 * in order of their names. None may have more than `bytesMax` bytes. Rejects with a ConfigError.
 */
export async function readDefinitionFiles(
  places: readonly string[],
  bytesMax = BYTES_MAX,
): Promise<DefinitionFiles> {
  const paths = new Set<string>();
  for (const place of places) for (const path of await find(place)) paths.add(path);
  const hash = createHash('sha256');
  const files = [...paths].map((path): DefinitionFile => {
    const text = readText(path, bytesMax);
    hash.update(text).update('\0');
    return { path, json: parse(path, text) };
  });
  return { files, hash: hash.digest('hex') };
}

/** Reads one file, or standard input for `-`. Throws a ConfigError. */
export function readDefinitionFile(path: string): DefinitionFile {
  const text = path === '-' ? readFileSync(0, 'utf8') : readText(path, BYTES_MAX);
  return { path, json: parse(path, text) };
}

async function find(place: string): Promise<readonly string[]> {
  // A path is taken as it is, whatever signs of a pattern it holds.
  const there = statSync(place, { throwIfNoEntry: false });
  if (there !== undefined && !there.isDirectory()) return [place];
  const { default: fastGlob } = await import('fast-glob');
  const found =
    there === undefined
      ? await fastGlob(place, { onlyFiles: true })
      : (await fastGlob('*.json', { cwd: place, onlyFiles: true })).map((name) =>
          join(place, name),
        );
  if (found.length > 0) return found.sort();
  throw new ConfigError(`load_definitions: ${place}`, 'no file is found there', WAY_OUT);
}

function readText(path: string, bytesMax: number): string {
  try {
    return readWholeFile(path, bytesMax).toString('utf8');
  } catch (error) {
    if (error instanceof UnfitFileError) {
      throw new ConfigError(path, `cannot be read: ${error.message}`, error.hint);
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(path, `cannot be read (${why})`, 'give this user the right to read it');
  }
}

function parse(path: string, text: string): unknown {
  try {
    return parseJsonText(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(path, `this is not JSON (${why})`, 'correct the file');
  }
}
