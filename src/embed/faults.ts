// Owns the faults that tests ask for. Never costs anything before one is asked for: from then on, the
// methods of connections and channels in its way are taken over, one object at a time.

import { AmqpError } from '../amqp/errors.ts';
import { recordExchange, recordRoutingKey } from '../message/record.ts';
import type { Channel } from '../server/channel.ts';
import type { Connection } from '../server/connection.ts';
import { RUNNING } from '../server/connection-state.ts';
import type { Server } from '../server/server.ts';
import { WheelTimer } from '../util/timers.ts';
import { checkAckMatch, checkConnectionMatch, checkPublishMatch } from './check-options.ts';
import { Block, copyOf, holdInput, refuse } from './disturbances.ts';
import { ArmedFault } from './fault.ts';
import type { BrokerFaults, ConnectionMatch, Fault, PublishMatch } from './options.ts';

/** What to look for in an ack. */
interface AckMatch {
  readonly queue: string | null;
}

/** A publish to look for, and what becomes of it: it is nacked, or arrives so much later. */
interface PublishFate {
  readonly match: PublishMatch;
  readonly delayMs: number | null;
}

/** What becomes of a confirm: it is sent so much later, or never. */
interface ConfirmFate {
  readonly delayMs: number;
}

/** The faults of one broker. */
export class EmbeddedFaults implements BrokerFaults {
  private readonly server: Server;
  private acks: ArmedFault<AckMatch>[] = [];
  private publishes: ArmedFault<PublishFate>[] = [];
  private confirms: ArmedFault<ConfirmFate>[] = [];
  private refusals: ArmedFault<null>[] = [];
  /** What reads on where a late publish holds a connection. */
  private readonly held = new Map<Connection, () => void>();
  private block: Block | null = null;
  private channelsWatched = false;
  private acceptWatched = false;

  constructor(server: Server) {
    this.server = server;
  }

  dropNextAck(match: { readonly queue?: string } = {}): Fault {
    checkAckMatch('dropNextAck', match);
    const { queue = null } = match;
    this.watchChannels();
    return this.arm(this.acks, { queue });
  }

  nackNextPublish(match: PublishMatch = {}): Fault {
    checkPublishMatch('nackNextPublish', match);
    this.watchChannels();
    return this.arm(this.publishes, { match, delayMs: null });
  }

  delayNextPublish(delayMs: number, match: PublishMatch = {}): Fault {
    checkDelay('delayNextPublish', delayMs);
    checkPublishMatch('delayNextPublish', match);
    this.watchChannels();
    return this.arm(this.publishes, { match, delayMs });
  }

  dropNextConfirm(): Fault {
    this.watchChannels();
    return this.arm(this.confirms, { delayMs: Number.POSITIVE_INFINITY });
  }

  delayNextConfirm(delayMs: number): Fault {
    checkDelay('delayNextConfirm', delayMs);
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
    const chosen = this.matching('closeConnections', match);
    for (const each of chosen) each.close(new AmqpError('CONNECTION_FORCED', text), 0);
    return chosen.length;
  }

  cutConnections(match: ConnectionMatch = {}): number {
    const chosen = this.matching('cutConnections', match);
    for (const each of chosen) each.abort('a test has cut it');
    return chosen.length;
  }

  blockPublishers(): { unblock(): void } {
    this.block ??= new Block(this.server);
    const { block } = this;
    // A block that was ended, and began anew, is not for an old handle to end.
    return { unblock: () => this.block === block && this.unblock() };
  }

  reset(): void {
    this.unblock();
    for (const armed of [this.acks, this.publishes, this.confirms, this.refusals]) {
      for (const fault of [...armed]) fault.cancel();
    }
  }

  /** The broker closes: nothing is late any more, since that would keep a peer from being told. */
  end(): void {
    this.reset();
    for (const readOn of this.held.values()) readOn();
    this.held.clear();
  }

  private unblock(): void {
    this.block?.end();
    this.block = null;
  }

  private arm<T>(armed: ArmedFault<T>[], what: T): Fault {
    const fault = new ArmedFault(what, () => {
      const at = armed.indexOf(fault);
      if (at >= 0) armed.splice(at, 1);
    });
    armed.push(fault);
    return fault;
  }

  private matching(call: string, match: ConnectionMatch): Connection[] {
    checkConnectionMatch(call, match);
    const { name, user, vhost } = match;
    return [...this.server.openConnections].filter((connection) => {
      if (name === undefined && user === undefined && vhost === undefined) return true;
      if (connection.state !== RUNNING) return false;
      if (name !== undefined && connection.facts.clientName !== name) return false;
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
      const connection = accepted(socket, peer);
      for (const each of server.openConnections) if (!before.has(each)) this.watchConnection(each);
      return connection;
    };
    for (const each of server.openConnections) this.watchConnection(each);
  }

  private watchConnection(connection: Connection): void {
    const { channels } = connection;
    const open = channels.open.bind(channels);
    channels.open = (number, of) => {
      open(number, of);
      const channel = channels.at(number);
      if (channel !== null) this.watchChannel(connection, channel);
    };
    for (const channel of channels.all()) this.watchChannel(connection, channel);
  }

  private watchChannel(connection: Connection, channel: Channel): void {
    const { deliveries, publisher } = channel;
    const ack = deliveries.ack.bind(deliveries);
    deliveries.ack = (tag, multiple) => {
      if (!this.losesAck(channel, tag)) ack(tag, multiple);
    };
    const publish = publisher.publish.bind(publisher);
    publisher.publish = (chunk, start, addressEnd, headerFrame, end, known = null) => {
      // Where the route is known, it is the second half of a publish that was let through.
      const fate = known === null ? this.fateOf(channel, chunk.bytes, start) : null;
      if (fate === null) {
        publish(chunk, start, addressEnd, headerFrame, end, known);
      } else if (fate.delayMs === null) {
        refuse(channel);
      } else {
        const late = copyOf(chunk, start, end);
        const act = (): void => {
          this.held.delete(connection);
          publish(late, 0, addressEnd - start, headerFrame - start, end - start);
        };
        const { server } = this;
        const readOn = holdInput(server, connection, channel.number, fate.delayMs, act);
        this.held.set(connection, readOn);
      }
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

  /** What becomes of a publish by a fault that waits for it; null: nothing. */
  private fateOf(channel: Channel, bytes: Buffer, start: number): PublishFate | null {
    if (this.publishes.length === 0 || channel.transaction !== null) return null;
    const fault = this.publishes.find(({ what: { match } }) => {
      const { exchange, routingKey } = match;
      if (exchange !== undefined && recordExchange(bytes, start) !== exchange) return false;
      return routingKey === undefined || recordRoutingKey(bytes, start) === routingKey;
    });
    fault?.strike();
    return fault?.what ?? null;
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

function checkDelay(call: string, delayMs: number): void {
  if (Number.isFinite(delayMs) && delayMs >= 0) return;
  throw new RangeError(`${call}(${delayMs}): expected milliseconds from 0 on`);
}
