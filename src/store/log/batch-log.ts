// Owns the contract between the store and a log of its batches. Never knows what a change is, or where the log lies.

import type { Store } from '../port.ts';

/** A record as it was read back. */
export interface LogRecord {
  readonly number: number;
  readonly body: Buffer;
}

/**
 * An append-only log of numbered records.
 *
 * Numbers rise by one, but for those that the store has kept elsewhere. One append is under way at a time, and begins once
 * all numbers before it are durable, here or there. What was let go of need not be there any more.
 */
export interface BatchLog {
  /** Whether each batch has to be in it, since others follow it. Else the store may keep some elsewhere. */
  readonly hasAll: boolean;
  /** The longest body it takes, bytes. */
  readonly bodyBytesMax: number;
  /** What it takes of the disk, and how much of that is in use, bytes. */
  readonly bytes: number;
  readonly usedBytes: number;

  /** Whether a body of so many bytes has room now. Where it has none, letting go of records makes room. */
  hasRoom(bodyBytes: number): boolean;

  /**
   * Appends a record. `parts` make up its body, of `bodyBytes` together, and must not change until `done` is called: with
   * null once the record is durable, or with what went wrong; then nothing may be appended any more.
   */
  append(
    number: number,
    parts: readonly Buffer[],
    bodyBytes: number,
    done: (error: Error | null) => void,
  ): void;

  /** Sets the one listener told where nothing can become durable any more, and no append is under way that would say so. */
  onFailure(listener: (error: Error) => void): void;

  /** The store has all records up to this number, durably. */
  letGo(upTo: number): void;

  /** Releases what it holds. No append is under way. */
  close(): Promise<void>;
}

/** What the tables keep of how far they are, as against their log. */
export interface TablesMark {
  /**
   * Puts the row that says so into the batch that the tables gather: they have all records up to this number then. `clean`:
   * the log has none behind it.
   */
  put(tables: Store, number: number, clean: boolean): void;
}
