// Whole dialogues as bytes, for tests that send them cut, mutated, or all at once.
import { encodeContent, encodeMethod, type Fields, PROTOCOL_HEADER } from '../support/amqp-wire.ts';

/** From the protocol header to connection.open. */
export function handshake(frameMax = 131_072): Buffer {
  return Buffer.concat([
    PROTOCOL_HEADER,
    encodeMethod(0, 'connection.start-ok', {
      clientProperties: { product: 'script', capabilities: { consumer_cancel_notify: true } },
      mechanism: 'PLAIN',
      response: '\0guest\0guest',
      locale: 'en_US',
    }),
    encodeMethod(0, 'connection.tune-ok', { channelMax: 2047, frameMax, heartbeat: 0 }),
    encodeMethod(0, 'connection.open', { virtualHost: '/' }),
  ]);
}

/** basic.publish with its content, the body in pieces of at most `pieceBytes`. */
export function publication(
  channel: number,
  fields: Fields,
  properties: Fields,
  body: Buffer,
  pieceBytes?: number,
): Buffer {
  return Buffer.concat([
    encodeMethod(channel, 'basic.publish', fields),
    encodeContent(channel, properties, body, pieceBytes),
  ]);
}

export const HANG_UP = encodeMethod(0, 'connection.close', { replyCode: 200 });
