// Owns what the broker says of itself in connection.start. Never changes after start-up.

import type { Field, FieldTable } from '../../amqp/field-table.ts';

const text = (value: string): Field => ({ type: 'S', value });

/**
 * RabbitMQ's capabilities, all true. Clients choose their behaviour by them, and by product and
 * version: kombu reads `basic.qos` in RabbitMQ's meaning for this product only.
 */
const CAPABILITIES = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
];

/** The release of RabbitMQ whose behaviour this broker follows. */
const RABBITMQ_VERSION = '3.13.7';

/** What a peer learns that is refused before it could log in: nothing of versions. */
export function strangerProperties(): FieldTable {
  return new Map<string, Field>([
    ['capabilities', capabilities()],
    ['product', text('RabbitMQ')],
  ]);
}

/** The server-properties of connection.start; `version` is this broker's own. */
export function serverProperties(version: string): FieldTable {
  return new Map<string, Field>([
    ['capabilities', capabilities()],
    ['cluster_name', text('leveret')],
    ['copyright', text('Copyright (c) 2026 The Leveret authors')],
    ['information', text('Licensed under the MIT licence')],
    ['platform', text(`Node.js ${process.versions.node}`)],
    ['product', text('RabbitMQ')],
    ['version', text(RABBITMQ_VERSION)],
    ['server', text('Leveret')],
    ['server_version', text(version)],
  ]);
}

function capabilities(): Field {
  const each = CAPABILITIES.map((name): [string, Field] => [name, { type: 't', value: true }]);
  return { type: 'F', value: new Map(each) };
}
