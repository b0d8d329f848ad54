// Owns waiting for turns of the event loop to be over, and for a little time. Never knows for what.

import { systemClock } from '../util/clock.ts';
import { setImmediate } from '../util/system/runtime.ts';
import { PreciseTimer } from '../util/timers.ts';

/** So that what is read in one turn is handled, and what that leads to is done. */
const TURNS = 3;

/** Resolves when the turns to come have read what is there, and acted on it. */
export async function turnsOver(turns = TURNS): Promise<void> {
  for (let n = 0; n < turns; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Resolves after some milliseconds of real time; does not keep the process alive. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => new PreciseTimer(resolve).set(ms));
}

/** Looks until something holds, a turn or a millisecond apart; false: it did not within that real time. */
export async function untilHolds(holds: () => boolean, timeoutMs: number): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + timeoutMs;
  for (let looks = 0; !holds(); looks++) {
    if (systemClock.monotonicMs() >= endMs) return false;
    if (looks < TURNS) await turnsOver(1);
    else await realTime(1);
  }
  return true;
}
