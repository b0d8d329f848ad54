// Owns when a declaration is answered. Never decides what the answer is.

import type { Channel } from '../channel.ts';
import type { Connection } from '../connection.ts';

/**
 * Answers a declaration when what it changed is durable. Whatever the peer sends in the meantime
 * waits, so that answers keep their order.
 */
export function replyWhenDurable(
  connection: Connection,
  channel: Channel,
  reply: () => void,
): void {
  const { broker } = connection;
  if (broker.definitionsBatch <= broker.durableBatch) {
    reply();
    return;
  }
  if (broker.definitionsBatch === broker.store.batch) broker.awaitBatch();
  connection.hold(broker.definitionsBatch, channel.number, 0, reply);
}
