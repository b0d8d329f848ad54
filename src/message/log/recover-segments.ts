// Owns making known which segments of the log a store holds, at a start or as they come from another one. Never reads
// their bytes: they stay there until they are needed.

import type { Store } from '../../store/port.ts';
import { Segment } from './segment.ts';
import { countSegmentRow, isSegmentKey, segmentIdOfKey, segmentKeys } from './segment-rows.ts';
import type { Sparse } from './sparse.ts';

/** Fills in the segments that the store holds; returns an id above those of all. */
export function recoverSegments(
  store: Store,
  segments: Map<number, Segment>,
  sparse: Sparse,
): number {
  let nextId = 1;
  for (const key of segmentKeys(store)) {
    // What such a row held is missed where a record of it is wanted; a check names the row.
    if (!isSegmentKey(key)) continue;
    nextId = Math.max(nextId, noteStoredRow(segments, sparse, key) + 1);
  }
  return nextId;
}

/** Takes note of a row that the store holds, by its key; returns the id of its segment. */
export function noteStoredRow(segments: Map<number, Segment>, sparse: Sparse, key: Buffer): number {
  const id = segmentIdOfKey(key);
  let segment = segments.get(id);
  if (segment === undefined) {
    segment = new Segment(id, true, null, false);
    segment.open = false;
    segment.rows = null;
    segments.set(id, segment);
  }
  const before = segment.storedBytes;
  countSegmentRow(segment, key);
  sparse.storedBytes += segment.storedBytes - before;
  segment.sealedEnd = segment.end;
  return id;
}
