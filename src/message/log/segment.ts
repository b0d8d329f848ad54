// Owns a range of the message log: its bytes, how much of it queue entries still need, and which
// parts of it a store holds. Never knows what a record means.

import { viewOf } from '../../util/bytes.ts';
import type { HeldRanges } from './stored-ranges.ts';

/**
 * Positions are `segment id x SEGMENT_SPAN + offset`, plain numbers below 2^53. A record that is
 * larger than this has a segment of its own and starts at its offset 0.
 */
export const SEGMENT_SPAN = 64 * 1024;

/** Body bytes that weigh as much as having a message at all: about what else a record holds. */
const WEIGHT_BYTES_SHIFT = 7;
/** More than any segment is ever settled by: a small integer, so that the field stays one. */
const NEVER = 0x3fff_ffff;

/** The position of a byte in the log. */
export function positionOf(segmentId: number, offset: number): number {
  return segmentId * SEGMENT_SPAN + offset;
}

/**
 * What one queue entry weighs in its segment. Entries are not counted but weighed, so that a segment
 * tells how many of its bytes are still needed, be its messages large or small.
 */
export function weightOf(bodyBytes: number): number {
  return 1 + (bodyBytes >>> WEIGHT_BYTES_SHIFT);
}

/** One range of the log. All fields are read on the hot path; only this folder changes them. */
export class Segment {
  readonly id: number;
  /** Whether it belongs to the log that the store keeps. */
  readonly persistent: boolean;
  /** The content, or null while only a store has it. */
  bytes: Buffer | null;
  view: DataView | null;
  /** What comes behind `bytes`, for the segment of one large record: its body as it was read. */
  parts: readonly Buffer[] | null = null;
  /** Where `bytes` came from a store: what of them it had. Null: all of them are as they were placed. */
  held: HeldRanges | null = null;
  /** Records lie below this offset. */
  end = 0;
  /** What lies below this offset has been handed to the store, or was not worth it. */
  sealedEnd = 0;
  /** The weight of all queue entries that ever pointed into it, and of those that are settled. */
  placedWeight = 0;
  settledWeight = 0;
  /** Once so much is settled the log looks at the segment: it is free, or sparse. */
  watchedWeight = NEVER;
  /** Readers that need `bytes` to stay as they are: socket writes and batches under way. */
  pins = 0;
  /** The batch that holds the last part handed to the store; 0: none. */
  sealedBatch = 0;
  /** Whether new records may still be appended. */
  open = true;
  /** Whether the log has it on its list of segments with something to hand to the store. */
  listed = false;
  /** Whether it counts as one that is worth compacting. */
  sparse = false;
  /** Whether it stays whatever is settled: something that cannot be read may refer to it. */
  kept = false;
  /** Whether `bytes` come from the log's pool and go back to it. */
  pooled: boolean;
  /** Bytes of the records in it: less than `end` if other things lie between them. */
  recordBytes = 0;
  /**
   * The rows a store holds of it, see segment-rows.ts: for each its offset, length and checksum. Null: there are some, which
   * the store alone knows. Very many segments are away, and their rows would take more memory than all else of them.
   */
  rows: number[] | null = [];
  /** Bytes of those rows. */
  storedBytes = 0;

  constructor(id: number, persistent: boolean, bytes: Buffer | null, pooled: boolean) {
    this.id = id;
    this.persistent = persistent;
    this.bytes = bytes;
    this.view = bytes === null ? null : viewOf(bytes);
    this.pooled = pooled;
  }

  /** The weight of the queue entries that still point into it. */
  get liveWeight(): number {
    return this.placedWeight - this.settledWeight;
  }

  /** Notes that so many queues have got an entry for a record with such a body in it. */
  addRefs(queues: number, bodyBytes: number): void {
    this.addWeight(queues * weightOf(bodyBytes));
  }

  /** Notes that it has got entries that weigh so much together. */
  addWeight(weight: number): void {
    this.placedWeight += weight;
    // What is closed from its first record on holds no other: it is free or wholly needed.
    if (!this.open) this.watchedWeight = this.placedWeight;
  }

  /** Notes that what has an entry for a record in it is about to have another for a while. */
  retain(bodyBytes: number): void {
    const weight = weightOf(bodyBytes);
    this.placedWeight += weight;
    if (this.watchedWeight !== NEVER) this.watchedWeight += weight;
  }

  /** Puts the parts of a large record into one buffer, for readers that need it as a whole. */
  join(): void {
    if (this.parts === null || this.bytes === null) return;
    this.bytes = Buffer.concat([this.bytes, ...this.parts]);
    this.view = viewOf(this.bytes);
    this.parts = null;
  }

  /** Its bytes leave memory. */
  unload(): void {
    this.bytes = null;
    this.view = null;
    this.held = null;
    this.parts = null;
  }

  /** From now on it stays, whatever is settled. */
  keep(): void {
    this.addRefs(1, 0);
    this.kept = true;
  }

  /** Notes that an entry which is read back needs about so many bytes of it. */
  needs(bytes: number): void {
    this.recordBytes = Math.min(this.storedBytes, this.recordBytes + bytes);
  }

  /** How much memory its content takes. */
  get residentBytes(): number {
    if (this.bytes === null) return 0;
    return this.parts === null ? this.bytes.length : this.end;
  }
}
