// Owns what producers and consumers of a load test tell of what they do. Never adds it up for people: report.ts does.

import type { UserError } from '../util/user-error.ts';
import type { Latencies } from './latencies.ts';

/** Told of what producers and consumers do. */
export interface Tally {
  sent: number;
  /** Deliveries, but for those that are counted as redelivered. */
  received: number;
  /** Deliveries marked as redelivered, once a connection was lost: most of them were received before. */
  redelivered: number;
  confirmed: number;
  nacked: number;
  returned: number;
  /** Publishes whose connection was lost before their confirm: the broker may have them or not. */
  unconfirmed: number;
  /** Connections that were lost, and those made again. */
  lost: number;
  reconnects: number;
  /** The longest time that an end was without a connection, ms. */
  outageMaxMs: number;
  readonly confirmLatency: Latencies;
  readonly consumerLatency: Latencies;
  /** The clock of all latencies, ms. */
  now(): number;
  /** The test cannot go on. */
  failed(error: UserError): void;
}
