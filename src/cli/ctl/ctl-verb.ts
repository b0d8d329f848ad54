// Owns what a verb of RabbitMQ's tools is: its words, what it is given, what it answers, and the code it ends with.
// Never runs one.

import type { Option } from 'commander';
import { UserError } from '../../util/user-error.ts';
import { EXIT_UNAVAILABLE, EXIT_USAGE, UsageError } from '../exit-codes.ts';
import type { Listing } from '../output.ts';
import type { HttpApi } from '../verb/http-api.ts';
import type { Options } from '../verb/verb.ts';

/** A failure with a code of its own. */
export class CtlError extends UserError {
  readonly exitCode: number;

  constructor(exitCode: number, advice: string) {
    super(advice);
    this.exitCode = exitCode;
  }
}

/** The code that a failure ends with. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CtlError) return error.exitCode;
  return error instanceof UsageError ? EXIT_USAGE : EXIT_UNAVAILABLE;
}

/** An answer that is no list: a text for people, and a value for the formatters of scripts. */
export interface Report {
  readonly text: string;
  readonly value: unknown;
}

/** What a verb says: rows, a report, a text as it is, or nothing. */
export type CtlAnswer = Listing | Report | string | undefined;

/** What a verb is given. */
export interface CtlCall {
  readonly api: HttpApi;
  /** What the broker calls its node, for a verb that names it. */
  readonly node: string;
  /** The words behind the verb. */
  readonly words: readonly string[];
  readonly options: Options;
  /** The vhost of `-p`. */
  readonly vhost: string;
  /** What `--timeout` says, in milliseconds; null: nothing. */
  readonly timeoutMs: number | null;
}

/** One verb over the API of a running broker. */
export interface CtlVerb {
  readonly name: string;
  /** The words that it takes, as commander writes them. */
  readonly arguments?: string;
  readonly about: string;
  readonly options?: readonly Option[];
  /** Takes options that it does not know. */
  readonly lenient?: true;
  /** Its texts name the node, so that the broker is asked for it first. */
  readonly namesNode?: true;
  /** What is said before it is done, without -q. */
  banner?(call: CtlCall): string;
  run(call: CtlCall): Promise<CtlAnswer> | CtlAnswer;
}

/** Whether an answer is a list. */
export function isListing(answer: NonNullable<CtlAnswer>): answer is Listing {
  return typeof answer === 'object' && 'columns' in answer;
}
