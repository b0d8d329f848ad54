// Owns finding config files and laying their lines into a draft. Never knows which keys exist.

import { statSync } from 'node:fs';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../util/system/whole-file.ts';
import { ConfigError, unreadable } from '../config-error.ts';
import { type Origin, placeOf } from '../origin.ts';
import type { Lines } from '../rabbitmq/keys.ts';
import { type ConfLine, parseConf } from './conf-file.ts';
import type { Draft } from './draft.ts';
import type { Environment } from './machine.ts';

/** A path or a pattern of config files, and what named it. */
export interface Named {
  readonly glob: string;
  readonly by: Origin;
  /** What may be done where no file is meant, such as `leave the flag out`. */
  readonly orElse: string;
}

/** The files that paths and patterns find, in order of name. What finds none is told to the draft. */
export async function findFiles(globs: readonly Named[], draft: Draft): Promise<readonly string[]> {
  const files = new Set<string>();
  for (const { glob, by, orElse } of globs) {
    try {
      for (const file of await filesOf(glob, placeOfGlob(by, glob), orElse)) files.add(file);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const name = 'name' in by ? by.name : glob;
      draft.note(by, name, glob, { is: 'refused', fault: error });
    }
  }
  return [...files].sort();
}

function placeOfGlob(by: Origin, glob: string): string {
  const place = placeOf(by, glob);
  return by.from === 'argument' ? place : `${place} ${glob}`;
}

/** Lays the lines of files over one another; a key that is set twice counts where it stands last. */
export function applyFiles(files: readonly string[], env: Environment, draft: Draft): void {
  const lines = files.flatMap((file) => readLines(file, draft));
  applyLines(lines, env, draft);
}

/** The same for lines that are read; each is told to the draft once, in their order. */
export function applyLines(lines: readonly ReadLine[], env: Environment, draft: Draft): void {
  const last = new Map<string, ConfLine>();
  for (const line of lines) if ('key' in line) last.set(line.key, line);
  const together = new Map([...last].map(([key, { value }]) => [key, value]));
  for (const line of lines) {
    const origin: Origin = { from: 'file', file: line.file, line: line.line };
    if ('fault' in line) {
      draft.note(origin, '', '', { is: 'refused', fault: line.fault });
      continue;
    }
    const { key, value } = line;
    const counts = last.get(key) as ConfLine;
    if (counts === line) applyLine(line, origin, together, env, draft);
    else {
      const by: Origin = { from: 'file', file: counts.file, line: counts.line };
      draft.note(origin, key, value, { is: 'overridden', by });
    }
  }
}

function applyLine(line: ConfLine, origin: Origin, lines: Lines, env: Environment, draft: Draft) {
  const { file, key, value } = line;
  try {
    draft.key(origin, key, interpolate(`${file}:${line.line}: ${key}`, value, lines, env), lines);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    draft.note(origin, key, value, { is: 'refused', fault: error });
  }
}

/** A value with `$(NAME)` replaced: by the value of another key, else by a variable of the environment. */
function interpolate(place: string, value: string, lines: Lines, env: Environment): string {
  return value.replaceAll(INTERPOLATED, (_whole, name: string) => {
    const text = lines.get(name) ?? env[name];
    if (text !== undefined) return text;
    const what = `there is no variable ${name} in the environment`;
    throw new ConfigError(place, what, 'set it, or write the value itself');
  });
}

/** Whether `$(NAME)` in a value would be replaced. */
export const isInterpolated = (value: string): boolean => value.search(INTERPOLATED) !== -1;

const INTERPOLATED = /\$\(([A-Za-z_][\w.]*)\)/g;

/** A line of a config file, good or not. */
export type ReadLine = ConfLine | BadLine;

/** A line that is none. */
interface BadLine {
  readonly file: string;
  readonly line: number;
  readonly fault: ConfigError;
}

function readLines(file: string, draft: Draft): ReadLine[] {
  const bad: BadLine[] = [];
  try {
    const lines = parseConf(file, readBytes(file), (fault, line) =>
      bad.push({ file, line, fault }),
    );
    return [...lines, ...bad].sort((a, b) => a.line - b.line);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    draft.note({ from: 'file', file, line: 0 }, '', '', { is: 'refused', fault: error });
    return [];
  }
}

async function filesOf(glob: string, place: string, orElse: string): Promise<readonly string[]> {
  if (glob === '') throw new ConfigError(place, 'no path is given', `write one, or ${orElse}`);
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
  throw new ConfigError(place, 'no file is found there', `correct the path, or ${orElse}`);
}

function readBytes(file: string): Buffer {
  try {
    return readWholeFile(file, SMALL_FILE_BYTES_MAX);
  } catch (error) {
    throw unreadable(file, error);
  }
}
