// Owns telling tools why something was refused, whichever part of the broker did. Never knows HTTP.

import { AmqpError } from '../../amqp/errors.ts';
import { StoreError } from '../../store/errors.ts';
import { Refusal } from '../errors.ts';

/** What was wrong, in a word; see management/http-error.ts for the statuses. */
export type FailureKind =
  | 'invalid'
  | 'not-found'
  | 'in-use'
  | 'access-refused'
  | 'locked'
  | 'precondition-failed'
  | 'other';

/** Why something was refused. */
export interface Failure {
  readonly kind: FailureKind;
  /** For the user that asked. */
  readonly text: string;
}

const BY_CODE: Readonly<Record<string, FailureKind>> = {
  ACCESS_REFUSED: 'access-refused',
  NOT_FOUND: 'not-found',
  RESOURCE_LOCKED: 'locked',
  PRECONDITION_FAILED: 'precondition-failed',
};

/** The failure that an error stands for, or null when it is a bug. */
export function failureOf(error: unknown): Failure | null {
  if (error instanceof Refusal) return { kind: error.kind, text: error.message };
  if (error instanceof StoreError) return { kind: 'invalid', text: error.message };
  if (error instanceof AmqpError) {
    return { kind: BY_CODE[error.replyName] ?? 'other', text: error.replyText };
  }
  return null;
}
