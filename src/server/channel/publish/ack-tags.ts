// Owns the header `x-ack-delivery-tag` of a publish: which deliveries it acks, and what such a header may not say.
// Never acks: deliveries.ts does.

import { AmqpError } from '../../../amqp/errors.ts';
import { describeFieldType } from '../../../amqp/field-equality.ts';
import { integerOf } from '../../../amqp/field-integers.ts';
import type { Field, FieldTable } from '../../../amqp/field-table.ts';
import { ACK_TAGS_HEADER } from '../../../broker/routing/header-signs.ts';

/** So many deliveries one publish may ack: it does so in one go. */
const ACK_TAGS_MAX = 1024;

/** The tags that the headers name, in order. Throws PRECONDITION_FAILED for what is no tag, or named twice. */
export function ackTagsOf(headers: FieldTable): number[] {
  const field = headers.get(ACK_TAGS_HEADER) as Field;
  if (field.type !== 'A') return [tagOf(field)];
  if (field.value.length > ACK_TAGS_MAX) {
    throw invalid(`${field.value.length} delivery tags, and ${ACK_TAGS_MAX} are the most`);
  }
  const tags = field.value.map(tagOf);
  const seen = new Set<number>();
  for (const tag of tags) {
    if (seen.has(tag)) throw invalid(`it names delivery tag ${tag} twice`);
    seen.add(tag);
  }
  return tags;
}

function tagOf(field: Field): number {
  const tag = integerOf(field);
  if (tag !== null) return Number(tag);
  throw invalid(
    `a delivery tag is an integer, and several are an array of integers, not ${describeFieldType(field)}`,
  );
}

function invalid(why: string): AmqpError {
  return new AmqpError('PRECONDITION_FAILED', `invalid header '${ACK_TAGS_HEADER}': ${why}`);
}

/** The error for a publish that comes from no channel with deliveries, over HTTP. */
export function noDeliveries(): AmqpError {
  return invalid('only a publish on a channel that has deliveries can ack them');
}
