// Owns the row of the tables that says how far they are in the replicated log. Never reads the log.

import { verifyChecksum, withChecksum } from '../checksum.ts';
import { CorruptRecordError } from '../errors.ts';
import type { Store } from '../port.ts';
import { TABLE_LOG } from '../tables.ts';
import type { Place } from './chain.ts';

/** A place in one very log. */
export interface LogPlace extends Place {
  /** The name of the log, see LogState. */
  readonly logId: string;
}

/*
 *   16 bytes log | u48 seq | u48 epoch | u48 number | u32 digest      (big-endian)   | u32 CRC32 (little-endian)
 */
const ID_BYTES = 16;
const DIGEST_AT = ID_BYTES + 3 * 6;
const CONTENT_BYTES = DIGEST_AT + 4;
const KEY = Buffer.from('place');

/** Puts the row into the batch being gathered. */
export function putPlace(tables: Store, { logId, seq, epoch, number, digest }: LogPlace): void {
  const content = Buffer.alloc(CONTENT_BYTES);
  content.write(logId, 0, ID_BYTES, 'hex');
  content.writeUIntBE(seq, ID_BYTES, 6);
  content.writeUIntBE(epoch, ID_BYTES + 6, 6);
  content.writeUIntBE(number, ID_BYTES + 12, 6);
  content.writeUInt32BE(digest, DIGEST_AT);
  tables.put(TABLE_LOG, KEY, withChecksum(content));
}

/** The row, or null: these tables belong to no replicated log. Throws a CorruptRecordError. */
export function readPlace(tables: Store): LogPlace | null {
  const value = tables.get(TABLE_LOG, KEY);
  if (value === null) return null;
  const content = verifyChecksum(TABLE_LOG, KEY, value);
  if (content.length !== CONTENT_BYTES) {
    throw new CorruptRecordError(TABLE_LOG, KEY, 'its length is not that of a place');
  }
  return {
    logId: content.toString('hex', 0, ID_BYTES),
    seq: content.readUIntBE(ID_BYTES, 6),
    epoch: content.readUIntBE(ID_BYTES + 6, 6),
    number: content.readUIntBE(ID_BYTES + 12, 6),
    digest: content.readUInt32BE(DIGEST_AT),
  };
}

/** Removes the row: the tables are those of a broker of its own from then on. */
export function removePlace(tables: Store): void {
  tables.remove(TABLE_LOG, KEY);
}
