// Owns the contract between the broker and a storage engine: tables, keys and bytes, gathered into
// batches. Never knows what a queue or a message is.

/** One key with its value, as read back from the store. */
export interface StoredRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** What a log and its store have done since the start, and what they hold. */
export interface LogCounts {
  readonly appends: number;
  readonly appendedBytes: number;
  readonly appendMs: number;
  /** Batches that went into the tables without the log. */
  readonly directCommits: number;
  readonly checkpoints: number;
  readonly checkpointMs: number;
  /** Records and bytes that the log has and the tables have not. */
  readonly unappliedRecords: number;
  readonly unappliedBytes: number;
  /** What the log takes of the disk, bytes. */
  readonly logBytes: number;
}

/** Those of a store without a log. */
export const NO_LOG: LogCounts = {
  appends: 0,
  appendedBytes: 0,
  appendMs: 0,
  directCommits: 0,
  checkpoints: 0,
  checkpointMs: 0,
  unappliedRecords: 0,
  unappliedBytes: 0,
  logBytes: 0,
};

/**
 * A key-value store with group commit.
 *
 * Changes are gathered into the current batch. `seal` closes that batch and starts the next; sealed
 * batches become durable one after the other, in order, each wholly or not at all. So what batch N
 * changed is on disk whenever anything that batch N + 1 changed is.
 *
 * A batch is promised two things. Once it is durable, it is kept whatever happens, and reads see it: what waits for the
 * disk may go on. Once it is readable, which may be a while later, the engine needs its buffers no more.
 *
 * Keys are compared as byte strings within their table (1 to 255). Key and value buffers that are
 * handed over must not change until their batch is readable. Reads see durable batches only.
 */
export interface Store {
  /** The number of the batch being gathered; the first is 1. */
  readonly batch: number;
  /** Whether the batch being gathered holds any change. */
  readonly dirty: boolean;
  /** Bytes of keys and values in the batch being gathered. */
  readonly gatheredBytes: number;
  /** Whether a sealed batch is not durable yet. */
  readonly busy: boolean;
  /** How much of the store's files holds nothing any more and will be written over before they grow. */
  readonly reusableBytes: number;
  /** Not there: it keeps no log before its tables. */
  readonly logCounts?: LogCounts;

  /**
   * The value under a key as a copy of its own, or null. `into`: where it fits, the copy may be at the beginning of this
   * buffer, and what is returned is a view of that.
   */
  get(table: number, key: Buffer, into?: Buffer): Buffer | null;
  /** The rows with `from` <= key < `to`, in order of keys, read while iterating. */
  range(table: number, from: Buffer, to: Buffer): Iterable<StoredRow>;
  /** The keys with `from` <= key < `to`, in order, without reading their values. */
  keys(table: number, from: Buffer, to: Buffer): Iterable<Buffer>;

  put(table: number, key: Buffer, value: Buffer): void;
  /** Removing a key that is not there is no error. */
  remove(table: number, key: Buffer): void;
  /** Removes every key with `from` <= key < `to`, those put earlier in this or an unfinished batch included. */
  removeRange(table: number, from: Buffer, to: Buffer): void;

  /**
   * Closes the batch being gathered and hands it to the engine; returns its number. An empty batch
   * may be sealed too: it becomes durable when all before it are.
   */
  seal(): number;

  /** Sets the one listener told, never from inside a call to the store, that batches up to `batch` are durable. */
  onDurable(listener: (batch: number) => void): void;
  /**
   * Sets the one listener told, never from inside a call to the store, that the buffers of batches up to `batch` may be used
   * again. It is told of durable batches only, and after the other listener.
   */
  onReadable(listener: (batch: number) => void): void;
  /**
   * Sets the one listener told that a batch could not be written, or not within the time allowed.
   * Nothing after it will become durable: the only safe answer is to stop the process.
   */
  onFailure(listener: (error: Error) => void): void;

  /**
   * Copies all that is durable into an empty folder, while changes go on; rejects where there are no files
   * to copy. A `compact` copy leaves out the room that holds nothing. The caller syncs the copy.
   */
  copyTo(folder: string, compact?: boolean): Promise<void>;

  /**
   * Seals what is gathered, or forgets it where `keep` is false, waits until all that was sealed is durable
   * (rejects when that fails) and releases the files.
   */
  close(keep?: boolean): Promise<void>;
}
