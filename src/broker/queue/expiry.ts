// Owns finding out which messages of a queue's lanes have expired, and when the next will. Never drops
// one: queue.ts does.

import type { Lane } from './lane.ts';

/** A lane whose head had to be delivered by `nowMs`, given the queue's own time to live; null: none. */
export function expiredLane(lanes: readonly Lane[], ttlMs: number, nowMs: number): Lane | null {
  for (const lane of lanes) {
    if (lane.mayExpire(ttlMs) && lane.expiryOf(lane.findHead(), ttlMs) <= nowMs) return lane;
  }
  return null;
}

/** When the next head of a lane expires, ms since the Unix epoch; Infinity: none will. */
export function nextExpiryMs(lanes: readonly Lane[], ttlMs: number): number {
  let dueMs = Infinity;
  for (const lane of lanes) {
    if (lane.mayExpire(ttlMs)) dueMs = Math.min(dueMs, lane.expiryOf(lane.findHead(), ttlMs));
  }
  return dueMs;
}
