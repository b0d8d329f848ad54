// Owns looking at the messages of a queue where they stand, ready ones and unacked ones, a page at a time. Never takes
// one out.

import { type Lane, seqInQueue } from './lane.ts';
import type { PositionVisitor } from './pages/lane-pages.ts';
import { PAGE_ENTRIES } from './pages/page.ts';
import { LANE_PAGES } from './queue-rows.ts';

/** A message that was looked at where it stands. */
export interface BrowsedEntry {
  readonly lane: Lane;
  /** Its seq within the lane, and within the queue. */
  readonly inner: number;
  readonly seq: number;
  readonly position: number;
  readonly bodyBytes: number;
  /** Whether it is ready, and not out for delivery. */
  readonly ready: boolean;
}

/**
 * Visits the messages of one page of these lanes, ready ones and unacked ones, from a cursor on: where each lies
 * in the log, and how large its body is. Returns the cursor to go on with, in this turn or a later
 * one, or -1 at the end; the first is 0. A message that is there from before the first call until
 * after the last is visited, whatever else happens to the queue in between; what was purged is not.
 */
export function visitPage(lanes: readonly Lane[], cursor: number, visit: PositionVisitor): number {
  const from = Math.floor(cursor / LANE_PAGES);
  const left = lanes.filter(({ number }) => number >= from);
  left.sort((a, b) => a.number - b.number);
  for (const { number, entries } of left) {
    const next = entries.visitPage(number === from ? cursor % LANE_PAGES : 0, visit);
    if (next >= 0) return number * LANE_PAGES + next;
  }
  return -1;
}

/** Visits what is there from a cursor of `visitPage` on, and also says of each what it is. */
export function browsePage(
  lanes: readonly Lane[],
  cursor: number,
  visit: (browsed: BrowsedEntry) => void,
): number {
  const found: { position: number; bodyBytes: number; slot: number }[] = [];
  const next = visitPage(lanes, cursor, (position, bodyBytes, slot) =>
    found.push({ position, bodyBytes, slot }),
  );
  if (next < 0) return -1;
  // What `next` goes on with is the page behind the one that was visited.
  const page = next - 1;
  const laneNumber = Math.floor(page / LANE_PAGES);
  const lane = lanes.find(({ number }) => number === laneNumber) as Lane;
  for (const { slot, ...entry } of found) {
    const inner = (page % LANE_PAGES) * PAGE_ENTRIES + slot;
    visit({ ...entry, lane, inner, seq: seqInQueue(lane, inner), ready: lane.isReady(inner) });
  }
  return next;
}

/** The messages that recovery found in these lanes, and that the log lacks; asked for once. */
export function takeLost(lanes: readonly Lane[]): BrowsedEntry[] {
  return lanes.flatMap((lane) => {
    const lost = lane.entries.lost.map((inner): BrowsedEntry => {
      const { entries } = lane;
      const [position, bodyBytes] = [entries.positionOf(inner), entries.bodyBytesOf(inner)];
      return { lane, inner, seq: seqInQueue(lane, inner), position, bodyBytes, ready: true };
    });
    lane.entries.lost = [];
    return lost;
  });
}
