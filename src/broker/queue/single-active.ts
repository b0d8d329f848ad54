// Owns which consumer of a queue with a single active consumer is the active one. Never delivers, and keeps no list: that
// is consumer-set.ts.

import type { MessageCounts } from '../stats/counts.ts';
import type { Consumer } from './consumer.ts';
import type { QueueRules } from './rules.ts';

/** Among so many of the first is chosen at a takeover: a queue may have tens of thousands that leave one by one. */
const LOOKS_MAX = 256;
/** A connection that is active on so many queues more than another one hands over to it. */
const DIFFERENCE = 2;

/** A queue as the choice sees it. */
export interface SingleActiveQueue {
  readonly counts: MessageCounts;
  readonly rules: QueueRules;
}

/**
 * The active consumer stays so until it leaves or is late, as in RabbitMQ. Queues that are consumed by the same connections,
 * as the partitions of a stream of work are, are spread over them all the same:
 *
 * - at a takeover, of equals in priority, the one is next whose connection is active on the fewest queues;
 * - one that comes takes over from a connection that is active on DIFFERENCE queues more, as long as the active consumer
 *   was given nothing yet: neither of the two can notice;
 * - with the rule `single-active-consumer-spread` it takes over also later, once the active one has settled all that it
 *   was given. Until then nothing goes out, so that the order is kept.
 */
export class SingleActive {
  /** The one that is given messages; null: there is none. */
  active: Consumer | null = null;
  /** The one that takes over once the active one has settled all that it has; null: none does. */
  private successor: Consumer | null = null;
  /** The one whose connection this queue counts for: the successor, or else the active one. */
  private counted: Consumer | null = null;
  /** What the queue had given out when the active one became so. */
  private givenBefore = 0;
  private readonly queue: SingleActiveQueue;

  constructor(queue: SingleActiveQueue) {
    this.queue = queue;
  }

  /** The one that can be given a message; null: it cannot now. */
  pick(): Consumer | null {
    const { successor } = this;
    if (successor !== null) {
      if (this.active !== null && this.active.unacked > 0) return null;
      this.activate(successor);
    }
    return this.active?.asks() ? this.active : null;
  }

  /** A consumer has come, and is in the list. */
  came(consumer: Consumer): void {
    const { active, counted } = this;
    if (active === null || counted === null || consumer.priority !== active.priority) return;
    const more = counted.channel.link.activeQueues - consumer.channel.link.activeQueues;
    if (more < DIFFERENCE) return;
    if (this.given === this.givenBefore) this.activate(consumer);
    else if (this.queue.rules.singleActiveSpread && !active.noAck) {
      this.count(consumer);
      this.successor = consumer;
    }
  }

  /** Consumers are in the list no more. */
  left(gone: readonly Consumer[]): void {
    const { active, successor } = this;
    if (successor !== null && gone.includes(successor)) {
      this.successor = null;
      this.count(active);
    }
    if (active !== null && gone.includes(active)) this.activate(this.successor);
  }

  /** Chooses another one, if the active one is gone or late; `list` has the highest priority first, then those that came first. */
  choose(list: readonly Consumer[]): void {
    const { active } = this;
    if (active !== null && active.heldLate === 0) return;
    const good = list.findIndex(({ heldLate }) => heldLate === 0);
    const next = good < 0 ? (active ?? list[0] ?? null) : leastActive(list, good);
    if (next !== active) this.activate(next);
  }

  private activate(consumer: Consumer | null): void {
    this.active = consumer;
    this.successor = null;
    this.givenBefore = this.given;
    this.count(consumer);
  }

  private count(consumer: Consumer | null): void {
    if (this.counted !== null) this.counted.channel.link.activeQueues -= 1;
    if (consumer !== null) consumer.channel.link.activeQueues += 1;
    this.counted = consumer;
  }

  /** How many messages went out to consumers. */
  private get given(): number {
    const { delivered, deliveredNoAck } = this.queue.counts;
    return delivered + deliveredNoAck;
  }
}

/** Of those from `from` on that have its priority and are not late, the first whose connection is active on the fewest queues. */
function leastActive(list: readonly Consumer[], from: number): Consumer {
  let best = list[from] as Consumer;
  const end = Math.min(list.length, from + LOOKS_MAX);
  for (let i = from + 1; i < end; i++) {
    const each = list[i] as Consumer;
    if (each.priority !== best.priority) break;
    const fewer = each.channel.link.activeQueues < best.channel.link.activeQueues;
    if (fewer && each.heldLate === 0) best = each;
  }
  return best;
}
