// Owns what is known of a message that waits for its time, and the bytes of that. Never holds a page of them, or their order.

import { U32, u16At, u32At } from '../../../util/bytes.ts';
import { PUSH_STORED } from '../push-flags.ts';

/** Its record lies in the persistent log, so that the entry belongs on disk: PUSH_STORED. */
export const DELAYED_STORED = PUSH_STORED;
/** It came back from a consumer: it goes ahead of what was never out, and as redelivered. */
export const DELAYED_RETURNED = 16;

/** One message that waits. */
export interface DelayEntry {
  /** When it is due, by the broker's time, ms. */
  dueMs: number;
  /** A number that no other message of the queue ever waits under; of two due at once the lower goes first. */
  id: number;
  /** Where its record lies in the log. */
  position: number;
  bodyBytes: number;
  /** DELAYED_ bits, and those of PUSH_EXPIRES and PUSH_PRIORITY; one octet. */
  flags: number;
  /** Its priority, where PUSH_PRIORITY is set. */
  priority: number;
  /** How often it has come back to the queue. */
  returns: number;
  /** When its time to live began, by the broker's time, ms; 0: as it arrived. */
  startMs: number;
}

/** An entry to fill in. */
export function emptyEntry(): DelayEntry {
  return {
    dueMs: 0,
    id: 0,
    position: 0,
    bodyBytes: 0,
    flags: 0,
    priority: 0,
    returns: 0,
    startMs: 0,
  };
}

/*
 *   0    u48  due ms
 *   6    u48  id
 *   12   f64  position in the log
 *   20   u32  body bytes
 *   24   u8   flags
 *   25   u8   priority
 *   26   u32  returns
 *   30   u48  start of its time to live, ms
 *
 * Whole words, so that entries go from place to place as words.
 */
export const ENTRY_BYTES = 36;
export const ENTRY_WORDS = ENTRY_BYTES / Uint32Array.BYTES_PER_ELEMENT;

/** Entries in memory, as they lie in pages, each at a number. */
export class EntryBytes {
  readonly words: Uint32Array;
  private readonly view: DataView;

  constructor(count: number) {
    const bytes = new ArrayBuffer(count * ENTRY_BYTES);
    this.words = new Uint32Array(bytes);
    this.view = new DataView(bytes);
  }

  write(index: number, entry: DelayEntry): void {
    const { view } = this;
    const at = index * ENTRY_BYTES;
    writeU48(view, entry.dueMs, at);
    writeU48(view, entry.id, at + 6);
    view.setFloat64(at + 12, entry.position);
    view.setUint32(at + 20, entry.bodyBytes);
    view.setUint8(at + 24, entry.flags);
    view.setUint8(at + 25, entry.priority);
    view.setUint32(at + 26, entry.returns);
    writeU48(view, entry.startMs, at + 30);
  }

  read(index: number, entry: DelayEntry): void {
    const { view } = this;
    const at = index * ENTRY_BYTES;
    entry.dueMs = readU48(view, at);
    entry.id = readU48(view, at + 6);
    entry.position = view.getFloat64(at + 12);
    entry.bodyBytes = view.getUint32(at + 20);
    entry.flags = view.getUint8(at + 24);
    entry.priority = view.getUint8(at + 25);
    entry.returns = view.getUint32(at + 26);
    entry.startMs = readU48(view, at + 30);
  }

  positionOf(index: number): number {
    return this.view.getFloat64(index * ENTRY_BYTES + 12);
  }

  bodyBytesOf(index: number): number {
    return this.view.getUint32(index * ENTRY_BYTES + 20);
  }

  flagsOf(index: number): number {
    return this.view.getUint8(index * ENTRY_BYTES + 24);
  }

  /** The same entries with room for more or fewer. */
  resized(count: number): EntryBytes {
    const other = new EntryBytes(count);
    other.words.set(this.words.subarray(0, other.words.length));
    return other;
  }
}

/** Copies the words of one entry; written out, since that takes half as long as a loop. */
export function copyEntry(from: Uint32Array, at: number, to: Uint32Array, toAt: number): void {
  to[toAt] = from[at] as number;
  to[toAt + 1] = from[at + 1] as number;
  to[toAt + 2] = from[at + 2] as number;
  to[toAt + 3] = from[at + 3] as number;
  to[toAt + 4] = from[at + 4] as number;
  to[toAt + 5] = from[at + 5] as number;
  to[toAt + 6] = from[at + 6] as number;
  to[toAt + 7] = from[at + 7] as number;
  to[toAt + 8] = from[at + 8] as number;
}

/** Fills in the entry at an offset of a row. */
export function readEntryAt(row: Buffer, at: number, entry: DelayEntry): void {
  entry.dueMs = u16At(row, at) * U32 + u32At(row, at + 2);
  entry.id = u16At(row, at + 6) * U32 + u32At(row, at + 8);
  entry.position = row.readDoubleBE(at + 12);
  entry.bodyBytes = u32At(row, at + 20);
  entry.flags = row[at + 24] as number;
  entry.priority = row[at + 25] as number;
  entry.returns = u32At(row, at + 26);
  entry.startMs = u16At(row, at + 30) * U32 + u32At(row, at + 32);
}

function writeU48(view: DataView, value: number, at: number): void {
  // Both leave out what is above their width.
  view.setUint16(at, value / U32);
  view.setUint32(at + 2, value);
}

function readU48(view: DataView, at: number): number {
  return view.getUint16(at) * U32 + view.getUint32(at + 2);
}
