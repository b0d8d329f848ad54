// Owns what a node of a cluster knows of the memory, the disk and the files that it uses, whichever role it plays. Never acts on it.

import { readdir } from 'node:fs/promises';
import type { NodeUsage } from '../cluster/node-row.ts';
import type { Timing } from '../cluster/timing.ts';
import type { Settings } from '../config/settings.ts';
import { thisMachine } from '../server/backpressure/machine.ts';
import { diskLimit, memoryLimit } from '../server/backpressure/resource-monitor.ts';

/** How often it looks, ms. */
const LOOK_MS = 5000;

/** Looks every now and then, until `timing` is stopped. */
export class UsageLook {
  /** Null: it has not looked yet, or cannot. */
  usage: NodeUsage | null = null;
  private readonly settings: Settings;

  constructor(settings: Settings, timing: Timing) {
    this.settings = settings;
    timing.every(LOOK_MS, () => this.look());
    void this.look();
  }

  private async look(): Promise<void> {
    const { settings } = this;
    const machine = thisMachine(settings.dataDir);
    try {
      this.usage = {
        memUsed: Math.floor(machine.memoryInUse()),
        memLimit: whole(memoryLimit(settings, machine.memoryTotal)),
        diskFree: whole(await machine.diskFree()),
        diskFreeLimit: whole(diskLimit(settings, machine.memoryTotal)),
        fdUsed: await openFiles(),
        fdTotal: whole(machine.socketMax),
      };
    } catch {
      // The folder is made by the start, and may be on a disk that is away.
      this.usage = null;
    }
  }
}

/** JSON has no Infinity. */
function whole(value: number): number {
  return Number.isFinite(value) ? Math.floor(value) : Number.MAX_SAFE_INTEGER;
}

/** How many files this process has open; 0 where that cannot be seen. */
export async function openFiles(): Promise<number> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return 0;
  }
}
