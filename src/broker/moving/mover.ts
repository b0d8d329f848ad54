// Owns what a row is given as it moves from one store to another: other ids, other places in the log, other times. Never
// reads a row.

import { CorruptRecordError } from '../../store/errors.ts';

/**
 * Where the rows of a vhost go. A walk over them is made twice: first to look, which finds all that is wrong before
 * anything is changed, and then to copy.
 */
export interface Mover {
  /** How much later the same moment is by the time of the broker that they go to, ms. */
  readonly ms: number;
  /** How much higher the numbers of segments are there, and positions in them. */
  readonly segments: number;
  readonly positions: number;
  /** The id there of a queue, or of an exchange that keeps keys of messages. */
  idOf(id: number): number;
  /** The number there for a message that is set aside. */
  setAsideId(id: number): number;
  /** A row has a message that lies there; throws a CorruptRecordError where none can. */
  uses(position: number, table: number, key: Buffer): void;
  /** Whether some message of the vhost lies in a segment. */
  has(segment: number): boolean;
  /** When the message at a position came, by the time of the broker that it comes from, ms. */
  arrivedMs(position: number): number;
  put(table: number, key: Buffer, value: Buffer): void;
}

/** Something that rows belong to: a queue, a stream, or an exchange that keeps keys of messages. */
export interface Owner {
  readonly id: number;
  readonly isStream: boolean;
}

const ID_BYTES = 4;
const ID_MAX = 0xffff_ffff;
const BEHIND_ALL = Buffer.alloc(1024, 0xff);

/** Between which keys the rows lie that begin with an id. */
export function rangeOf(id: number): readonly [from: Buffer, to: Buffer] {
  return [idKey(id), id === ID_MAX ? BEHIND_ALL : idKey(id + 1)];
}

/** A key that begins with an id, with another. */
export function withId(key: Buffer, id: number): Buffer {
  const moved = Buffer.from(key);
  moved.writeUInt32BE(id);
  return moved;
}

/** A time so much later; no time is below 0. */
export function later(timeMs: number, ms: number): number {
  return Math.max(0, timeMs + ms);
}

/** What is made of a row; whatever that throws is damage of the row. */
export function sound<T>(table: number, key: Buffer, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof CorruptRecordError) throw error;
    throw new CorruptRecordError(
      table,
      key,
      error instanceof Error ? error.message : String(error),
    );
  }
}

function idKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(ID_BYTES);
  key.writeUInt32BE(id);
  return key;
}
