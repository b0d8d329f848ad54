// Owns a log in memory, whose appends end when the test says so, and which outlives its store. Never writes a file.

import type { BatchLog, LogRecord } from '../../../src/store/log/batch-log.ts';

/** What a log has durably. */
export type Records = LogRecord[];

/** A log over records that outlive it. An append ends with `sync`, or in the next turn where it is `quick`. */
export class MemoryLog implements BatchLog {
  readonly bytes: number;
  readonly bodyBytesMax: number;
  readonly hasAll: boolean;
  readonly records: Records;
  quick = true;
  private readonly used = new Map<number, number>();
  private underWay: (() => void) | null = null;
  private done: (error: Error | null) => void = () => {};

  /** `hasAll`: it takes what is longer than it, too, where it is empty. */
  constructor(records: Records = [], bytes = 2 ** 20, hasAll = false) {
    this.records = records;
    this.bytes = bytes;
    this.hasAll = hasAll;
    this.bodyBytesMax = hasAll ? Infinity : bytes / 4;
  }

  get usedBytes(): number {
    return [...this.used.values()].reduce((sum, each) => sum + each, 0);
  }

  hasRoom(bodyBytes: number): boolean {
    return (this.hasAll && this.used.size === 0) || this.usedBytes + bodyBytes <= this.bytes;
  }

  append(
    number: number,
    parts: readonly Buffer[],
    bodyBytes: number,
    done: (error: Error | null) => void,
  ): void {
    if (this.underWay !== null) throw new Error('an append is under way');
    this.used.set(number, bodyBytes);
    this.done = done;
    this.underWay = () => {
      this.underWay = null;
      // Read only now, as a disk does.
      this.records.push({ number, body: Buffer.concat(parts) });
      done(null);
    };
    if (this.quick) setImmediate(() => this.sync());
  }

  /** Whether an append waits for `sync`. */
  get busy(): boolean {
    return this.underWay !== null;
  }

  /** Ends the append that is under way. */
  sync(): void {
    this.underWay?.();
  }

  /** Has the append that is under way fail. */
  fail(error: Error): void {
    if (this.underWay === null) throw new Error('no append is under way');
    this.underWay = null;
    this.done(error);
  }

  onFailure(): void {
    // An append says what is wrong.
  }

  letGo(upTo: number): void {
    for (const number of this.used.keys()) if (number <= upTo) this.used.delete(number);
    while (this.records.length > 0 && (this.records[0] as LogRecord).number <= upTo) {
      this.records.shift();
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
