// Owns which exchanges every vhost has from the start (§3.1.3.1).
// Never declares them: the vhost does, and keeps them from being deleted.

import type { ExchangeTraits } from './exchange.ts';

const row = (name: string, type: string, internal = false): ExchangeTraits => ({
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
export const PREDECLARED_EXCHANGES: readonly ExchangeTraits[] = [
  row('', 'direct'),
  row('amq.direct', 'direct'),
  row('amq.fanout', 'fanout'),
  row('amq.headers', 'headers'),
  row('amq.match', 'headers'),
  row('amq.rabbitmq.trace', 'topic', true),
  row('amq.topic', 'topic'),
];
