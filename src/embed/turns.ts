// Owns waiting for turns of the event loop to be over, and for a little time. Never knows for what.

import { setImmediate } from '../util/system/runtime.ts';
import { Alarm } from '../util/timers.ts';

/** So that what is read in one turn is handled, and what that leads to is done. */
const TURNS = 3;

/** Resolves when the turns to come have read what is there, and acted on it. */
export async function turnsOver(turns = TURNS): Promise<void> {
  for (let n = 0; n < turns; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Resolves after some milliseconds of real time; does not keep the process alive. */
export function realTime(ms: number): Promise<void> {
  return new Promise((resolve) => new Alarm(resolve).set(ms));
}
