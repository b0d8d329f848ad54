// Owns the reply codes and the one error that a peer is told about.
// Never decides which channel or connection closes: the dispatcher that catches it does.
import { shortBytes } from '../util/limits.ts';
import { UserError } from '../util/user-error.ts';

/** Every reply code that names an error, §1.2 (NO_ROUTE and NO_CONSUMERS serve basic.return). */
export const REPLY_CODES = {
  CONTENT_TOO_LARGE: 311,
  NO_ROUTE: 312,
  NO_CONSUMERS: 313,
  CONNECTION_FORCED: 320,
  INVALID_PATH: 402,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  RESOURCE_LOCKED: 405,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

export type ReplyName = keyof typeof REPLY_CODES;

/** Which rule was broken, where there is more to say about it than its code: server/view/close-history.ts advises by it. */
export type ErrorReason =
  | 'access-refused'
  | 'consumer-tag-used'
  | 'delivery-timeout'
  | 'exclusive-consumer'
  | 'exclusive-queue'
  | 'in-use'
  | 'inequivalent'
  | 'limit-reached'
  | 'login-refused'
  | 'message-too-large'
  | 'no-exchange'
  | 'no-queue'
  | 'no-vhost'
  | 'stopped'
  | 'unknown-delivery';

/** The codes that close a channel only; all others close the connection, §1.2. */
const SOFT: ReadonlySet<ReplyName> = new Set<ReplyName>([
  'CONTENT_TOO_LARGE',
  'NO_ROUTE',
  'NO_CONSUMERS',
  'ACCESS_REFUSED',
  'NOT_FOUND',
  'RESOURCE_LOCKED',
  'PRECONDITION_FAILED',
]);

/** A peer's fault, or a refusal, that closes its channel (soft) or its connection (hard). */
export class AmqpError extends UserError {
  override readonly name = 'AmqpError';
  readonly code: number;
  readonly replyName: ReplyName;
  readonly hard: boolean;
  readonly replyText: string;
  /** Null: its code says it all. */
  readonly reason: ErrorReason | null;
  /** The reply text without its name. */
  readonly explanation: string;

  /** `hard` overrides the code's grade: ACCESS_REFUSED closes the connection during login. */
  constructor(
    name: ReplyName,
    explanation: string,
    options: {
      readonly hard?: boolean;
      readonly cause?: unknown;
      readonly reason?: ErrorReason;
    } = {},
  ) {
    // reply-text is a short string.
    const replyText = shortText(`${name} - ${explanation}`);
    super(replyText, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = REPLY_CODES[name];
    this.replyName = name;
    this.hard = options.hard ?? !SOFT.has(name);
    this.replyText = replyText;
    this.reason = options.reason ?? null;
    this.explanation = explanation;
  }
}

/** As much of a text as a short string holds. Texts may quote what a peer sent, so it may be long. */
function shortText(text: string): string {
  const bytes = shortBytes(text);
  return bytes.length < text.length || bytes.toString() !== text ? bytes.toString() : text;
}
