// Owns a store of two parts: a log that makes batches durable with one flush each, and tables that get them a while later.
// Never knows what a batch holds, or how either part lies on the disk.

import { systemClock } from '../../util/clock.ts';
import type { Batch } from '../batch.ts';
import { GatheringStore } from '../gathering-store.ts';
import type { LogCounts, Store, StoredRow } from '../port.ts';
import { Applier } from './applier.ts';
import type { BatchLog, TablesMark } from './batch-log.ts';
import { bytesOfChanges, ChangesWriter } from './changes.ts';
import { Overlay } from './overlay.ts';

/** Batches of so many bytes go into the tables at once: the log would only have them written twice. */
const DIRECT_BYTES = 256 * 1024;
/**
 * So do smaller ones while batches are half as large on the average, of about so many: under a bulk load small batches come
 * between large ones, and the tables take both in one go.
 */
const AVERAGED_OVER = 4;

/** What may be set, for tests; what is left out has a good default. */
export interface LoggedStoreOptions {
  readonly directBytes?: number;
  /** What waits in the log goes into the tables after so long, or so many bytes. */
  readonly applyMs?: number;
  readonly applyBytes?: number;
}

/** A store that has failed before says nothing new as it is closed. */
const ignore = (): void => {};

/** Batches up to `batch` are in the tables once these have the record of this number. */
interface Unread {
  readonly batch: number;
  readonly number: number;
}

/*
 *            seal              start          one flush                 after a while
 *   caller --------> waiting[] ------> writing[] ------> overlay, durable ------------> tables, readable
 *                                         |                                                ^
 *                                         `---------- large, and no commit under way ------'
 */
export class LoggedStore extends GatheringStore implements Store {
  private readonly inner: Store;
  private readonly log: BatchLog;
  private readonly overlay: Overlay;
  private readonly applier: Applier;
  private readonly mark: TablesMark;
  private readonly directBytes: number;
  private readonly markClean: (folder: string) => Promise<void>;
  private readonly writer = new ChangesWriter();
  private waiting: Batch[] = [];
  private writing: Batch[] = [];
  /** Whether what is being written waits for the applier, since the log has no room or takes nothing as large. */
  private held = false;
  /** The number of the last record, in the log or committed directly. */
  private last: number;
  private readonly unread: Unread[] = [];
  private failure: Error | null = null;
  private tablesFailed = false;
  private closing: Promise<void> | null = null;
  /** Called when something was applied, or has failed. */
  private settledListeners: (() => void)[] = [];
  private averageBytes = 0;
  private appends = 0;
  private appendedBytes = 0;
  private appendMs = 0;
  private appendedAtMs = 0;
  private directCommits = 0;

  /**
   * `number`: the last record that the tables have, as the row says that `mark` writes. `markClean` makes a copy of the
   * tables one that needs no log.
   */
  constructor(
    inner: Store,
    log: BatchLog,
    number: number,
    mark: TablesMark,
    markClean: (folder: string) => Promise<void>,
    { directBytes = DIRECT_BYTES, applyMs, applyBytes = log.bytes / 4 }: LoggedStoreOptions = {},
  ) {
    super();
    this.inner = inner;
    this.log = log;
    this.mark = mark;
    this.last = number;
    this.directBytes = directBytes;
    this.markClean = markClean;
    this.overlay = new Overlay(inner);
    const applied = (): void => this.onApplied();
    this.applier = new Applier(inner, this.overlay, number, mark, applyBytes, applied, applyMs);
    this.overlay.recent.number = number;
    log.onFailure((error) => this.fail(error));
    inner.onFailure((error) => {
      this.tablesFailed = true;
      this.fail(error);
      this.tellSettled();
    });
  }

  get reusableBytes(): number {
    return this.inner.reusableBytes;
  }

  get logCounts(): LogCounts {
    const { applier, log, overlay } = this;
    return {
      appends: this.appends,
      appendedBytes: this.appendedBytes,
      appendMs: this.appendMs,
      directCommits: this.directCommits,
      checkpoints: applier.checkpoints,
      checkpointMs: applier.checkpointMs,
      unappliedRecords: overlay.recent.number - applier.applied,
      unappliedBytes: log.usedBytes,
      logBytes: log.bytes,
    };
  }

  get(table: number, key: Buffer, into?: Buffer): Buffer | null {
    return this.overlay.get(table, key, into);
  }

  range(table: number, from: Buffer, to: Buffer): Iterable<StoredRow> {
    return this.overlay.range(table, from, to);
  }

  keys(table: number, from: Buffer, to: Buffer): Iterable<Buffer> {
    return this.overlay.keys(table, from, to);
  }

  seal(): number {
    const sealed = this.batch;
    this.waiting.push(this.takeGathered());
    if (this.writing.length === 0) this.start();
    return sealed;
  }

  async copyTo(folder: string, compact = false): Promise<void> {
    await this.copyTables(folder, compact);
    await this.markClean(folder);
  }

  /** The same with the row that says which records of the log the copy has: with those behind it, it is the whole. */
  async copyTables(folder: string, compact = false): Promise<void> {
    const { applier, inner, overlay } = this;
    applier.wholeFor += 1;
    try {
      // Behind it no commit is under way that began before. What is on its way to the log is not durable, and is not waited
      // for: a replicated log may take nothing until it is trimmed, for which this copy may be needed.
      await this.allApplied(overlay.recent.number, applier.checkpoints + (applier.busy ? 1 : 0));
      await inner.copyTo(folder, compact);
    } finally {
      applier.wholeFor -= 1;
    }
  }

  close(keep = true): Promise<void> {
    this.closing ??= this.settleAndClose(keep);
    return this.closing;
  }

  private async settleAndClose(keep: boolean): Promise<void> {
    if (!keep) this.forgetGathered();
    if (this.dirty) this.seal();
    this.closed = true;
    try {
      while (this.busy && this.failure === null) await this.settled();
      await this.allApplied(this.last);
      this.applier.stop();
      this.mark.put(this.inner, this.last, true);
      this.inner.seal();
      await this.inner.close();
    } catch (error) {
      // Where the log alone has failed, the tables are sound, and others may open them.
      while (this.applier.busy && !this.tablesFailed) await this.settled();
      await this.inner.close(false).catch(ignore);
      throw error;
    } finally {
      await this.log.close();
    }
  }

  /**
   * Resolves once the tables have all up to this record, and so many commits have ended since the start; rejects where
   * something has failed.
   */
  private async allApplied(number: number, checkpoints = 0): Promise<void> {
    const { applier } = this;
    while (
      this.failure === null &&
      (applier.applied < number || applier.checkpoints < checkpoints)
    ) {
      applier.begin();
      await this.settled();
    }
    if (this.failure !== null) throw this.failure;
  }

  private settled(): Promise<void> {
    return new Promise((resolve) => {
      this.settledListeners.push(resolve);
    });
  }

  private tellSettled(): void {
    const listeners = this.settledListeners;
    this.settledListeners = [];
    for (const listener of listeners) listener();
  }

  /** Begins to write what waits. */
  private start(): void {
    if (this.failure !== null || this.waiting.length === 0) return;
    this.writing = this.waiting;
    this.waiting = [];
    const bytes = bytesOfChanges(this.writing);
    if (bytes > 0) this.averageBytes += (bytes - this.averageBytes) / AVERAGED_OVER;
    this.write();
  }

  /** Writes to the log, or into the tables, or has it wait for the applier. */
  private write(): void {
    const { applier, log, writing } = this;
    this.held = false;
    const bytes = bytesOfChanges(writing);
    if (bytes === 0) {
      queueMicrotask(this.onNothing);
      return;
    }
    const large = bytes >= this.directBytes || this.averageBytes >= this.directBytes / 2;
    const fits = bytes <= log.bodyBytesMax && log.hasRoom(bytes);
    if (!applier.busy && !log.hasAll && (large || !fits)) {
      this.directCommits += 1;
      this.last += 1;
      applier.commit(writing, this.last, this.onWritten);
    } else if (fits) {
      this.last += 1;
      this.appendedAtMs = systemClock.monotonicMs();
      this.appendedBytes += bytes;
      log.append(this.last, this.writer.write(writing), bytes, this.onAppended);
    } else {
      this.held = true;
      applier.begin();
    }
  }

  private readonly onNothing = (): void => {
    if (this.failure === null) this.onWritten();
  };

  private readonly onAppended = (error: Error | null): void => {
    if (this.failure !== null) return;
    if (error !== null) return this.fail(error);
    this.appends += 1;
    this.appendMs += systemClock.monotonicMs() - this.appendedAtMs;
    this.overlay.add(this.writing, this.last);
    this.onWritten();
    this.applier.added();
  };

  private readonly onWritten = (): void => {
    this.durable += this.writing.length;
    this.writing = [];
    const { durable } = this;
    this.unread.push({ batch: durable, number: this.last });
    this.start(); // first, so that the disk does not idle while the listener works
    this.durableListener?.(durable);
    this.tellReadable();
    this.tellSettled();
  };

  private onApplied(): void {
    this.log.letGo(this.applier.applied);
    this.tellReadable();
    this.tellSettled();
    if (this.held && this.failure === null) this.write();
  }

  private tellReadable(): void {
    const { unread } = this;
    let readable = 0;
    while (unread.length > 0 && (unread[0] as Unread).number <= this.applier.applied) {
      readable = (unread.shift() as Unread).batch;
    }
    if (readable === 0) return;
    this.readableListener?.(readable);
  }

  private fail(error: Error): void {
    if (this.failure !== null) return;
    this.failure = error;
    this.applier.stop();
    this.failureListener?.(error);
    this.tellSettled();
  }
}
