// Owns the faults that tests ask for, and finding the one that strikes. Never does what a fault does: the channels that
// it makes, and fault-effects.ts, do.

import { AmqpError } from '../amqp/errors.ts';
import { recordExchange, recordRoutingKey } from '../message/record.ts';
import { PAUSED_BY_FAULT } from '../server/backpressure/read-gate.ts';
import type { UnfinishedBytes } from '../server/backpressure/unfinished-bytes.ts';
import type { Channel } from '../server/channel/channel.ts';
import type { Connection } from '../server/connection/connection.ts';
import type { MethodConnection } from '../server/methods/method-connection.ts';
import type { ServerPorts } from '../server/ports.ts';
import type { Server } from '../server/server.ts';
import { RUNNING } from '../server/states.ts';
import { assert } from '../util/assert.ts';
import type { WheelTimer } from '../util/timers.ts';
import { checkAckMatch, checkConnectionMatch, checkPublishMatch } from './check-options.ts';
import { ArmedFault } from './fault.ts';
import { Block, holdInput } from './fault-effects.ts';
import { type ChannelFaults, FaultyChannel, type PublishFate } from './faulty-channel.ts';
import { requireAnyExchange, requireAnyQueue, requireUser, requireVhost } from './names.ts';
import type { BrokerFaults, ConnectionMatch, Fault, PublishMatch } from './options.ts';

/** What to look for in an ack. */
interface AckMatch {
  readonly queue: string | null;
}

/** A publish to look for, and what becomes of it. */
interface PublishFault extends PublishFate {
  readonly match: PublishMatch;
}

/** What becomes of a confirm: it is sent so much later, or never. */
interface ConfirmFate {
  readonly delayMs: number;
}

/** The faults of one broker. */
export class EmbeddedFaults implements BrokerFaults, ServerPorts, ChannelFaults {
  private attached: Server | null = null;
  private acks: ArmedFault<AckMatch>[] = [];
  private publishes: ArmedFault<PublishFault>[] = [];
  private confirms: ArmedFault<ConfirmFate>[] = [];
  private refusals: ArmedFault<null>[] = [];
  /** Connections that a late publish holds, and what ends that. */
  private readonly held = new Map<MethodConnection, WheelTimer>();
  private block: Block | null = null;

  /** The server that has these faults, once there is one. */
  attach(server: Server): void {
    this.attached = server;
  }

  private get server(): Server {
    assert(this.attached !== null, 'faults are asked for once the server is there');
    return this.attached;
  }

  admits(): boolean {
    return this.refusals[0]?.strike() === undefined;
  }

  makeChannel(number: number, connection: MethodConnection, holdings: UnfinishedBytes): Channel {
    return new FaultyChannel(number, connection, holdings, this);
  }

  dropNextAck(match: { readonly queue?: string } = {}): Fault {
    checkAckMatch('dropNextAck', match);
    const { queue = null } = match;
    if (queue !== null) requireAnyQueue(this.server.broker, 'dropNextAck', queue);
    return this.arm(this.acks, { queue });
  }

  nackNextPublish(match: PublishMatch = {}): Fault {
    this.checkPublish('nackNextPublish', match);
    return this.arm(this.publishes, { match, delayMs: null });
  }

  delayNextPublish(delayMs: number, match: PublishMatch = {}): Fault {
    checkDelay('delayNextPublish', delayMs);
    this.checkPublish('delayNextPublish', match);
    return this.arm(this.publishes, { match, delayMs });
  }

  dropNextConfirm(): Fault {
    return this.arm(this.confirms, { delayMs: Number.POSITIVE_INFINITY });
  }

  delayNextConfirm(delayMs: number): Fault {
    checkDelay('delayNextConfirm', delayMs);
    return this.arm(this.confirms, { delayMs });
  }

  refuseNextConnection(): Fault {
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
    for (const [connection, timer] of this.held) {
      if (!timer.armed) continue;
      this.server.wheel.cancel(timer);
      connection.readOn(PAUSED_BY_FAULT);
    }
    this.held.clear();
  }

  private unblock(): void {
    this.block?.end();
    this.block = null;
  }

  private checkPublish(call: string, match: PublishMatch): void {
    checkPublishMatch(call, match);
    if (match.exchange) requireAnyExchange(this.server.broker, call, match.exchange);
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
    const { broker } = this.server;
    if (user !== undefined) requireUser(broker, call, user);
    if (vhost !== undefined) requireVhost(broker, call, vhost);
    return [...this.server.openConnections].filter((connection) => {
      if (name === undefined && user === undefined && vhost === undefined) return true;
      if (connection.state !== RUNNING) return false;
      if (name !== undefined && connection.facts.clientName !== name) return false;
      if (user !== undefined && connection.user.name !== user) return false;
      return vhost === undefined || connection.vhost.name === vhost;
    });
  }

  /** The fault that an ack of this delivery meets: it is lost. */
  losesAck(channel: Channel, tag: number): boolean {
    if (this.acks.length === 0) return false;
    const { unacked } = channel.deliveries;
    const fault = this.acks.find(
      ({ what }) => what.queue === null || unacked.queueOf(tag)?.name === what.queue,
    );
    fault?.strike();
    return fault !== undefined;
  }

  fateOf(channel: Channel, bytes: Buffer, start: number): PublishFate | null {
    if (this.publishes.length === 0 || channel.transaction !== null) return null;
    const fault = this.publishes.find(({ what: { match } }) => {
      const { exchange, routingKey } = match;
      if (exchange !== undefined && recordExchange(bytes, start) !== exchange) return false;
      return routingKey === undefined || recordRoutingKey(bytes, start) === routingKey;
    });
    fault?.strike();
    return fault?.what ?? null;
  }

  confirmDelay(): { strike(): number } | null {
    const [fault] = this.confirms;
    if (fault === undefined) return null;
    return {
      strike: () => {
        fault.strike();
        return fault.what.delayMs;
      },
    };
  }

  delay(connection: MethodConnection, number: number, delayMs: number, publish: () => void): void {
    const timer = holdInput(connection, number, () => {
      this.held.delete(connection);
      publish();
    });
    this.held.set(connection, timer);
    this.schedule(timer, delayMs);
  }

  schedule(timer: WheelTimer, delayMs: number): void {
    this.server.wheel.schedule(timer, delayMs);
  }
}

function checkDelay(call: string, delayMs: number): void {
  if (Number.isFinite(delayMs) && delayMs >= 0) return;
  throw new RangeError(`${call}(${delayMs}): expected milliseconds from 0 on`);
}
