// Owns asking how much room a disk has. Never decides what that means.

import { statfsSync } from 'node:fs';

/** The free bytes of a folder's disk; -1: not known. */
export function freeBytesAt(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return -1;
  }
}
