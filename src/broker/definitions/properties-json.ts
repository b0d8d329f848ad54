// Owns how the properties of a message look in JSON and come back from it, as RabbitMQ's HTTP API has them. Never looks
// at its body.

import type { FieldTable } from '../../amqp/field-table.ts';
import {
  decodeProperties,
  encodeContentHeaderPayload,
  type Properties,
} from '../../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../../amqp/property-walk.ts';
import {
  isInteger,
  isObject,
  type JsonObject,
  type JsonValue,
  numberOf,
} from '../../util/json/json.ts';
import { isShort, SHORT_BYTES_MAX } from '../../util/limits.ts';
import { Refusal } from '../errors.ts';
import { argumentsFromJson, argumentsToJson } from './arguments-json.ts';

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
      if (value === null) throw new Refusal('invalid', `property 'headers' must be an object`);
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
    default:
      return timeFromJson(key, value);
  }
}

/** A time, which the wire has 64 bits for. Old tools write it as a text. */
function timeFromJson(key: string, value: JsonValue): number | bigint {
  const given = typeof value === 'string' && DIGITS.test(value) ? BigInt(value) : value;
  if (isInteger(given) && given >= 0 && given <= TIME_MAX) return given;
  throw new Refusal('invalid', `property '${key}' must be a time in seconds since 1970`);
}

const DIGITS = /^\d{1,20}$/;
const TIME_MAX = 2n ** 64n - 1n;

/** Properties as JSON, of a content-header payload with its headers. */
export function propertiesToJson(headerPayload: Buffer, headers: FieldTable): JsonObject {
  // The headers are decoded already, and those of a dead letter may be more than decoding takes.
  const payload = replaceHeaders(headerPayload, NO_HEADERS, false);
  const decoded = decodeProperties(payload, PROPERTY_FLAGS_OFFSET, payload.length);
  const json: Record<string, JsonValue> = {};
  for (const [key, name, kind] of NAMES) {
    if (kind === 'headers') {
      if (headers.size === 0) continue;
      json[key] = argumentsToJson(headers)['arguments'] as JsonValue;
      continue;
    }
    const value = decoded[name] as string | number | bigint | undefined;
    if (value !== undefined) json[key] = value;
  }
  return json;
}
