// Owns finding out which messages of a queue's lanes have expired, and when the next will. Never drops
// one: endings.ts does.

import type { Lane } from '../messages/lane.ts';

/** Told that the head of a lane cannot be looked at, and why; it takes the message out. */
export type LookFailed = (lane: Lane, error: unknown) => void;

/** A lane whose head had to be delivered by `nowMs`, given the queue's own time to live; null: none. */
export function expiredLane(
  lanes: readonly Lane[],
  ttlMs: number,
  nowMs: number,
  failed: LookFailed,
): Lane | null {
  for (const lane of lanes) {
    if (lane.mayExpire(ttlMs) && headExpiryMs(lane, ttlMs, failed) <= nowMs) return lane;
  }
  return null;
}

/** When the next head of a lane expires, ms since the Unix epoch; Infinity: none will. */
export function nextExpiryMs(lanes: readonly Lane[], ttlMs: number, failed: LookFailed): number {
  let dueMs = Infinity;
  for (const lane of lanes) {
    if (lane.mayExpire(ttlMs)) dueMs = Math.min(dueMs, headExpiryMs(lane, ttlMs, failed));
  }
  return dueMs;
}

/** When the head of a lane expires, or Infinity. A head that cannot be read is taken out first. */
function headExpiryMs(lane: Lane, ttlMs: number, failed: LookFailed): number {
  while (lane.mayExpire(ttlMs)) {
    // Pages are the queue's, and no single message's: what fails with them is not caught.
    const head = lane.findHead();
    try {
      return lane.expiryOf(head, ttlMs);
    } catch (error) {
      failed(lane, error);
    }
  }
  return Infinity;
}
