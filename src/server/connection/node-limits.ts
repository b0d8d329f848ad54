// Owns how many connections and channels there are in the whole broker, and how many there may be.
// Never knows which: channel-table.ts and server.ts do.

import { AmqpError } from '../../amqp/errors.ts';
import { NODE_NAME } from '../../broker/node-name.ts';
import { BrokerCounts, type MessageCounts } from '../../broker/stats/counts.ts';

/** Counts against the limits of the whole broker; no limit is `Infinity`. */
export class NodeLimits {
  private readonly connectionMax: number;
  private readonly channelMax: number;
  private connections = 0;
  private channels = 0;
  private readonly counts: BrokerCounts;

  constructor(connectionMax: number, channelMax: number, counts = new BrokerCounts()) {
    this.counts = counts;
    this.connectionMax = connectionMax;
    this.channelMax = channelMax;
  }

  /** Throws NOT_ALLOWED when there are connections enough. */
  checkConnection(): void {
    if (this.connections < this.connectionMax) return;
    throw new AmqpError(
      'NOT_ALLOWED',
      `connection refused: node connection limit (${this.connectionMax}) is reached`,
      { reason: 'limit-reached' },
    );
  }

  /** Counts a connection that has opened its vhost. */
  takeConnection(): void {
    this.connections += 1;
    this.counts.connectionsOpened += 1;
  }

  /** One that was counted is gone. */
  giveConnection(): void {
    this.connections -= 1;
    this.counts.connectionsClosed += 1;
  }

  /** Counts a channel. Throws NOT_ALLOWED when there are enough. */
  takeChannel(): void {
    if (this.channels >= this.channelMax) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `number of channels opened on node '${NODE_NAME}' has reached ` +
          `the maximum allowed limit of ${this.channelMax}`,
        { reason: 'limit-reached' },
      );
    }
    this.channels += 1;
    this.counts.channelsOpened += 1;
  }

  /** A channel that was counted is closed; its messages count as those of the broker from now on. */
  giveChannel(counts: MessageCounts): void {
    this.channels -= 1;
    this.counts.channelsClosed += 1;
    this.counts.closed.add(counts);
  }
}
