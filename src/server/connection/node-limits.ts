// Owns how many connections and channels there are in the whole broker, and how many there may be.
// Never knows which: channel-table.ts and server.ts do.

import { AmqpError } from '../../amqp/errors.ts';
import type { BrokerCounts, MessageCounts, Traffic } from '../../broker/stats/counts.ts';

/** What a connection received and sent, in bytes. */
interface ConnectionBytes {
  readonly received: number;
  readonly sent: number;
}

/** A channel whose messages are counted. */
interface CountedChannel {
  readonly counts: MessageCounts;
  readonly vhost: { readonly closed: Traffic };
}

/** Counts against the limits of the whole broker; no limit is `Infinity`. */
export class NodeLimits {
  /** How many there may be; they may change, and none that is there is closed for it. */
  connectionMax: number;
  channelMax: number;
  private connections = 0;
  private channels = 0;
  private readonly counts: BrokerCounts;
  private readonly nodeName: string;

  constructor(connectionMax: number, channelMax: number, counts: BrokerCounts, nodeName: string) {
    this.nodeName = nodeName;
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

  /** One that was counted is gone; its bytes count as those of its vhost and of the broker from now on. */
  giveConnection(bytes: ConnectionBytes, ofVhost: Traffic): void {
    this.connections -= 1;
    this.counts.connectionsClosed += 1;
    this.counts.closed.addBytes(bytes);
    ofVhost.addBytes(bytes);
  }

  /** Counts a channel. Throws NOT_ALLOWED when there are enough. */
  takeChannel(): void {
    if (this.channels >= this.channelMax) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `number of channels opened on node '${this.nodeName}' has reached ` +
          `the maximum allowed limit of ${this.channelMax}`,
        { reason: 'limit-reached' },
      );
    }
    this.channels += 1;
    this.counts.channelsOpened += 1;
  }

  /** A channel that was counted is closed; its messages count on as those of its vhost and of the broker. */
  giveChannel({ counts, vhost }: CountedChannel): void {
    this.channels -= 1;
    this.counts.channelsClosed += 1;
    this.counts.closed.messages.add(counts);
    vhost.closed.messages.add(counts);
  }
}
