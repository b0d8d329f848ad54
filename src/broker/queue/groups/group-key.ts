// Owns which group a message belongs to, by the value of one of its headers. Never orders anything.

import { integerOf } from '../../../amqp/field-integers.ts';
import { fieldEnd, readField } from '../../../amqp/field-table.ts';
import { headerAt, PROPERTY_FLAGS_OFFSET } from '../../../amqp/property-walk.ts';
import type { MessageLog } from '../../../message/log/log.ts';
import { SEGMENT_SPAN } from '../../../message/log/segment.ts';
import { headerFrameStart } from '../../../message/record.ts';
import { type ExactText, U32 } from '../../../util/bytes.ts';

/** The key of a message that is in no group. */
export const NO_GROUP = 0;

const TYPE_STRING = 0x53;
const TYPE_BINARY = 0x78;
const TYPE_VOID = 0x56;
const LENGTH_BYTES = 4;

/** Reads the groups of the messages of one queue. */
export class GroupKeys {
  private readonly log: MessageLog;
  private readonly name: Buffer;
  /** The segment that `peek` saw last. */
  private peeked = -1;
  private bytes: Buffer | null = null;

  constructor(log: MessageLog, header: ExactText) {
    this.log = log;
    this.name = Buffer.from(header as string);
  }

  /** The key of the group of the message at a position. One that cannot be read is in none: that is noticed as it goes out. */
  of(position: number): number {
    try {
      const { bytes, offset } = this.log.read(position);
      return this.keyIn(bytes, offset);
    } catch {
      return NO_GROUP;
    }
  }

  /** The same at a start, for very many messages: what is away stays away. */
  peek(position: number): number {
    try {
      const segment = Math.floor(position / SEGMENT_SPAN);
      if (segment !== this.peeked || this.bytes === null) this.bytes = this.log.peek(position);
      this.peeked = segment;
      return this.keyIn(this.bytes, position % SEGMENT_SPAN);
    } catch {
      return NO_GROUP;
    }
  }

  /** Forgets what `peek` keeps. */
  donePeeking(): void {
    this.peeked = -1;
    this.bytes = null;
  }

  private keyIn(bytes: Buffer, offset: number): number {
    const flagsAt = headerFrameStart(bytes, offset) + 7 + PROPERTY_FLAGS_OFFSET;
    const at = headerAt(bytes, flagsAt, this.name);
    return at < 0 ? NO_GROUP : groupKeyAt(bytes, at);
  }
}

/**
 * The key of a group: 48 bits of a hash of the header's value, whose type octet is at `typeAt`. A text and bytes are the same,
 * and so are an integer of any type and its digits. No value at all, or an empty one, is no group. Where two values have
 * one key, which among a million groups happens to two of them once in 600 queues, they are one group.
 */
export function groupKeyAt(bytes: Buffer, typeAt: number): number {
  const type = bytes[typeAt];
  const end = fieldEnd(bytes, typeAt);
  if (type === TYPE_VOID) return NO_GROUP;
  if (type === TYPE_STRING || type === TYPE_BINARY) {
    const start = typeAt + 1 + LENGTH_BYTES;
    return start === end ? NO_GROUP : hash48(bytes, start, end);
  }
  const integer = integerOf(readField(bytes, typeAt));
  if (integer === null) return hash48(bytes, typeAt, end);
  const digits = Buffer.from(String(integer));
  return hash48(digits, 0, digits.length);
}

/** 48 bits that depend on all bytes of a range, alike in all versions: they are stored. 0 is left out. */
function hash48(bytes: Buffer, start: number, end: number): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = start; at < end; at++) {
    const octet = bytes[at] as number;
    a = Math.imul(a ^ octet, 2654435761);
    b = Math.imul(b ^ octet, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (b & 0xffff) * U32 + (a >>> 0) || 1;
}
