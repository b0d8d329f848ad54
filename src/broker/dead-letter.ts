// Owns dead-lettering: which headers a dead message gets, which queues it may go to, and the move.
// Never decides that a message is dead: who rejects, expires or drops it does.

import type { Field, FieldTable } from '../amqp/field-table.ts';
import { PROPERTY_FLAGS_OFFSET, replaceHeaders } from '../amqp/property-walk.ts';
import { type ReadMessage, readMessage } from '../message/read-message.ts';
import { NO_EXPIRY } from '../message/record.ts';
import type { Broker } from './broker.ts';
import { copyKeys } from './copy-keys.ts';
import { copyMessage } from './copy-message.ts';
import { MessageProperties } from './message-properties.ts';
import type { DeathReason } from './queue/host.ts';
import type { Queue } from './queue/queue.ts';
import type { Vhost } from './vhost.ts';

const text = (value: string): Field => ({ type: 'S', value });

/**
 * Publishes a message that died in `queue` to the queue's dead-letter exchange, if it has one that
 * exists. The caller then settles it in `queue` within the same turn, so that one batch holds both:
 * on disk the message is here or there, never in both and never in none.
 */
export function deadLetter(
  broker: Broker,
  vhost: Vhost,
  queue: Queue,
  position: number,
  reason: DeathReason,
): void {
  const { deadLetterExchange, deadLetterRoutingKey } = queue.rules;
  if (deadLetterExchange === null || !vhost.exchanges.has(deadLetterExchange)) return;
  const message = readMessage(broker.log, position);
  const { headers } = message;
  recordDeath(headers, message, queue.name, reason, broker.clock.wallMs());
  const override = deadLetterRoutingKey;
  if (override !== null) headers.delete('CC');
  const routingKey = override ?? message.routingKey;
  const properties = new MessageProperties();
  properties.read(message.headerPayload, PROPERTY_FLAGS_OFFSET).withHeaders(headers);
  const keys = [routingKey, ...copyKeys(headers)];
  const route = vhost.router.routeAll(deadLetterExchange, keys, properties);
  const targets = (route?.queues ?? []).filter((target) => !closesCycle(headers, target, reason));
  if (targets.length === 0) return;
  broker.counts.deadLettered[reason] += 1;
  const expires = message.expiration !== null;
  const payload = replaceHeaders(message.headerPayload, headers, expires);
  const copy = { exchange: deadLetterExchange, routingKey, headerPayload: payload };
  copyMessage(broker, message, { ...copy, expiryMs: NO_EXPIRY }, targets);
}

/**
 * Puts the death into `x-death`, newest first: one entry per queue and reason, whose count grows
 * and whose time is that of the first; and into the x-first-death and x-last-death headers.
 */
function recordDeath(
  headers: FieldTable,
  message: ReadMessage,
  queue: string,
  reason: DeathReason,
  nowMs: number,
): void {
  const deaths = deathsOf(headers);
  const index = deaths.findIndex((death) => isDeath(death, queue, reason));
  const earlier = index < 0 ? undefined : deaths.splice(index, 1)[0];
  const death: FieldTable = earlier ?? newDeath(message, queue, reason, nowMs);
  const count = earlier === undefined ? 1 : Number(earlier.get('count')?.value ?? 0) + 1;
  death.set('count', { type: 'l', value: count });
  deaths.unshift(death);
  headers.set('x-death', {
    type: 'A',
    value: deaths.map((value): Field => ({ type: 'F', value })),
  });
  for (const when of headers.has('x-first-death-reason') ? ['last'] : ['first', 'last']) {
    headers.set(`x-${when}-death-reason`, text(reason));
    headers.set(`x-${when}-death-queue`, text(queue));
    headers.set(`x-${when}-death-exchange`, text(message.exchange));
  }
}

function newDeath(
  message: ReadMessage,
  queue: string,
  reason: DeathReason,
  nowMs: number,
): FieldTable {
  const death: FieldTable = new Map();
  const carbonCopies = message.headers.get('CC');
  const copies = carbonCopies?.type === 'A' ? carbonCopies.value : [];
  death.set('count', { type: 'l', value: 1 });
  death.set('reason', text(reason));
  death.set('queue', text(queue));
  death.set('time', { type: 'T', value: Math.floor(nowMs / 1000) });
  death.set('exchange', text(message.exchange));
  death.set('routing-keys', { type: 'A', value: [text(message.routingKey), ...copies] });
  if (message.expiration !== null) death.set('original-expiration', text(message.expiration));
  return death;
}

/** The entries of `x-death`; whatever else a publisher wrote under that name counts for nothing. */
function deathsOf(headers: FieldTable): FieldTable[] {
  const field = headers.get('x-death');
  if (field?.type !== 'A') return [];
  return field.value.flatMap((entry) => (entry.type === 'F' ? [entry.value] : []));
}

function isDeath(death: FieldTable, queue: string, reason: string): boolean {
  return death.get('queue')?.value === queue && death.get('reason')?.value === reason;
}

/**
 * RabbitMQ's rule against endless loops: a message may come back to a queue that it died in before
 * only if a consumer rejected it somewhere on the way since.
 */
function closesCycle(headers: FieldTable, target: Queue, reason: DeathReason): boolean {
  if (reason === 'rejected') return false;
  for (const death of deathsOf(headers)) {
    if (death.get('reason')?.value === 'rejected') return false;
    if (death.get('queue')?.value === target.name) return true;
  }
  return false;
}
