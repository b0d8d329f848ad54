// Owns the answer to "where does a message with this exchange and routing key go". Never computes
// it: router.ts does.

import { type Keep, keepOf, WIDE_ROUTE } from '../core/enqueue.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { MessageSink } from '../queue/ports.ts';
import type { RouteKeys } from './route-keys.ts';

/** The queues of one pair of exchange and routing key, good until the topology changes. */
export class Route {
  readonly exchange: Exchange;
  readonly queues: readonly MessageSink[];
  /** Which messages on this route have to reach the disk. */
  readonly keep: Keep;
  /** The topology it was computed for: compare with the vhost's `topology`. */
  readonly topology: number;
  /** Whether it holds for every message with this exchange and key, whatever its headers. */
  readonly byKeyOnly: boolean;
  /** What exchanges on it found of the message that look for duplicates; null: nothing. */
  readonly keys: RouteKeys | null;
  /** Whether there is a queue, not very many, and nothing else to be done. */
  readonly plain: boolean;

  constructor(
    exchange: Exchange,
    queues: readonly MessageSink[],
    topology: number,
    byKeyOnly: boolean,
    keys: RouteKeys | null = null,
  ) {
    this.exchange = exchange;
    this.queues = queues;
    this.keep = keepOf(queues);
    this.topology = topology;
    this.byKeyOnly = byKeyOnly;
    this.keys = keys;
    this.plain = keys === null && queues.length > 0 && queues.length < WIDE_ROUTE;
  }

  /** Whether no queue takes the message, and none has taken an earlier one with its key. */
  get unroutable(): boolean {
    return this.queues.length === 0 && this.keys?.dropped !== true;
  }
}
