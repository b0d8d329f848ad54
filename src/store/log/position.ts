// Owns the row that says which records of the log the tables have. Never reads the log.

import { verifyChecksum, withChecksum } from '../checksum.ts';
import { CorruptRecordError } from '../errors.ts';
import type { Store } from '../port.ts';
import { TABLE_LOG } from '../tables.ts';
import type { TablesMark } from './batch-log.ts';

/** How far the tables are, as against the log beside them. */
export interface LogPosition {
  /** The number of the last record that the tables have; numbers count on over restarts. */
  readonly number: number;
  /** What the records behind it carry: a random number of this run, 16 hex digits. */
  readonly salt: string;
  /** Whether there are none behind it: the store was closed, or this is a copy. */
  readonly clean: boolean;
}

/*
 *   u64 number | u64 salt | u8 clean | u32 CRC32          (little-endian)
 */
const CONTENT_BYTES = 17;
const SALT_BYTES = 8;
const KEY = Buffer.from('position');

/** Puts the row into the batch being gathered. */
export function putPosition(store: Store, { number, salt, clean }: LogPosition): void {
  const content = Buffer.alloc(CONTENT_BYTES);
  content.writeBigUInt64LE(BigInt(number));
  content.write(salt, 8, SALT_BYTES, 'hex');
  content.writeUInt8(clean ? 1 : 0, 16);
  store.put(TABLE_LOG, KEY, withChecksum(content));
}

/** The row, or null: the store has none, since it is new, or older than the log. Throws a CorruptRecordError. */
export function readPosition(store: Store): LogPosition | null {
  const value = store.get(TABLE_LOG, KEY);
  if (value === null) return null;
  const content = verifyChecksum(TABLE_LOG, KEY, value);
  if (content.length !== CONTENT_BYTES) {
    throw new CorruptRecordError(TABLE_LOG, KEY, 'its length is not that of a position');
  }
  const number = Number(content.readBigUInt64LE());
  if (!Number.isSafeInteger(number)) {
    throw new CorruptRecordError(TABLE_LOG, KEY, 'no broker has counted so many records');
  }
  return {
    number,
    salt: content.toString('hex', 8, 8 + SALT_BYTES),
    clean: content.readUInt8(16) === 1,
  };
}

/** The row of tables whose log carries a salt. */
export class SaltedMark implements TablesMark {
  private readonly salt: string;

  constructor(salt: string) {
    this.salt = salt;
  }

  put(tables: Store, number: number, clean: boolean): void {
    putPosition(tables, { number, salt: this.salt, clean });
  }
}
