// Owns the reply codes and the one error that a peer is told about.
// Never decides which channel or connection closes: the dispatcher that catches it does.
import { Buffer } from 'node:buffer';

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

/** reply-text is a shortstr. */
const REPLY_TEXT_BYTES_MAX = 255;

/** A peer's fault, or a refusal, that closes its channel (soft) or its connection (hard). */
export class AmqpError extends Error {
  override readonly name = 'AmqpError';
  readonly code: number;
  readonly replyName: ReplyName;
  readonly hard: boolean;
  readonly replyText: string;
  /** The reply text without its name. */
  readonly explanation: string;

  /** `hard` overrides the code's grade: ACCESS_REFUSED closes the connection during login. */
  constructor(
    name: ReplyName,
    explanation: string,
    options: { readonly hard?: boolean; readonly cause?: unknown } = {},
  ) {
    const replyText = cutText(`${name} - ${explanation}`, REPLY_TEXT_BYTES_MAX);
    super(replyText, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = REPLY_CODES[name];
    this.replyName = name;
    this.hard = options.hard ?? !SOFT.has(name);
    this.replyText = replyText;
    this.explanation = explanation;
  }
}

/** Cuts `text` so that its UTF-8 form has at most `bytesMax` bytes and ends on a character. */
function cutText(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
