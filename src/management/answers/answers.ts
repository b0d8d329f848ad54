// Owns how much memory answers take while they are made and sent: so many at a time for each user, so
// many bytes in all, a part at a time on each connection. Never makes one.

import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setImmediate } from '../../util/system/runtime.ts';
import { HttpError } from '../http-error.ts';
import type { Piece } from './json-pieces.ts';

/** So many answers are made or sent at a time for one user; the others wait for their turn. */
const AT_ONCE_MAX = 6;
/** So many characters of all answers wait to be taken by peers, unless one alone has as many. */
const ALL_CHARS_MAX = 64 * 2 ** 20;
/** A socket is given so much at a time. */
const PART_CHARS = 16 * 1024;
const TURN_CHARS = 64 * 1024;

/** The answers of one server. */
export class Answers {
  /** Characters that wait to be sent. */
  held = 0;
  private readonly running = new Map<string, { count: number; readonly waiting: (() => void)[] }>();

  /**
   * Resolves when one more answer may be made for a user; that place is given back when `response` is
   * closed, be it sent or not.
   */
  async turn(user: string, response: ServerResponse): Promise<void> {
    let turns = this.running.get(user);
    if (turns === undefined) {
      turns = { count: 0, waiting: [] };
      this.running.set(user, turns);
    }
    const { waiting } = turns;
    if (turns.count >= AT_ONCE_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else turns.count += 1;
    const giveBack = (): void => {
      const next = waiting.shift();
      // The place goes to the next one as it is.
      if (next !== undefined) next();
      else if (turns.count === 1) this.running.delete(user);
      else turns.count -= 1;
    };
    if (response.destroyed || response.writableFinished) giveBack();
    else response.once('close', giveBack);
  }

  /**
   * A text in pieces, as a stream that gives out the next part when the peer has taken the last. Throws
   * with 503 when too much waits for others; what waits is given back when `response` is closed.
   */
  stream(pieces: readonly Piece[], response: ServerResponse): Readable {
    let chars = 0;
    for (const piece of pieces) chars += piece.length;
    if (this.held > 0 && this.held + chars > ALL_CHARS_MAX) {
      const reason = 'too much waits to be read by others: try again in a while';
      throw new HttpError(503, 'service_unavailable', reason);
    }
    this.held += chars;
    response.once('close', () => {
      this.held -= chars;
      chars = 0;
    });
    return Readable.from(parts(pieces), { objectMode: false, highWaterMark: PART_CHARS });
  }
}

/** The bytes of texts, in parts; others have their turn after each piece, for sockets take a lot at once. */
async function* parts(pieces: readonly Piece[]): AsyncIterable<Buffer> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const bytes = typeof piece !== 'string';
      const end = bytes ? at + PART_CHARS : wholeEnd(piece, at + PART_CHARS);
      yield bytes ? piece.subarray(at, end) : Buffer.from(piece.slice(at, end));
      at = end;
      if (at % TURN_CHARS < PART_CHARS) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

/** The end of a part that does not cut a pair of surrogates. */
function wholeEnd(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const code = text.charCodeAt(end - 1);
  return code >= 0xd800 && code < 0xdc00 ? end + 1 : end;
}

/** Bytes that are there, as a stream in parts that share their memory. */
export function streamOf(bytes: Buffer): Readable {
  function* some(): Iterable<Buffer> {
    for (let at = 0; at < bytes.length; at += PART_CHARS) {
      yield bytes.subarray(at, at + PART_CHARS);
    }
  }
  return Readable.from(some(), { objectMode: false, highWaterMark: PART_CHARS });
}
