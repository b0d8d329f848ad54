// Owns a store in memory whose batches become durable when the test says so, and whose disk
// outlives it: a test crashes a broker by opening the disk anew. Never makes a test wait.

import { crc32 } from 'node:zlib';
import { Batch, PUT, REMOVE } from '../../src/store/batch.ts';
import { MemoryTable } from '../../src/store/memory/table.ts';
import type { Store, StoredRow } from '../../src/store/port.ts';
import { assert } from '../../src/util/assert.ts';

/** What is durable, and all that a crash leaves. */
export class Disk {
  private readonly tables = new Map<number, MemoryTable>();

  table(number: number): MemoryTable {
    const table = this.tables.get(number) ?? new MemoryTable();
    this.tables.set(number, table);
    return table;
  }

  /** The keys of all rows of a table. */
  keys(table: number): Buffer[] {
    return [...this.table(table).keys(Buffer.alloc(0), Buffer.alloc(255, 0xff))];
  }

  /** Another disk with the same on it. */
  copy(): Disk {
    const copy = new Disk();
    for (const [number, table] of this.tables) {
      for (const { key, value } of table.range(Buffer.alloc(0), Buffer.alloc(1025, 0xff))) {
        copy.table(number).put(key, Buffer.from(value));
      }
    }
    return copy;
  }

  apply(batch: Batch): void {
    for (let i = 0; i < batch.length; i++) {
      const table = this.table(batch.tables[i] as number);
      const key = batch.keys[i] as Buffer;
      const value = batch.values[i] as Buffer;
      if (batch.kinds[i] === PUT) table.put(key, Buffer.from(value));
      else if (batch.kinds[i] === REMOVE) table.remove(key);
      else table.removeRange(key, value);
    }
  }
}

/**
 * A store over a disk. Batches wait until `sync`; what waits when it is dropped is lost.
 *
 * Buffers are compared with what was handed over when their batch becomes readable, as an engine reads them until then.
 * With `holdsReadable` that is when a test calls `apply`; else it is with `sync`.
 */
export class ControlledStore implements Store {
  private readonly disk: Disk;
  private gathering = new Batch();
  private gatheringNumber = 1;
  private readonly waiting: Batch[] = [];
  /** Checksums of the values handed over, since nobody may change those until they are durable. */
  private readonly sums = new Map<Buffer, number>();
  private durable = 0;
  private listener: (batch: number) => void = () => {};
  private readableListener: (batch: number) => void = () => {};
  /** Durable batches whose buffers are still read. */
  private readonly unread: Batch[] = [];
  private readable = 0;
  holdsReadable = false;

  constructor(disk: Disk) {
    this.disk = disk;
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

  readonly reusableBytes = 0;

  get(table: number, key: Buffer): Buffer | null {
    return this.disk.table(table).get(key);
  }

  range(table: number, from: Buffer, to: Buffer): Iterable<StoredRow> {
    return this.disk.table(table).range(from, to);
  }

  keys(table: number, from: Buffer, to: Buffer): Iterable<Buffer> {
    return this.disk.table(table).keys(from, to);
  }

  put(table: number, key: Buffer, value: Buffer): void {
    this.gathering.put(table, key, value);
    this.sums.set(key, crc32(key));
    this.sums.set(value, crc32(value));
  }

  remove(table: number, key: Buffer): void {
    this.gathering.remove(table, key);
  }

  removeRange(table: number, from: Buffer, to: Buffer): void {
    this.gathering.removeRange(table, from, to);
  }

  seal(): number {
    this.waiting.push(this.gathering);
    this.gathering = new Batch();
    return this.gatheringNumber++;
  }

  onDurable(listener: (batch: number) => void): void {
    this.listener = listener;
  }

  onReadable(listener: (batch: number) => void): void {
    this.readableListener = listener;
  }

  onFailure(): void {
    // This disk does not fail; it is only forgotten.
  }

  copyTo(): Promise<void> {
    return Promise.reject(new Error('nobody copies it'));
  }

  close(): Promise<void> {
    if (this.dirty) this.seal();
    this.sync();
    this.apply();
    return Promise.resolve();
  }

  /** Makes the oldest sealed batches durable, all of them unless told how many, and says so. */
  sync(count = this.waiting.length): void {
    for (const batch of this.waiting.splice(0, count)) {
      this.disk.apply(batch);
      this.unread.push(batch);
      this.durable += 1;
    }
    this.listener(this.durable);
    if (!this.holdsReadable) this.apply();
  }

  /** Makes the oldest durable batches readable, all of them unless told how many, and says so; returns how many. */
  apply(count = this.unread.length): number {
    const batches = this.unread.splice(0, count);
    for (const batch of batches) {
      for (const bytes of [...batch.keys, ...batch.values]) {
        const sum = this.sums.get(bytes);
        assert(sum === undefined || sum === crc32(bytes), 'a buffer handed over does not change');
        this.sums.delete(bytes);
      }
    }
    if (batches.length === 0) return 0;
    this.readable += batches.length;
    this.readableListener(this.readable);
    return batches.length;
  }
}
