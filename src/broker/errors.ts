// Owns the error for what a user that manages the broker asks for and cannot have. Never for AMQP:
// a peer that breaks a rule gets an AmqpError.

import { UserError } from '../util/user-error.ts';

/** Why it cannot be had: what was asked for is wrong, what it names is not there, or it is in use. */
export type RefusalKind = 'invalid' | 'not-found' | 'in-use';

/** What was asked for is refused; the message is for the user that asked. */
export class Refusal extends UserError {
  override readonly name = 'Refusal';
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.kind = kind;
  }
}
