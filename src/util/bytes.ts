// Owns taking byte ranges out of buffers: copying short ones on the hot path, and texts off it. Never
// knows what they mean.

import { isUtf8 } from 'node:buffer';

/** What the upper half of a 64-bit integer counts. */
export const U32 = 0x1_0000_0000;

/**
 * Ranges up to this many bytes are copied word by word, longer ones by the runtime. A call into the
 * runtime costs 35 to 60 ns whatever the length; a word of four bytes costs about 3 ns.
 */
const WORDWISE_BYTES = 64;

/**
 * Copies `length` bytes between two buffers, each given with a DataView of the same bytes.
 *
 * Whole words are moved as 32-bit integers; not as floats, which would be faster still, because an
 * engine may change the bits of a float that is not a number.
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
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) {
    targetView.setInt32(targetStart + i, sourceView.getInt32(sourceStart + i));
  }
  for (; i < length; i++) target[targetStart + i] = source[sourceStart + i] as number;
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
