// Owns the count of earlier deliveries that a message carries when a client gets it, or when it died of them. Never counts: the pages of the
// queue's messages do.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { ConsumerSource } from './consumer.ts';
import type { TakenEntry } from './messages/queue-entries.ts';

/**
 * The headers that say how often a message came before: how often it came back, and RabbitMQ 4.3's, how often a consumer had
 * it. Each delivery that ends without an end of its message is a return here, so both say the same.
 */
const COUNT_HEADERS = ['x-delivery-count', 'x-acquired-count'] as const;

/** Puts a count into the headers of a message. */
export function setCount(headers: FieldTable, count: number): void {
  for (const name of COUNT_HEADERS) headers.set(name, { type: 'l', value: count });
}

/** Takes the counts out of the headers of a message; returns whether there were any. */
export function removeCount(headers: FieldTable): boolean {
  return COUNT_HEADERS.map((name) => headers.delete(name)).includes(true);
}

/**
 * What a message that is got, over AMQP or HTTP, says of how often it came before; null: nothing. As in
 * RabbitMQ, a quorum queue counts from 0 on, while a first delivery to a consumer carries no count.
 */
export function gotCount(queue: ConsumerSource, { seq, redelivered }: TakenEntry): number | null {
  const returns = redelivered ? queue.returnsOf(seq) : 0;
  return returns > 0 || queue.type.countsFirstGet ? returns : null;
}
