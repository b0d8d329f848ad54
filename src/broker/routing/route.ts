// Owns the answer to "where does a message with this exchange and routing key go". Never computes
// it: router.ts does.

import type { Exchange } from '../exchange/exchange.ts';
import type { MessageSink } from '../queue/ports.ts';

/** The queues of one pair of exchange and routing key, good until the topology changes. */
export class Route {
  readonly exchange: Exchange;
  readonly queues: readonly MessageSink[];
  /** Whether a persistent message on this route has to reach the disk. */
  readonly durable: boolean;
  /** The topology it was computed for: compare with the vhost's `topology`. */
  readonly topology: number;
  /** Whether it holds for every message with this exchange and key, whatever its headers. */
  readonly byKeyOnly: boolean;

  constructor(
    exchange: Exchange,
    queues: readonly MessageSink[],
    topology: number,
    byKeyOnly: boolean,
  ) {
    this.exchange = exchange;
    this.queues = queues;
    this.durable = queues.some((queue) => queue.durable);
    this.topology = topology;
    this.byKeyOnly = byKeyOnly;
  }
}
