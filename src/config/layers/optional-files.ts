// Owns files that a start looks for and can do without. Never knows what they are for.

import { statSync } from 'node:fs';
import { readWholeFile, SMALL_FILE_BYTES_MAX } from '../../util/system/whole-file.ts';
import { unreadable } from '../config-error.ts';

/** The path, when a file is there; what this user may not look at is not there. */
export function existing(path: string): readonly string[] {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true ? [path] : [];
  } catch {
    return [];
  }
}

/** The text of a file that a start can do without, or null: it cannot be read, which is a warning. */
export function readIfPossible(path: string, warnings: string[]): string | null {
  try {
    return readWholeFile(path, SMALL_FILE_BYTES_MAX).toString();
  } catch (error) {
    warnings.push(unreadable(path, error).message);
    return null;
  }
}
