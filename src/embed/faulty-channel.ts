// Owns the channels of a broker inside a program: each asks the program's faults before it takes an ack or a publish,
// or sends confirms. Never decides which fault strikes.

import type { BrokerCore } from '../broker/core/core.ts';
import type { ChangeLine } from '../broker/turn/change-line.ts';
import type { Vhost } from '../broker/vhost/vhost.ts';
import type { Chunk } from '../message/chunk.ts';
import type { UnfinishedBytes } from '../server/backpressure/unfinished-bytes.ts';
import { Channel } from '../server/channel/channel.ts';
import { Deliveries } from '../server/channel/deliveries.ts';
import { Publisher, type PublishLimits } from '../server/channel/publish/publisher.ts';
import type { MethodConnection } from '../server/methods/method-connection.ts';
import { WheelTimer } from '../util/timers.ts';
import { copyOf, refuse } from './fault-effects.ts';

/** What becomes of a publish: null, it is nacked; else it arrives so many ms later. */
export interface PublishFate {
  readonly delayMs: number | null;
}

/** The faults that wait for channels. */
export interface ChannelFaults {
  /** Whether the ack of this delivery is lost. */
  losesAck(channel: Channel, tag: number): boolean;
  /** What becomes of the publish whose record begins at `start`; null: nothing. */
  fateOf(channel: Channel, bytes: Buffer, start: number): PublishFate | null;
  /** The fault that the next confirm meets, null: none. `strike` returns by how many ms it is late, Infinity: it is lost. */
  confirmDelay(): { strike(): number } | null;
  /** Reads no more from a connection for so many ms, and then publishes what was read last. */
  delay(connection: MethodConnection, number: number, delayMs: number, publish: () => void): void;
  schedule(timer: WheelTimer, delayMs: number): void;
}

class FaultyDeliveries extends Deliveries {
  private readonly faults: ChannelFaults;
  private readonly of: Channel;

  constructor(channel: Channel, line: ChangeLine, faults: ChannelFaults) {
    super(channel, line);
    this.of = channel;
    this.faults = faults;
  }

  override ack(tag: number, multiple: boolean): void {
    if (!this.faults.losesAck(this.of, tag)) super.ack(tag, multiple);
  }
}

class FaultyPublisher extends Publisher {
  private readonly faults: ChannelFaults;
  private readonly connection: MethodConnection;
  private readonly of: Channel;

  constructor(
    core: BrokerCore,
    vhost: Vhost,
    channel: Channel,
    limits: PublishLimits,
    faults: ChannelFaults,
    connection: MethodConnection,
  ) {
    super(core, vhost, channel, limits);
    this.of = channel;
    this.faults = faults;
    this.connection = connection;
  }

  override publish(
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): void {
    const { of, faults } = this;
    const fate = faults.fateOf(of, chunk.bytes, start);
    if (fate === null) {
      super.publish(chunk, start, addressEnd, headerFrame, end);
    } else if (fate.delayMs === null) {
      refuse(of);
    } else {
      const late = copyOf(chunk, start, end);
      const act = (): void =>
        super.publish(late, 0, addressEnd - start, headerFrame - start, end - start);
      faults.delay(this.connection, of.number, fate.delayMs, act);
    }
  }
}

/** One channel that may meet faults. */
export class FaultyChannel extends Channel {
  private readonly faults: ChannelFaults;
  private confirmsHeld = false;
  private readonly timer = new WheelTimer(() => {
    this.confirmsHeld = false;
    this.confirmsChanged();
  });

  constructor(
    number: number,
    connection: MethodConnection,
    holdings: UnfinishedBytes,
    faults: ChannelFaults,
  ) {
    super(number, connection, holdings, {
      deliveries: (channel, line) => new FaultyDeliveries(channel, line, faults),
      publisher: (core, vhost, channel, limits) =>
        new FaultyPublisher(core, vhost, channel, limits, faults, connection),
    });
    this.faults = faults;
  }

  override flushConfirms(durableBatch: number): boolean {
    if (this.confirmsHeld) return false;
    const fault = this.faults.confirmDelay();
    const { confirms } = this;
    if (fault === null || confirms === null) return super.flushConfirms(durableBatch);
    confirms.durable(durableBatch);
    if (!confirms.due) return confirms.waiting;
    const delayMs = fault.strike();
    if (delayMs === Number.POSITIVE_INFINITY) {
      while (confirms.takeNack() !== 0);
      confirms.take();
      return confirms.waiting;
    }
    this.confirmsHeld = true;
    this.faults.schedule(this.timer, delayMs);
    return false;
  }
}
