// Owns the LMDB engine of the store: one environment, one commit under way at a time. Never knows
// what its tables hold, and never writes synchronously once it is open.

import type { RootDatabase } from 'lmdb';
import { assert } from '../../util/assert.ts';
import { type Batch, REMOVE_RANGE } from '../batch.ts';
import { freeBytesAt } from '../disk/free-bytes.ts';
import { Watchdog } from '../disk/watchdog.ts';
import { FailedCommitError, LostCommitError, StuckCommitError } from '../errors.ts';
import { GatheringStore } from '../gathering-store.ts';
import type { Store, StoredRow } from '../port.ts';
import { CommitWatch } from './commit-watch.ts';
import { showLock } from './environment.ts';
import { commitReason } from './failures.ts';
import { indexPuts } from './put-index.ts';
import { reusableBytes } from './reusable-bytes.ts';
import type { TableKeys } from './table-keys.ts';
import { WideBatch, writeChange } from './wide-batch.ts';

/** Waiting batches are committed together up to this size: LMDB holds a commit's pages in memory. */
const COMMIT_BYTES_MAX = 64 * 2 ** 20;
/** Rows read at a time, so that no read transaction outlives a call and pins freed pages. */
const ROWS_PER_STEP = 16;
const KEYS_PER_STEP = 512;

const NO_RANGES: Buffer[][] = [];

const noChange = () => {};

/*
 *            put, remove        seal             start            settled
 *   caller ------------> gathering --> waiting[] ----> writing[] ----> durable
 *                                      in order        one commit
 */
/** A store over one environment; made by open.ts. */
export class LmdbStore extends GatheringStore implements Store {
  private readonly folder: string;
  private readonly db: RootDatabase<Buffer, Buffer>;
  private readonly tableKeys: TableKeys;
  private readonly watchdog: Watchdog;
  private readonly watch: CommitWatch;
  /** Sealed batches whose writing has not begun. */
  private waiting: Batch[];
  /** The batches of the commit under way; empty when there is none. */
  private writing: Batch[];
  /** That one of them, alone, which is committed in parts; null: none is. */
  private wide: WideBatch | null;
  private readonly wideChanges: number;
  /** The keys that each removal of a range stands for, in the commit about to start. */
  private rangeKeys: Buffer[][];
  private failure: Error | null;
  /** Whether the environment is closed: to read it then would end the process. */
  private released: boolean;
  private closing: Promise<void> | null;
  private copying: Promise<void>;
  /** Called when nothing is left to write, or that has failed. */
  private settledListener: (() => void) | null;

  constructor(
    folder: string,
    db: RootDatabase<Buffer, Buffer>,
    keys: TableKeys,
    commitTimeoutMs: number,
    wideChanges: number,
  ) {
    super();
    this.folder = folder;
    this.db = db;
    this.tableKeys = keys;
    this.watchdog = new Watchdog(commitTimeoutMs, () => {
      this.fail(new StuckCommitError(commitTimeoutMs));
    });
    this.watch = new CommitWatch(db);
    this.waiting = [];
    this.writing = [];
    this.wide = null;
    this.wideChanges = wideChanges;
    this.rangeKeys = NO_RANGES;
    this.failure = null;
    this.released = false;
    this.closing = null;
    this.copying = Promise.resolve();
    this.settledListener = null;
  }

  get reusableBytes(): number {
    return this.released ? 0 : reusableBytes(this.db);
  }

  get(table: number, key: Buffer, into?: Buffer): Buffer | null {
    assert(!this.released, 'get from a closed store');
    this.tableKeys.table = table;
    if (into !== undefined) return this.getInto(key, into);
    const value = this.db.getBinary(key);
    return value === undefined ? null : plainBuffer(value);
  }

  private getInto(key: Buffer, into: Buffer): Buffer | null {
    const value = this.db.getBinaryFast(key);
    if (value === undefined) return null;
    // It lies in the file's pages, or in a buffer that the next look overwrites.
    const bytes = plainBuffer(value);
    if (bytes.length > into.length) return Buffer.from(bytes);
    into.set(bytes);
    return into.subarray(0, bytes.length);
  }

  *range(table: number, from: Buffer, to: Buffer): Generator<StoredRow> {
    let start = from;
    for (let first = true; ; first = false) {
      assert(!this.released, 'range of a closed store');
      this.tableKeys.table = table;
      const step = { start, end: to, exclusiveStart: !first, limit: ROWS_PER_STEP };
      const rows = Array.from(this.db.getRange(step));
      for (const { key, value } of rows) yield { key, value: plainBuffer(value) };
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_PER_STEP) return;
      start = last.key;
    }
  }

  *keys(table: number, from: Buffer, to: Buffer): Generator<Buffer> {
    let start = from;
    for (let first = true; ; first = false) {
      assert(!this.released, 'range of a closed store');
      this.tableKeys.table = table;
      const step = { start, end: to, exclusiveStart: !first, limit: KEYS_PER_STEP };
      const found = Array.from(this.db.getKeys(step));
      yield* found;
      const last = found.at(-1);
      if (last === undefined || found.length < KEYS_PER_STEP) return;
      start = last;
    }
  }

  seal(): number {
    const sealed = this.batch;
    this.waiting.push(this.takeGathered());
    if (this.writing.length === 0) this.start();
    return sealed;
  }

  copyTo(folder: string, compact = false): Promise<void> {
    // One after the other: while one runs, the pages that it reads cannot be used again.
    const copy = this.copying.then(() => this.db.backup(folder, compact));
    this.copying = copy.catch(() => {});
    return copy;
  }

  close(keep = true): Promise<void> {
    this.closing ??= this.settleAndClose(keep);
    return this.closing;
  }

  private async settleAndClose(keep: boolean): Promise<void> {
    if (!keep) this.forgetGathered();
    if (this.dirty) this.seal();
    this.closed = true;
    if (this.busy && this.failure === null) {
      await new Promise<void>((resolve) => {
        this.settledListener = resolve;
      });
    }
    this.watchdog.stop();
    await this.copying;
    // A failed environment may never close: the process has to end.
    if (this.failure !== null) throw this.failure;
    this.released = true;
    await this.db.close();
    await showLock(this.folder);
  }

  /** Begins the commit of what waits. A batch that removes ranges always comes first in its commit. */
  private start(): void {
    if (this.failure !== null || this.waiting.length === 0) return;
    this.wide = WideBatch.of(this.waiting[0] as Batch, this.wideChanges);
    let count = 0;
    let bytes = 0;
    let changes = 0;
    for (const batch of this.waiting) {
      if (count > 0 && (this.wide !== null || batch.length > this.wideChanges)) break;
      if (count > 0 && (batch.ranges > 0 || bytes + batch.bytes > COMMIT_BYTES_MAX)) break;
      count += 1;
      bytes += batch.bytes;
      changes += batch.length;
    }
    this.writing = this.waiting.splice(0, count);
    if (changes === 0) {
      queueMicrotask(this.onCommitted);
      return;
    }
    this.commit();
  }

  /** Hands over what is being written, or the next part of it. */
  private commit(): void {
    this.watchdog.start();
    try {
      // Before the batch is begun: should this reading throw, nothing has been handed over.
      this.rangeKeys = this.expandRanges(this.writing[0] as Batch);
      // The promises of the puts inside resolve at once; only this one means synced.
      this.db.batch(this.writeBatches).then(this.onCommitted, this.onRejected);
      // A second write makes lmdb start its thread now instead of in the next turn. It lands in
      // the same commit, or in an empty one that costs no sync.
      this.db.batch(noChange).then(noChange, this.onRejected);
    } catch (cause) {
      this.onRejected(cause);
    }
  }

  /** For each range the batch removes, the keys durable in it and those the batch put there before. */
  private expandRanges(batch: Batch): Buffer[][] {
    if (batch.ranges === 0) return NO_RANGES;
    const putsBefore = indexPuts(batch);
    const expanded: Buffer[][] = [];
    for (let i = 0; i < batch.length; i += 1) {
      if (batch.kinds[i] !== REMOVE_RANGE) continue;
      const [table, from, to] = [batch.tables[i], batch.keys[i], batch.values[i]];
      const durable = this.keys(table as number, from as Buffer, to as Buffer);
      expanded.push([...durable, ...putsBefore(i)]);
    }
    return expanded;
  }

  private readonly writeBatches = (): void => {
    if (this.wide !== null) return this.wide.writeNext(this.db, this.tableKeys);
    for (const batch of this.writing) this.writeBatch(batch);
    this.rangeKeys = NO_RANGES;
  };

  private writeBatch(batch: Batch): void {
    const { kinds, tables } = batch;
    const { db, tableKeys } = this;
    let range = 0;
    for (let i = 0; i < kinds.length; i += 1) {
      if (kinds[i] !== REMOVE_RANGE) {
        writeChange(db, tableKeys, batch, i);
        continue;
      }
      tableKeys.table = tables[i] as number;
      for (const key of this.rangeKeys[range] as Buffer[]) void db.remove(key);
      range += 1;
    }
  }

  private readonly onCommitted = (): void => {
    if (this.failure !== null) return;
    this.watchdog.stop();
    // The next part begins in a turn of its own: others have theirs meanwhile.
    if (this.wide !== null && !this.wide.done) return this.commit();
    if (!this.watch.committed(this.writing)) return this.fail(new LostCommitError(this.folder));
    this.durable += this.writing.length;
    this.writing = [];
    this.wide = null;
    const durable = this.durable;
    this.start(); // first, so that the disk does not idle while the listener works
    this.durableListener?.(durable);
    this.readableListener?.(durable);
    if (!this.busy) this.settledListener?.();
  };

  private readonly onRejected = (cause: unknown): void => {
    if (this.failure !== null) return;
    // From here on nothing becomes durable, also while the reason is being fetched.
    this.failure = new FailedCommitError(cause, -1);
    void commitReason(cause).then((reason) => {
      this.fail(new FailedCommitError(reason, freeBytesAt(this.folder)));
    });
  };

  private fail(error: Error): void {
    this.failure = error;
    this.watchdog.stop();
    this.failureListener?.(error);
    this.settledListener?.();
  }
}

/** lmdb widens some of its buffers with a `length` of their own, which is slow to read. */
function plainBuffer(bytes: Buffer): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
