// Owns the queues of direct reply-to in one vhost: one for each channel that consumes replies. Never
// lists them with the others: they are not declared, bound or told of, only published to by name.

import type { Broker } from './broker.ts';
import { generateName } from './generated-name.ts';
import type { QueueHome } from './queue/ports.ts';
import { Queue } from './queue/queue.ts';

/** The queue that replies are consumed from, and that requests name in `reply-to`. */
export const REPLY_TO = 'amq.rabbitmq.reply-to';
const PREFIX = `${REPLY_TO}.`;

/** Whether a queue of that name, if there is one, is for replies. */
export function isReplyName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * A queue for replies is a transient one with a single consumer that never acks. It is as old as its
 * consumer; no route to it is remembered, so that it comes and goes without a change of topology.
 */
export class ReplyQueues {
  private readonly queues = new Map<string, Queue>();
  private readonly broker: Broker;
  private readonly home: QueueHome;

  constructor(broker: Broker, home: QueueHome) {
    this.broker = broker;
    this.home = home;
  }

  get(name: string): Queue | undefined {
    return this.queues.get(name);
  }

  all(): Iterable<Queue> {
    return this.queues.values();
  }

  /** Makes a queue with a name that nobody can guess. */
  open(): Queue {
    const { broker } = this;
    const name = generateName(PREFIX);
    const traits = { name, durable: false, autoDelete: false, owner: null, arguments: new Map() };
    const { log, queueRows } = broker;
    const queue = new Queue(broker.queueIds.take(), traits, log, broker, this.home, queueRows);
    this.queues.set(name, queue);
    return queue;
  }

  /** Drops the queue of that name, whose consumer left, with what was not delivered; false: it is none of these. */
  close(name: string): boolean {
    const queue = this.queues.get(name);
    if (queue === undefined) return false;
    this.queues.delete(name);
    queue.discard();
    return true;
  }
}
