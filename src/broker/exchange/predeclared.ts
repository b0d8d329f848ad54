// Owns which exchanges every vhost has from the start (§3.1.3.1).
// Never declares them: the vhost does, and keeps them from being deleted.

import type { ExchangeDeclaration } from './exchange.ts';

const row = (name: string, type: string, internal = false): ExchangeDeclaration => ({
  name,
  type,
  durable: true,
  autoDelete: false,
  internal,
  arguments: new Map(),
});

/**
 * The exchanges of the specification; `amq.match`, RabbitMQ's name for one of them; and the one that
 * the broker alone publishes to, for tools that trace messages.
 */
export const PREDECLARED_EXCHANGES: readonly ExchangeDeclaration[] = [
  row('', 'direct'),
  row('amq.direct', 'direct'),
  row('amq.fanout', 'fanout'),
  row('amq.headers', 'headers'),
  row('amq.match', 'headers'),
  row('amq.rabbitmq.trace', 'topic', true),
  row('amq.topic', 'topic'),
];

/**
 * The exchange that consumers publish to when they need longer for a delivery. It routes nothing, so it is in no list and
 * has no bindings; declaring it finds it there.
 */
export const LEASES_EXCHANGE = 'amq.leases';
const LEASES = row(LEASES_EXCHANGE, 'direct');

/** An exchange that is there when it is declared, and in no list. */
export function unlistedExchange(name: string): ExchangeDeclaration | undefined {
  return name === LEASES_EXCHANGE ? LEASES : undefined;
}
