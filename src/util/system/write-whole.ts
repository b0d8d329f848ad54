// Owns writing a file that is there as a whole or as it was before. Never syncs: a power cut may undo it.

import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';

/**
 * Writes a file. One that is there is replaced at the end, so that a full disk leaves it as it was; a device or
 * a pipe is written to. Throws the system's error; nothing of a new file is left then.
 */
export function writeWholeFile(path: string, text: string, mode: number): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there !== undefined && !there.isFile()) {
    writeFileSync(path, text, { mode });
    return;
  }
  const fresh = `${path}.${process.pid}.new`;
  try {
    writeFileSync(fresh, text, { mode, flag: 'wx' });
    renameSync(fresh, path);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}
