// Owns reading what the machine has: memory in use and in all, and free space on a disk. Never judges
// whether that is enough: resource-monitor.ts does.

import { readdirSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What the watch reads; tests give their own. */
export interface Machine {
  /** Bytes that this process may have at most: the machine's memory, or less in a container. */
  readonly memoryTotal: number;
  /** How many sockets the limit of open files leaves room for; Infinity where that is unknown. */
  readonly socketMax: number;
  /** Bytes of memory in use by this process. */
  memoryInUse(): number;
  /** Bytes free on the disk of the data folder; Infinity without one. */
  diskFree(): Promise<number>;
  /** Has garbage collected now. */
  collectGarbage(): void;
}

/** A machine that has enough of everything. */
export const BOUNDLESS: Machine = {
  memoryTotal: Number.POSITIVE_INFINITY,
  socketMax: Number.POSITIVE_INFINITY,
  memoryInUse: () => 0,
  diskFree: () => Promise.resolve(Number.POSITIVE_INFINITY),
  collectGarbage: () => {},
};

/** Every Linux that Node.js runs on for x64 and arm64 by default; others only misjudge by a factor. */
const PAGE_BYTES = 4096;

/** The machine that this process runs on; `folder` is where it keeps data, null for nowhere. */
export function thisMachine(folder: string | null): Machine {
  return {
    memoryTotal: memoryTotal(),
    socketMax: socketMax(),
    memoryInUse,
    diskFree: folder === null ? BOUNDLESS.diskFree : () => diskFree(folder),
    collectGarbage,
  };
}

/** Files that may have to be opened later: those of a second store, of certificates, of code. */
const SPARE_FILES = 32;

/** What is left of the files that may be open; Node.js has raised the limit as far as it may. */
function socketMax(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const allowed = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    if (allowed === undefined) return Number.POSITIVE_INFINITY;
    return Math.max(1, Number(allowed) - readdirSync('/proc/self/fd').length - SPARE_FILES);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The smaller of the machine's memory and that of the control group, version 1 or 2. */
function memoryTotal(): number {
  const machine = totalmem();
  const allowed = process.constrainedMemory();
  // No limit is 0, or a number beyond all memory.
  return allowed > 0 && allowed < machine ? allowed : machine;
}

/** What the store and the runtime take beside what Node.js knows of, and a part that lies in gaps. */
const UNKNOWN_BYTES = 32 * 2 ** 20;
const UNKNOWN_PART = 1.25;

/**
 * Resident memory, with that outside V8's heap. The pages of files do not count: what has been read
 * of the store's file stays mapped, and the system takes that back when memory is needed. Nor does
 * freed memory count that the C library keeps, to give it out again: that may be half of all.
 */
function memoryInUse(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  const known = (heapTotal + external) * UNKNOWN_PART + UNKNOWN_BYTES;
  return Math.min(rss - mappedFiles(), known);
}

function mappedFiles(): number {
  try {
    const [, , shared] = readFileSync('/proc/self/statm', 'latin1').split(' ');
    return Number(shared) * PAGE_BYTES;
  } catch {
    return 0;
  }
}

async function diskFree(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

let collect: ((options?: { type: 'minor' }) => void) | null = null;

/** V8 gives its collector to contexts that are made after it was asked to. */
function collectGarbage(): void {
  if (collect === null) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as NonNullable<typeof collect>;
  }
  collect();
  // Buffers are swept beside the program, and counted as gone when the next collection begins.
  collect({ type: 'minor' });
}
