// Owns what a stream lets go of: whole pages from the head, as far as its limits say so. Never forgets more than that.

import type { StreamRules } from '../stream-rules.ts';
import type { StreamEntries } from './stream-entries.ts';

/** So many pages go with one batch. */
const PAGES_PER_BATCH = 128;

/** Lets go of pages that are too old, or too much; returns whether more is to go. `nowMs` is the broker's time. */
export function dropSome(entries: StreamEntries, limits: StreamRules, nowMs: number): boolean {
  for (let pages = 0; pages < PAGES_PER_BATCH; pages++) {
    if (entries.count === 0 || !isOver(entries, limits, nowMs)) return false;
    entries.dropHead();
  }
  return entries.count > 0 && isOver(entries, limits, nowMs);
}

/** Whether the first page has to go: what is behind it is as much as may be, or all in it is too old. */
function isOver(entries: StreamEntries, limits: StreamRules, nowMs: number): boolean {
  const { maxAgeMs, lengthMax, lengthBytesMax } = limits;
  if (entries.count > lengthMax || entries.bodyBytes > lengthBytesMax) {
    const { count, bodyBytes } = entries.head;
    if (entries.count - count >= lengthMax || entries.bodyBytes - bodyBytes >= lengthBytesMax)
      return true;
  }
  return maxAgeMs !== Infinity && entries.headLastMs + maxAgeMs <= nowMs;
}

/** When the first page will be too old, by the broker's time, ms; Infinity: never, as things are. */
export function nextDropMs(entries: StreamEntries, { maxAgeMs }: StreamRules): number {
  return maxAgeMs === Infinity ? Infinity : entries.headLastMs + maxAgeMs;
}
