// Owns what the parts of a group of vhosts need of the node that leads it. Never does anything.

import type { Logger } from 'pino';
import type { Broker } from '../../../broker/broker.ts';
import type { PeerClient } from '../../../cluster/peers/peer-client.ts';
import type { Timing } from '../../../cluster/timing.ts';

/** The node that leads a group, for the time of its lead. */
export interface GroupAround {
  readonly broker: Broker;
  /** The group that it leads. */
  readonly group: string;
  readonly logId: string;
  /** The epoch of its lead. */
  readonly epoch: number;
  readonly dataDir: string;
  readonly timing: Timing;
  readonly logger: Logger;
  /** Whether it knows that it leads still. */
  readonly sure: boolean;
  /** Resolves once all that was defined so far is durable. */
  durable(): Promise<void>;
  /** Makes a checked snapshot of all that is durable now; resolves with the record up to which it is. */
  snapshot(): Promise<number>;
  /** The way to the node that leads another group; null: none is known to. */
  leaderOf(group: string): PeerClient | null;
  /** The time that the queues of another group live by, now, ms; null: it is not known. */
  timeOf(group: string): number | null;
  /** Whether a node is known to lead it. */
  isLed(group: string): boolean;
}
