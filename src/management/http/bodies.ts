// Owns reading the bodies of requests: within the limit of a route, and of all that are held at once.
// Never looks at what is in them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from '../http-error.ts';

/** What a route takes: some names and values, a message to publish, or definitions. */
export type BodyKind = 'small' | 'message' | 'definitions';

const SMALL_BYTES_MAX = 256 * 1024;
const MESSAGE_BYTES_MAX = 8 * 2 ** 20;

/** How long the body of a kind of route may be, `setting` being the largest of all. */
export function bodyBytesMax(kind: BodyKind, setting: number): number {
  if (kind === 'definitions') return setting;
  return Math.min(setting, kind === 'message' ? MESSAGE_BYTES_MAX : SMALL_BYTES_MAX);
}

/** All bodies that are held at once, unless one alone may be as large. */
const ALL_BYTES_MAX = 64 * 2 ** 20;
/** What is left unread of a refused body may be so long for the connection to go on. */
const DRAINED_BYTES_MAX = 64 * 1024;

/** The bodies that are held for requests that are being answered. */
export class Bodies {
  /** Bytes held now. */
  held = 0;
  private readonly allBytesMax: number;

  /** `largest` is the largest body that any route takes. */
  constructor(largest: number) {
    this.allBytesMax = Math.max(ALL_BYTES_MAX, 2 * largest);
  }

  /**
   * Reads a body of at most `max` bytes; its memory counts until the request is answered. Rejects with 413
   * when it is longer, and with 503 when too much is held for others.
   */
  async read(request: IncomingMessage, response: ServerResponse, max: number): Promise<Buffer> {
    const length = Number(request.headers['content-length'] ?? 0);
    if (length > max) throw tooLarge(max);
    // Now that the body is wanted.
    if (isExpecting(request)) response.writeContinue();
    const parts: Buffer[] = [];
    let bytes = 0;
    response.once('close', () => {
      this.held -= bytes;
      bytes = 0;
    });
    for await (const part of request as AsyncIterable<Buffer>) {
      if (bytes + part.length > max) throw tooLarge(max);
      if (this.held + part.length > this.allBytesMax) throw tooMany();
      // Nothing to give back any more.
      if (response.destroyed) break;
      bytes += part.length;
      this.held += part.length;
      parts.push(part);
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, bytes);
  }
}

function isExpecting({ headers }: IncomingMessage): boolean {
  return headers.expect?.toLowerCase() === '100-continue';
}

/** Whether a request has a body that is too long to be read for nothing: its connection ends then. */
export function isUnwieldy(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const { headers } = request;
  if (isExpecting(request) || headers['transfer-encoding'] !== undefined) return true;
  return Number(headers['content-length'] ?? 0) > DRAINED_BYTES_MAX;
}

function tooLarge(max: number): HttpError {
  const reason =
    `the body is too large: this path takes ${max} bytes, and definitions as many as the setting ` +
    'management.http.max_body_size says';
  return new HttpError(413, 'bad_request', reason);
}

function tooMany(): HttpError {
  const reason = 'too much is being sent by others at the same time: try again in a while';
  return new HttpError(503, 'service_unavailable', reason);
}
