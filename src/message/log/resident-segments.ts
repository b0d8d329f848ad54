// Owns which segments of one log are in memory, which of them its store has, and which leave when
// they are too many. Never writes to the store.

import type { Store } from '../../store/port.ts';
import { assert } from '../../util/assert.ts';
import { viewOf } from '../../util/bytes.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Segment } from './segment.ts';
import { readSegment } from './segment-rows.ts';
import type { SegmentBytes, StoredBytes } from './stored-ranges.ts';

/** By what part of the limit the sum must have grown before it is looked at again. */
const STEP_PART = 8;

/** So many may be listed before those that are gone are looked for. */
const LISTED_MIN = 1024;

/** The segments of one log, between memory and its store. */
export class ResidentSegments {
  /** What those in memory may take together. */
  bytesMax: number;
  /** Where segments go beyond that; null while nothing was handed to it. */
  store: Store | null;
  /** The newest batch of the store that can be read. */
  readableBatch = 0;
  /** The closed ones in memory, the oldest first, and some that are gone meanwhile. */
  private list: Segment[] = [];
  /** How long the list gets before the ones that are gone are taken out. */
  private listedMax = LISTED_MIN;
  private bytes = 0;
  /** The sum that brings the next look. */
  private lookBytes: number;

  constructor(bytesMax: number, store: Store | null) {
    this.bytesMax = bytesMax;
    this.store = store;
    this.lookBytes = bytesMax;
  }

  /** Notes a segment whose bytes are in memory and grow no more. */
  enter(segment: Segment): void {
    this.list.push(segment);
    this.bytes += segment.residentBytes;
    // The sum may never bring a look: where there is no limit, or where all are small.
    if (this.list.length > this.listedMax) this.forgetGone();
  }

  /** How many are listed: at most twice as many as are in memory, and a thousand. */
  get listed(): number {
    return this.list.length;
  }

  /** Reads a segment that is away into memory, into a buffer of the pool where it fills one. Throws as `read`. */
  load(segment: Segment, pool: BufferPool): void {
    const fills = segment.end * 2 > pool.bytes && segment.end <= pool.bytes;
    const into = fills ? pool.take() : undefined;
    const read = this.read(segment, into);
    if (into !== undefined && read.pooled !== true) pool.give(into);
    this.put(segment, read);
  }

  /** Puts into memory what was away, or is to stay there for a while. */
  put(segment: Segment, { bytes, held, pooled }: SegmentBytes & Pick<StoredBytes, 'pooled'>): void {
    segment.pooled = pooled === true;
    segment.bytes = bytes;
    segment.view = viewOf(bytes);
    segment.held = held;
    this.enter(segment);
  }

  /** Reads a segment that is away; throws CorruptRecordError when it is damaged. `into`: as for `readSegment`. */
  read(segment: Segment, into?: Buffer): StoredBytes {
    assert(this.store !== null, 'a segment that left memory is in a store');
    return readSegment(this.store, segment, into);
  }

  /** Whether the store has a segment wholly, to be read now. */
  has(segment: Segment): boolean {
    const whole = segment.sealedEnd === segment.end && segment.storedBytes > 0;
    return whole && segment.sealedBatch <= this.readableBatch;
  }

  /** Whether it is time to let some leave. */
  get overLimit(): boolean {
    return this.bytes > this.lookBytes;
  }

  private forgetGone(): void {
    this.list = this.list.filter((segment) => segment.bytes !== null);
    this.bytes = this.list.reduce((sum, segment) => sum + segment.residentBytes, 0);
    this.listedMax = Math.max(LISTED_MIN, 2 * this.list.length);
  }

  /**
   * Lets the oldest leave, by `release`, until so much of the limit is left: segments that the store has and
   * no reader pins. Returns the oldest that should leave too, but that the store does not have yet. The sum
   * is made anew here, and not kept right at every release.
   */
  evict(release: (segment: Segment) => void, kept = 0.5): Segment[] {
    const there = this.list.filter((segment) => segment.bytes !== null);
    let bytesNow = 0;
    for (const segment of there) bytesNow += segment.residentBytes;
    let bytesWanted = bytesNow;
    const stay: Segment[] = [];
    const unstored: Segment[] = [];
    for (const segment of there) {
      if (bytesWanted > this.bytesMax * kept && segment.pins === 0) {
        const bytes = segment.residentBytes;
        bytesWanted -= bytes;
        if (this.has(segment)) {
          bytesNow -= bytes;
          segment.rows = null;
          release(segment);
          continue;
        }
        unstored.push(segment);
      }
      stay.push(segment);
    }
    this.list = stay;
    this.bytes = bytesNow;
    this.lookBytes = Math.max(this.bytesMax, bytesNow + this.bytesMax / STEP_PART);
    return unstored;
  }
}
