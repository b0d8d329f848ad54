// Owns the two checks for bugs of our own. Never used for bad input from a peer: that is an AmqpError.

/** Thrown when the broker finds itself in a state that only a bug explains. */
class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws an AssertionError unless `condition` holds; `what` says which invariant broke. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

/** Ends a switch over a union: a new member that is not handled fails to compile. */
export function assertNever(value: never, what: string): never {
  throw new AssertionError(`${what}: unexpected ${String(value)}`);
}
