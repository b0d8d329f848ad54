// Owns the channels of one connection, by number. Never handles a method.

import { AmqpError } from '../amqp/errors.ts';
import { CHANNEL_CLOSED, Channel, type ChannelConnection } from './channel.ts';

/** The open channels of a connection, those that wait for close-ok included. */
export class ChannelTable {
  /** How many may be open at a time; 0: no limit. */
  max: number;
  private readonly channels: (Channel | null)[] = [];
  private openCount = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** The channel of that number, or null. */
  at(number: number): Channel | null {
    return this.channels[number] ?? null;
  }

  /** Opens a channel and says so. Throws NOT_ALLOWED when too many are open. */
  open(number: number, connection: ChannelConnection): void {
    if (this.max > 0 && this.openCount >= this.max) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `number of channels opened (${this.openCount}) has reached ` +
          `the negotiated channel_max (${this.max})`,
      );
    }
    const channel = new Channel(number, connection);
    while (this.channels.length <= number) this.channels.push(null);
    this.channels[number] = channel;
    this.openCount += 1;
    channel.send('channel.open-ok', {});
  }

  /** Makes the number free again. */
  free(channel: Channel): void {
    channel.state = CHANNEL_CLOSED;
    this.channels[channel.number] = null;
    this.openCount -= 1;
  }

  /** Closes all channels: what they have not settled goes back to its queues. */
  closeAll(): void {
    for (const channel of this.channels) {
      if (channel === null) continue;
      channel.close();
      channel.state = CHANNEL_CLOSED;
    }
    this.channels.length = 0;
    this.openCount = 0;
  }

  /** Asks for deliveries to every consumer: the connection takes output again. */
  wakeAll(): void {
    for (const channel of this.channels) channel?.wakeConsumers();
  }
}
