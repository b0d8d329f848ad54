// Owns the contract between the replicated store and a log that several machines keep. Never says what a record means.

import { StoreError } from '../errors.ts';

/** What is known of a log. */
export interface LogState {
  /** The name of this very log, 32 hex digits: another one under the same name has another. */
  readonly id: string;
  /** The place of the first record that is there, or would be; the first one ever is at 1. */
  readonly first: number;
  /** The place of the last record that was ever appended; 0: none was. */
  readonly last: number;
  /** What its records take, and may take, bytes. */
  readonly bytes: number;
  readonly bytesMax: number;
}

/** A record with its place. */
export interface LogEntry {
  readonly seq: number;
  readonly bytes: Buffer;
}

/** What records are read into. */
export interface LogReader {
  /** Takes the next records, in order and without a gap. None come until what it returns has resolved. */
  entries(entries: readonly LogEntry[]): Promise<void>;
  /** The log begins behind what is to be read next: at `first`. No records come after that. */
  behind(first: number): void;
}

/** Reading that goes on until it is stopped. */
export interface Following {
  /** Stops; when it has resolved, the reader is given nothing any more, and has taken what it was given. */
  stop(): Promise<void>;
}

/** A value that is changed by one that has seen the last change. */
export interface LeaseCell {
  /** The value and its revision; null: it never had one, as if that had the revision 0. */
  look(): Promise<{ readonly revision: number; readonly value: Buffer } | null>;
  /** Sets it where its revision is this one; returns the new one. Rejects with a RefusedError where it is not. */
  set(value: Buffer, revision: number): Promise<number>;
}

/**
 * A log of records in one order that all machines see alike, and that keeps what it has acknowledged.
 *
 * Each call but `follow` rejects with an UnansweredError where no answer has come in time: what was asked for may or may not
 * have been done, and may still be done later.
 */
export interface LogClient {
  /** The longest record it takes, bytes. */
  readonly recordBytesMax: number;
  /** Where the client cell of the leader is kept. */
  readonly lease: LeaseCell;

  /**
   * Appends a record; returns its place. It is kept by most machines then, on their disks. `previous` is the place of the last
   * record as the caller knows it: where there is another one behind it, the call rejects with a RefusedError. That is for
   * order's sake and does not make the log safe: several calls may be under way at once, and a later one may be taken where
   * an earlier one is not.
   */
  append(parts: readonly Buffer[], previous: number): Promise<number>;

  state(): Promise<LogState>;

  /** The record at a place, or null: none is. */
  read(seq: number): Promise<Buffer | null>;

  /** Hands all records from a place on to a reader, and those to come. Where the way to the log is cut, tries again. */
  follow(from: number, reader: LogReader): Following;

  /** Drops the records below a place. */
  purge(below: number): Promise<void>;

  /** Releases what it holds. */
  close(): Promise<void>;
}

/**
 * What the nodes tell one another: information that is not kept, may be lost, and nothing may rest upon. Each hears what
 * all tell, also what it tells itself.
 */
export interface Presence {
  /**
   * Tells all nodes that listen now. `part` says which of the things a node tells this is: up to 64 letters, digits, hyphens
   * and underscores. Throws a RangeError for another one, and for more than TOLD_BYTES_MAX bytes.
   */
  tell(part: string, bytes: Buffer): void;

  /** Calls back with all that is told from now on, until what it returns is called. */
  onTold(listener: (part: string, bytes: Buffer) => void): () => void;
}

/** What may be told at once, bytes. */
export const TOLD_BYTES_MAX = 64 * 1024;

/** One of the machines that keep the log. */
export interface LogReplica {
  readonly name: string;
  /** Whether it has what the others have. */
  readonly current: boolean;
  /** How many records it is behind. */
  readonly lag: number;
}

/** How the log is kept, for operators. */
export interface LogFacts {
  /** The machine that this node is connected to; empty: there is none now. */
  readonly server: string;
  readonly version: string;
  /** The machine that orders the records; empty: there is none now. */
  readonly leader: string;
  readonly replicas: readonly LogReplica[];
  /** Whether each record is on the disks before it is acknowledged; null: that could not be asked. */
  readonly syncs: boolean | null;
}

/** Another one was there before. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** No answer has come in time. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** The log has no room. */
export class LogFullError extends StoreError {
  override readonly name = 'LogFullError';

  constructor(bytesMax: number) {
    super(
      `the log has no room: it may take ${bytesMax} bytes`,
      'raise cluster.log_bytes_max, or see why it is not trimmed: leveret cluster status',
    );
  }
}

/** Another node leads, or this one cannot know that none does: it has to stop serving, and follow. */
export class DeposedError extends Error {
  override readonly name = 'DeposedError';
}
