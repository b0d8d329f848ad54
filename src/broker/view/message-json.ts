// Owns how messages look in JSON, as RabbitMQ's HTTP API has them. Never reads the log: the caller that has a message
// does.

import type { ReadMessage } from '../../message/read-message.ts';
import type { JsonObject } from '../../util/json/json.ts';
import { propertiesToJson } from '../definitions/properties-json.ts';

/** A message as tools see it. */
export interface MessageView {
  readonly exchange: string;
  readonly routing_key: string;
  readonly redelivered: boolean;
  readonly properties: JsonObject;
  readonly payload: string;
  readonly payload_bytes: number;
  readonly payload_encoding: 'string' | 'base64';
}

/** Whether a payload is shown as text where it is text, or always in base64. */
export type PayloadEncoding = 'auto' | 'base64';

/** A message as JSON; of its payload at most `truncate` bytes. */
export function viewMessage(
  message: ReadMessage,
  redelivered: boolean,
  encoding: PayloadEncoding,
  truncate: number,
): MessageView {
  const body = message.body.subarray(0, truncate);
  const text = encoding === 'auto' ? textOf(body, message.body.length > truncate) : null;
  return {
    exchange: message.exchange,
    routing_key: message.routingKey,
    redelivered,
    properties: propertiesToJson(message.headerPayload, message.headers),
    payload: text ?? body.toString('base64'),
    payload_bytes: message.body.length,
    payload_encoding: text === null ? 'base64' : 'string',
  };
}

/** The text that bytes are in UTF-8, or null. The end of a cut one may be missing a character. */
function textOf(bytes: Buffer, cut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
  } catch {
    return null;
  }
}
