// Owns what of a message an exchange of type `x-consistent-hash` hashes: its routing key, a header or
// a property. Never chooses a destination: consistent-hash.ts does.

import { encodeTable } from '../../../amqp/encode-table.ts';
import { isIntegerField } from '../../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { BIT_CORRELATION_ID, BIT_MESSAGE_ID, BIT_TIMESTAMP } from '../../../amqp/property-walk.ts';
import { hashText } from '../../../util/hash.ts';
import type { RoutedMessage } from '../exchange-router.ts';
import { HeaderName } from './header-name.ts';

/** The arguments of the exchange that name what is hashed instead of the routing key. */
export const HASH_HEADER = 'hash-header';
export const HASH_PROPERTY = 'hash-property';

/** The properties that can be hashed, with their bits. */
export const HASHED_PROPERTIES: ReadonlyMap<string, number> = new Map([
  ['correlation_id', BIT_CORRELATION_ID],
  ['message_id', BIT_MESSAGE_ID],
  ['timestamp', BIT_TIMESTAMP],
]);

/** Messages without the header or the property all go one way, as in RabbitMQ. */
const NOTHING_TO_HASH = 0;

/** Gives the hash of a message. */
export type HashSource = (routingKey: string, message: RoutedMessage) => number;

/** Whether two messages with one routing key always have one hash. */
export function hashesKey(args: FieldTable): boolean {
  return !args.has(HASH_HEADER) && !args.has(HASH_PROPERTY);
}

/** What an exchange with these arguments hashes. */
export function hashSourceOf(args: FieldTable): HashSource {
  const header = args.get(HASH_HEADER);
  if (header !== undefined) {
    const name = new HeaderName(String(header.value));
    return (_routingKey, message) => {
      const field = message.header(name);
      return field === null ? NOTHING_TO_HASH : hashField(field);
    };
  }
  const property = args.get(HASH_PROPERTY);
  if (property === undefined) return hashText;
  const bit = HASHED_PROPERTIES.get(String(property.value)) ?? BIT_MESSAGE_ID;
  return (_routingKey, message) => {
    const value = message.property(bit);
    return value === null ? NOTHING_TO_HASH : hashText(value);
  };
}

/** Texts and numbers by what they say, so that the width of a number does not matter. */
function hashField(field: Field): number {
  const { type, value } = field;
  if (type === 'S' || type === 'x') {
    return hashText(typeof value === 'string' ? value : value.toString('latin1'));
  }
  if (isIntegerField(field) || type === 'T' || type === 't') return hashText(String(value));
  return hashText(encodeTable(new Map([['', field]])).toString('latin1'));
}
