// Owns the buffer a connection is parsing. Never parses: it only remembers whether the log has
// taken the buffer over.

import { viewOf } from '../util/bytes.ts';
import { SEGMENT_SPAN, type Segment } from './log/segment.ts';

/**
 * A chunk shorter than this is copied from rather than taken over, since a segment for each of many
 * small chunks would cost more than the copy.
 */
const ADOPTABLE_BYTES_MIN = 16 * 1024;

const NOTHING = Buffer.alloc(0);

/** The bytes being parsed, with the segment they have become, if any. One a connection, reused. */
export class Chunk {
  bytes: Buffer = NOTHING;
  view: DataView = viewOf(NOTHING);
  /** The segment whose bytes these are, once the log took them over. */
  segment: Segment | null = null;
  /** Whether the log may take the buffer over: no other code reads or writes it afterwards. */
  adoptable = false;
  /** How many bytes of records the log has placed out of this chunk. */
  recordBytes = 0;
  /** Whether it holds one record and nothing else. */
  single = false;
  /** The body of a single record that is too large to stand in `bytes`, in order. */
  parts: readonly Buffer[] | null = null;
  private worthwhile = true;

  /** Starts on a new buffer; `owned` says that no other code will use it. */
  load(bytes: Buffer, owned: boolean): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.segment = null;
    this.adoptable =
      owned &&
      this.worthwhile &&
      bytes.length >= ADOPTABLE_BYTES_MIN &&
      bytes.length <= SEGMENT_SPAN;
    this.recordBytes = 0;
    this.single = false;
  }

  /** Starts on a record put together from several chunks; `parts` is its body if that is large. */
  loadRecord(bytes: Buffer, parts: readonly Buffer[] | null): void {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.segment = null;
    this.adoptable = false;
    this.recordBytes = 0;
    this.single = true;
    this.parts = parts;
  }

  /** All there is in one buffer. */
  joined(): Buffer {
    return this.parts === null ? this.bytes : Buffer.concat([this.bytes, ...this.parts]);
  }

  /** Lets go of the buffer. A chunk that held few records argues against taking over the next. */
  unload(): void {
    if (!this.single && this.bytes.length >= ADOPTABLE_BYTES_MIN) {
      this.worthwhile = this.recordBytes * 2 >= this.bytes.length;
    }
    this.bytes = NOTHING;
    this.parts = null;
    this.segment = null;
    this.adoptable = false;
  }
}
