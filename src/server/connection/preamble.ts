// Owns the first octets of a connection, which name its protocol (§4.2.2). Never answers them.

import { PROTOCOL_HEADER } from '../../amqp/constants.ts';
import { foreignSpeech } from '../wire/protocol-header.ts';

/** What has come of the first octets. */
export type Preamble =
  /** There are too few of them so far. */
  | null
  /** Why the peer does not speak AMQP 0-9-1. */
  | { readonly foreign: string }
  /** They are right; what came behind them. */
  | { readonly rest: Buffer };

/** Puts the first octets together, however they come. */
export class PreambleReader {
  private seen = Buffer.alloc(0);

  /** Takes the next octets. */
  read(bytes: Buffer): Preamble {
    const seen = Buffer.concat([this.seen, bytes]);
    const foreign = foreignSpeech(seen);
    if (foreign !== null) return { foreign };
    this.seen = seen;
    if (seen.length < PROTOCOL_HEADER.length) return null;
    this.seen = Buffer.alloc(0);
    return { rest: Buffer.from(seen.subarray(PROTOCOL_HEADER.length)) };
  }
}
