// Owns finding and reading the files that `load_definitions` names. Never knows what definitions are:
// the broker does.

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { JsonNumberError } from '../util/json/json-digits.ts';
import { faultPlace, placeAt } from '../util/json/json-fault.ts';
import { JsonDepthError, parseJsonText } from '../util/json/json-input.ts';
import { readWholeFile } from '../util/system/whole-file.ts';
import { ConfigError, unreadable } from './config-error.ts';

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
  if (path !== '-') return { path, json: parse(path, readText(path, BYTES_MAX)) };
  const name = 'standard input';
  return { path: name, json: parse(name, textOf(name, readFileSync(0))) };
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
  return textOf(path, readBytes(path, bytesMax));
}

function readBytes(path: string, bytesMax: number): Buffer {
  try {
    return readWholeFile(path, bytesMax);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The text of a file of JSON, without its byte order mark; names in another encoding would come out as others. */
function textOf(path: string, bytes: Buffer): string {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (isUtf8(bytes)) return text;
  const { line, column } = placeAt(text, text.indexOf('\uFFFD'));
  const where = `line ${line}, column ${column}`;
  throw new ConfigError(path, `this is not UTF-8 (${where})`, 'save the file in that encoding');
}

function parse(path: string, text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (error instanceof JsonDepthError || error instanceof JsonNumberError)
      throw new ConfigError(path, error.message, 'correct the file');
    // Not what the parser says: it quotes the file, which may have passwords, and seldom says where.
    throw new ConfigError(path, `this is not JSON (${faultPlace(text)})`, 'correct the file');
  }
}
