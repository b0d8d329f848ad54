// Owns when looks are taken for the history: from the start of the HTTP API on, at each whole step of time, a little at a
// time. Never keeps anything.

import type { Context } from '../context.ts';
import { TimeSlice, walked } from '../time-slice.ts';

/** How many looks go by until the open files are counted again: with thousands of them that takes a while. */
const LOOKS_PER_COUNT = 12;

/** Takes looks until the broker stops. */
export function startHistory(context: Context): void {
  const { snapshots } = context.view;
  let busy = false;
  let looks = 0;
  let openFiles = 0;
  const free = (): void => {
    busy = false;
  };
  const look = async (): Promise<void> => {
    if (looks % LOOKS_PER_COUNT === 0) openFiles = await context.facts.openFiles();
    looks += 1;
    await walked(snapshots.lookForHistory({ openFiles }), new TimeSlice(context.clock));
    free();
  };
  const begin = (): void => {
    // A look that takes longer than a step is the next one too.
    if (busy) return;
    busy = true;
    context.guard.promise('history', look(), free);
  };
  begin();
  context.repeat(() => snapshots.untilNextLook(), begin);
}
