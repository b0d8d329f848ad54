// Owns a stretch of the message log: its bytes, how many queue entries still need it, and which
// parts of it the store holds. Never knows what a record means.

import { viewOf } from '../util/bytes.ts';

/**
 * Positions are `segment id x SEGMENT_SPAN + offset`, plain numbers below 2^53. A record that is
 * larger than this has a segment of its own and starts at its offset 0.
 */
export const SEGMENT_SPAN = 64 * 1024;

/** The position of a byte in the log. */
export function positionOf(segmentId: number, offset: number): number {
  return segmentId * SEGMENT_SPAN + offset;
}

/** One stretch of the log. All fields are read on the hot path; only log.ts changes them. */
export class Segment {
  readonly id: number;
  /** Whether it belongs to the log that the store keeps. */
  readonly persistent: boolean;
  /** The content, or null while only the store has it. */
  bytes: Buffer | null;
  view: DataView | null;
  /** What comes behind `bytes`, for the segment of one large record: its body as it was read. */
  parts: readonly Buffer[] | null = null;
  /** Records lie below this offset. */
  end: number;
  /** What lies below this offset has been handed to the store, or was not worth it. */
  sealedEnd: number;
  /** Queue entries that point into this segment. */
  refs = 0;
  /** Readers that need `bytes` to stay as they are: socket writes and batches under way. */
  pins = 0;
  /** The batch that holds the last part handed to the store; 0: none. */
  sealedBatch = 0;
  /** Whether new records may still be appended. */
  open = true;
  /** Whether the log has it on its list of segments with something to hand to the store. */
  listed = false;
  /** Whether `bytes` come from the log's pool and go back to it. */
  readonly pooled: boolean;
  /** Keys under which the store holds parts of this segment. */
  readonly storedKeys: Buffer[] = [];

  constructor(id: number, persistent: boolean, bytes: Buffer | null, pooled: boolean) {
    this.id = id;
    this.persistent = persistent;
    this.bytes = bytes;
    this.view = bytes === null ? null : viewOf(bytes);
    this.end = 0;
    this.sealedEnd = 0;
    this.pooled = pooled;
  }
}
