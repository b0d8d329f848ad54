// Owns which HTTP status and body each failure has: the one table that maps the broker's errors. Never
// decides that something failed.

import { type Failure, type FailureKind, failureOf } from '../broker/view/failure.ts';
import { JsonTextError } from '../util/json/json-text.ts';

/** An answer that is no success, with the body that RabbitMQ's API would send. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly error: string;
  /** The reason for a person, beside a word of RabbitMQ's; null: the reason is for people already. */
  readonly explanation: string | null;

  constructor(status: number, error: string, reason: string, explanation: string | null = null) {
    super(reason);
    this.explanation = explanation;
    this.status = status;
    this.error = error;
  }
}

export function badRequest(reason: string, explanation: string | null = null): HttpError {
  return new HttpError(400, 'bad_request', reason, explanation);
}

export function notFound(reason = 'Not Found'): HttpError {
  return new HttpError(404, 'Object Not Found', reason);
}

export function notAuthorised(reason: string): HttpError {
  return new HttpError(401, 'not_authorised', reason);
}

/** RabbitMQ answers what the user may not do with 401, and what AMQP refuses with 400. */
const STATUSES: Readonly<Record<FailureKind, readonly [status: number, error: string]>> = {
  invalid: [400, 'bad_request'],
  'not-found': [404, 'Object Not Found'],
  'in-use': [400, 'bad_request'],
  'access-refused': [401, 'not_authorised'],
  locked: [400, 'bad_request'],
  'precondition-failed': [400, 'bad_request'],
  other: [400, 'bad_request'],
};

/** The answer for whatever was thrown, or null when that is a bug. */
export function httpErrorOf(error: unknown): HttpError | null {
  if (error instanceof HttpError) return error;
  if (error instanceof JsonTextError) return badRequest(error.message, error.explanation);
  const failure: Failure | null = failureOf(error);
  if (failure === null) return null;
  const [status, name] = STATUSES[failure.kind];
  return new HttpError(status, name, withoutCode(failure.text));
}

/** RabbitMQ leaves the name of the reply code out. */
function withoutCode(text: string): string {
  return text.replace(/^[A-Z_]+ - /, '');
}
