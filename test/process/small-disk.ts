// Owns disks that are really small and really full, as a tmpfs. Never fails where none may be mounted.

import { spawnSync } from 'node:child_process';
import { statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';

export interface SmallDisks {
  /** Mounts a disk of so many bytes on a folder; returns whether this user may. */
  mount(folder: string, bytes: number): boolean;
}

/** Disks that are gone after each test. */
export function useSmallDisks(): SmallDisks {
  const mounted: string[] = [];
  afterEach(() => {
    for (const folder of mounted.splice(0)) spawnSync('umount', ['-l', folder]);
  });
  return {
    mount(folder, bytes) {
      const options = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder];
      if (spawnSync('mount', options).status !== 0) return false;
      mounted.push(folder);
      return true;
    },
  };
}

/** The bytes that are free on the disk of a folder. */
export function freeOn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Takes all room of a disk; returns the file that does. */
export function fill(disk: string): string {
  const path = join(disk, 'filler');
  writeFileSync(path, Buffer.alloc(freeOn(disk)));
  return path;
}
