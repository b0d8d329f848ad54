// Owns what the broker says of itself in connection.start. Never looks it up.

import { type Field, type FieldTable, textField } from '../../amqp/field-table.ts';
import { RABBITMQ_VERSION } from '../../util/system/rabbitmq-version.ts';

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

/** What a peer learns that is refused before it could log in: nothing of versions. */
export function strangerProperties(): FieldTable {
  return new Map<string, Field>([
    ['capabilities', capabilities()],
    ['product', textField('RabbitMQ')],
  ]);
}

/** The server-properties of connection.start; `version` is this broker's own, `clusterName` what tools show too. */
export function serverProperties(version: string, clusterName: string): FieldTable {
  return new Map<string, Field>([
    ['capabilities', capabilities()],
    ['cluster_name', textField(clusterName)],
    ['copyright', textField('Copyright (c) 2026 The Leveret authors')],
    ['information', textField('Licensed under the MIT licence')],
    ['platform', textField(`Node.js ${process.versions.node}`)],
    ['product', textField('RabbitMQ')],
    ['version', textField(RABBITMQ_VERSION)],
    ['server', textField('Leveret')],
    ['server_version', textField(version)],
  ]);
}

function capabilities(): Field {
  const each = CAPABILITIES.map((name): [string, Field] => [name, { type: 't', value: true }]);
  return { type: 'F', value: new Map(each) };
}
