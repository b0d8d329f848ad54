// Owns one table in memory: rows by key, and their order when a range is asked for. Never hands out
// its own bytes, nor keeps those of the caller.

import type { StoredRow } from '../port.ts';

/** Names not yet in order may outnumber the rows by this much before the order is made anew. */
const UNSORTED_SLACK = 4096;

/**
 * Rows are found by name, the key's bytes as a latin1 string, which sorts as the bytes do. Putting
 * and removing costs no sorting: new names gather beside the sorted ones until a range is read.
 */
export class MemoryTable {
  private readonly rows: Map<string, Buffer>;
  /** Names in order; may hold names whose row is gone. */
  private sorted: string[];
  /** Names put since `sorted` was made; may hold names twice or already gone. */
  private added: string[];

  constructor() {
    this.rows = new Map();
    this.sorted = [];
    this.added = [];
  }

  get(key: Buffer): Buffer | null {
    const value = this.rows.get(key.toString('latin1'));
    return value === undefined ? null : Buffer.from(value);
  }

  put(key: Buffer, value: Buffer): void {
    const name = key.toString('latin1');
    if (!this.rows.has(name)) this.added.push(name);
    this.rows.set(name, Buffer.from(value));
    if (this.sorted.length + this.added.length > 2 * this.rows.size + UNSORTED_SLACK) {
      this.sorted = [];
      this.added = [...this.rows.keys()];
    }
  }

  remove(key: Buffer): void {
    this.rows.delete(key.toString('latin1'));
  }

  removeRange(from: Buffer, to: Buffer): void {
    for (const name of this.namesWithin(from, to)) this.rows.delete(name);
  }

  *range(from: Buffer, to: Buffer): Generator<StoredRow> {
    for (const name of this.namesWithin(from, to)) {
      const value = this.rows.get(name);
      if (value === undefined) continue;
      yield { key: Buffer.from(name, 'latin1'), value: Buffer.from(value) };
    }
  }

  *keys(from: Buffer, to: Buffer): Generator<Buffer> {
    for (const name of this.namesWithin(from, to)) {
      if (this.rows.has(name)) yield Buffer.from(name, 'latin1');
    }
  }

  /** A list of its own, which may hold names whose row is gone. */
  private namesWithin(from: Buffer, to: Buffer): string[] {
    if (this.added.length > 0) this.sort();
    const start = this.placeOf(from.toString('latin1'));
    return this.sorted.slice(start, Math.max(start, this.placeOf(to.toString('latin1'))));
  }

  /** Merges the names added into those in order, leaving out the ones gone and the second of two. */
  private sort(): void {
    const { sorted, rows } = this;
    const added = this.added.sort(compareNames);
    const merged: string[] = [];
    let last: string | null = null;
    for (let i = 0, j = 0; i < sorted.length || j < added.length; ) {
      const old = sorted[i];
      const fresh = added[j];
      const takeOld = fresh === undefined || (old !== undefined && old <= fresh);
      const name = (takeOld ? old : fresh) as string;
      if (takeOld) i += 1;
      else j += 1;
      if (name !== last && rows.has(name)) merged.push(name);
      last = name;
    }
    this.sorted = merged;
    this.added = [];
  }

  /** The first place in order that is not below the name. */
  private placeOf(name: string): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sorted[middle] as string) < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
