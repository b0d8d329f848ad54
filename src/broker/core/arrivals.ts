// Owns the notes of queues whose rows are on their way from another store, and removing what came of those that did not
// come as a whole. Never copies a row: moving/ does.

import { verifyChecksum, withChecksum } from '../../store/checksum.ts';
import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import {
  TABLE_ARRIVALS,
  TABLE_DELAYS,
  TABLE_KEYS,
  TABLE_MARKS,
  TABLE_PAGES,
  TABLE_STREAMS,
} from '../../store/tables.ts';
import type { Sweep } from '../queue/messages/sweeps.ts';

/*
 *   key    u32 first id
 *   value  u32 the id behind the last | u32 CRC32 of it
 *
 * Durable before any other row of these ids is put, and removed by the batch that has the definitions of the queues: so
 * while it is there, none of these ids is that of a queue.
 */
const KEY_BYTES = 4;

/** Ids of queues, and of exchanges that keep keys of messages: from `first` on and before `end`. */
export interface ArrivingIds {
  readonly first: number;
  readonly end: number;
}

/** The tables whose keys begin with such an id. */
const TABLES = [TABLE_PAGES, TABLE_MARKS, TABLE_DELAYS, TABLE_KEYS, TABLE_STREAMS] as const;

/** Rows removed in one step. */
const STEP_ROWS = 64;

/** The row that says that the rows of these ids are not all there. */
export function arrivalRow({ first, end }: ArrivingIds): { key: Buffer; value: Buffer } {
  return { key: idKey(first), value: withChecksum(idKey(end)) };
}

/** Reads such a row; throws a CorruptRecordError when it cannot be trusted. */
export function readArrivalRow(key: Buffer, value: Buffer): ArrivingIds {
  const content = verifyChecksum(TABLE_ARRIVALS, key, value);
  if (key.length !== KEY_BYTES || content.length !== KEY_BYTES) {
    throw new CorruptRecordError(TABLE_ARRIVALS, key, 'its length is wrong');
  }
  return { first: key.readUInt32BE(), end: content.readUInt32BE() };
}

/** What was on its way as the store was written; `damaged` is told of rows that cannot be read. */
export function arrivalsIn(
  store: Store,
  damaged: (key: Buffer, error: unknown) => void,
): ArrivingIds[] {
  const found: ArrivingIds[] = [];
  for (const { key, value } of store.range(
    TABLE_ARRIVALS,
    Buffer.alloc(0),
    Buffer.alloc(8, 0xff),
  )) {
    try {
      found.push(readArrivalRow(key, value));
    } catch (error) {
      damaged(key, error);
    }
  }
  return found;
}

/** Removes all rows of some ids, some at a time, and then the note of them. All that was put is durable. */
export class ArrivalSweep implements Sweep {
  readonly stored = true;
  done = false;
  private readonly store: Store;
  private readonly ids: ArrivingIds;
  private readonly kept: (id: number) => boolean;
  private table = 0;
  private from: Buffer;

  /** `kept`: ids whose rows stay. */
  constructor(store: Store, ids: ArrivingIds, kept: (id: number) => boolean) {
    this.store = store;
    this.ids = ids;
    this.kept = kept;
    this.from = idKey(ids.first);
  }

  step(): void {
    let left = STEP_ROWS;
    const table = TABLES[this.table] as number;
    for (const key of this.store.keys(table, this.from, idKey(this.ids.end))) {
      if (left === 0) {
        this.from = key;
        return;
      }
      left -= 1;
      if (!this.kept(key.readUInt32BE())) this.store.remove(table, key);
    }
    this.from = idKey(this.ids.first);
    this.table += 1;
    this.done = this.table === TABLES.length;
  }

  note(): void {
    const { key, value } = arrivalRow(this.ids);
    this.store.put(TABLE_ARRIVALS, key, value);
  }

  forget(): void {
    this.store.remove(TABLE_ARRIVALS, idKey(this.ids.first));
  }
}

function idKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt32BE(id);
  return key;
}
