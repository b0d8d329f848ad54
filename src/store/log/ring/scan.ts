// Owns finding the records in a log's file that the tables have not, and telling a write that was cut off from damage.
// Never changes the file.

import { checksum } from '../../checksum.ts';
import type { LogRecord } from '../batch-log.ts';
import { BLOCK_BYTES, RECORD_HEAD_BYTES, readHead, recordBytes } from './format.ts';

/** What a log's file has behind a number. */
export interface RingScan {
  /** The records behind it, one after the other without a gap. */
  readonly records: readonly LogRecord[];
  /** Bytes of a record behind those that was being written when the process ended: nothing of it was acknowledged. */
  readonly tornBytes: number;
  /** The number of a record that was acknowledged, and is damaged or not there; null: all are there. */
  readonly damaged: number | null;
  /** Whole records behind the damaged one. */
  readonly beyond: number;
}

interface Found extends LogRecord {
  readonly durable: number;
}

/**
 * Looks through a whole file for records of this salt with a number above `after`.
 *
 * One that is broken, or lacking, is taken for damage where a whole record behind it says that it was durable. That the
 * last one of all is damaged and not cut off cannot be seen.
 */
export function scanRing(bytes: Buffer, salt: string, after: number): RingScan {
  const found: Found[] = [];
  const torn = new Map<number, number>();
  const saltBytes = Buffer.from(salt, 'hex');
  for (let at = BLOCK_BYTES; at < bytes.length; ) {
    const head = readHead(bytes, at, saltBytes);
    if (head === null) {
      at += BLOCK_BYTES;
      continue;
    }
    const bodyAt = at + RECORD_HEAD_BYTES;
    const body = bytes.subarray(bodyAt, bodyAt + head.bodyBytes);
    const whole = body.length === head.bodyBytes;
    if (whole && checksum(bytes.subarray(at + 8, bodyAt + head.bodyBytes)) === head.crc) {
      if (head.number > after) found.push({ number: head.number, body, durable: head.durable });
      at += recordBytes(head.bodyBytes);
    } else {
      torn.set(head.number, Math.min(recordBytes(head.bodyBytes), bytes.length - at));
      // Its length may be what is wrong: others may begin within.
      at += BLOCK_BYTES;
    }
  }
  found.sort((a, b) => a.number - b.number);
  const records: LogRecord[] = [];
  let expected = after + 1;
  for (const { number, body } of found) {
    if (number !== expected) break;
    records.push({ number, body });
    expected += 1;
  }
  const beyond = found.slice(records.length);
  const damaged = beyond.some(({ durable }) => durable >= expected) ? expected : null;
  return { records, tornBytes: torn.get(expected) ?? 0, damaged, beyond: beyond.length };
}
