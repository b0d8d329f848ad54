// Owns the queues of direct reply-to in one vhost: one for each channel that consumes replies. Never
// lists them with the others: they are not declared, bound or told of, only published to by name.

import type { BrokerCore } from '../core/core.ts';
import type { QueueHome } from '../queue/ports.ts';
import { Queue } from '../queue/queue.ts';
import { REPLY_PREFIX } from '../routing/reply-names.ts';
import { generateName } from './generated-name.ts';

/**
 * A queue for replies is a transient one with a single consumer that never acks. It is as old as its
 * consumer; no route to it is remembered, so that it comes and goes without a change of topology.
 */
export class ReplyQueues {
  private readonly queues = new Map<string, Queue>();
  private readonly core: BrokerCore;
  private readonly home: QueueHome;

  constructor(core: BrokerCore, home: QueueHome) {
    this.core = core;
    this.home = home;
  }

  get(name: string): Queue | undefined {
    return this.queues.get(name);
  }

  all(): Iterable<Queue> {
    return this.queues.values();
  }

  /** Makes a queue with a name that no client can guess. */
  open(): Queue {
    const { core } = this;
    const name = generateName(REPLY_PREFIX);
    const declaration = {
      name,
      durable: false,
      autoDelete: false,
      owner: null,
      arguments: new Map(),
    };
    const { log, queueRows } = core;
    const queue = new Queue(core.queueIds.take(), declaration, log, core, this.home, queueRows);
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
