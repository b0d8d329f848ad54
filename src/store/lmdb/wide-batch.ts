// Owns batches of so many changes that handing them to LMDB in one go would hold up all clients: one row has all
// of them, and the changes follow in parts. Never decides when a commit begins.

import type { RootDatabase } from 'lmdb';
import { Batch, PUT } from '../batch.ts';
import { CHECKSUM_BYTES, verifyChecksum, writeChecksum } from '../checksum.ts';
import { CorruptRecordError } from '../errors.ts';
import { TABLE_REDO } from '../tables.ts';
import type { TableKeys } from './table-keys.ts';

/** A batch of more small changes than this is wide: to hand over so many takes up to 20 ms. */
export const WIDE_CHANGES = 4096;
/** Changes in one part. */
const PART_CHANGES = 2048;
/** A table with a value this large is not worth to be written twice: its changes go with the first commit. */
const LARGE_BYTES = 4096;

const REDO_KEY = Buffer.from('redo');

/*
 *   the row   each change:  u8 kind | u8 table | u16 key bytes | u32 value bytes | key | value
 *             u32 CRC32 of all before it
 *
 *   commit 1        the row, and the changes of tables with large values
 *   commits 2 to n  a part of the other changes each; the last one also removes the row
 *
 * A start that finds the row makes all of its changes once more, which changes nothing where they were made: so
 * the batch is durable, wholly, with commit 1.
 */
const CHANGE_HEAD_BYTES = 8;

/** One wide batch on its way to the disk. */
export class WideBatch {
  private readonly batch: Batch;
  /** Indices of the changes that the row has, and how many of them are handed over. */
  private readonly small: number[];
  private readonly large: number[];
  private readonly partChanges: number;
  private handedOver = -1;

  private constructor(batch: Batch, small: number[], large: number[], partChanges: number) {
    this.batch = batch;
    this.small = small;
    this.large = large;
    this.partChanges = partChanges;
  }

  /** A batch as a wide one; null: it is none. One that removes ranges never is. */
  static of(batch: Batch, changesMax: number): WideBatch | null {
    if (batch.length <= changesMax || batch.ranges > 0) return null;
    const { tables, values } = batch;
    const isLarge = new Uint8Array(256);
    for (let i = 0; i < batch.length; i++) {
      if ((values[i] as Buffer).length >= LARGE_BYTES) isLarge[tables[i] as number] = 1;
    }
    const small: number[] = [];
    const large: number[] = [];
    for (let i = 0; i < batch.length; i++) {
      (isLarge[tables[i] as number] === 1 ? large : small).push(i);
    }
    if (small.length <= changesMax) return null;
    return new WideBatch(batch, small, large, Math.min(PART_CHANGES, changesMax));
  }

  /** Whether all of it was handed over. */
  get done(): boolean {
    return this.handedOver >= this.small.length;
  }

  /** Hands over what belongs into the next commit. Called within one `batch` of the database. */
  writeNext(db: RootDatabase<Buffer, Buffer>, keys: TableKeys): void {
    const { batch, small, large } = this;
    if (this.handedOver < 0) {
      keys.table = TABLE_REDO;
      void db.put(REDO_KEY, rowOf(batch, small));
      for (let i = 0; i < large.length; i++) writeChange(db, keys, batch, large[i] as number);
      this.handedOver = 0;
      return;
    }
    const end = Math.min(small.length, this.handedOver + this.partChanges);
    for (let i = this.handedOver; i < end; i++) writeChange(db, keys, batch, small[i] as number);
    this.handedOver = end;
    if (!this.done) return;
    keys.table = TABLE_REDO;
    void db.remove(REDO_KEY);
  }
}

/**
 * Brings a wide batch to its end that was under way when the process ended. A row that is damaged is left where
 * it is: nothing of that batch was confirmed, though parts of it may be there. A check names it.
 */
export async function redo(db: RootDatabase<Buffer, Buffer>, keys: TableKeys): Promise<void> {
  keys.table = TABLE_REDO;
  const row = db.getBinary(REDO_KEY);
  if (row === undefined) return;
  const batch = changesIn(Buffer.from(row));
  if (batch === null) return;
  await db.batch(() => {
    for (let i = 0; i < batch.length; i++) writeChange(db, keys, batch, i);
    keys.table = TABLE_REDO;
    void db.remove(REDO_KEY);
  });
}

/** Hands over one change that is not the removal of a range. */
export function writeChange(
  db: RootDatabase<Buffer, Buffer>,
  keys: TableKeys,
  { kinds, tables, keys: names, values }: Batch,
  i: number,
): void {
  keys.table = tables[i] as number;
  if (kinds[i] === PUT) void db.put(names[i] as Buffer, values[i] as Buffer);
  else void db.remove(names[i] as Buffer);
}

function rowOf({ kinds, tables, keys, values }: Batch, indices: readonly number[]): Buffer {
  let bytes = CHECKSUM_BYTES;
  for (let n = 0; n < indices.length; n++) {
    const i = indices[n] as number;
    bytes += CHANGE_HEAD_BYTES + (keys[i] as Buffer).length + (values[i] as Buffer).length;
  }
  const row = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (let n = 0; n < indices.length; n++) {
    const i = indices[n] as number;
    const key = keys[i] as Buffer;
    const value = values[i] as Buffer;
    at = row.writeUInt8(kinds[i] as number, at);
    at = row.writeUInt8(tables[i] as number, at);
    at = row.writeUInt16LE(key.length, at);
    at = row.writeUInt32LE(value.length, at);
    at += key.copy(row, at);
    at += value.copy(row, at);
  }
  writeChecksum(row);
  return row;
}

/** The changes that a row has; null: it is damaged. */
function changesIn(row: Buffer): Batch | null {
  let content: Buffer;
  try {
    content = verifyChecksum(TABLE_REDO, REDO_KEY, row);
  } catch (error) {
    if (error instanceof CorruptRecordError) return null;
    throw error;
  }
  const batch = new Batch();
  for (let at = 0; at < content.length; ) {
    const keyAt = at + CHANGE_HEAD_BYTES;
    const valueAt = keyAt + content.readUInt16LE(at + 2);
    const end = valueAt + content.readUInt32LE(at + 4);
    const table = content.readUInt8(at + 1);
    const key = content.subarray(keyAt, valueAt);
    if (content.readUInt8(at) === PUT) batch.put(table, key, content.subarray(valueAt, end));
    else batch.remove(table, key);
    at = end;
  }
  return batch;
}
