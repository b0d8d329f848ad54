// Owns the errors an operator sees when the store cannot be opened or trusted. Never used for bugs
// of our own: that is assert.

import { wayOutOf } from '../util/system/system-error.ts';
import { UserError } from '../util/user-error.ts';

/** Something outside the broker keeps the store from working; `hint` says how to mend it. */
export class StoreError extends UserError {
  override readonly name: string = 'StoreError';
  declare readonly hint: string;
  /** Whether the data is to blame, and not what lies around it, such as the rights of a folder. */
  readonly damaged: boolean;

  /** The message is one line: what happened and why, then the way out. */
  constructor(what: string, hint: string, options: StoreErrorOptions = {}) {
    super(`${what}: ${hint}`, { ...options, hint });
    this.damaged = options.damaged ?? false;
  }
}

/** A later Leveret wrote it, in a form that this one does not know. */
export class TooNewError extends StoreError {
  override readonly name = 'TooNewError';
}

export interface StoreErrorOptions extends ErrorOptions {
  readonly damaged?: boolean;
}

/**
 * A commit failed. What was durable before is on the disk as it was; nothing of this commit counts, and the
 * store takes no more. `freeBytes` are those of its disk, -1 where that is not known.
 */
export class FailedCommitError extends StoreError {
  override readonly name = 'FailedCommitError';

  constructor(cause: unknown, freeBytes: number) {
    // LMDB calls a write that was cut short EIO, and that is how a disk becomes full.
    const full = freeBytes >= 0 && freeBytes < FULL_BYTES;
    const hint = full ? 'make room on that disk' : (wayOutOf(cause) ?? 'look at the disk');
    const free = freeBytes < 0 ? '' : `, with ${freeBytes} bytes free on its disk`;
    super(`a commit has failed: ${causeText(cause)}${free}`, hint, { cause });
  }
}

/** What was committed before is gone: another process has made LMDB write over it. */
export class LostCommitError extends StoreError {
  override readonly name = 'LostCommitError';

  constructor(folder: string) {
    super(
      `a commit in ${folder} has taken the place of the one before, which was durable: another process has changed LMDB's lock file there`,
      'keep other programs out of that folder, and restore it from a backup, or in a cluster start the node with an empty one',
      { damaged: true },
    );
  }
}

/** A disk with less room counts as full. */
const FULL_BYTES = 2 ** 20;

/** What of a log cannot be brought into the tables. */
export interface LogLoss {
  /** What is wrong with the log. */
  readonly what: string;
  /** Which batches are lost where it stays so, as a sentence. */
  readonly batches: string;
}

/** The log is damaged, is not there, or belongs to other data: what was confirmed last may be in it alone. */
export class DamagedLogError extends StoreError {
  override readonly name = 'DamagedLogError';
  readonly lost: LogLoss;

  constructor(lost: LogLoss) {
    super(
      `the last batches cannot be read: ${lost.what}`,
      "bring that file back as it was, or go on without what it held by 'leveret check --repair', or restore the folder from a backup ('leveret restore')",
      { damaged: true },
    );
    this.lost = lost;
  }
}

/** Another user of the system owns the data, and its broker could not use what this one writes there. */
export class ForeignFolderError extends StoreError {
  override readonly name = 'ForeignFolderError';

  /** `owner` and `user` are ids of the system. */
  constructor(path: string, owner: number, user: number) {
    super(
      `the data in ${path} belongs to the user with id ${owner}, and this runs as ${user}: files that it writes would keep that user's broker out`,
      `run it as that user, such as with: sudo -u '#${owner}' leveret ...`,
    );
  }
}

/** Another process works on the data folder. */
export class FolderInUseError extends StoreError {
  override readonly name = 'FolderInUseError';
  /** The process as far as it has named itself: `process 123`, or ''. */
  readonly holder: string;

  constructor(path: string, holder: string) {
    const who = holder === '' ? '' : `, ${holder}`;
    super(
      `the data folder ${path} is in use by another broker${who}`,
      'stop that one first, or name another folder',
    );
    this.holder = holder;
  }
}

/** A record read back from the store is not the one that was written. */
export class CorruptRecordError extends UserError {
  override readonly name = 'CorruptRecordError';
  readonly table: number;
  readonly key: Buffer;

  /** `what` says what is wrong with the record, such as "its checksum does not match". */
  constructor(table: number, key: Buffer, what: string) {
    super(`the record ${key.toString('hex')} of table ${table} is damaged: ${what}`, {
      hint: 'the data folder is damaged: see what `leveret check` says of it, or restore it from a copy',
    });
    this.table = table;
    this.key = key;
  }
}

/** A commit does not settle: the thread that writes it is stuck in the system, and cannot be ended. */
export class StuckCommitError extends Error {
  override readonly name = 'StuckCommitError';

  constructor(timeoutMs: number) {
    super(`a commit has not settled within ${timeoutMs} ms: the disk does not answer`);
  }
}

/** The short text of whatever was thrown. */
export function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
