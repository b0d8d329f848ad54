// Owns moving messages from one queue to another, dead letters back to where they died above all. A
// message is never in both queues, and never in none, whatever happens: one batch holds the move.

import type { Field, FieldTable } from '../amqp/field-table.ts';
import { BIT_EXPIRATION, PROPERTY_FLAGS_OFFSET, shortProperty } from '../amqp/property-walk.ts';
import type { ReadMessage } from '../message/read-message.ts';
import { NO_EXPIRY } from '../message/record.ts';
import type { Broker } from './broker.ts';
import { copyMessage } from './copy-message.ts';
import type { Queue } from './queue/queue.ts';
import type { BrowsedEntry } from './queue/queue-messages.ts';
import type { Vhost } from './vhost.ts';

/** What became of a message that was to be moved. */
export type Moved = 'moved' | 'no-way-back' | 'refused';

/**
 * Moves a ready message to the queue that it died in last, or to `to`. A dead letter gets the exchange
 * and the routing key back that it had; what `x-death` says stays, as its history.
 */
export function redriveMessage(
  broker: Broker,
  vhost: Vhost,
  from: Queue,
  entry: BrowsedEntry,
  message: ReadMessage,
  to: Queue | null,
): Moved {
  const death = lastDeath(message.headers);
  const target = to ?? (death === null ? undefined : vhost.queues.get(textOf(death.get('queue'))));
  if (target === undefined || target === from) return 'no-way-back';
  const keys = death?.get('routing-keys');
  const key = keys?.type === 'A' ? keys.value[0] : undefined;
  const expiration = shortProperty(message.headerPayload, PROPERTY_FLAGS_OFFSET, BIT_EXPIRATION);
  const copy = {
    exchange: death === null ? message.exchange : textOf(death.get('exchange')),
    routingKey: key === undefined ? message.routingKey : textOf(key),
    headerPayload: message.headerPayload,
    expiryMs: expiration === null ? NO_EXPIRY : Number(expiration),
  };
  if (!copyMessage(broker, message, copy, [target])) return 'refused';
  from.messages.removeReady(entry);
  return 'moved';
}

function lastDeath(headers: FieldTable): FieldTable | null {
  const deaths = headers.get('x-death');
  const last = deaths?.type === 'A' ? deaths.value[0] : undefined;
  return last?.type === 'F' ? last.value : null;
}

function textOf(field: Field | undefined): string {
  return field?.type === 'S' ? field.value.toString() : '';
}
