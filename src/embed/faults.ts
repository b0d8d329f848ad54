// Owns the faults that tests ask for. Never costs anything before one is asked for: from then on, the
// methods of connections and channels in its way are taken over, one object at a time.

import { AmqpError } from '../amqp/errors.ts';
import { recordExchange, recordRoutingKey } from '../message/record.ts';
import type { Channel } from '../server/channel.ts';
import type { Connection } from '../server/connection.ts';
import { RUNNING } from '../server/connection-state.ts';
import type { Server } from '../server/server.ts';
import { WheelTimer } from '../util/timers.ts';
import { ArmedFault } from './fault.ts';
import type { BrokerFaults, ConnectionMatch, Fault } from './options.ts';

/** What to look for in an ack. */
interface AckMatch {
  readonly queue: string | null;
}

/** What to look for in a publish. */
interface PublishMatch {
  readonly exchange: string | null;
  readonly routingKey: string | null;
}

/** What becomes of a confirm: it is sent so much later, or never. */
interface ConfirmFate {
  readonly delayMs: number;
}

/** The faults of one broker. */
export class EmbeddedFaults implements BrokerFaults {
  private readonly server: Server;
  private acks: ArmedFault<AckMatch>[] = [];
  private publishes: ArmedFault<PublishMatch>[] = [];
  private confirms: ArmedFault<ConfirmFate>[] = [];
  private refusals: ArmedFault<null>[] = [];
  private channelsWatched = false;
  private acceptWatched = false;

  constructor(server: Server) {
    this.server = server;
  }

  dropNextAck({ queue = null }: { readonly queue?: string | null } = {}): Fault {
    this.watchChannels();
    return this.arm(this.acks, { queue });
  }

  nackNextPublish(match: { readonly exchange?: string; readonly routingKey?: string } = {}): Fault {
    this.watchChannels();
    const { exchange = null, routingKey = null } = match;
    return this.arm(this.publishes, { exchange, routingKey });
  }

  dropNextConfirm(): Fault {
    this.watchChannels();
    return this.arm(this.confirms, { delayMs: Number.POSITIVE_INFINITY });
  }

  delayNextConfirm(delayMs: number): Fault {
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new RangeError(`delayNextConfirm(${delayMs}): expected milliseconds from 0 on`);
    }
    this.watchChannels();
    return this.arm(this.confirms, { delayMs });
  }

  refuseNextConnection(): Fault {
    if (!this.acceptWatched) {
      this.acceptWatched = true;
      const mayAccept = this.server.mayAccept.bind(this.server);
      this.server.mayAccept = () => this.refusals[0]?.strike() === undefined && mayAccept();
    }
    return this.arm(this.refusals, null);
  }

  closeConnections(match: ConnectionMatch = {}): number {
    const text = "broker forced connection closure with reason 'a test asked for it'";
    const chosen = this.matching(match);
    for (const each of chosen) each.close(new AmqpError('CONNECTION_FORCED', text), 0);
    return chosen.length;
  }

  cutConnections(match: ConnectionMatch = {}): number {
    const chosen = this.matching(match);
    for (const each of chosen) each.abort('a test has cut it');
    return chosen.length;
  }

  reset(): void {
    for (const armed of [this.acks, this.publishes, this.confirms, this.refusals]) {
      for (const fault of [...armed]) fault.cancel();
    }
  }

  private arm<T>(armed: ArmedFault<T>[], what: T): Fault {
    const fault = new ArmedFault(what, () => {
      const at = armed.indexOf(fault);
      if (at >= 0) armed.splice(at, 1);
    });
    armed.push(fault);
    return fault;
  }

  private matching({ user, vhost }: ConnectionMatch): Connection[] {
    return [...this.server.openConnections].filter((connection) => {
      if (user === undefined && vhost === undefined) return true;
      if (connection.state !== RUNNING) return false;
      if (user !== undefined && connection.user.name !== user) return false;
      return vhost === undefined || connection.vhost.name === vhost;
    });
  }

  /** Takes over the channels there are, and from now on each that is opened. */
  private watchChannels(): void {
    if (this.channelsWatched) return;
    this.channelsWatched = true;
    const { server } = this;
    const accepted = server.accepted.bind(server);
    server.accepted = (socket, peer) => {
      const before = new Set(server.openConnections);
      accepted(socket, peer);
      for (const each of server.openConnections) if (!before.has(each)) this.watchConnection(each);
    };
    for (const each of server.openConnections) this.watchConnection(each);
  }

  private watchConnection({ channels }: Connection): void {
    const open = channels.open.bind(channels);
    channels.open = (number, connection) => {
      open(number, connection);
      const channel = channels.at(number);
      if (channel !== null) this.watchChannel(channel);
    };
    for (const channel of channels.all()) this.watchChannel(channel);
  }

  private watchChannel(channel: Channel): void {
    const { deliveries, publisher } = channel;
    const ack = deliveries.ack.bind(deliveries);
    deliveries.ack = (tag, multiple) => {
      if (!this.losesAck(channel, tag)) ack(tag, multiple);
    };
    const publish = publisher.publish.bind(publisher);
    publisher.publish = (chunk, start, addressEnd, headerFrame, end, known = null) => {
      // Where the route is known, it is the second half of a publish that was let through.
      if (known === null && this.refusesPublish(channel, chunk.bytes, start)) return;
      publish(chunk, start, addressEnd, headerFrame, end, known);
    };
    this.watchConfirms(channel);
  }

  private losesAck(channel: Channel, tag: number): boolean {
    const { unacked } = channel.deliveries;
    const fault = this.acks.find(
      ({ what }) => what.queue === null || unacked.queueOf(tag)?.name === what.queue,
    );
    fault?.strike();
    return fault !== undefined;
  }

  private refusesPublish(channel: Channel, bytes: Buffer, start: number): boolean {
    if (this.publishes.length === 0 || channel.transaction !== null) return false;
    const fault = this.publishes.find(({ what: { exchange, routingKey } }) => {
      if (exchange !== null && recordExchange(bytes, start) !== exchange) return false;
      return routingKey === null || recordRoutingKey(bytes, start) === routingKey;
    });
    if (fault === undefined) return false;
    fault.strike();
    if (channel.confirms !== null) {
      channel.confirms.addRefused();
      channel.confirmsChanged();
    }
    return true;
  }

  private watchConfirms(channel: Channel): void {
    const flush = channel.flushConfirms.bind(channel);
    let held = false;
    const timer = new WheelTimer(() => {
      held = false;
      channel.confirmsChanged();
    });
    channel.flushConfirms = (durableBatch) => {
      const fault = this.confirms[0];
      const { confirms } = channel;
      if (held) return false;
      if (fault === undefined || confirms === null) return flush(durableBatch);
      confirms.durable(durableBatch);
      if (!confirms.due) return confirms.waiting;
      fault.strike();
      if (fault.what.delayMs === Number.POSITIVE_INFINITY) {
        while (confirms.takeNack() !== 0);
        confirms.take();
        return confirms.waiting;
      }
      held = true;
      this.server.wheel.schedule(timer, fault.what.delayMs);
      return false;
    };
  }
}
