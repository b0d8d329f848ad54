// Owns segments that come into a log from another one, while what refers to them does. Never copies their bytes.

import { noteStoredRow } from './recover-segments.ts';
import type { Segment } from './segment.ts';
import type { Sparse } from './sparse.ts';

/**
 * The segments of a log that came from another one. Each weighs a bit more than what refers to it until it is settled: nothing
 * that is let go of in the meantime frees it, though more may refer to it than is read back.
 */
export class ArrivingSegments {
  private readonly segments: Map<number, Segment>;
  private readonly sparse: Sparse;
  private readonly watch: (segment: Segment) => void;

  /** `watch`: looks at a segment, which may be free, or sparse. */
  constructor(segments: Map<number, Segment>, sparse: Sparse, watch: (segment: Segment) => void) {
    this.segments = segments;
    this.sparse = sparse;
    this.watch = watch;
  }

  /** A row of one, by its key, is put into the store. */
  put(key: Buffer): void {
    const { segments } = this;
    const before = segments.size;
    const id = noteStoredRow(segments, this.sparse, key);
    if (segments.size > before) segments.get(id)?.retain(0);
  }

  /** All that refers to one is durable and read back, or never comes. */
  settle(id: number): void {
    const segment = this.segments.get(id);
    // Of those that were to come not all did.
    if (segment === undefined) return;
    segment.settledWeight += 1;
    this.watch(segment);
  }
}
