// Owns the engine that keeps everything in memory, for tests and throw-away brokers. Never touches
// a disk: "durable" means no more here than that the batch can be read.

import { assert } from '../../util/assert.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import { Batch, PUT, REMOVE } from '../batch.ts';
import { StoreError } from '../errors.ts';
import type { Store, StoredRow } from '../port.ts';
import { MemoryTable } from './table.ts';

/** Opens an empty store that ends with the process. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  private readonly tables: Map<number, MemoryTable>;
  private gathering: Batch;
  private gatheringNumber: number;
  /** Sealed batches, applied together in the next turn of the event loop. */
  private waiting: Batch[];
  private durable: number;
  private closed: boolean;
  private closing: Promise<void> | null;
  private durableListener: ((batch: number) => void) | null;
  private readableListener: ((batch: number) => void) | null;
  private settledListener: (() => void) | null;

  constructor() {
    this.tables = new Map();
    this.gathering = new Batch();
    this.gatheringNumber = 1;
    this.waiting = [];
    this.durable = 0;
    this.closed = false;
    this.closing = null;
    this.durableListener = null;
    this.readableListener = null;
    this.settledListener = null;
  }

  get batch(): number {
    return this.gatheringNumber;
  }

  get dirty(): boolean {
    return this.gathering.length > 0;
  }

  get gatheredBytes(): number {
    return this.gathering.bytes;
  }

  get busy(): boolean {
    return this.waiting.length > 0;
  }

  get reusableBytes(): number {
    return 0;
  }

  get(table: number, key: Buffer): Buffer | null {
    return this.tables.get(table)?.get(key) ?? null;
  }

  range(table: number, from: Buffer, to: Buffer): Iterable<StoredRow> {
    return this.tables.get(table)?.range(from, to) ?? [];
  }

  keys(table: number, from: Buffer, to: Buffer): Iterable<Buffer> {
    return this.tables.get(table)?.keys(from, to) ?? [];
  }

  put(table: number, key: Buffer, value: Buffer): void {
    assert(!this.closed, 'put to a closed store');
    this.gathering.put(table, key, value);
  }

  remove(table: number, key: Buffer): void {
    assert(!this.closed, 'remove from a closed store');
    this.gathering.remove(table, key);
  }

  removeRange(table: number, from: Buffer, to: Buffer): void {
    assert(!this.closed, 'removeRange of a closed store');
    this.gathering.removeRange(table, from, to);
  }

  seal(): number {
    assert(!this.closed, 'seal of a closed store');
    const sealed = this.gatheringNumber;
    this.waiting.push(this.gathering);
    if (this.waiting.length === 1) setImmediate(this.applyWaiting);
    this.gathering = new Batch();
    this.gatheringNumber += 1;
    return sealed;
  }

  onDurable(listener: (batch: number) => void): void {
    this.durableListener = listener;
  }

  onReadable(listener: (batch: number) => void): void {
    this.readableListener = listener;
  }

  onFailure(): void {
    // Memory does not fail.
  }

  copyTo(): Promise<void> {
    const wayOut = 'start it with a data folder to have copies of it';
    return Promise.reject(new StoreError('a broker in memory has no data to copy', wayOut));
  }

  close(keep = true): Promise<void> {
    this.closing ??= this.settle(keep);
    return this.closing;
  }

  private async settle(keep: boolean): Promise<void> {
    if (!keep) this.gathering = new Batch();
    if (this.dirty) this.seal();
    this.closed = true;
    if (!this.busy) return;
    await new Promise<void>((resolve) => {
      this.settledListener = resolve;
    });
  }

  private readonly applyWaiting = (): void => {
    const batches = this.waiting;
    this.waiting = [];
    for (const batch of batches) this.apply(batch);
    this.durable += batches.length;
    this.durableListener?.(this.durable);
    this.readableListener?.(this.durable);
    if (!this.busy) this.settledListener?.();
  };

  private apply(batch: Batch): void {
    const { kinds, keys, values } = batch;
    for (let i = 0; i < kinds.length; i += 1) {
      const table = this.tableOf(batch.tables[i] as number);
      const key = keys[i] as Buffer;
      const value = values[i] as Buffer;
      if (kinds[i] === PUT) table.put(key, value);
      else if (kinds[i] === REMOVE) table.remove(key);
      else table.removeRange(key, value);
    }
  }

  private tableOf(number: number): MemoryTable {
    let table = this.tables.get(number);
    if (table === undefined) {
      table = new MemoryTable();
      this.tables.set(number, table);
    }
    return table;
  }
}
