// Owns which bytes of a segment a store really has, and whether a record lies wholly in them. Checksums prove
// the rows that are there; where a row is gone there are zeros, or the segment ends too early.

import { recordEndBelow } from '../record.ts';

/** Ranges of a segment: start and end in turn, ascending, with a gap between one and the next. */
export type HeldRanges = readonly number[];

/** The bytes of a segment. */
export interface SegmentBytes {
  readonly bytes: Buffer;
  /** What a store had of them, where they come from one: the rest are zeros. Null: all are as they were placed. */
  readonly held: HeldRanges | null;
}

/** The same, read from a store. */
export interface StoredBytes extends SegmentBytes {
  readonly held: HeldRanges;
  /** Whether `bytes` are the log's pool's, and longer than what they hold. */
  readonly pooled?: boolean;
}

/** Adds a range that lies behind all others; one that begins where they end is joined to them. */
export function addHeld(held: number[], start: number, end: number): void {
  if (start === end) return;
  if (held.length > 0 && held[held.length - 1] === start) held[held.length - 1] = end;
  else held.push(start, end);
}

/** The end of the range that a byte lies in; -1: it is not held. */
export function heldEnd(held: HeldRanges, at: number): number {
  for (let n = 0; n < held.length && (held[n] as number) <= at; n += 2) {
    const end = held[n + 1] as number;
    if (at < end) return end;
  }
  return -1;
}

/** Where the record ends that begins at an offset; -1: it is not held, or not wholly. */
export function heldRecordEnd(bytes: Buffer, view: DataView, held: HeldRanges, at: number): number {
  const limit = heldEnd(held, at);
  return limit < 0 ? -1 : recordEndBelow(bytes, view, at, limit);
}
