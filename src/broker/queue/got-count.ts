// Owns the count of earlier deliveries that a message carries when a client gets it. Never counts: the pages of the
// queue's messages do.

import type { Field } from '../../amqp/field-table.ts';
import type { ConsumerSource } from './consumer.ts';
import type { TakenEntry } from './messages/queue-entries.ts';

/** The header that says how often a message came before. */
export const COUNT_HEADER = 'x-delivery-count';

/** A count as that header has it. */
export function countField(count: number): Field {
  return { type: 'l', value: count };
}

/**
 * What a message that is got, over AMQP or HTTP, says of how often it came before; null: nothing. As in
 * RabbitMQ, a quorum queue counts from 0 on, while a first delivery to a consumer carries no count.
 */
export function gotCount(queue: ConsumerSource, { seq, redelivered }: TakenEntry): number | null {
  const returns = redelivered ? queue.returnsOf(seq) : 0;
  return returns > 0 || queue.type.countsFirstGet ? returns : null;
}
