// Owns how messages look in JSON and come back from it, as RabbitMQ's HTTP API has them. Never reads
// the log: the caller that has a message does.

import type { FieldTable } from '../../amqp/field-table.ts';
import {
  decodeProperties,
  encodeContentHeaderPayload,
  type Properties,
} from '../../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../../amqp/property-walk.ts';
import type { ReadMessage } from '../../message/read-message.ts';
import { isObject, type JsonObject, type JsonValue, numberOf } from '../../util/json/json.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { argumentsFromJson, argumentsToJson } from '../definitions/arguments-json.ts';
import { Refusal } from '../errors.ts';

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

type Kind = 'text' | 'octet' | 'time' | 'headers';

/** RabbitMQ's names of the properties, in its order. */
const NAMES: readonly (readonly [json: string, name: keyof Properties, kind: Kind])[] = [
  ['content_type', 'contentType', 'text'],
  ['content_encoding', 'contentEncoding', 'text'],
  ['headers', 'headers', 'headers'],
  ['delivery_mode', 'deliveryMode', 'octet'],
  ['priority', 'priority', 'octet'],
  ['correlation_id', 'correlationId', 'text'],
  ['reply_to', 'replyTo', 'text'],
  ['expiration', 'expiration', 'text'],
  ['message_id', 'messageId', 'text'],
  ['timestamp', 'timestamp', 'time'],
  ['type', 'type', 'text'],
  ['user_id', 'userId', 'text'],
  ['app_id', 'appId', 'text'],
  ['cluster_id', 'clusterId', 'text'],
];

const NO_HEADERS: FieldTable = new Map();

/** The content-header payload for properties in JSON. Throws a Refusal that names what is wrong. */
export function headerFromJson(json: JsonValue, bodyBytes: number): Buffer {
  const given = Array.isArray(json) && json.length === 0 ? {} : json;
  if (!isObject(given)) throw new Refusal('invalid', 'properties must be an object');
  const properties: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const row = NAMES.find(([name]) => name === key);
    if (row === undefined) {
      const known = NAMES.map(([name]) => name).join(', ');
      throw new Refusal('invalid', `there is no property '${key}': those there are are ${known}`);
    }
    properties[row[1]] = valueFromJson(key, row[2], value);
  }
  return encodeContentHeaderPayload(bodyBytes, properties as Properties);
}

function valueFromJson(key: string, kind: Kind, value: JsonValue): unknown {
  switch (kind) {
    case 'headers':
      try {
        return argumentsFromJson(value);
      } catch (error) {
        throw new Refusal('invalid', `property 'headers': ${(error as Error).message}`);
      }
    case 'text':
      if (typeof value === 'string' && isShort(value)) return value;
      throw new Refusal(
        'invalid',
        `property '${key}' must be a text of at most ${SHORT_BYTES_MAX} bytes`,
      );
    case 'octet': {
      const number = numberOf(value);
      if (Number.isInteger(number) && number >= 0 && number <= 255) return number;
      throw new Refusal('invalid', `property '${key}' must be a whole number from 0 to 255`);
    }
    default: {
      const number = numberOf(value);
      if (Number.isSafeInteger(number) && number >= 0) return number;
      throw new Refusal('invalid', `property '${key}' must be a time in seconds since 1970`);
    }
  }
}

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
    properties: propertiesToJson(message),
    payload: text ?? body.toString('base64'),
    payload_bytes: message.body.length,
    payload_encoding: text === null ? 'base64' : 'string',
  };
}

function propertiesToJson(message: ReadMessage): JsonObject {
  // The headers are decoded already, and those of a dead letter may be more than decoding takes.
  const payload = replaceHeaders(message.headerPayload, NO_HEADERS, false);
  const decoded = decodeProperties(payload, PROPERTY_FLAGS_OFFSET, payload.length);
  const json: Record<string, JsonValue> = {};
  for (const [key, name, kind] of NAMES) {
    if (kind === 'headers') {
      if (message.headers.size === 0) continue;
      const args: FieldTable = message.headers;
      json[key] = argumentsToJson(args)['arguments'] as JsonValue;
      continue;
    }
    const value = decoded[name] as string | number | bigint | undefined;
    if (value !== undefined) json[key] = typeof value === 'bigint' ? String(value) : value;
  }
  return json;
}

/** The text that bytes are in UTF-8, or null. The end of a cut one may be missing a character. */
function textOf(bytes: Buffer, cut: boolean): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut });
  } catch {
    return null;
  }
}
