// Owns what becomes of the deliveries of one channel whose time has run out: the channel is closed, their consumer is
// cancelled, or they are taken back; and prolonging that time. Never notices that: delivery-timeouts.ts does.

import { AmqpError } from '../../amqp/errors.ts';
import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';
import type { Deliveries } from './deliveries.ts';
import {
  DeliveryTimeouts,
  LATE_DONE,
  LATE_KEPT,
  LATE_STOP,
  type TimeoutOwner,
  type TimeoutRules,
} from './delivery-timeouts.ts';
import type { LeasedDeliveries } from './publish/lease-publish.ts';

/** The channel of these deliveries. */
export interface LeasingChannel {
  readonly number: number;
  readonly consumers: ReadonlyMap<string, Consumer>;
  readonly deliveries: Deliveries;
  readonly connection: {
    readonly timeoutRules: TimeoutRules;
    readonly wantsCancelNotice: boolean;
    channelFailed(channel: { readonly number: number }, error: AmqpError): void;
  };
  /** Ends a subscription, and tells the client. */
  cancelConsumer(consumer: Consumer): void;
}

/** How long the deliveries of one channel may stay unacked. */
export class Leases implements TimeoutOwner, LeasedDeliveries {
  readonly timeouts: DeliveryTimeouts;
  private readonly channel: LeasingChannel;

  constructor(channel: LeasingChannel) {
    const { deliveries, connection } = channel;
    this.channel = channel;
    this.timeouts = new DeliveryTimeouts(this, deliveries.unacked, connection.timeoutRules);
  }

  get consumers(): ReadonlyMap<string, Consumer> {
    return this.channel.consumers;
  }

  deliveryTimedOut(tag: number, timeoutMs: number): number {
    const { deliveries, connection } = this.channel;
    const queue = deliveries.unacked.queueOf(tag);
    if (queue === null) return LATE_DONE;
    // It waits for a commit, and is late again if that does not come.
    if (!deliveries.owes(tag)) return LATE_KEPT;
    const consumer = deliveries.unacked.consumerOf(tag);
    const action = this.actionOf(consumer, queue);
    const cancels = action === 'cancel' && consumer !== null;
    if (action === 'close' || (cancels && !connection.wantsCancelNotice)) {
      queue.counts.leasesExpired += 1;
      this.close(timeoutMs);
      return LATE_STOP;
    }
    if (cancels && this.isThere(consumer)) this.channel.cancelConsumer(consumer);
    deliveries.takeBack(tag, consumer !== null && this.isThere(consumer));
    return LATE_DONE;
  }

  prolong(tag: number, timeoutMs: number): boolean {
    const { deliveries } = this.channel;
    if (tag >= deliveries.unacked.next) {
      throw new AmqpError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`, {
        reason: 'unknown-delivery',
      });
    }
    if (!deliveries.owes(tag)) return false;
    if (timeoutMs === 0) deliveries.giveBack(tag);
    else this.timeouts.prolong(tag, timeoutMs);
    return true;
  }

  private actionOf(consumer: Consumer | null, queue: ConsumerSource): TimeoutRules['action'] {
    const { action } = this.channel.connection.timeoutRules;
    const asked = consumer?.timeoutAction ?? queue.rules.consumerTimeoutAction ?? action;
    // Taken back from a consumer that stays, what is late would be lost.
    return asked === 'requeue' && !queue.type.deliversAgain ? 'cancel' : asked;
  }

  /** Whether a consumer is subscribed still: only then its place in the prefetch means something. */
  private isThere(consumer: Consumer): boolean {
    return this.consumers.get(consumer.tag) === consumer;
  }

  private close(timeoutMs: number): void {
    const { channel } = this;
    const text =
      `delivery acknowledgement on channel ${channel.number} timed out. Timeout value used: ` +
      `${timeoutMs} ms. This timeout value can be configured, see consumers doc guide to learn more`;
    const error = new AmqpError('PRECONDITION_FAILED', text, { reason: 'delivery-timeout' });
    channel.connection.channelFailed(channel, error);
  }
}
