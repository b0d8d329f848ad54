// Owns one connection: its socket, its state from protocol header to close, and what becomes of an
// error. Never looks into frames: frame-dispatcher.ts does, and handlers/ know the rules of methods.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { PROTOCOL_HEADER, REPLY_SUCCESS } from '../amqp/constants.ts';
import { AmqpError } from '../amqp/errors.ts';
import { encodeMethodFrame } from '../amqp/method-codec.ts';
import type { MethodFields, MethodName } from '../amqp/spec.ts';
import type { Grants } from '../broker/access/grants.ts';
import type { User, UserConnection } from '../broker/access/user.ts';
import type { Broker } from '../broker/broker.ts';
import type { Vhost } from '../broker/vhost.ts';
import { assert } from '../util/assert.ts';
import { WheelTimer } from '../util/timers.ts';
import type { Channel, ChannelConnection } from './channel.ts';
import { ChannelTable } from './channel-table.ts';
import { ConnectionFacts } from './connection-facts.ts';
import {
  AWAITS_HEADER,
  AWAITS_START_OK,
  CHANNEL_CLOSING,
  CHANNEL_OPEN_STATE,
  CLOSED,
  CLOSING,
  RUNNING,
} from './connection-state.ts';
import type { TimeoutRules } from './delivery-timeouts.ts';
import { FrameDispatcher } from './frame-dispatcher.ts';
import { FrameReader } from './frame-reader.ts';
import { sendStart } from './handlers/connection.ts';
import { Heartbeat } from './heartbeat.ts';
import { HELD_FOR_DISK, HELD_FOR_LOGIN, HELD_FOR_SOCKET, InputGate } from './input-gate.ts';
import type { TlsPeer } from './listener.ts';
import { Outbox, type OutboxListener } from './outbox.ts';
import { byBroker, type Ending } from './peers.ts';
import { foreignSpeech } from './protocol-header.ts';
import { PublishGuard } from './publish-guard.ts';
import { loginRefused } from './sasl.ts';
import type { Server, ServerSettings } from './server.ts';
import { listenTo } from './socket-events.ts';

/** How long the peer has to answer connection.close, or to hang up after close-ok. */
const CLOSE_TIMEOUT_MS = 5000;
/** How long a client that cannot be told about a failed login waits for the end. */
const LOGIN_FAILURE_DELAY_MS = 1000;

/** One AMQP connection. */
export class Connection implements ChannelConnection, OutboxListener, UserConnection {
  readonly server: Server;
  readonly broker: Broker;
  readonly log: Logger;
  readonly facts: ConnectionFacts;
  readonly name: string;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  state = AWAITS_HEADER;
  readonly frames: FrameDispatcher;
  readonly channels: ChannelTable;
  peerFrameMax: number;
  wantsCancelNotice = false;
  wantsLoginFailure = false;
  readonly gate: InputGate;
  readonly guard: PublishGuard;
  private readonly socket: Socket;
  private readonly reader: FrameReader;
  private loggedIn: User | null = null;
  private openedVhost: Vhost | null = null;
  private openedGrants: Grants | null = null;
  private preamble = Buffer.alloc(0);
  private readonly deadline = new WheelTimer(() => this.deadlinePassed());
  private ending: Ending = { by: 'network', code: 0, key: 0, text: '' };

  constructor(server: Server, socket: Socket, tlsPeer: TlsPeer | null) {
    const { broker, settings } = server;
    this.server = server;
    this.broker = broker;
    this.socket = socket;
    this.facts = new ConnectionFacts(socket, tlsPeer, broker.clock.wallMs());
    this.name = this.facts.name;
    this.log = server.log.child({ peer: this.facts.peer });
    this.peerFrameMax = settings.initialFrameMaxBytes;
    this.frames = new FrameDispatcher(this, settings.initialFrameMaxBytes);
    this.channels = new ChannelTable(settings.channelMax, server.limits);
    this.outbox = new Outbox(socket, broker.log, this, settings.outboxHighWatermarkBytes);
    this.heartbeat = new Heartbeat(this, server.wheel, server.clock);
    this.reader = new FrameReader(this.frames, broker.log);
    this.gate = new InputGate(socket, this.frames);
    this.guard = new PublishGuard(broker.alarms, this, this.gate);
    server.wheel.schedule(this.deadline, settings.handshakeTimeoutMs);
    listenTo(socket, this, server.peerGuard);
  }

  /** Whether input is held back. */
  get paused(): boolean {
    return this.frames.paused;
  }

  /** The vhost that connection.open named; only after the handshake. */
  get vhost(): Vhost {
    assert(this.openedVhost !== null, 'the vhost is known once the connection is open');
    return this.openedVhost;
  }

  /** Who has logged in; only after that. */
  get user(): User {
    assert(this.loggedIn !== null, 'the user is known once it has logged in');
    return this.loggedIn;
  }

  /** What the user may do in the vhost; only after the handshake. */
  get grants(): Grants {
    assert(this.openedGrants !== null, 'the grants are known once the connection is open');
    return this.openedGrants;
  }

  /** Whether it is of that user, or has opened that vhost. */
  isOf(owner: User | Vhost): boolean {
    return this.loggedIn === owner || this.openedVhost === owner;
  }

  get channelCount(): number {
    return this.channels.count;
  }

  /** Whose it is and where, as far as that is known: '' before the login. */
  get place(): { readonly user: string; readonly vhost: string } {
    return { user: this.loggedIn?.name ?? '', vhost: this.openedVhost?.name ?? '' };
  }

  get settings(): ServerSettings {
    return this.server.settings;
  }

  /** The user has proven who it is. */
  authenticated(user: User): void {
    this.loggedIn = user;
  }

  /** Ends the handshake: methods other than the connection class's are taken from now on. */
  opened(vhost: Vhost, grants: Grants): void {
    this.openedVhost = vhost;
    this.openedGrants = grants;
    vhost.connections += 1;
    grants.user.connections.add(this);
    this.server.limits.takeConnection();
    this.state = RUNNING;
    this.server.wheel.cancel(this.deadline);
    const { notes } = this.facts;
    this.log.info({ user: grants.user.name, vhost: vhost.name, ...notes }, 'connection opened');
  }

  /** Sends a method on channel 0. */
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void {
    this.outbox.append(encodeMethodFrame(0, name, fields));
  }

  get timeoutRules(): TimeoutRules {
    return this.server.timeoutRules;
  }

  channelFailed(channel: Channel, error: AmqpError): void {
    this.failed(error, channel.number, 0);
  }

  listConfirms(channel: Channel): void {
    this.server.listConfirms(channel);
  }

  outboxFilled(outbox: Outbox): void {
    this.server.outboxFilled(outbox);
    this.heartbeat.sent();
  }

  outboxOverfull(): void {
    this.gate.hold(HELD_FOR_SOCKET);
  }

  outboxDrained(): void {
    const wake = (): void => {
      this.channels.wakeAll();
      if (this.gate.isHeld(HELD_FOR_SOCKET)) this.readOn(HELD_FOR_SOCKET);
    };
    this.server.peerGuard.run('drained socket', wake, () => this.socket.destroy());
  }

  /** Runs a method that publishes, at once or when no alarm is on any more. */
  whenAllowed(number: number, key: number, act: () => void): void {
    if (!this.guard.postpone(() => this.goOn(number, key, act))) act();
  }

  /** Reads on unless there are more reasons not to than this one. */
  readOn(reason: number): void {
    this.gate.release(reason);
    if (this.state === CLOSED || !this.gate.open()) return;
    try {
      this.reader.resume();
    } catch (error) {
      this.badFrame(error);
    }
  }

  /**
   * Stops reading until `batch` is durable, then runs `resume` and reads on: how the answer to a
   * durable declaration comes after the disk has it, and before the answer to anything later.
   * `key` is the method of channel `number` that waits; `resume` may hold again.
   */
  hold(batch: number, number: number, key: number, resume: () => void): void {
    this.gate.hold(HELD_FOR_DISK);
    this.server.holdUntil(batch, () => {
      if (this.state === CLOSED) return;
      this.gate.release(HELD_FOR_DISK);
      this.goOn(number, key, resume);
      this.readOn(0);
    });
  }

  /** Goes on with a method that was held; what was closed in the meantime waits for close-ok alone. */
  private goOn(number: number, key: number, act: () => void): void {
    const open = number === 0 || this.channels.at(number)?.state === CHANNEL_OPEN_STATE;
    if (this.state === RUNNING && open) this.attempt(number, key, act);
  }

  /** Stops reading until a login is decided, then runs `resume` and reads on. */
  holdLogin<T>(decision: Promise<T>, key: number, resume: (decided: T) => void): void {
    this.gate.hold(HELD_FOR_LOGIN);
    const go = (act: () => void): void => {
      if (this.state < CLOSING) this.attempt(0, key, act);
      this.readOn(HELD_FOR_LOGIN);
    };
    const decided = decision.then(
      (user) => go(() => resume(user)),
      (error: unknown) => go(() => this.failed(error, 0, key)),
    );
    this.server.peerGuard.promise('login', decided, () => this.socket.destroy());
  }

  /**
   * Acts on whatever was thrown while handling method `key` of a channel: a soft error closes the
   * channel, a hard one the connection; anything else is a bug of ours, logged, and closes it too.
   */
  failed(error: unknown, number: number, key: number): void {
    if (!(error instanceof AmqpError)) {
      if (this.server.isFatal(error)) return;
      this.log.error({ err: error }, 'internal error: the connection is closed');
      this.close(new AmqpError('INTERNAL_ERROR', 'internal error, see the log of the broker'), key);
      return;
    }
    const channel = this.channels.at(number);
    if (error.hard || channel === null) {
      this.close(error, key);
      return;
    }
    this.log.warn({ channel: number, reason: error.replyText }, 'channel closed after an error');
    this.server.peers.ended(this, channel, byBroker(error, key));
    channel.close();
    channel.state = CHANNEL_CLOSING;
    channel.send('channel.close', {
      replyCode: error.code,
      replyText: error.replyText,
      classId: key >>> 16,
      methodId: key & 0xffff,
    });
  }

  private attempt(number: number, key: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(error, number, key);
    }
  }

  /** Sends connection.close and waits for the answer; `key` is the method to blame, 0 for none. */
  close(error: AmqpError, key: number): void {
    if (this.state >= CLOSING) return;
    this.log.warn({ reason: error.replyText }, 'connection closed by the broker');
    this.ending = byBroker(error, key);
    if (this.state === AWAITS_HEADER) {
      this.hangUp();
      return;
    }
    this.giveUpChannels();
    this.state = CLOSING;
    // The answer of a blocked peer stands behind all that it has published.
    this.guard.letGo();
    this.server.wheel.schedule(this.deadline, CLOSE_TIMEOUT_MS);
    this.send('connection.close', {
      replyCode: error.code,
      replyText: error.replyText,
      classId: key >>> 16,
      methodId: key & 0xffff,
    });
  }

  /** The login failed: says so if the client understands it, else hangs up after a while. */
  refuseLogin(mechanism: string): void {
    if (this.wantsLoginFailure) {
      this.close(loginRefused(mechanism), 0);
      return;
    }
    this.state = CLOSING;
    this.server.wheel.schedule(this.deadline, LOGIN_FAILURE_DELAY_MS);
  }

  /** The peer sent connection.close: everything is given back before it is answered. */
  closeByPeer(replyCode: number, replyText: string): void {
    const text = replyCode === REPLY_SUCCESS ? '' : `${replyCode} ${replyText}`;
    this.ending = { by: 'client', code: replyCode, key: 0, text };
    this.giveUpChannels();
    this.send('connection.close-ok', {});
    this.hangUp();
  }

  /** Writes what is left and ends the socket. */
  hangUp(): void {
    this.state = CLOSED;
    this.outbox.flush();
    this.socket.end();
    this.server.wheel.schedule(this.deadline, CLOSE_TIMEOUT_MS);
  }

  private giveUpChannels(): void {
    this.channels.closeAll();
    this.openedVhost?.deleteQueuesOf(this);
    if (this.loggedIn?.connections.delete(this) === true) this.vhost.connections -= 1;
  }

  /** The peer sends nothing any more, or takes nothing: the socket is cut. */
  abort(reason: string): void {
    if (this.ending.text === '') this.ending.text = reason;
    this.socket.destroy();
  }

  private deadlinePassed(): void {
    this.abort(this.state < RUNNING ? 'the handshake took too long' : 'the close took too long');
  }

  onData(bytes: Buffer): void {
    if (this.state === CLOSED) return;
    this.broker.nowMs = this.broker.time.now();
    this.heartbeat.received();
    try {
      if (this.state !== AWAITS_HEADER) this.reader.feed(bytes);
      else this.readPreamble(bytes);
    } catch (error) {
      this.badFrame(error);
    }
    this.server.chunkRead(this, bytes.length);
  }

  /** What was read is no frame: nothing behind it in its chunk can be one. */
  private badFrame(error: unknown): void {
    this.reader.abandon();
    this.failed(error, 0, 0);
  }

  /** §4.2.2: eight octets name the protocol; for any other the server says which it speaks. */
  private readPreamble(bytes: Buffer): void {
    const seen = Buffer.concat([this.preamble, bytes]);
    const why = foreignSpeech(seen);
    if (why !== null) {
      this.log.warn(`connection refused: ${why}`);
      this.outbox.append(PROTOCOL_HEADER);
      this.hangUp();
      return;
    }
    this.preamble = seen;
    if (seen.length < PROTOCOL_HEADER.length) return;
    this.state = AWAITS_START_OK;
    sendStart(this);
    this.preamble = Buffer.alloc(0);
    const rest = seen.subarray(PROTOCOL_HEADER.length);
    if (rest.length > 0) this.reader.feed(Buffer.from(rest));
  }

  onEnd(): void {
    if (this.state !== CLOSED) this.abort('the peer hung up without connection.close');
    else this.socket.destroy();
  }

  onSocketError(error: Error): void {
    if (this.ending.text === '') this.ending.text = error.message;
  }

  /** The socket is gone: everything is given back. */
  dispose(): void {
    this.state = CLOSED;
    this.server.wheel.cancel(this.deadline);
    this.heartbeat.stop();
    if (this.reader.midChunk) this.reader.abandon();
    this.giveUpChannels();
    this.outbox.drop();
    if (this.openedVhost !== null) this.server.limits.giveConnection();
    this.server.connectionGone(this);
    this.server.peers.ended(this, null, this.ending);
    const { text } = this.ending;
    this.log.info(text === '' ? {} : { reason: text }, 'connection closed');
  }
}
