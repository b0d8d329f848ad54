// Owns the fingerprints of filter values: sixteen bits that say which messages need no further look. Never says that one
// matches: only its value does.

import { headerAt, PROPERTY_FLAGS_OFFSET } from '../../../../amqp/property-walk.ts';
import type { MessageLog } from '../../../../message/log/log.ts';
import { SEGMENT_SPAN } from '../../../../message/log/segment.ts';
import { headerFrameStart } from '../../../../message/record.ts';
import { u32At } from '../../../../util/bytes.ts';
import { mix } from '../../../../util/hash.ts';
import { FILTER_VALUE_HEADER } from '../stream-headers.ts';

/** That of a message without a filter value, and of no value. */
export const NO_VALUE = 0;

const NAME = Buffer.from(FILTER_VALUE_HEADER);
const TEXT = 'S'.charCodeAt(0);

/** Where the text of a filter value lies in some bytes; `start` is -1 where there is none. For one look at a time. */
export interface ValuePlace {
  bytes: Buffer;
  start: number;
  end: number;
}

const found: ValuePlace = { bytes: Buffer.alloc(0), start: -1, end: -1 };

/**
 * The fingerprint of a value. Rows have it, so it must never be another one: FNV-1a over the bytes, mixed, its halves
 * together.
 */
export function fingerprintOf(bytes: Buffer, start = 0, end = bytes.length): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  const mixed = mix(hash);
  return ((mixed >>> 16) ^ mixed) & 0xffff || 1;
}

/**
 * Finds the filter value of the message at a position of the log, without decoding its headers. What is no text is no
 * filter value. Throws CorruptRecordError where the message cannot be read.
 */
export function valueAt(log: MessageLog, position: number): ValuePlace {
  const { bytes } = log.readable(position) as { bytes: Buffer };
  const flagsAt = headerFrameStart(bytes, position % SEGMENT_SPAN) + 7 + PROPERTY_FLAGS_OFFSET;
  const at = headerAt(bytes, flagsAt, NAME);
  found.bytes = bytes;
  found.start = at >= 0 && bytes[at] === TEXT ? at + 5 : -1;
  found.end = found.start < 0 ? -1 : found.start + u32At(bytes, at + 1);
  return found;
}

/** The fingerprint of the message at a position; NO_VALUE where it has no filter value, or cannot be read. */
export function fingerprintAt(log: MessageLog, position: number): number {
  try {
    const { bytes, start, end } = valueAt(log, position);
    return start < 0 ? NO_VALUE : fingerprintOf(bytes, start, end);
  } catch {
    // One that is put back after it was set aside; it cannot be delivered either.
    return NO_VALUE;
  }
}
