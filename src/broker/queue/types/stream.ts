// Owns what streams are, which keep their messages when they are consumed. Never acts on it: the files that ask do.

import type { QueueLifetime, QueueType } from './queue-type.ts';

export const STREAM = {
  name: 'stream',
  applyTo: 'streams',
  about:
    'A stream is durable and keeps its messages: each consumer reads from a place of its choice.',
  priorityMax: 0,
  priorityDefault: 0,
  countsFirstGet: false,
  getBesideSingleActive: true,
  exclusiveConsumers: false,
  hasMembers: true,
  deliversAgain: false,
  serverNamed: false,
  wrongProperty,
} as const satisfies QueueType;

/** As those of quorum queues, told in another order. */
function wrongProperty({ durable, owner, autoDelete }: QueueLifetime): string | null {
  if (autoDelete) return 'auto-delete';
  if (owner !== null) return 'exclusive-owner';
  return durable ? null : 'non-durable';
}
