// Owns seeing that each commit comes behind the one before. Never mends one that does not.

import type { RootDatabase } from 'lmdb';
import { type Batch, PUT } from '../batch.ts';

/** What LMDB tells of an environment; the package does not declare it. */
interface Environment {
  info(): { readonly lastTxnId: number };
}

/**
 * Watches the number of the newest commit in the data file. A commit that takes the place of the one before, as where another
 * process has put back the number in the lock file (see environment.ts), has the same number again. It costs some microseconds
 * for each commit.
 */
export class CommitWatch {
  private readonly environment: Environment;
  private last: number;

  constructor(db: RootDatabase<Buffer, Buffer>) {
    this.environment = (db as unknown as { readonly env: Environment }).env;
    this.last = this.environment.info().lastTxnId;
  }

  /** Batches have been committed; whether what was committed before is there still. */
  committed(batches: readonly Batch[]): boolean {
    const { last } = this;
    this.last = this.environment.info().lastTxnId;
    // LMDB writes no commit that only removes what is not there.
    return this.last > last || !batches.some(({ kinds }) => kinds.includes(PUT));
  }
}
