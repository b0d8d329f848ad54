// Owns the two logs that hold every message's bytes, one kept by the store and one in memory only:
// where a record goes, when its segment may go, what a batch must write. Never knows queues.

import type { Store } from '../store/port.ts';
import { TABLE_SEGMENTS } from '../store/tables.ts';
import { assert } from '../util/assert.ts';
import { copyBytes, viewOf } from '../util/bytes.ts';
import type { Chunk } from './chunk.ts';
import { positionOf, SEGMENT_SPAN, Segment } from './segment.ts';
import {
  endOfKey,
  putSegmentRows,
  readSegment,
  segmentIdOfKey,
  segmentKeys,
} from './segment-rows.ts';

/** Buffers of SEGMENT_SPAN bytes kept for reuse: fresh memory costs a page fault every 4 KiB. */
const POOL_BUFFERS_MAX = 64;
/** A record beyond this size gets a segment of its own. */
const SHARED_RECORD_BYTES_MAX = SEGMENT_SPAN / 4;

/** Segments whose bytes a batch under way still reads. */
interface SealedSegments {
  readonly batch: number;
  readonly segments: Segment[];
}

/**
 * The message log. A record is placed once, whatever the number of queues it goes to; each queue
 * entry counts as one reference to its segment, and a segment without references is gone.
 */
export class MessageLog {
  /** The segment of the record placed last; whoever places a record adds its references here. */
  placed: Segment;
  /** Persistent bytes not yet handed to the store, those of dropped messages included. */
  unsealedBytes = 0;
  private readonly store: Store;
  private readonly residentBytesMax: number;
  private readonly segments = new Map<number, Segment>();
  private readonly pool: Buffer[] = [];
  private found: Segment;
  private nextId = 1;
  private transientTail: Segment;
  private persistentTail: Segment;
  private unsealed: Segment[] = [];
  private readonly underWay: SealedSegments[] = [];
  private resident: Segment[] = [];
  private residentBytes = 0;

  /**
   * `residentBytesMax` bounds the persistent segments kept in memory beside the store. Reads back
   * which segments the store holds.
   */
  constructor(store: Store, residentBytesMax: number) {
    this.store = store;
    this.residentBytesMax = residentBytesMax;
    this.recover();
    this.transientTail = this.openShared(false);
    this.persistentTail = this.openShared(true);
    this.found = this.transientTail;
    this.placed = this.transientTail;
  }

  /** Makes known the segments that the store holds; their bytes stay there until they are needed. */
  private recover(): void {
    for (const key of segmentKeys(this.store)) {
      const id = segmentIdOfKey(key);
      let segment = this.segments.get(id);
      if (segment === undefined) {
        segment = new Segment(id, true, null, false);
        segment.open = false;
        this.segments.set(id, segment);
      }
      segment.storedKeys.push(key);
      segment.end = Math.max(segment.end, endOfKey(key));
      segment.sealedEnd = segment.end;
      this.nextId = Math.max(this.nextId, id + 1);
    }
  }

  /** After recovery: removes segments that no queue refers to. */
  dropUnreferenced(): void {
    for (const segment of [...this.segments.values()]) {
      if (segment.refs === 0 && !segment.open) this.free(segment);
    }
  }

  /**
   * Places the record at `start` to `end` of a chunk and returns its position. The chunk's buffer
   * becomes a segment itself where it may; else the record is copied. The caller adds references
   * to `placed` before the turn ends.
   */
  place(chunk: Chunk, start: number, end: number, persistent: boolean): number {
    chunk.recordBytes += end - start;
    let segment = chunk.segment;
    if (segment === null && chunk.adoptable) {
      segment = new Segment(this.nextId++, persistent, chunk.bytes, false);
      segment.sealedEnd = start;
      this.segments.set(segment.id, segment);
      chunk.segment = segment;
    }
    if (segment !== null && segment.persistent === persistent) {
      segment.end = end;
      if (persistent) this.list(segment, end - start);
      this.placed = segment;
      return positionOf(segment.id, start);
    }
    if (chunk.single && end > SHARED_RECORD_BYTES_MAX) {
      return this.take(chunk.bytes, chunk.parts, end, persistent);
    }
    return this.append(chunk.bytes, chunk.view, start, end - start, persistent);
  }

  /** Copies a record into the log and returns its position. References are added as for `place`. */
  append(
    source: Buffer,
    sourceView: DataView,
    start: number,
    length: number,
    persistent: boolean,
  ): number {
    let segment = persistent ? this.persistentTail : this.transientTail;
    if (length > SHARED_RECORD_BYTES_MAX) {
      const own = Buffer.allocUnsafeSlow(length);
      source.copy(own, 0, start, start + length);
      return this.take(own, null, length, persistent);
    }
    if (segment.end + length > SEGMENT_SPAN) {
      segment = this.openShared(persistent);
      this.closeSegment(persistent ? this.persistentTail : this.transientTail);
      if (persistent) this.persistentTail = segment;
      else this.transientTail = segment;
    }
    const at = segment.end;
    assert(segment.bytes !== null && segment.view !== null, 'an open segment is in memory');
    copyBytes(source, sourceView, start, segment.bytes, segment.view, at, length);
    segment.end = at + length;
    if (persistent) this.list(segment, length);
    this.placed = segment;
    return positionOf(segment.id, at);
  }

  /** Makes one record, in a buffer and perhaps more parts, a segment; returns its position. */
  private take(
    record: Buffer,
    parts: readonly Buffer[] | null,
    end: number,
    persistent: boolean,
  ): number {
    const segment = new Segment(this.nextId++, persistent, record, false);
    segment.parts = parts;
    segment.end = end;
    segment.open = false;
    this.segments.set(segment.id, segment);
    if (persistent) {
      this.list(segment, end);
      this.enterResident(segment);
    }
    this.placed = segment;
    return positionOf(segment.id, 0);
  }

  /** Ends the use of a chunk: no more records will be placed in it. */
  release(chunk: Chunk): void {
    const segment = chunk.segment;
    if (segment !== null) {
      this.closeSegment(segment);
      if (segment.persistent) this.enterResident(segment);
    }
    chunk.unload();
  }

  /** The segment of a position, which the caller holds a reference to; its bytes may be away. */
  segmentOf(position: number): Segment {
    const id = Math.floor(position / SEGMENT_SPAN);
    if (this.found.id === id) return this.found;
    const segment = this.segments.get(id);
    assert(segment !== undefined, 'a position that a queue holds lies in a known segment');
    this.found = segment;
    return segment;
  }

  /** As `segmentOf`, with the bytes in memory; throws CorruptRecordError when they are damaged. */
  readable(position: number): Segment {
    const segment = this.segmentOf(position);
    if (segment.bytes === null) this.load(segment);
    return segment;
  }

  /** Adds a reference to the segment of a recovered position; false when the store lacks it. */
  recoverRef(position: number): boolean {
    const segment = this.segments.get(Math.floor(position / SEGMENT_SPAN));
    if (segment === undefined || position - positionOf(segment.id, 0) >= segment.end) return false;
    segment.refs += 1;
    return true;
  }

  /** The bytes around a record and its offset in them, to be used within this turn. */
  read(position: number): { bytes: Buffer; view: DataView; offset: number } {
    const segment = this.readable(position);
    if (segment.parts !== null) joinParts(segment);
    const { id, bytes, view } = segment;
    assert(bytes !== null && view !== null, 'a readable segment is in memory');
    return { bytes, view, offset: position - positionOf(id, 0) };
  }

  /** Takes one reference off a segment; the last one frees it, in memory and in the store. */
  unref(segment: Segment): void {
    segment.refs -= 1;
    if (segment.refs === 0 && !segment.open) this.free(segment);
  }

  /** Adds to the store's batch what was placed since the last call and is still needed. */
  sealInto(): void {
    this.unsealedBytes = 0;
    if (this.unsealed.length === 0) return;
    const written: Segment[] = [];
    for (const segment of this.unsealed) {
      segment.listed = false;
      if (segment.refs > 0 && segment.bytes !== null) {
        this.putRows(segment, segment.bytes);
        segment.sealedBatch = this.store.batch;
        segment.pins += 1;
        written.push(segment);
      }
      segment.sealedEnd = segment.end;
    }
    this.unsealed.length = 0;
    if (written.length > 0) this.underWay.push({ batch: this.store.batch, segments: written });
  }

  private putRows(segment: Segment, bytes: Buffer): void {
    const { id, sealedEnd, end, storedKeys, parts } = segment;
    if (parts === null) {
      putSegmentRows(this.store, id, bytes, sealedEnd, end, 0, storedKeys);
      return;
    }
    putSegmentRows(this.store, id, bytes, 0, bytes.length, 0, storedKeys);
    let offset = bytes.length;
    for (const part of parts) {
      putSegmentRows(this.store, id, part, 0, part.length, offset, storedKeys);
      offset += part.length;
    }
  }

  /** Told that all batches up to `batch` are durable: their segments' bytes may leave memory. */
  durable(batch: number): void {
    while (this.underWay.length > 0 && this.underWay[0]!.batch <= batch) {
      for (const segment of this.underWay.shift()!.segments) this.unpin(segment);
    }
    if (this.residentBytes > this.residentBytesMax) this.evict(batch);
  }

  /** Ends the use of a segment's bytes that `segment.pins += 1` announced. */
  unpin(segment: Segment): void {
    segment.pins -= 1;
    if (segment.pins === 0 && segment.refs === 0 && !segment.open) this.recycle(segment);
  }

  /** Notes that a segment has so many bytes more to hand to the store. */
  private list(segment: Segment, bytes: number): void {
    this.unsealedBytes += bytes;
    if (segment.listed) return;
    segment.listed = true;
    this.unsealed.push(segment);
  }

  private openShared(persistent: boolean): Segment {
    const bytes = this.pool.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_SPAN);
    const segment = new Segment(this.nextId++, persistent, bytes, true);
    this.segments.set(segment.id, segment);
    if (persistent) this.enterResident(segment);
    return segment;
  }

  private closeSegment(segment: Segment): void {
    segment.open = false;
    if (segment.refs === 0) this.free(segment);
  }

  private free(segment: Segment): void {
    this.segments.delete(segment.id);
    for (const key of segment.storedKeys) this.store.remove(TABLE_SEGMENTS, key);
    segment.storedKeys.length = 0;
    if (segment.pins === 0) this.recycle(segment);
  }

  /** Puts the buffer of a segment that is gone back into the pool. */
  private recycle(segment: Segment): void {
    if (segment.bytes === null) return;
    // One that was read back from the store is only as long as what it held.
    const whole = segment.pooled && segment.bytes.length === SEGMENT_SPAN;
    if (whole && this.pool.length < POOL_BUFFERS_MAX) this.pool.push(segment.bytes);
    segment.bytes = null;
    segment.view = null;
    segment.parts = null;
  }

  private enterResident(segment: Segment): void {
    this.resident.push(segment);
    this.residentBytes += bytesOf(segment);
  }

  private load(segment: Segment): void {
    segment.bytes = readSegment(this.store, segment.storedKeys, segment.end);
    segment.view = viewOf(segment.bytes);
    this.enterResident(segment);
  }

  /**
   * Lets the oldest segments leave memory that the store holds wholly. The sum is made anew here
   * rather than kept right at every release.
   */
  private evict(durableBatch: number): void {
    let bytesNow = 0;
    for (const segment of this.resident) bytesNow += bytesOf(segment);
    const kept: Segment[] = [];
    for (const segment of this.resident) {
      if (segment.bytes === null) continue;
      const stored = segment.sealedEnd === segment.end && segment.sealedBatch <= durableBatch;
      const away = bytesNow > this.residentBytesMax / 2 && stored && segment.storedKeys.length > 0;
      if (away && !segment.open && segment.pins === 0) {
        bytesNow -= bytesOf(segment);
        this.recycle(segment);
      } else {
        kept.push(segment);
      }
    }
    this.resident = kept;
    this.residentBytes = bytesNow;
  }
}

/** How much memory a segment's content takes. */
function bytesOf(segment: Segment): number {
  if (segment.bytes === null) return 0;
  return segment.parts === null ? segment.bytes.length : segment.end;
}

/** Puts the parts of a large record into one buffer, for who wants to read it as a whole. */
function joinParts(segment: Segment): void {
  segment.bytes = Buffer.concat([segment.bytes as Buffer, ...(segment.parts as Buffer[])]);
  segment.view = viewOf(segment.bytes);
  segment.parts = null;
}
