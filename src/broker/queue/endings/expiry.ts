// Owns finding out which messages of a queue's lanes have expired, and when the next will. Never drops
// one: endings.ts does.

import { LANE_SEQS, type Lane } from '../messages/lane.ts';
import type { QueueMessages } from '../messages/queue-messages.ts';

/** Where a message is that has expired: its lane, and its seq there, or HEAD. */
export interface ExpiredPlace {
  readonly lane: Lane;
  readonly inner: number;
}

/** The head of a lane, whatever its seq. */
export const HEAD = -1;

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

/**
 * Where groups decide what goes out next, that may have expired behind a head that has not. Null: it has not. One that
 * cannot be read is taken out first, by `failed`.
 */
export function expiredNext(
  messages: QueueMessages,
  ttlMs: number,
  nowMs: number,
  failed: (place: ExpiredPlace, error: unknown) => void,
): ExpiredPlace | null {
  for (let seq = messages.nextInGroups(); seq >= 0; seq = messages.nextInGroups()) {
    const place = { lane: messages.laneSet.of(seq), inner: seq % LANE_SEQS };
    if (!place.lane.mayExpire(ttlMs)) return null;
    try {
      return place.lane.expiryOf(place.inner, ttlMs) <= nowMs ? place : null;
    } catch (error) {
      failed(place, error);
    }
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
    const head = lane.findHead();
    if (head < 0) break;
    try {
      return lane.expiryOf(head, ttlMs);
    } catch (error) {
      failed(lane, error);
    }
  }
  return Infinity;
}
