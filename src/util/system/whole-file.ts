// Owns reading a file that a setting names, as a whole: a regular file of a size that fits. Never waits for
// a pipe, and never reads a device.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../user-error.ts';

/** A file that is not one to be read; `hint` says what would be. */
export class UnfitFileError extends UserError {
  override readonly name = 'UnfitFileError';
  declare readonly hint: string;

  constructor(what: string, hint: string) {
    super(what, { hint });
  }
}

/** What files of settings and of TLS may have: many times more than any has. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024;

const FIRST_BYTES = 64 * 1024;

/**
 * The content of a regular file of at most `bytesMax` bytes. Throws an UnfitFileError, or the error of the
 * system.
 */
export function readWholeFile(path: string, bytesMax: number): Buffer {
  // A pipe that nothing writes to would hold up the start for good.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    // What reading a folder fails with says enough.
    if (!stat.isFile() && !stat.isDirectory()) {
      throw new UnfitFileError('it is no regular file', 'name a file');
    }
    if (stat.size > bytesMax) throw tooLarge(bytesMax);
    return readUpTo(file, Math.max(stat.size, FIRST_BYTES), bytesMax);
  } finally {
    closeSync(file);
  }
}

/** Some files say less of their size than they hold, and some grow. */
function readUpTo(file: number, sizeHint: number, bytesMax: number): Buffer {
  let bytes = Buffer.alloc(Math.min(sizeHint, bytesMax) + 1);
  let length = 0;
  for (;;) {
    const count = readSync(file, bytes, length, bytes.length - length, null);
    length += count;
    if (count === 0) return bytes.subarray(0, length);
    if (length > bytesMax) throw tooLarge(bytesMax);
    if (length < bytes.length) continue;
    const larger = Buffer.alloc(Math.min(2 * bytes.length, bytesMax + 1));
    bytes.copy(larger);
    bytes = larger;
  }
}

function tooLarge(bytesMax: number): UnfitFileError {
  return new UnfitFileError(
    `it is larger than ${bytesMax} bytes`,
    `name a file of ${bytesMax} bytes at most`,
  );
}
