// Owns which segments have become sparse: much of what a store holds of them is needed no more.
// Never compacts them: broker/core/compaction.ts does.

import type { Segment } from './segment.ts';

/** A segment is sparse once this part of what is stored of it, or less, is still needed. */
const SPARSE_PART = 0.6;
/** Sparse segments may take so much of the disk, and this part of all that is stored. */
const SPARSE_BYTES = 24 * 2 ** 20;
const SPARSE_OF_ALL = 1 / 8;

/** The sparse segments of both logs. */
export class Sparse {
  /** Bytes of the rows of all segments, sparse or not. */
  storedBytes = 0;
  /** How much sparse segments may take before it is worth the work. */
  bytesMin = SPARSE_BYTES;
  private readonly segments = new Map<Segment, number>();
  private bytes = 0;

  /** Whether there are so many that compacting them is worth while. */
  get many(): boolean {
    return this.bytes > this.bytesMin + this.storedBytes * SPARSE_OF_ALL;
  }

  add(segment: Segment): void {
    if (segment.sparse) return;
    segment.sparse = true;
    this.segments.set(segment, segment.end);
    this.bytes += segment.end;
  }

  remove(segment: Segment): void {
    if (!segment.sparse) return;
    segment.sparse = false;
    this.bytes -= this.segments.get(segment) as number;
    this.segments.delete(segment);
  }

  /** The sparse segments, the one that became so first first. */
  [Symbol.iterator](): Iterator<Segment> {
    return this.segments.keys();
  }
}

/** The `settledWeight` from which on a closed segment is sparse. */
export function settledWhenSparse(segment: Segment): number {
  const { placedWeight, persistent, storedBytes, recordBytes, end } = segment;
  // What lies in memory only takes the whole buffer, however little of it is needed.
  if (!persistent && storedBytes === 0) return placedWeight;
  const content = storedBytes === 0 ? end : storedBytes;
  const needed = Math.min(1, (SPARSE_PART * content) / recordBytes);
  return Math.max(0, Math.ceil(placedWeight * (1 - needed)));
}
