// Owns the error for what a verb cannot do. Never carries a stack to the user.

/** What a verb cannot do; the message is for the user. */
export class VerbError extends Error {
  override readonly name = 'VerbError';
}
