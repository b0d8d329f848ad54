// Owns finding out which records of a store are there wholly, with one look at the bytes of each segment and a
// few numbers of memory for it. Never decides what it means that one is not: check-store.ts does.

import { SEGMENT_SPAN, Segment } from '../../message/log/segment.ts';
import {
  heldByKeys,
  noteSegmentRow,
  readSegment,
  segmentIdOfKey,
} from '../../message/log/segment-rows.ts';
import {
  addHeld,
  type HeldRanges,
  heldEnd,
  heldRecordEnd,
} from '../../message/log/stored-ranges.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { viewOf } from '../../util/bytes.ts';

/** A segment, and the last record that is wanted of each of its ranges, by where the range ends. */
interface Looked {
  readonly segment: Segment;
  readonly lasts: Map<number, number>;
  /** What of it was read and is sound; null: nothing was, yet. */
  held: HeldRanges | null;
}

/**
 * To be used in this order: every key of the table of segments, every position that is wanted, every segment
 * read; then it can tell which positions are good.
 *
 * Of a range of bytes that are proved by their checksums only the last record can be cut off: each other ends
 * before the next begins. So it is enough to look at the last ones.
 */
export class HeldRecords {
  private readonly segments = new Map<number, Looked>();
  private readonly used = new Set<number>();

  /** Notes a row by its key. */
  noteRow(key: Buffer): void {
    const id = segmentIdOfKey(key);
    let looked = this.segments.get(id);
    if (looked === undefined) {
      looked = { segment: new Segment(id, true, null, false), lasts: new Map(), held: null };
      this.segments.set(id, looked);
    }
    noteSegmentRow(looked.segment, key);
  }

  /** Notes that the record at a position is wanted. */
  noteWanted(position: number): void {
    const id = Math.floor(position / SEGMENT_SPAN);
    const looked = this.segments.get(id);
    if (looked === undefined) return;
    const offset = position - id * SEGMENT_SPAN;
    const end = heldEnd(heldByKeys(looked.segment), offset);
    if (end < 0) return;
    looked.lasts.set(end, Math.max(offset, looked.lasts.get(end) ?? 0));
  }

  /** All segments, in order. */
  ids(): Iterable<number> {
    return this.segments.keys();
  }

  /** Reads a segment; throws a CorruptRecordError where a row of it is damaged: none of its records is good. */
  read(store: Store, id: number): void {
    const looked = this.segments.get(id) as Looked;
    const { bytes, held } = readSegment(store, looked.segment);
    const view = viewOf(bytes);
    const sound: number[] = [];
    for (let n = 0; n < held.length; n += 2) {
      const [start, end] = [held[n] as number, held[n + 1] as number];
      const last = looked.lasts.get(end) ?? start;
      const cut = looked.lasts.has(end) && heldRecordEnd(bytes, view, held, last) < 0;
      addHeld(sound, start, cut ? last : end);
    }
    looked.held = sound;
  }

  /** Reads the segments that something wanted lies in. What is damaged stays unread. */
  readWanted(store: Store): void {
    for (const [id, { lasts }] of this.segments) {
      if (lasts.size === 0) continue;
      try {
        this.read(store, id);
      } catch (error) {
        if (!(error instanceof CorruptRecordError)) throw error;
      }
    }
  }

  /** Whether the whole record at a position is there; a segment that is asked for counts as used. */
  has(position: number): boolean {
    const id = Math.floor(position / SEGMENT_SPAN);
    this.use(id);
    const held = this.segments.get(id)?.held ?? null;
    return held !== null && heldEnd(held, position - id * SEGMENT_SPAN) >= 0;
  }

  /** Notes that something refers to a segment. */
  use(id: number): void {
    this.used.add(id);
  }

  /** How many sound segments nothing refers to. */
  get unused(): number {
    let count = 0;
    for (const [id, { held }] of this.segments) if (held !== null && !this.used.has(id)) count += 1;
    return count;
  }
}
