// Owns which segments have bytes that no batch of the store holds yet, and puts them into one. Never places a record.

import type { Store } from '../../store/port.ts';
import type { Segment } from './segment.ts';
import { putSegmentRows } from './segment-rows.ts';
import type { Sparse } from './sparse.ts';
import { putAll } from './spill.ts';

/** Segments whose bytes a batch of the store still reads. */
interface SealedSegments {
  readonly batch: number;
  readonly segments: Segment[];
}

/** Told which segments no batch reads any more. */
interface Unpinning {
  unpin(segment: Segment): void;
}

/** The segments of the stored log that the next batch has to have, and those that batches under way read. */
export class UnsealedSegments {
  /** Bytes not yet handed to the store, those of dropped messages included. */
  bytes = 0;
  private readonly store: Store;
  private readonly sparse: Sparse;
  private readonly owner: Unpinning;
  private readonly segments: Segment[] = [];
  private readonly underWay: SealedSegments[] = [];

  constructor(store: Store, sparse: Sparse, owner: Unpinning) {
    this.store = store;
    this.sparse = sparse;
    this.owner = owner;
  }

  /** Notes that a segment has so many bytes more to hand to the store. */
  add(segment: Segment, bytes: number): void {
    this.bytes += bytes;
    if (segment.listed) return;
    segment.listed = true;
    this.segments.push(segment);
  }

  /** Adds to the store's batch what was noted since the last call and is still needed. */
  sealInto(): void {
    this.bytes = 0;
    if (this.segments.length === 0) return;
    const written: Segment[] = [];
    for (const segment of this.segments) {
      segment.listed = false;
      if (segment.liveWeight > 0 && segment.bytes !== null) {
        const before = segment.storedBytes;
        putAll(segment, (part, start, end, offset) =>
          putSegmentRows(this.store, segment, part, start, end, offset),
        );
        this.sparse.storedBytes += segment.storedBytes - before;
        segment.sealedBatch = this.store.batch;
        segment.pins += 1;
        written.push(segment);
      }
      segment.sealedEnd = segment.end;
    }
    this.segments.length = 0;
    if (written.length > 0) this.underWay.push({ batch: this.store.batch, segments: written });
  }

  /** Told that no batch up to `batch` reads its buffers any more: unpins its segments. */
  unpinUpTo(batch: number): void {
    while (this.underWay.length > 0 && this.underWay[0]!.batch <= batch) {
      for (const segment of this.underWay.shift()!.segments) this.owner.unpin(segment);
    }
  }
}
