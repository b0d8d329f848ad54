// Owns putting transient segments into the scratch store, which nothing else of the log may wait for.
// Never decides which of them leave memory: resident-segments.ts does.

import type { Scratch } from '../../store/scratch.ts';
import type { ResidentSegments } from './resident-segments.ts';
import type { Segment } from './segment.ts';
import { putSegmentRows } from './segment-rows.ts';

/** What is on its way to the scratch store at once: it takes memory twice until it is there. */
const UNDER_WAY_BYTES_MAX = 32 * 2 ** 20;

interface Put {
  readonly batch: number;
  readonly segments: Segment[];
  readonly bytes: number;
}

/** Told what becomes of segments. */
interface Spilling {
  /** It was handed to the scratch store. */
  handedOver(segment: Segment): void;
  /** The scratch store has it: its bytes may go. */
  unpin(segment: Segment): void;
}

/** The way of transient segments out of memory. */
export class Spill {
  private readonly scratch: Scratch;
  private readonly residents: ResidentSegments;
  private readonly owner: Spilling;
  private readonly underWay: Put[] = [];
  /** Bytes handed over that the scratch store does not have yet. */
  bytesUnderWay = 0;

  /** `residents` are those of the transient segments. */
  constructor(scratch: Scratch, residents: ResidentSegments, owner: Spilling) {
    this.scratch = scratch;
    this.residents = residents;
    this.owner = owner;
    scratch.onReadable((batch) => this.readable(batch));
  }

  /** Hands segments to the store, as many as it takes now; pins them until it has them. */
  put(segments: readonly Segment[]): void {
    const { store } = this.scratch;
    if (store === null) {
      this.scratch.want();
      return;
    }
    this.residents.store = store;
    const taken: Segment[] = [];
    let bytes = 0;
    for (const segment of segments) {
      if (this.bytesUnderWay + bytes >= UNDER_WAY_BYTES_MAX) break;
      // It may be there already, on its way to fewer bytes.
      if (segment.bytes === null || segment.storedBytes > 0) continue;
      putAll(segment, (part, start, end, offset) =>
        putSegmentRows(store, segment, part, start, end, offset),
      );
      segment.sealedEnd = segment.end;
      segment.sealedBatch = store.batch;
      segment.pins += 1;
      bytes += segment.end;
      this.owner.handedOver(segment);
      taken.push(segment);
    }
    if (taken.length === 0) return;
    this.bytesUnderWay += bytes;
    this.underWay.push({ batch: store.batch, segments: taken, bytes });
  }

  /** Room in the files of the scratch store that is written before they grow. */
  get reusableBytes(): number {
    return this.scratch.store?.reusableBytes ?? 0;
  }

  /** Has written what was put and removed. Called once a turn. */
  commit(): void {
    this.scratch.commit();
  }

  private readable(batch: number): void {
    this.residents.readableBatch = batch;
    while (this.underWay.length > 0 && (this.underWay[0] as Put).batch <= batch) {
      const { segments, bytes } = this.underWay.shift() as Put;
      this.bytesUnderWay -= bytes;
      for (const segment of segments) this.owner.unpin(segment);
    }
  }
}

/** Gives `put` what of a segment was not handed to a store yet, part after part. */
export function putAll(
  { bytes, parts, sealedEnd, end }: Segment,
  put: (part: Buffer, start: number, end: number, offset: number) => void,
): void {
  if (bytes === null) return;
  if (parts === null) {
    put(bytes, sealedEnd, end, 0);
    return;
  }
  let offset = 0;
  for (const part of [bytes, ...parts]) {
    put(part, 0, part.length, offset);
    offset += part.length;
  }
}
