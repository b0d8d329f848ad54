// Owns what a load test is to do. Never does it.

import type { FieldTable } from '../amqp/field-table.ts';

/** What a load test is to do. */
export interface PerfPlan {
  /** The brokers: producers, and consumers, are dealt out to them in turns. At least one. */
  readonly urls: readonly string[];
  readonly producers: number;
  readonly consumers: number;
  /** The queues; producers and consumers are dealt out to them in turns. */
  readonly queues: readonly string[];
  readonly exchange: string;
  readonly exchangeType: string;
  readonly routingKey: string | null;
  readonly bodyBytes: number;
  readonly persistent: boolean;
  readonly durable: boolean;
  readonly queueArguments: FieldTable;
  readonly mandatory: boolean;
  /** So many publishes of a producer may wait for a confirm; 0: it wants none. */
  readonly confirmWindow: number;
  /** Messages a second of each producer; 0: as fast as it goes. */
  readonly rate: number;
  readonly prefetch: number;
  readonly autoAck: boolean;
  readonly ackEvery: number;
  /** Seconds; Infinity: until it is stopped. */
  readonly seconds: number;
  /** Messages of each producer; Infinity: no limit. */
  readonly messages: number;
  /** The number of this run. */
  readonly run: number;
  /** The queues exist, and stay as they are. */
  readonly predeclared: boolean;
}

/**
 * What a body begins with: the time it was to be sent, as a double, ms by the clock of this process; and
 * a number of this run, since what another run left in a queue knows another clock.
 */
export const STAMP_BYTES = 12;
/** Where the number stands. */
export const RUN_OFFSET = 8;
