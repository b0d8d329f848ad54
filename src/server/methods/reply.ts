// Owns when a declaration is answered. Never decides what the answer is.

import type { Channel } from '../channel/channel.ts';
import type { MethodConnection } from './method-connection.ts';

/** So many answers of a connection may wait while it is read on. */
const ANSWERS_MAX = 1024;
/** While the gathering batch is larger, no connection is read on before its answer: the store keeps it in memory. */
const BATCH_BYTES_MAX = 4 * 2 ** 20;

/**
 * Answers a declaration when what it changed is durable. Answers keep their order, and nothing that the
 * peer sends later is answered earlier. A peer that waits for the answer is not read until then, and what
 * its consumers get in the meantime goes out. One that has sent more already is read on, so that one
 * commit serves many of its declarations: all that it is sent from here on waits for the disk instead.
 */
export function replyWhenDurable(
  connection: MethodConnection,
  channel: Channel,
  reply: () => void,
): void {
  const { core, outbox } = connection;
  const batch = core.definitionsBatch;
  if (batch <= core.durableBatch) {
    reply();
    return;
  }
  if (batch === core.store.batch) core.awaitBatch();
  if (!mayReadOn(connection)) {
    connection.waits.forDisk(batch, channel.number, 0, reply);
    return;
  }
  connection.server.turn.holdOutput(outbox, batch);
  reply();
}

/** Whether more than one answer of the connection may wait, without too much to keep. */
function mayReadOn({ core, outbox, frames }: MethodConnection): boolean {
  const { any, answers } = outbox.barriers;
  if (!frames.pipelined && !any) return false;
  return answers < ANSWERS_MAX && core.store.gatheredBytes < BATCH_BYTES_MAX;
}
