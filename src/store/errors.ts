// Owns the errors an operator sees when the store cannot be opened or trusted. Never used for bugs
// of our own: that is assert.

/** Something outside the broker keeps the store from working; `hint` says how to mend it. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError';
  /** What the operator can do about it. */
  readonly hint: string;

  /** The message is one line: what happened and why, then the way out. */
  constructor(what: string, hint: string, options?: ErrorOptions) {
    super(`${what}: ${hint}`, options);
    this.hint = hint;
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
