// Owns taking byte ranges out of buffers: copying short ones on the hot path, and texts off it. Never
// knows what they mean.

import { isUtf8 } from 'node:buffer';

/** What the upper half of a 64-bit integer counts. */
export const U32 = 0x1_0000_0000;

/**
 * Ranges up to this many bytes are copied word by word, longer ones by the runtime. A call into the
 * runtime costs 40 ns (Node 24) to 65 ns (Node 20) whatever the length; a word of four bytes, eight
 * of them in a round, costs about 1 ns.
 */
const WORDWISE_BYTES = 160;

/**
 * Copies `length` bytes between two buffers, each given with a DataView of the same bytes; not within one buffer.
 *
 * Whole words are moved as 32-bit integers; not as floats, which would be faster still, because an
 * engine may change the bits of a float that is not a number. The last word may overlap the one before
 * it, which costs less than the bytes of a rest one by one.
 */
export function copyBytes(
  source: Buffer,
  sourceView: DataView,
  sourceStart: number,
  target: Buffer,
  targetView: DataView,
  targetStart: number,
  length: number,
): void {
  if (length > WORDWISE_BYTES) {
    source.copy(target, targetStart, sourceStart, sourceStart + length);
    return;
  }
  if (length < 4) {
    for (let i = 0; i < length; i++) target[targetStart + i] = source[sourceStart + i] as number;
    return;
  }
  const last = sourceStart + length - 4;
  let from = sourceStart;
  let to = targetStart;
  for (; from + 28 < last; from += 32, to += 32) {
    targetView.setInt32(to, sourceView.getInt32(from, true), true);
    targetView.setInt32(to + 4, sourceView.getInt32(from + 4, true), true);
    targetView.setInt32(to + 8, sourceView.getInt32(from + 8, true), true);
    targetView.setInt32(to + 12, sourceView.getInt32(from + 12, true), true);
    targetView.setInt32(to + 16, sourceView.getInt32(from + 16, true), true);
    targetView.setInt32(to + 20, sourceView.getInt32(from + 20, true), true);
    targetView.setInt32(to + 24, sourceView.getInt32(from + 24, true), true);
    targetView.setInt32(to + 28, sourceView.getInt32(from + 28, true), true);
  }
  for (; from < last; from += 4, to += 4) {
    targetView.setInt32(to, sourceView.getInt32(from, true), true);
  }
  targetView.setInt32(targetStart + length - 4, sourceView.getInt32(last, true), true);
}

/** Two octets of bytes that were checked before: without the checks of `Buffer.readUInt16BE`, for each message. */
export function u16At(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Four octets, as `u16At`. */
export function u32At(bytes: Buffer, at: number): number {
  return u16At(bytes, at) * 0x1_0000 + u16At(bytes, at + 2);
}

/** A text, or the bytes of one that is no valid UTF-8: what a publisher sent as bytes stays as it is. */
export type ExactText = string | Buffer;

/** A DataView over the very bytes of a buffer. */
export function viewOf(buffer: Buffer): DataView {
  return new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** A range as memory of its own, for values that outlive the chunk they came in. */
export function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  return Buffer.from(buffer.subarray(start, end));
}

/** The text of a range, or null when it is no valid UTF-8. */
export function decodeText(buffer: Buffer, start: number, end: number): string | null {
  return isUtf8(buffer.subarray(start, end)) ? buffer.toString('utf8', start, end) : null;
}

/** The text of a range, or a copy of its bytes when it is no valid UTF-8. */
export function exactText(buffer: Buffer, start: number, end: number): ExactText {
  return decodeText(buffer, start, end) ?? copyOf(buffer, start, end);
}
