// Owns the engine that keeps everything in memory, for tests and throw-away brokers. Never touches
// a disk: "durable" means no more here than that the batch can be read.

import { setImmediate } from '../../util/system/runtime.ts';
import { type Batch, PUT, REMOVE } from '../batch.ts';
import { StoreError } from '../errors.ts';
import { GatheringStore } from '../gathering-store.ts';
import type { Store, StoredRow } from '../port.ts';
import { MemoryTable } from './table.ts';

/** Opens an empty store that ends with the process. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore extends GatheringStore implements Store {
  private readonly tables = new Map<number, MemoryTable>();
  /** Sealed batches, applied together in the next turn of the event loop. */
  private waiting: Batch[] = [];
  private closing: Promise<void> | null = null;
  private settledListener: (() => void) | null = null;

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

  seal(): number {
    const sealed = this.batch;
    this.waiting.push(this.takeGathered());
    if (this.waiting.length === 1) setImmediate(this.applyWaiting);
    return sealed;
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
    if (!keep) this.forgetGathered();
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
