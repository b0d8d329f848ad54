// Owns ending many connections at once, as those of a user or vhost that is deleted. Never picks them.

import { AmqpError } from '../../amqp/errors.ts';
import type { Slices, Steps } from '../../broker/turn/slices.ts';

/** Connections between two moments at which others may have their turn. */
const CONNECTIONS_PER_STEP = 8;

/** What it needs of a connection. */
export interface ForcedConnection {
  readonly closing: { freeze(): void };
  close(error: AmqpError, key: number): void;
}

/**
 * Ends connections with 320 and this reason. From now on none of them is acted upon; that each is told, and gives
 * back what it holds, takes turns where they are many.
 */
export function forceClose(
  connections: readonly ForcedConnection[],
  reason: string,
  slices: Slices,
): void {
  for (const { closing } of connections) closing.freeze();
  slices.begin(closingAll(connections, new AmqpError('CONNECTION_FORCED', reason)), () => {});
}

function* closingAll(connections: readonly ForcedConnection[], error: AmqpError): Steps {
  for (const [at, connection] of connections.entries()) {
    if (at > 0 && at % CONNECTIONS_PER_STEP === 0) yield;
    connection.close(error, 0);
  }
}
