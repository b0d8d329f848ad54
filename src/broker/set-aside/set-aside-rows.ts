// Owns how messages that were set aside lie in the store. Never decides which are: queue/endings/ and
// the code that looks at messages do.

import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { decodeRow, encodeRow, type Json } from '../../store/row.ts';
import { TABLE_SET_ASIDE } from '../../store/tables.ts';

/*
 *   key    u48 id, in order of setting aside
 *   value  JSON: the fields of SetAsideMessage, `flags` under the name `traits` | u32 CRC32 of it
 */

/** A message that a queue holds no more, since looking at it failed; the log still has it. */
export interface SetAsideMessage {
  readonly id: number;
  readonly vhost: string;
  readonly queue: string;
  /** The queue's number: another queue of the same name has another. */
  readonly queueId: number;
  /** Its place in that queue, and in the log. */
  readonly seq: number;
  readonly position: number;
  readonly bodyBytes: number;
  /** What a push is told of it, see queue/ports.ts. */
  readonly flags: number;
  /** What was being done with it, and what that failed with. */
  readonly doing: string;
  readonly error: string;
  /** When, ms since the Unix epoch. */
  readonly atMs: number;
}

const LOWEST = Buffer.alloc(0);
const HIGHEST = Buffer.alloc(7, 0xff);

/** Reads and writes the rows of one store. */
export class SetAsideRows {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  put(message: SetAsideMessage): void {
    this.store.put(TABLE_SET_ASIDE, ...setAsideRow(message));
  }

  remove(id: number): void {
    this.store.remove(TABLE_SET_ASIDE, keyOf(id));
  }

  /** The rows there are; `damaged` is told of those that cannot be read, by key. */
  read(damaged: (key: Buffer, error: unknown) => void): SetAsideMessage[] {
    const found: SetAsideMessage[] = [];
    for (const { key, value } of this.store.range(TABLE_SET_ASIDE, LOWEST, HIGHEST)) {
      try {
        found.push(readSetAsideRow(key, value));
      } catch (error) {
        damaged(key, error);
      }
    }
    return found;
  }
}

/** The key and the value of a message's row. */
export function setAsideRow({ flags, ...rest }: SetAsideMessage): [key: Buffer, value: Buffer] {
  // Rows of earlier versions have the flags under this name.
  return [keyOf(rest.id), encodeRow({ ...rest, traits: flags })];
}

/** Reads a row; throws a CorruptRecordError when it cannot be trusted. */
export function readSetAsideRow(key: Buffer, value: Buffer): SetAsideMessage {
  const row = decodeRow(TABLE_SET_ASIDE, key, value);
  if (key.length !== 6 || !isWhole(row)) {
    throw new CorruptRecordError(TABLE_SET_ASIDE, key, 'a field of it is missing or out of range');
  }
  const { traits: flags, ...rest } = row as unknown as SetAsideMessage & { traits: number };
  return { ...rest, flags, id: key.readUIntBE(0, 6) };
}

function isWhole(row: Json): boolean {
  const numbers = ['queueId', 'seq', 'position', 'bodyBytes', 'traits', 'atMs'];
  const texts = ['vhost', 'queue', 'doing', 'error'];
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  return (
    numbers.every((name) => isCount(row[name])) &&
    texts.every((name) => typeof row[name] === 'string')
  );
}

function keyOf(id: number): Buffer {
  const key = Buffer.allocUnsafe(6);
  key.writeUIntBE(id, 0, 6);
  return key;
}
