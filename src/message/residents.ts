// Owns which segments of one log are in memory though a store may have them, and which of them leave
// when they are too many. Never reads or writes a store.

import type { Segment } from './segment.ts';

/** By what part of the limit the sum must have grown before it is looked at again. */
const STEP_PART = 8;

/** The segments of one log that are in memory, the oldest first. */
export class Residents {
  /** What they may take together. */
  bytesMax: number;
  private list: Segment[] = [];
  private bytes = 0;
  /** The sum that brings the next look. */
  private lookBytes: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
    this.lookBytes = bytesMax;
  }

  /** Notes a segment whose bytes are in memory and grow no more. */
  enter(segment: Segment): void {
    this.list.push(segment);
    this.bytes += segment.residentBytes;
  }

  /** Whether it is time to let some leave. */
  get crowded(): boolean {
    return this.bytes > Math.min(this.lookBytes, this.bytesMax * 2);
  }

  /**
   * Lets the oldest leave, by `release`, until half of the limit is left. Those leave that `stored`
   * says a store holds wholly and nobody reads. Returns the oldest that should leave too, but are
   * not stored yet. The sum is made anew here rather than kept right at every release.
   */
  thin(stored: (segment: Segment) => boolean, release: (segment: Segment) => void): Segment[] {
    const there = this.list.filter((segment) => segment.bytes !== null);
    let bytesNow = 0;
    for (const segment of there) bytesNow += segment.residentBytes;
    let bytesWanted = bytesNow;
    const kept: Segment[] = [];
    const unstored: Segment[] = [];
    for (const segment of there) {
      const bytes = segment.residentBytes;
      const excess = bytesWanted > this.bytesMax / 2;
      if (excess && !segment.open && segment.pins === 0) {
        bytesWanted -= bytes;
        if (stored(segment)) {
          bytesNow -= bytes;
          release(segment);
          continue;
        }
        unstored.push(segment);
      }
      kept.push(segment);
    }
    this.list = kept;
    this.bytes = bytesNow;
    this.lookBytes = Math.max(this.bytesMax, bytesNow + this.bytesMax / STEP_PART);
    return unstored;
  }
}
