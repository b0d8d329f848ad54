// Owns what the properties of a schedule's message ask of the broker, and which of them it cannot have. Never publishes.

import type { FieldTable } from '../../amqp/field-table.ts';
import { checkProperties, decodeProperties } from '../../amqp/properties.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../amqp/property-walk.ts';
import { STORED_LIMITS } from '../../amqp/table-limits.ts';
import { NO_EXPIRY } from '../../message/record.ts';
import { Refusal } from '../errors.ts';
import { EXPIRY_MAX_MS } from '../queue/arguments/argument-values.ts';
import { DELAY_MAX_MS, delayOf } from '../queue/delay/delay-headers.ts';
import { ACK_TAGS_HEADER } from '../routing/header-signs.ts';
import { REPLY_TO } from '../routing/reply-names.ts';
import { checkCopies } from '../routing/sender-selected.ts';
import type { Asked } from './schedule.ts';

const PERSISTENT = 2;
const NO_HEADERS: FieldTable = new Map();

/**
 * Reads the payload of a content header. Throws a Refusal or an AmqpError for what no message may ask; what is due too
 * far off by the time of day is found with each tick.
 */
export function askedOf(headerPayload: Buffer): Asked {
  const end = headerPayload.length;
  checkProperties(headerPayload, PROPERTY_FLAGS_OFFSET, end, STORED_LIMITS);
  const properties = decodeProperties(headerPayload, PROPERTY_FLAGS_OFFSET, end);
  const { headers = NO_HEADERS, deliveryMode, priority, expiration, replyTo } = properties;
  if (replyTo === REPLY_TO) {
    throw new Refusal(
      'invalid',
      `property 'reply_to' must not be ${REPLY_TO}: there is no consumer`,
    );
  }
  if (headers.has(ACK_TAGS_HEADER)) {
    throw new Refusal('invalid', `header '${ACK_TAGS_HEADER}' has no delivery to ack here`);
  }
  checkCopies(headers);
  if ((delayOf(headers, Number.POSITIVE_INFINITY) ?? 0) > DELAY_MAX_MS) {
    throw new Refusal('invalid', `a message may wait for ${DELAY_MAX_MS} ms at most`);
  }
  return {
    headers,
    persistent: deliveryMode === PERSISTENT,
    priority: priority ?? null,
    expiryMs: expiration === undefined ? NO_EXPIRY : expiryOf(expiration),
  };
}

function expiryOf(expiration: string): number {
  const ms = /^\d{1,15}$/.test(expiration) ? Number(expiration) : Infinity;
  if (ms <= EXPIRY_MAX_MS) return ms;
  const text = `a text of digits, milliseconds up to ${EXPIRY_MAX_MS}`;
  throw new Refusal('invalid', `property 'expiration' must be ${text}`);
}
