// Owns the two logs that hold every message's bytes, one kept by the store and one that need not last:
// where a record goes, when its segment may go, what a batch must write. Never knows queues.

import type { Store } from '../../store/port.ts';
import type { Scratch } from '../../store/scratch.ts';
import { assert } from '../../util/assert.ts';
import { copyBytes } from '../../util/bytes.ts';
import type { Chunk } from '../chunk.ts';
import { ArrivingSegments } from './arriving-segments.ts';
import { BufferPool } from './buffer-pool.ts';
import { recoverSegments } from './recover-segments.ts';
import { ResidentSegments } from './resident-segments.ts';
import { positionOf, SEGMENT_SPAN, Segment, weightOf } from './segment.ts';
import { checkHeld, packSegment, removeSegmentRows } from './segment-rows.ts';
import { Sparse, settledWhenSparse } from './sparse.ts';
import { Spill } from './spill.ts';
import type { SegmentBytes } from './stored-ranges.ts';
import { UnsealedSegments } from './unsealed-segments.ts';

/** A record beyond this size gets a segment of its own. */
const SHARED_RECORD_BYTES_MAX = SEGMENT_SPAN / 4;
/** What stays of the stored segments in memory when the oldest leave: so few go at a time that the pool has room for them. */
const STORED_KEPT = 15 / 16;
/** About what a record holds beside its body, for records that only their entries tell of. */
const RECORD_REST_BYTES = 64;
/** Positions are below 2^52, see page-row.ts. */
const SEGMENTS_MAX = 2 ** 52 / SEGMENT_SPAN;

/**
 * The message log. A record is placed once, whatever the number of queues it goes to; each queue
 * entry weighs on its segment, and a segment that none weighs on is gone.
 */
export class MessageLog {
  /** The segment of the record placed last; the caller of `place` says there how many queues hold it. */
  placed!: Segment;
  /** The segments that are worth compacting, of either log. */
  readonly sparse = new Sparse();
  private readonly stored: ResidentSegments;
  private readonly transient: ResidentSegments;
  /** Where transient segments go that memory is too small for; null: they stay. */
  readonly spill: Spill | null;
  private readonly segments = new Map<number, Segment>();
  /** Those that come from another log. */
  readonly arriving = new ArrivingSegments(this.segments, this.sparse, (segment) =>
    this.watch(segment),
  );
  private readonly pool = new BufferPool(SEGMENT_SPAN);
  private found!: Segment;
  private nextId = 1;
  private transientTail!: Segment;
  private persistentTail!: Segment;
  private readonly unsealed: UnsealedSegments;

  /**
   * `residentBytesMax` bounds the persistent segments that are in memory though the store has them too,
   * `transientBytesMax` the transient ones, which leave for `scratch` beyond it, or stay. Reads back which the store holds.
   */
  constructor(
    store: Store,
    residentBytesMax: number,
    transientBytesMax = residentBytesMax,
    scratch: Scratch | null = null,
  ) {
    this.stored = new ResidentSegments(residentBytesMax, store);
    this.transient = new ResidentSegments(scratch === null ? Infinity : transientBytesMax, null);
    this.spill = scratch === null ? null : new Spill(scratch, this.transient, this);
    this.unsealed = new UnsealedSegments(store, this.sparse, this);
    this.nextId = recoverSegments(store, this.segments, this.sparse);
    this.begin();
  }

  /** Opens the segments that records are copied to, behind all there are; those that are open are forgotten. */
  private begin(): void {
    for (const { id, open } of this.segments.values()) if (open) this.segments.delete(id);
    this.transientTail = this.openShared(false);
    this.persistentTail = this.openShared(true);
    this.found = this.transientTail;
    this.placed = this.transientTail;
  }

  /** Lets go of nothing that the store has by now: something that cannot be read may refer to it. */
  keepAll(): void {
    for (const segment of this.segments.values()) if (!segment.open) segment.keep();
  }

  /** After recovery: removes segments that nothing refers to. */
  dropUnreferenced(): void {
    for (const segment of [...this.segments.values()]) if (!segment.open) this.watch(segment);
  }

  /** Keeps numbers free for the segments from `first` on and before `end` of another log: by how much higher; -1: too many. */
  makeRoom(first: number, end: number): number {
    const shift = Math.max(0, this.nextId - first);
    if (end + shift > SEGMENTS_MAX) return -1;
    this.nextId = Math.max(this.nextId, end + shift);
    return shift;
  }

  /**
   * Places the record at `start` to `end` of a chunk and returns its position. The chunk's buffer
   * becomes a segment itself where it may; else the record is copied. The caller has `placed`
   * count its queues, by `addRefs`, before the turn ends.
   */
  place(chunk: Chunk, start: number, end: number, persistent: boolean): number {
    chunk.recordBytes += end - start;
    let { segment } = chunk;
    if (segment === null && chunk.adoptable) {
      segment = new Segment(this.nextId++, persistent, chunk.bytes, false);
      segment.sealedEnd = start;
      this.segments.set(segment.id, segment);
      chunk.segment = segment;
    }
    if (segment !== null && segment.persistent === persistent) {
      segment.end = end;
      segment.recordBytes += end - start;
      if (persistent) this.unsealed.add(segment, end - start);
      this.placed = segment;
      return positionOf(segment.id, start);
    }
    if (chunk.single && end > SHARED_RECORD_BYTES_MAX) {
      return this.take(chunk.bytes, chunk.parts, end, persistent);
    }
    return this.append(chunk.bytes, chunk.view, start, end - start, persistent);
  }

  /** Copies a record into the log and returns its position. The caller goes on as after `place`. */
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
      this.close(segment);
      segment = this.openShared(persistent);
      if (persistent) this.persistentTail = segment;
      else this.transientTail = segment;
    }
    const at = segment.end;
    assert(segment.bytes !== null && segment.view !== null, 'an open segment is in memory');
    copyBytes(source, sourceView, start, segment.bytes, segment.view, at, length);
    segment.end = at + length;
    segment.recordBytes += length;
    if (persistent) this.unsealed.add(segment, length);
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
    segment.recordBytes = end;
    segment.open = false;
    this.segments.set(segment.id, segment);
    if (persistent) this.unsealed.add(segment, end);
    this.residentsOf(segment).enter(segment);
    this.placed = segment;
    return positionOf(segment.id, 0);
  }

  /** Ends the use of a chunk: no more records will be placed in it. */
  release(chunk: Chunk): void {
    if (chunk.segment !== null) this.close(chunk.segment);
    chunk.unload();
  }

  /** The segment of a position that is held; its bytes may be away. Where a row kept quiet of it, one that stands for it. */
  segmentOf(position: number): Segment {
    const id = Math.floor(position / SEGMENT_SPAN);
    if (this.found.id === id) return this.found;
    const segment = this.segments.get(id) ?? this.recovered(id);
    this.found = segment;
    return segment;
  }

  /** As `segmentOf`, with its bytes in memory; throws CorruptRecordError where the record is damaged, or not all there. */
  readable(position: number): Segment {
    const segment = this.segmentOf(position);
    if (segment.bytes === null) {
      this.residentsOf(segment).load(segment, this.pool);
    }
    if (segment.held !== null) checkHeld(segment, position, segment as SegmentBytes);
    return segment;
  }

  /** The bytes of a segment for one look at the record at a position; one that is away stays away. Throws as `readable`. */
  peek(position: number): Buffer {
    const segment = this.segmentOf(position);
    const read = this.bytesOf(segment);
    checkHeld(segment, position, read);
    return read.bytes;
  }

  /** The same where the segment is in memory, for looks at very many records; null: it is away. */
  peekResident(position: number): Buffer | null {
    return this.segmentOf(position).bytes === null ? null : this.peek(position);
  }

  /** Holds a recovered record for one queue; false when the store lacks it. */
  recoverRef(position: number, bodyBytes: number): boolean {
    const segment = this.segments.get(Math.floor(position / SEGMENT_SPAN));
    if (segment === undefined || position - positionOf(segment.id, 0) >= segment.end) return false;
    segment.addRefs(1, bodyBytes);
    segment.needs(bodyBytes + RECORD_REST_BYTES);
    return true;
  }

  /** The same for a record that the store may lack: then reading it fails, and nothing else. */
  recoverHeld(position: number, bodyBytes: number): void {
    if (this.recoverRef(position, bodyBytes)) return;
    this.recovered(Math.floor(position / SEGMENT_SPAN)).addRefs(1, bodyBytes);
  }

  /** Holds what many entries together weigh in one segment, of which they need about so many bytes; see `recoverHeld`. */
  recoverShare(id: number, weight: number, bytes: number): void {
    const segment = this.recovered(id);
    segment.addWeight(weight);
    segment.needs(bytes);
  }

  /** The segment that something names which is read back; where the store lacks it, one that stands for it. */
  private recovered(id: number): Segment {
    const known = this.segments.get(id);
    if (known !== undefined && !known.open) return known;
    this.nextId = Math.max(this.nextId, id + 1);
    // Nothing is placed yet: what comes must not be taken for what is lacking.
    if (known !== undefined) this.begin();
    const segment = new Segment(id, true, null, false);
    segment.open = false;
    this.segments.set(id, segment);
    return segment;
  }

  /** Holds a record once more than there are entries for it; `unref` ends that. */
  retain(position: number, bodyBytes: number): void {
    this.segmentOf(position).retain(bodyBytes);
  }

  /** The bytes around a record and its offset in them, to be used within this turn. */
  read(position: number): { bytes: Buffer; view: DataView; offset: number } {
    const segment = this.readable(position);
    if (segment.parts !== null) segment.join();
    const { id, bytes, view } = segment;
    assert(bytes !== null && view !== null, 'a readable segment is in memory');
    return { bytes, view, offset: position - positionOf(id, 0) };
  }

  /** One queue's entry for a record is gone; the last one frees the segment, wherever it lies. */
  unref(segment: Segment, bodyBytes: number): void {
    segment.settledWeight += weightOf(bodyBytes);
    if (segment.settledWeight >= segment.watchedWeight) this.watch(segment);
  }

  /** Persistent bytes not yet handed to the store, those of dropped messages included. */
  get unsealedBytes(): number {
    return this.unsealed.bytes;
  }

  /** Adds to the store's batch what was placed since the last call and is still needed. */
  sealInto(): void {
    this.unsealed.sealInto();
  }

  /** Told that all batches up to `batch` are durable: what they hold is found in the store. */
  durable(batch: number): void {
    this.stored.readableBatch = batch;
  }

  /** Told that the store reads no buffers of batches up to `batch` any more: their segments may leave memory. */
  unpinUpTo(batch: number): void {
    this.unsealed.unpinUpTo(batch);
    this.evictStored();
  }

  /** What is only read, as a stream is, brings no batch: so this is called each turn as well. */
  private evictStored(): void {
    if (this.stored.overLimit) this.stored.evict((segment) => this.recycle(segment), STORED_KEPT);
  }

  /** Lets segments leave memory where they are too many. Called once a turn. */
  maintain(): void {
    this.evictStored();
    const { spill, transient } = this;
    if (spill === null) return;
    if (transient.overLimit) spill.put(transient.evict((segment) => this.recycle(segment)));
    spill.commit();
  }

  /** Ends the use of a segment's bytes that `segment.pins += 1` announced. */
  unpin(segment: Segment): void {
    segment.pins -= 1;
    if (segment.pins === 0 && segment.liveWeight === 0 && !segment.open) this.recycle(segment);
  }

  /** Told that the scratch store is to have a transient segment. */
  handedOver(segment: Segment): void {
    this.sparse.storedBytes += segment.storedBytes;
    this.watch(segment);
  }

  /** Whether a segment of before is still there, and its store has it wholly. */
  isStored(segment: Segment): boolean {
    return this.segments.get(segment.id) === segment && this.residentsOf(segment).has(segment);
  }

  /** The bytes of a segment, read for this call alone if they are not in memory; `held` as there. */
  bytesOf(segment: Segment): SegmentBytes {
    return segment.bytes === null
      ? this.residentsOf(segment).read(segment)
      : (segment as SegmentBytes);
  }

  /**
   * Keeps of a stored segment some ranges of its `bytes`, given as offsets and lengths in turn, in the
   * batch being gathered. Positions stay as they are; what lies between will read as zeros.
   */
  pack(segment: Segment, read: SegmentBytes, ranges: readonly number[]): void {
    const residents = this.residentsOf(segment);
    const store = residents.store as Store;
    // Reads see durable batches only: until this one is, the bytes stay in memory.
    if (segment.bytes === null) residents.put(segment, read);
    this.sparse.storedBytes -= segment.storedBytes;
    packSegment(store, segment, read.bytes, ranges);
    this.sparse.storedBytes += segment.storedBytes;
    segment.sealedBatch = store.batch;
    this.reweigh(segment, segment.storedBytes);
  }

  /** Takes for granted that all entries which weigh on a segment need `neededBytes` of it. */
  reweigh(segment: Segment, neededBytes: number): void {
    this.sparse.remove(segment);
    segment.placedWeight = segment.liveWeight;
    segment.settledWeight = 0;
    segment.recordBytes = neededBytes;
    this.watch(segment);
  }

  /** Looks at a closed segment: it may be free, or sparse, and if neither is watched for that. */
  private watch(segment: Segment): void {
    const { placedWeight, settledWeight } = segment;
    const sparseAt = settledWhenSparse(segment);
    if (settledWeight === placedWeight) return this.free(segment);
    segment.watchedWeight = settledWeight < sparseAt ? sparseAt : placedWeight;
    if (settledWeight >= sparseAt && !segment.kept) this.sparse.add(segment);
  }

  private openShared(persistent: boolean): Segment {
    const segment = new Segment(this.nextId++, persistent, this.pool.take(), true);
    this.segments.set(segment.id, segment);
    return segment;
  }

  private close(segment: Segment): void {
    segment.open = false;
    this.watch(segment);
    if (segment.bytes !== null) this.residentsOf(segment).enter(segment);
  }

  private free(segment: Segment): void {
    this.segments.delete(segment.id);
    this.sparse.remove(segment);
    if (segment.storedBytes > 0) {
      this.sparse.storedBytes -= segment.storedBytes;
      removeSegmentRows(this.residentsOf(segment).store as Store, segment);
    }
    if (segment.pins === 0) this.recycle(segment);
  }

  /** Puts the buffer of a segment that is gone, or away, back into the pool. */
  private recycle(segment: Segment): void {
    if (segment.bytes === null) return;
    // One that was read back from the store is only as long as what it held.
    if (segment.pooled) this.pool.give(segment.bytes);
    segment.unload();
  }

  private residentsOf(segment: Segment): ResidentSegments {
    return segment.persistent ? this.stored : this.transient;
  }
}
