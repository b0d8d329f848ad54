// Owns one round of deliveries of a queue: which message goes to which consumer, and when to let other queues have
// their turn. Never writes to a socket: the channel of the consumer does.

import type { MessageCounts } from '../stats/counts.ts';
import type { Consumer, ConsumerSource } from './consumer.ts';
import type { ConsumerSet } from './consumer-set.ts';
import type { TakenEntry } from './messages/queue-entries.ts';
import type { QueueMessages } from './messages/queue-messages.ts';
import type { Pace } from './pace/pace.ts';
import type { QueueHost } from './ports.ts';

/** A queue as a round of its deliveries sees it. */
export interface DeliveringQueue extends ConsumerSource {
  readonly messages: QueueMessages;
  readonly subscribed: ConsumerSet;
  readonly counts: MessageCounts;
  readonly endings: {
    dropExpired(nowMs: number): boolean;
    setAside(seq: number, doing: string, error: unknown): void;
  };
  /** How many messages may go out now; null: any number. */
  readonly pace: Pace | null;
  /** Whether messages may expire here. */
  readonly timed: boolean;
  /** Notes how long a message waited that is being delivered. */
  timeDelivery(entry: TakenEntry, noAck: boolean): void;
}

/**
 * Gives ready messages to consumers that can take them, in turns and at most so many. Returns whether it stopped
 * only to let other queues have their turn. A message that cannot be looked at is set aside.
 */
export function deliverRound(queue: DeliveringQueue, host: QueueHost, most: number): boolean {
  const { pace, counts } = queue;
  if (pace === null) return giveOut(queue, host, most);
  const room = pace.room(most);
  const before = counts.delivered + counts.deliveredNoAck;
  const more = room > 0 && giveOut(queue, host, room);
  pace.gave(counts.delivered + counts.deliveredNoAck - before);
  // At its pace, it goes on when its deadline comes.
  return more && pace.room(most) > 0;
}

function giveOut(queue: DeliveringQueue, host: QueueHost, most: number): boolean {
  const { messages, subscribed, counts } = queue;
  const { line } = host;
  const { depth } = line;
  let more = false;
  let noAcks = 0;
  let n = 0;
  // The message that is being looked at, for `consumer`; -1: none.
  let looked = -1;
  let consumer: Consumer | null = null;
  for (let again = true; again; ) {
    again = false;
    try {
      for (; ; n++) {
        if (messages.readyCount === 0) break;
        if (n === most) {
          more = true;
          break;
        }
        consumer = subscribed.pick();
        if (consumer === null) {
          more = subscribed.paused;
          break;
        }
        if (queue.timed && !queue.endings.dropExpired(host.nowMs - 1)) {
          subscribed.pickedInVain(consumer);
          more = messages.readyCount > 0;
          break;
        }
        const entry = messages.take();
        if (entry === null) {
          subscribed.pickedInVain(consumer);
          break;
        }
        const { seq, redelivered } = entry;
        looked = seq;
        if (n === 0) queue.timeDelivery(entry, consumer.noAck);
        consumer.channel.deliver(consumer, queue, seq, entry.position, redelivered);
        looked = -1;
        if (redelivered) counts.redelivered += 1;
        if (consumer.noAck) {
          messages.end(seq);
          noAcks += 1;
        } else {
          consumer.unacked += 1;
        }
      }
    } catch (error) {
      if (looked < 0 || line.depth !== depth) throw error;
      queue.endings.setAside(looked, 'delivery', error);
      looked = -1;
      again = true;
    }
  }
  counts.delivered += n - noAcks;
  counts.deliveredNoAck += noAcks;
  return more;
}
