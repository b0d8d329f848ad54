// Owns the places of the groups that read a stream: the offset below which a group has settled all. Never decides when one moves:
// reading.ts does, and operators.

import { KIND_PLACE, type StreamRows } from '../entries/stream-rows.ts';

/** So many groups may have a place in one stream. */
export const GROUPS_MAX = 65_536;

/*
 * A place as a row, named by the UTF-8 bytes of the group:
 *
 *   0   f64  the offset
 *   8   u48  when it was moved last, by the broker's time, ms
 */
const ROW_BYTES = 14;

/** The place of a group. */
export interface Place {
  readonly offset: number;
  /** When it was moved last, by the broker's time, ms. */
  readonly movedMs: number;
}

/** The places in one stream. */
export class Places {
  private readonly id: number;
  private readonly rows: StreamRows;
  private readonly places = new Map<string, Place>();
  /** Those that the next batch has to have. */
  private readonly changed = new Set<string>();

  constructor(id: number, rows: StreamRows) {
    this.id = id;
    this.rows = rows;
  }

  /** All places, by group. */
  get all(): ReadonlyMap<string, Place> {
    return this.places;
  }

  /** The place of a group; undefined: it has none. */
  of(group: string): Place | undefined {
    return this.places.get(group);
  }

  /** Moves a group; the caller sees to it that a batch has it. */
  set(group: string, offset: number, nowMs: number): void {
    this.places.set(group, { offset, movedMs: nowMs });
    this.changed.add(group);
  }

  /** Forgets a group. */
  remove(group: string): void {
    this.places.delete(group);
    this.changed.add(group);
  }

  /** Puts into the current batch what changed. */
  seal(): void {
    for (const group of this.changed) {
      const place = this.places.get(group);
      const name = Buffer.from(group);
      if (place === undefined) this.rows.remove(this.id, KIND_PLACE, name);
      else this.rows.put(this.id, KIND_PLACE, name, encodePlace(place));
    }
    this.changed.clear();
  }

  /** Reads them back. What is no place is left as it is: its group begins anew. */
  recover(): void {
    for (const { name, value } of this.rows.all(this.id, KIND_PLACE)) {
      const place = decodePlace(value);
      if (place !== null) this.places.set(name.toString(), place);
    }
  }
}

/** Reads the value of a row; null: it is none. */
export function decodePlace(value: Buffer): Place | null {
  if (value.length !== ROW_BYTES) return null;
  const offset = value.readDoubleBE(0);
  if (!Number.isSafeInteger(offset) || offset < 0) return null;
  return { offset, movedMs: value.readUIntBE(8, 6) };
}

/** The value of its row. */
export function encodePlace({ offset, movedMs }: Place): Buffer {
  const row = Buffer.alloc(ROW_BYTES);
  row.writeDoubleBE(offset, 0);
  row.writeUIntBE(movedMs, 8, 6);
  return row;
}
