// Owns what quorum queues are, which have one member here: this broker. Never acts on it: the files that ask do.

import type { QueueLifetime, QueueType } from './queue-type.ts';

export const QUORUM = {
  name: 'quorum',
  applyTo: 'quorum_queues',
  about: 'A quorum queue is durable, counts returns of each message, and knows 32 priorities.',
  // As from RabbitMQ 4.3 on.
  priorityMax: 31,
  priorityDefault: 4,
  countsFirstGet: true,
  getBesideSingleActive: false,
  exclusiveConsumers: false,
  hasMembers: true,
  deliversAgain: true,
  serverNamed: true,
  wrongProperty,
} as const satisfies QueueType;

/** It is durable and belongs to no connection. */
function wrongProperty({ durable, owner, autoDelete }: QueueLifetime): string | null {
  if (!durable) return 'non-durable';
  if (owner !== null) return 'exclusive-owner';
  return autoDelete ? 'auto-delete' : null;
}
