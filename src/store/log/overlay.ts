// Owns what is durable in the log and not in the tables yet, as reads of the store see it. Never writes anything.

import { type Batch, PUT, REMOVE } from '../batch.ts';
import type { Store, StoredRow } from '../port.ts';

/** Rows and keys that are taken of the tables at a time: as many as LMDB's engine reads at once. */
const ROWS_PER_STEP = 16;
const KEYS_PER_STEP = 512;

/** The last word on one key: `value` null, it is removed. */
interface Change {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** The last words on the keys of one table. */
class TableChanges {
  /** By the key's bytes, each as a character: their order is that of the keys. */
  readonly byKey = new Map<string, Change>();
  private order: string[] | null = null;

  set(key: Buffer, value: Buffer | null): void {
    this.byKey.set(key.toString('latin1'), { key, value });
    this.order = null;
  }

  /** Adds the keys with `from` <= key < `to` to others. */
  addKeys(from: string, to: string, keys: Set<string>): void {
    this.order ??= [...this.byKey.keys()].sort(byCode);
    const { order } = this;
    for (let n = firstAtLeast(order, from); n < order.length; n++) {
      const key = order[n] as string;
      if (key >= to) return;
      keys.add(key);
    }
  }
}

/** Changes that go into the tables in one go, each key's last word. */
export class Changes {
  /** How many keys have one. */
  length = 0;
  /** Bytes of all changes that were added, those without the last word included. */
  bytes = 0;
  /** The number of the last record among them. */
  number = 0;
  readonly tables = new Map<number, TableChanges>();

  set(table: number, key: Buffer, value: Buffer | null): void {
    let changes = this.tables.get(table);
    if (changes === undefined) {
      changes = new TableChanges();
      this.tables.set(table, changes);
    }
    const before = changes.byKey.size;
    changes.set(key, value);
    this.length += changes.byKey.size - before;
  }
}

const NONE = new Changes();

/** The tables with what the log has more than they. */
export class Overlay {
  /** What was added since the last `take`. */
  recent = new Changes();
  /** What was taken, and is on its way into the tables. */
  private taken = NONE;
  private readonly inner: Store;

  /** `inner`: the tables. */
  constructor(inner: Store) {
    this.inner = inner;
  }

  /** Whether the tables have all there is. */
  get empty(): boolean {
    return this.recent.length === 0 && this.taken.length === 0;
  }

  /** Adds what the record of this number changes. Keys and values are kept as they are, and must not change. */
  add(batches: readonly Batch[], number: number): void {
    const { recent } = this;
    for (const batch of batches) {
      const { kinds, tables, keys, values } = batch;
      recent.bytes += batch.bytes;
      for (let i = 0; i < kinds.length; i++) {
        const table = tables[i] as number;
        const key = keys[i] as Buffer;
        if (kinds[i] === PUT) recent.set(table, key, values[i] as Buffer);
        else if (kinds[i] === REMOVE) recent.set(table, key, null);
        else {
          for (const each of [...this.keys(table, key, values[i] as Buffer)]) {
            recent.set(table, each, null);
          }
        }
      }
    }
    recent.number = number;
  }

  /** What is to go into the tables now. Reads see it until `drop`, which comes before the next `take`. */
  take(): Changes {
    this.taken = this.recent;
    this.recent = new Changes();
    this.recent.number = this.taken.number;
    return this.taken;
  }

  /** The tables have what was taken. */
  drop(): void {
    this.taken = NONE;
  }

  get(table: number, key: Buffer, into?: Buffer): Buffer | null {
    if (!this.empty) {
      const change = this.changeOf(table, key.toString('latin1'));
      if (change !== undefined) return change.value === null ? null : Buffer.from(change.value);
    }
    return this.inner.get(table, key, into);
  }

  *range(table: number, from: Buffer, to: Buffer): Generator<StoredRow> {
    for (let start = from; ; ) {
      const rows: StoredRow[] = [];
      for (const row of this.inner.range(table, start, to)) {
        if (rows.push(row) === ROWS_PER_STEP) break;
      }
      const last = rows.length < ROWS_PER_STEP ? null : justBehind((rows.at(-1) as StoredRow).key);
      yield* this.merged(table, start, last ?? to, rows);
      if (last === null) return;
      start = last;
    }
  }

  *keys(table: number, from: Buffer, to: Buffer): Generator<Buffer> {
    for (let start = from; ; ) {
      const keys: Buffer[] = [];
      for (const key of this.inner.keys(table, start, to)) {
        if (keys.push(key) === KEYS_PER_STEP) break;
      }
      const last = keys.length < KEYS_PER_STEP ? null : justBehind(keys.at(-1) as Buffer);
      if (this.empty) yield* keys;
      else {
        const rows = keys.map((key) => ({ key, value: key }));
        for (const { key } of this.merged(table, start, last ?? to, rows)) yield key;
      }
      if (last === null) return;
      start = last;
    }
  }

  /** Rows of the tables in a range, with what the log has in it. */
  private merged(
    table: number,
    from: Buffer,
    to: Buffer,
    rows: readonly StoredRow[],
  ): readonly StoredRow[] {
    if (this.empty) return rows;
    const changed = new Set<string>();
    for (const { tables } of [this.taken, this.recent]) {
      tables.get(table)?.addKeys(from.toString('latin1'), to.toString('latin1'), changed);
    }
    if (changed.size === 0) return rows;
    const merged = new Map<string, StoredRow>();
    for (const row of rows) merged.set(row.key.toString('latin1'), row);
    for (const name of changed) {
      const { key, value } = this.changeOf(table, name) as Change;
      if (value === null) merged.delete(name);
      else merged.set(name, { key: Buffer.from(key), value: Buffer.from(value) });
    }
    return [...merged].sort(([a], [b]) => byCode(a, b)).map(([, row]) => row);
  }

  private changeOf(table: number, name: string): Change | undefined {
    return (
      this.recent.tables.get(table)?.byKey.get(name) ??
      this.taken.tables.get(table)?.byKey.get(name)
    );
  }
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first place in sorted keys that is not below a key. */
function firstAtLeast(order: readonly string[], key: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((order[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lowest key above a key. */
function justBehind(key: Buffer): Buffer {
  const behind = Buffer.alloc(key.length + 1);
  key.copy(behind);
  return behind;
}
