// Owns the list of changes of one batch, in the order they were made. Never applies them: that is
// the engine's work.

import { assert } from '../util/assert.ts';
import type { Store } from './port.ts';

/** The kinds of change a batch lists. */
export const PUT = 1;
export const REMOVE = 2;
/** `keys` holds where the range starts, `values` where it ends. */
export const REMOVE_RANGE = 3;

/** The longest key an engine must take; LMDB's own limit is 1,978 bytes with the table's. */
export const KEY_BYTES_MAX = 1024;

const NOTHING = Buffer.alloc(0);

/** Changes to tables, one index across four arrays for each. */
export class Batch {
  readonly kinds: number[];
  readonly tables: number[];
  readonly keys: Buffer[];
  readonly values: Buffer[];
  /** Bytes of all keys and values. */
  bytes: number;
  /** How many of the changes are removals of a range. */
  ranges: number;

  constructor() {
    this.kinds = [];
    this.tables = [];
    this.keys = [];
    this.values = [];
    this.bytes = 0;
    this.ranges = 0;
  }

  get length(): number {
    return this.kinds.length;
  }

  put(table: number, key: Buffer, value: Buffer): void {
    this.append(PUT, table, key, value);
  }

  remove(table: number, key: Buffer): void {
    this.append(REMOVE, table, key, NOTHING);
  }

  removeRange(table: number, from: Buffer, to: Buffer): void {
    this.append(REMOVE_RANGE, table, from, to);
    this.ranges += 1;
  }

  /** Makes the same changes in the batch that a store gathers. */
  putInto(store: Pick<Store, 'put' | 'remove' | 'removeRange'>): void {
    const { kinds, tables, keys, values } = this;
    for (let i = 0; i < kinds.length; i++) {
      const table = tables[i] as number;
      const key = keys[i] as Buffer;
      if (kinds[i] === PUT) store.put(table, key, values[i] as Buffer);
      else if (kinds[i] === REMOVE) store.remove(table, key);
      else store.removeRange(table, key, values[i] as Buffer);
    }
  }

  private append(kind: number, table: number, key: Buffer, value: Buffer): void {
    assert(table >= 1 && table <= 255, 'a table number is 1 to 255');
    assert(key.length <= KEY_BYTES_MAX, 'a key of the store is too long');
    this.kinds.push(kind);
    this.tables.push(table);
    this.keys.push(key);
    this.values.push(value);
    this.bytes += key.length + value.length;
  }
}
