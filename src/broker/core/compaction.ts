// Owns making room where segments have become sparse: it finds the records that are still held,
// and has only these kept. Never decides which segments are sparse: message/log/sparse.ts does.

import type { MessageLog } from '../../message/log/log.ts';
import { SEGMENT_SPAN, type Segment, weightOf } from '../../message/log/segment.ts';
import { packedBytes } from '../../message/log/segment-rows.ts';
import { heldRecordEnd, type SegmentBytes } from '../../message/log/stored-ranges.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { viewOf } from '../../util/bytes.ts';
import type { Clock } from '../../util/clock.ts';
import type { RecordHolder } from '../queue/messages/messages-host.ts';

/** How long it may work in one turn; a step, one page of a queue or one segment, comes on top. */
const TURN_MS = 0.5;
/** Rewritten bytes that one batch may hold: confirms wait for it too. */
const BATCH_BYTES_MAX = 2 * 2 ** 20;
/** What one pass takes on: what is found takes 8 bytes of memory each. */
const PASS_WEIGHT_MAX = 2_000_000;
/** Rewriting is worth while if so much less is stored then. */
const WORTHWHILE_PART = 0.75;
/** Ranges that lie so close are kept as one. */
const GAP_BYTES_MIN = 16;

/** What compaction needs to know of the broker. */
export interface CompactionHost {
  readonly log: MessageLog;
  readonly clock: Clock;
  readonly store: Store;
  readonly durableBatch: number;
  /** Whether a purge is being swept: much may become free by itself. */
  readonly sweeping: boolean;
  /** All that keep places in the log. */
  recordHolders(): RecordHolder[];
}

/** What was found of one segment. */
interface Marked {
  readonly segment: Segment;
  /** Where the records begin that queues hold, some of them more than once. */
  readonly offsets: number[];
  /** What the entries found weigh together. */
  weight: number;
}

/**
 * Compacts in passes. A pass first walks over what all holders of records have, and then rewrites segments:
 *
 *   idle --- many are sparse ---> walking, a page at a time ---> packing, a segment at a time ---> idle
 *
 * Nothing gets into a closed segment any more, so that what a walk has not found is not needed later:
 * its entries are gone, or they are being purged and are not read again.
 */
export class Compaction {
  /** Segments rewritten, and the bytes that were stored of them less than before. */
  readonly done = { segments: 0, bytes: 0 };
  private readonly host: CompactionHost;
  private readonly marks = new Map<number, Marked>();
  private recent: Marked | undefined;
  private recentId = -1;
  private holders: RecordHolder[] = [];
  private cursor = 0;
  private packing: Marked[] = [];
  /** What was durable when the last pass was over: until more is, another would find the same. */
  private batchAtEnd = -1;

  constructor(host: CompactionHost) {
    this.host = host;
  }

  /** Works for a moment, if there is anything to do; returns whether there is more to do at once. */
  run(): boolean {
    if (!this.begun && !this.begin()) return false;
    const { clock, store } = this.host;
    const endMs = clock.monotonicMs() + TURN_MS;
    while (this.begun) {
      if (store.gatheredBytes > BATCH_BYTES_MAX) return false;
      if (this.holders.length > 0) this.walk();
      else this.packNext();
      if (clock.monotonicMs() >= endMs) break;
    }
    return this.begun;
  }

  /** A record has gone from one holder to another: a walk may have missed it, and begins anew. */
  abandon(): void {
    this.marks.clear();
    this.recent = undefined;
    this.recentId = -1;
    this.holders = [];
    this.packing = [];
  }

  /**
   * A record goes from one place of its holder to another. A walk may have passed by the one and not seen the other, so
   * its segment is left out of this pass.
   */
  leaveOut(position: number): void {
    if (!this.begun) return;
    const id = Math.floor(position / SEGMENT_SPAN);
    this.marks.delete(id);
    if (id === this.recentId) this.recent = undefined;
    if (!this.begun) this.abandon();
  }

  private get begun(): boolean {
    return this.marks.size > 0;
  }

  private begin(): boolean {
    const { log, durableBatch, sweeping } = this.host;
    if (!log.sparse.many || sweeping || durableBatch === this.batchAtEnd) return false;
    let weight = 0;
    for (const segment of log.sparse) {
      if (weight > PASS_WEIGHT_MAX) break;
      if (segment.end > SEGMENT_SPAN || !log.isStored(segment)) continue;
      weight += segment.liveWeight;
      this.marks.set(segment.id, { segment, offsets: [], weight: 0 });
    }
    if (!this.begun) {
      this.batchAtEnd = durableBatch;
      return false;
    }
    this.holders = this.host.recordHolders();
    this.cursor = 0;
    return true;
  }

  /** Looks through one page of a queue. */
  private walk(): void {
    const holder = this.holders.at(-1) as RecordHolder;
    if (!holder.deleted) this.cursor = holder.visitPage(this.cursor, this.visit, this.wanted);
    if (!holder.deleted && this.cursor >= 0) return;
    this.holders.pop();
    this.cursor = 0;
    if (this.holders.length > 0) return;
    this.packing = [...this.marks.values()];
    this.recentId = -1;
  }

  private readonly wanted = (id: number): boolean => this.marks.has(id);

  private readonly visit = (position: number, bodyBytes: number): void => {
    const id = Math.floor(position / SEGMENT_SPAN);
    if (id !== this.recentId) {
      this.recentId = id;
      this.recent = this.marks.get(id);
    }
    const { recent } = this;
    if (recent === undefined) return;
    recent.offsets.push(position - id * SEGMENT_SPAN);
    recent.weight += weightOf(bodyBytes);
  };

  private packNext(): void {
    const marked = this.packing.pop();
    if (marked !== undefined) {
      if (this.marks.has(marked.segment.id)) this.pack(marked);
      return;
    }
    this.marks.clear();
    this.recent = undefined;
    this.batchAtEnd = this.host.durableBatch;
  }

  private pack({ segment, offsets, weight }: Marked): void {
    const { log } = this.host;
    // It may be gone by now; and what is being purged weighs until it is swept.
    if (!log.isStored(segment) || weight < segment.liveWeight) return;
    const read = readSound(log, segment);
    const ranges = read === null ? null : rangesOf(read, offsets, segment.end);
    // Something of it is gone, or damaged: what there is stays as it is, for a check to see.
    if (read === null || ranges === null) {
      log.reweigh(segment, segment.storedBytes);
      return;
    }
    const kept = bytesIn(ranges);
    const before = segment.storedBytes;
    if (kept > before * WORTHWHILE_PART) {
      log.reweigh(segment, kept);
      return;
    }
    log.pack(segment, read, ranges);
    this.done.segments += 1;
    this.done.bytes += before - segment.storedBytes;
  }
}

/** The bytes of a segment; null: they are damaged. */
function readSound(log: MessageLog, segment: Segment): SegmentBytes | null {
  try {
    return log.bytesOf(segment);
  } catch (error) {
    if (error instanceof CorruptRecordError) return null;
    throw error;
  }
}

/**
 * The ranges of a segment that hold the records at these offsets: offsets and lengths in turn. Null: one of
 * the records is not there wholly.
 */
function rangesOf({ bytes, held }: SegmentBytes, offsets: number[], all: number): number[] | null {
  const whole = held ?? [0, all];
  const view = viewOf(bytes);
  offsets.sort((a, b) => a - b);
  const ranges: number[] = [];
  let from = 0;
  let end = -1;
  for (const offset of offsets) {
    if (offset >= from && offset < end) continue;
    if (end >= 0 && offset - end >= GAP_BYTES_MIN) ranges.push(from, end - from);
    if (end < 0 || offset - end >= GAP_BYTES_MIN) from = offset;
    end = heldRecordEnd(bytes, view, whole, offset);
    if (end < 0) return null;
  }
  if (end >= 0) ranges.push(from, end - from);
  return ranges;
}

/** How long a row with these ranges is. */
function bytesIn(ranges: readonly number[]): number {
  let bytes = 0;
  for (let n = 1; n < ranges.length; n += 2) bytes += ranges[n] as number;
  return packedBytes(ranges.length / 2, bytes);
}
