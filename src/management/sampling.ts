// Owns when rates are taken: from the first look on, every so often, a little at a time.

import type { Context } from './context.ts';
import { TimeSlice, walked } from './time-slice.ts';

/** Takes samples until the broker stops. */
export function startSampling(context: Context): void {
  let busy = false;
  const free = (): void => {
    busy = false;
  };
  const round = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    await walked(context.view.snapshots.sample(), new TimeSlice(context.clock));
    free();
  };
  const take = (): void => context.guard.promise('sampling', round(), free);
  take();
  context.repeat(context.statisticsIntervalMs, take);
}
