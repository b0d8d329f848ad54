// Owns moving messages from one queue to another, dead letters back to where they died above all. A
// message is never in both queues, and never in none, whatever happens: one batch holds the move.

import { replaceHeaders } from '../../amqp/property-walk.ts';
import type { ReadMessage } from '../../message/read-message.ts';
import { NO_EXPIRY } from '../../message/record.ts';
import type { BrokerCore } from '../core/core.ts';
import { removeCount } from '../queue/got-count.ts';
import type { BrowsedEntry } from '../queue/messages/visiting.ts';
import type { MessageSink } from '../queue/ports.ts';
import type { Queue } from '../queue/queue.ts';
import { placeCopy, prepareCopy } from './copy-message.ts';
import { lastDeathOf } from './deaths.ts';

/** Why messages that were to be moved stay, each in words for operators. */
export const STUCK = {
  not_dead_letter: 'they are not dead letters: name a queue to move them to',
  no_queue: 'the queue that they died in is gone, or is this one',
  refused: 'the queue that they would go to is full and refuses them',
} as const;
export type Stuck = keyof typeof STUCK;

/** What became of a message that was to be moved. */
export type Moved = 'moved' | Stuck;

/**
 * Moves a ready message to the queue that it died in last, or to `to`. A dead letter gets the exchange
 * and the routing key back that it had, and its attempts begin anew; what `x-death` says stays, as its history.
 */
export function redriveMessage(
  core: BrokerCore,
  vhost: { readonly queues: ReadonlyMap<string, MessageSink> },
  from: Queue,
  entry: BrowsedEntry,
  message: ReadMessage,
  to: MessageSink | null,
): Moved {
  const death = lastDeathOf(message.headers);
  if (to === null && death === null) return 'not_dead_letter';
  const target = to ?? vhost.queues.get(death?.queue ?? '');
  if (target === undefined || target === from) return 'no_queue';
  // It begins anew: what it died of must not count as attempts of a consumer that reads the header.
  const counted = death !== null && removeCount(message.headers);
  const { headerPayload, headers } = message;
  const copy = {
    exchange: death === null ? message.address.exchange : (death.exchange ?? ''),
    routingKey: death?.routingKey ?? message.address.routingKey,
    headerPayload: counted ? replaceHeaders(headerPayload, headers, false) : headerPayload,
    expiryMs: expiryMsOf(message.expiration),
    moved: true,
    held: entry.lane.isHeld(entry.inner),
  };
  if (placeCopy(core, prepareCopy(core, message, copy), [target]) > 0) return 'refused';
  core.line.begin();
  from.messages.removeReady(entry);
  core.line.end();
  return 'moved';
}

/** Publishers may write no other `expiration` than one of digits. */
function expiryMsOf(expiration: string | null): number {
  const expiryMs = expiration === null ? NO_EXPIRY : Number(expiration);
  return expiryMs >= 0 && expiryMs < NO_EXPIRY ? expiryMs : NO_EXPIRY;
}
