// Owns what the firehose is told of a delivery. Never delivers, and stops no delivery.

import type { BrokerCore } from '../../broker/core/core.ts';
import type { TracedChannel } from '../../broker/republish/firehose.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import { readMessage } from '../../message/read-message.ts';
import { sayWhere } from '../wire/stream-writer.ts';

/** The channel that delivers. */
interface Tracing extends TracedChannel {
  readonly vhost: Vhost;
  readonly connection: { readonly core: BrokerCore };
}

/**
 * Tells of a message that is delivered, or given to basic.get; one that cannot be traced is delivered without a trace.
 * `offset` and `partition`: where it stands in a stream; -1: it came from a queue, or from no partition.
 */
export function traceDelivery(
  channel: Tracing,
  queue: { readonly name: string },
  position: number,
  redelivered: boolean,
  offset = -1,
  partition = -1,
): void {
  const { log, line } = channel.connection.core;
  const { begun } = line;
  try {
    const message = readMessage(log, position);
    if (offset >= 0) sayWhere(message.headers, offset, partition);
    channel.vhost.firehose?.delivered(channel, message, queue, redelivered);
  } catch (error) {
    if (line.begun !== begun) throw error;
  }
}
