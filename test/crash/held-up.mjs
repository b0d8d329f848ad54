// Knows how late a process of the crash test may be: what it reads now was not there yet at an earlier time. Never judges.
import { now } from './client.mjs';

/** A turn that took longer was held up, by a machine that is too busy. */
const HELD_UP_US = 200_000;

/**
 * The turn of the event loop before the last: what is read now was not there yet at that time. What has come while this
 * was held up is read in several turns: as long again it stays the one of before.
 */
let [turnBefore, lastTurn, heldUpUntil] = [now(), now(), 0];
setInterval(() => {
  const time = now();
  if (time - lastTurn > HELD_UP_US) heldUpUntil = time + (time - lastTurn);
  if (time >= heldUpUntil) turnBefore = lastTurn;
  lastTurn = time;
}, 5);

/** What is read now was not there yet at this time. */
export function notThereBefore() {
  return turnBefore;
}
