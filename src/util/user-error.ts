// Owns the error whose message is for the user or operator as it stands, in all programs. Never for a bug of ours: that
// is assert, and what is shown of it is a stack.

export interface UserErrorOptions extends ErrorOptions {
  /** What the user can do about it, where the message does not say so. */
  readonly hint?: string;
}

/** What a user can mend. The message is one sentence without a stack: what is wrong, and the way out where there is one. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  declare readonly hint?: string;

  constructor(message: string, { hint, ...options }: UserErrorOptions = {}) {
    super(message, options);
    // Not as a field: errors that have none are logged without it.
    if (hint !== undefined) this.hint = hint;
  }

  /** All of it in one sentence. */
  get advice(): string {
    const { hint, message } = this;
    return hint === undefined || message.includes(hint) ? message : `${message}: ${hint}`;
  }
}
