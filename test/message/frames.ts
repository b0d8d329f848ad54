// Owns the frames of a publish as a client sends them, for tests and benches of what reads them.
// Never opens a socket.

import { FRAME_BODY, FRAME_END, FRAME_HEADER } from '../../src/amqp/constants.ts';
import { encodeMethodFrame } from '../../src/amqp/method-codec.ts';
import { encodeContentHeaderPayload, type Properties } from '../../src/amqp/properties.ts';

/** One publish as a client makes it. */
export interface Publish {
  readonly exchange: string;
  readonly routingKey: string;
  readonly properties: Properties;
  readonly body: Buffer;
}

/** The frames of a publish; a body longer than a frame may be comes in several. */
export function publishFrames(channel: number, publish: Publish, frameMax = 131_072): Buffer {
  const { exchange, routingKey, properties, body } = publish;
  const fields = { exchange, routingKey, mandatory: false, immediate: false };
  const frames = [
    encodeMethodFrame(channel, 'basic.publish', fields),
    frame(FRAME_HEADER, channel, encodeContentHeaderPayload(body.length, properties)),
  ];
  const partMax = frameMax - 8;
  for (let at = 0; at < body.length; at += partMax) {
    frames.push(frame(FRAME_BODY, channel, body.subarray(at, at + partMax)));
  }
  return Buffer.concat(frames);
}

/** One frame around a payload. */
function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.of(FRAME_END)]);
}
