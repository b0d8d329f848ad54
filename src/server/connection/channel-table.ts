// Owns the channels of one connection, by number. Never handles a method.

import { AmqpError } from '../../amqp/errors.ts';
import { limitOf } from '../../broker/access/limits.ts';
import type { User } from '../../broker/access/user.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { UnfinishedBytes } from '../backpressure/unfinished-bytes.ts';
import type { Channel } from '../channel/channel.ts';
import { shareCredit } from '../channel/deliveries.ts';
import type { MethodConnection } from '../methods/method-connection.ts';
import type { ServerPorts } from '../ports.ts';
import { CHANNEL_CLOSED } from '../states.ts';
import type { NodeLimits } from './node-limits.ts';

/** Numbers below this have a slot each; others are rare, and slots up to 65535 cost half a MiB. */
const SLOTS_MAX = 2048;

/** What a table needs of the server. */
export interface ChannelTableNode {
  readonly limits: NodeLimits;
  readonly watches: { newHoldings(): UnfinishedBytes };
  readonly ports: ServerPorts;
}

/** The open channels of a connection, those that wait for close-ok included. */
export class ChannelTable {
  /** How many may be open at a time; 0: no limit. */
  max: number;
  private readonly slots: (Channel | null)[] = [];
  private readonly others = new Map<number, Channel>();
  private openCount = 0;
  private readonly limits: NodeLimits;
  private readonly ports: ServerPorts;
  /** What they hold that is half there. */
  readonly holdings: UnfinishedBytes;

  constructor(max: number, node: ChannelTableNode) {
    this.max = max;
    this.limits = node.limits;
    this.ports = node.ports;
    this.holdings = node.watches.newHoldings();
  }

  /** The channel of that number, or null. */
  at(number: number): Channel | null {
    const channel = this.slots[number];
    if (channel !== undefined || number < SLOTS_MAX) return channel ?? null;
    return this.others.get(number) ?? null;
  }

  /** How many are open. */
  get count(): number {
    return this.openCount;
  }

  /** Opens a channel and says so. Throws NOT_ALLOWED when too many are open. */
  open(number: number, connection: MethodConnection): void {
    checkUserLimit(connection.user);
    if (this.max > 0 && this.openCount >= this.max) {
      throw new AmqpError(
        'NOT_ALLOWED',
        `number of channels opened (${this.openCount}) has reached ` +
          `the negotiated channel_max (${this.max})`,
        { reason: 'limit-reached' },
      );
    }
    this.limits.takeChannel();
    const channel = this.ports.makeChannel(number, connection, this.holdings);
    shareCredit(channel, 0);
    if (number < SLOTS_MAX) {
      while (this.slots.length <= number) this.slots.push(null);
      this.slots[number] = channel;
    } else {
      this.others.set(number, channel);
    }
    this.openCount += 1;
    channel.send('channel.open-ok', {});
  }

  /** Makes the number free again. */
  free(channel: Channel): void {
    channel.state = CHANNEL_CLOSED;
    if (channel.number < SLOTS_MAX) this.slots[channel.number] = null;
    else this.others.delete(channel.number);
    this.openCount -= 1;
    this.limits.giveChannel(channel);
  }

  /** Closes all channels, step by step: what they have not settled goes back to its queues. */
  *closing(): Steps {
    for (const channel of this.all().reverse()) {
      if (channel.state === CHANNEL_CLOSED) continue;
      yield* channel.closing();
      channel.state = CHANNEL_CLOSED;
      this.limits.giveChannel(channel);
      yield;
    }
    this.slots.length = 0;
    this.others.clear();
    this.openCount = 0;
  }

  /** All that are open. */
  all(): Channel[] {
    return [...this.each()];
  }

  /** The same one by one. */
  *each(): Iterable<Channel> {
    for (const channel of this.slots) if (channel !== null) yield channel;
    yield* this.others.values();
  }
}

function checkUserLimit(user: User): void {
  const max = limitOf(user.limits['max-channels']);
  if (max === Number.POSITIVE_INFINITY || user.channelCount < max) return;
  throw new AmqpError(
    'NOT_ALLOWED',
    `number of channels opened for user '${user.name}' has reached ` +
      `the maximum allowed user limit of (${max})`,
    { reason: 'limit-reached' },
  );
}
