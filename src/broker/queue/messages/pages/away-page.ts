// Owns what is known in memory of a page that the store alone has: enough to do without it, should its row be found
// damaged. Never reads one.

import { ENTRY_EXPIRES, isSettled, PAGE_ENTRIES, type Page } from './page.ts';

/** Says which entries of a page are ready: others that are there are out for delivery. */
export interface ReadyEntries {
  /** How often all that was ready was purged. */
  readonly purges: number;
  isReady(seq: number): boolean;
}

/** A page that left memory. Nothing of it changes before it is read again. */
export class AwayPage {
  /** Entries that are there, and the bytes of their bodies. */
  readonly live: number;
  readonly bodyBytes: number;
  /** Those of them that are ready. */
  readonly ready: number;
  readonly readyBytes: number;
  /** Those with a time to live of their own. */
  readonly expiring: number;
  /** How often the lane had been purged before. */
  readonly purges: number;
  /** In a queue with groups, by slot, the groups of those that are out; null: there are none. */
  readonly outGroups: ReadonlyMap<number, number> | null;

  constructor(page: Page, lane: ReadyEntries) {
    const outGroups = new Map<number, number>();
    let [live, bodyBytes, ready, readyBytes, expiring] = [0, 0, 0, 0, 0];
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const bytes = page.bodyBytes[slot] as number;
      live += 1;
      bodyBytes += bytes;
      if (((page.states[slot] as number) & ENTRY_EXPIRES) !== 0) expiring += 1;
      if (lane.isReady(page.number * PAGE_ENTRIES + slot)) {
        ready += 1;
        readyBytes += bytes;
      } else if (page.groups !== null) outGroups.set(slot, page.groups[slot] as number);
    }
    this.live = live;
    this.purges = lane.purges;
    this.bodyBytes = bodyBytes;
    this.ready = ready;
    this.readyBytes = readyBytes;
    this.expiring = expiring;
    this.outGroups = outGroups.size === 0 ? null : outGroups;
  }
}
