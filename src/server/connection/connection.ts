// Owns one connection: its socket, its state from protocol header to close, and what becomes of an
// error. Never looks into frames: frame-dispatcher.ts does, and methods/ know the rules of methods.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { CONNECTION_OPEN, PROTOCOL_HEADER } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import { encodeMethodFrame } from '../../amqp/method-codec.ts';
import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { User, UserConnection } from '../../broker/access/user.ts';
import type { Broker } from '../../broker/broker.ts';
import type { BrokerCore } from '../../broker/core/core.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import { causeText } from '../../store/errors.ts';
import { assert } from '../../util/assert.ts';
import { ActGate } from '../backpressure/act-gate.ts';
import { AlarmGate } from '../backpressure/alarm-gate.ts';
import { PAUSED_FOR_SOCKET, ReadGate } from '../backpressure/read-gate.ts';
import type { Channel } from '../channel/channel.ts';
import type { TimeoutRules } from '../channel/delivery-timeouts.ts';
import { listenTo } from '../listen/socket-events.ts';
import { closedLine, ORDINARY_MAX } from '../log/line-quota.ts';
import { sendStart } from '../methods/connection.ts';
import type { MethodConnection } from '../methods/method-connection.ts';
import type { ServerSettings } from '../settings.ts';
import {
  AWAITS_HEADER,
  AWAITS_START_OK,
  CHANNEL_CLOSING,
  CHANNEL_OPEN_STATE,
  CLOSED,
  CLOSING,
  RUNNING,
} from '../states.ts';
import type { TlsPeer } from '../tls/peer.ts';
import { FrameReader } from '../wire/frame-reader.ts';
import { Outbox, type OutboxListener } from '../wire/outbox.ts';
import { ChannelTable } from './channel-table.ts';
import { Closing } from './closing.ts';
import { byBroker, type EndReason, hasHungUp } from './ending.ts';
import { FrameDispatcher } from './frame-dispatcher.ts';
import { Handshake, sayAgain } from './hand-over.ts';
import { Heartbeat } from './heartbeat.ts';
import type { ConnectionHost } from './host.ts';
import { MethodWaits, type WaitingConnection } from './method-waits.ts';
import { PeerInfo } from './peer-info.ts';
import { PreambleReader } from './preamble.ts';
import { Release, type ReleasedConnection } from './release.ts';

/** One AMQP connection. */
export class Connection
  implements MethodConnection, OutboxListener, UserConnection, ReleasedConnection, WaitingConnection
{
  readonly server: ConnectionHost;
  readonly broker: Broker;
  readonly core: BrokerCore;
  readonly log: Logger;
  readonly facts: PeerInfo;
  readonly name: string;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  state = AWAITS_HEADER;
  readonly frames: FrameDispatcher;
  readonly channels: ChannelTable;
  peerFrameMax: number;
  wantsCancelNotice = false;
  wantsLoginFailure = false;
  readonly gate: ReadGate;
  readonly guard: AlarmGate;
  readonly acts: ActGate;
  readonly waits = new MethodWaits(this);
  readonly closing: Closing;
  readonly reader: FrameReader;
  private loggedIn: User | null = null;
  private openedVhost: Vhost | null = null;
  private openedGrants: Grants | null = null;
  private readonly preamble = new PreambleReader();
  /** The peer has ended its side of the socket. */
  private ended = false;
  private readonly release = new Release(this);
  private readonly socket: Socket;
  private readonly unlisten: () => void;
  /** What the client said in its handshake; null: it need not be said again. */
  private handshake: Handshake | null;
  private handedOver = false;

  constructor(server: ConnectionHost, socket: Socket, tlsPeer: TlsPeer | null) {
    const { broker, settings } = server;
    this.server = server;
    const { core } = broker;
    this.broker = broker;
    this.core = core;
    this.facts = new PeerInfo(socket, tlsPeer, core.clock.wallMs());
    this.name = this.facts.name;
    this.log = server.log.child({ peer: this.facts.peer });
    this.peerFrameMax = settings.initialFrameMaxBytes;
    this.frames = new FrameDispatcher(this, settings.initialFrameMaxBytes);
    this.channels = new ChannelTable(settings.channelMax, server);
    this.outbox = new Outbox(socket, core.log, this, settings.outboxHighWatermarkBytes, core.lines);
    this.heartbeat = new Heartbeat(this, server.wheel, server.clock);
    this.reader = new FrameReader(this.frames, core.log);
    this.gate = new ReadGate(socket, this.frames);
    this.acts = new ActGate(this, this.gate, core.slices);
    this.guard = new AlarmGate(broker.alarms, this, this.gate);
    this.closing = new Closing(this, socket, server);
    this.socket = socket;
    this.handshake = server.groups?.others === true ? new Handshake() : null;
    this.unlisten = listenTo(socket, this, server.peerGuard);
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

  /** The user of the login; only after the login. */
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
  isOf(owner: object): boolean {
    return this.loggedIn === owner || this.openedVhost === owner;
  }

  get channelCount(): number {
    return this.channels.count;
  }

  /** The names of its user and its vhost, as far as they are known: '' before the login. */
  get identity(): { readonly user: string; readonly vhost: string } {
    return { user: this.loggedIn?.name ?? '', vhost: this.openedVhost?.name ?? '' };
  }

  get settings(): ServerSettings {
    return this.server.settings;
  }

  /** The peer has proven that it is this user. */
  authenticated(user: User): void {
    this.loggedIn = user;
    this.server.connectionKnown(this);
  }

  /** Ends the handshake: methods other than the connection class's are taken from now on. */
  opened(vhost: Vhost, grants: Grants): void {
    this.openedVhost = vhost;
    this.openedGrants = grants;
    vhost.connections += 1;
    grants.user.connections.add(this);
    this.server.limits.takeConnection();
    this.state = RUNNING;
    this.handshake = null;
    this.closing.opened();
    const { logFields: notes } = this.facts;
    if (!this.server.lines.admits('connection opened', ORDINARY_MAX)) return;
    this.log.info({ user: grants.user.name, vhost: vhost.name, ...notes }, 'connection opened');
  }

  noteHandshake(bytes: Buffer, start: number, end: number): void {
    this.handshake?.note(bytes, start, end);
  }

  handOver(group: string, otherwise: AmqpError): void {
    const { facts, handshake, server } = this;
    const opening = async (): Promise<Socket> => {
      if (handshake === null || server.groups === null) throw otherwise;
      try {
        const node = await server.groups.open(group, facts);
        await sayAgain(node, handshake, server);
        if (this.state < CLOSING) return node;
        node.destroy();
      } catch (cause) {
        if (server.lines.admits('connection not handed on')) {
          this.log.warn({ group, why: causeText(cause) }, 'connection not handed on');
        }
      }
      throw otherwise;
    };
    this.waits.forLogin(opening(), CONNECTION_OPEN, (node) => this.giveTo(node));
  }

  /** From now on the socket is another node's: all that is had for it here is given back. */
  private giveTo(node: Socket): void {
    const rest = this.reader.takeRest();
    this.handedOver = true;
    this.closing.told = true;
    this.unlisten();
    this.dispose();
    this.server.handedOver.join(this.socket, node, rest);
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
    this.server.turn.listConfirms(channel);
  }

  outboxFilled(outbox: Outbox): void {
    this.server.turn.outboxFilled(outbox);
    if (!outbox.barriers.any) this.heartbeat.sent();
  }

  outboxOverfull(): void {
    this.gate.pause(PAUSED_FOR_SOCKET);
  }

  outboxDrained(): void {
    const wake = (): void => {
      this.outbox.line.call();
      if (this.gate.isPausedBy(PAUSED_FOR_SOCKET)) this.readOn(PAUSED_FOR_SOCKET);
    };
    this.server.peerGuard.run('drained socket', wake, () => this.abort('internal error'));
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
    if (this.ended && !this.reader.midChunk) this.closing.peerEnded();
  }

  /** Goes on with a method that was held; what was closed in the meantime waits for close-ok alone. */
  goOn(number: number, key: number, act: () => void): void {
    const open = number === 0 || this.channels.at(number)?.state === CHANNEL_OPEN_STATE;
    if (this.state === RUNNING && open) this.attempt(number, key, act);
  }

  /**
   * Acts on whatever was thrown while handling method `key` of a channel: a soft error closes the
   * channel, a hard one the connection; anything else is a bug of ours, logged, and closes it too.
   * 0: it is the connection's, and no method is to blame.
   */
  failed(error: unknown, number = 0, key = 0): void {
    if (!(error instanceof AmqpError)) {
      if (this.server.isFatal(error)) return;
      const text = 'internal error: the connection is closed';
      if (this.server.lines.admits(text)) this.log.error({ err: error }, text);
      this.close(new AmqpError('INTERNAL_ERROR', 'internal error, see the log of the broker'), key);
      return;
    }
    const channel = this.channels.at(number);
    if (error.hard || channel === null) {
      this.close(error, key);
      return;
    }
    if (this.server.lines.admits('channel closed after an error', ORDINARY_MAX)) {
      this.log.warn({ channel: number, reason: error.replyText }, 'channel closed after an error');
    }
    this.server.connectionEnded(this, channel, byBroker(error, key));
    const { code: replyCode, replyText } = error;
    const fields = { replyCode, replyText, classId: key >>> 16, methodId: key & 0xffff };
    this.acts.act(channel.closing(), 0, 0, () => channel.send('channel.close', fields));
    channel.state = CHANNEL_CLOSING;
  }

  attempt(number: number, key: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(error, number, key);
    }
  }

  /** Sends connection.close and waits for the answer; `key` is the method to blame, 0 for none. */
  close(error: AmqpError, key: number): void {
    this.closing.byBroker(error, key);
  }

  /** Gives back all that others could wait for, and calls `then`; does nothing the second time. */
  giveUp(then: () => void = () => {}): void {
    this.release.begin(then);
  }

  releaseFirst(): void {
    this.broker.access.login.abandon(this);
    // Consumers that are still there are given nothing any more.
    this.outbox.stop();
  }

  *releasing(): Steps {
    yield* this.channels.closing();
    // The answer of a blocked peer stands behind all that it has published.
    this.guard.letGo();
    if (this.openedVhost !== null) yield* this.openedVhost.deletingQueuesOf(this);
    if (this.loggedIn?.connections.delete(this) !== true) return;
    this.vhost.connections -= 1;
    this.server.limits.giveConnection(this.facts, this.vhost.closed);
  }

  /** The peer sends nothing any more, or takes nothing: the socket is cut. */
  abort(text: string, reason: EndReason | null = null): void {
    this.closing.abort(text, reason);
  }

  onData(bytes: Buffer): void {
    if (this.state === CLOSED) return;
    this.core.nowMs = this.core.time.now();
    this.heartbeat.received();
    try {
      if (this.state !== AWAITS_HEADER) this.reader.feed(bytes);
      else this.readPreamble(bytes);
    } catch (error) {
      this.badFrame(error);
    }
    this.server.turn.chunkRead(this, bytes.length);
  }

  /** What was read is no frame: nothing behind it in its chunk can be one. */
  private badFrame(error: unknown): void {
    this.reader.abandon();
    // A peer that may send nothing but an answer any more is not told what was wrong with its frame.
    if (this.state >= CLOSING) this.closing.hangUp();
    else this.failed(error);
  }

  /** For a protocol that is not ours the server says which it speaks (§4.2.2). */
  private readPreamble(bytes: Buffer): void {
    const read = this.preamble.read(bytes);
    if (read === null) return;
    if ('foreign' in read) {
      if (this.server.lines.admits('connection refused')) {
        this.log.warn(`connection refused: ${read.foreign}`);
      }
      this.outbox.append(PROTOCOL_HEADER);
      this.closing.refuseProtocol(read.foreign);
      return;
    }
    this.state = AWAITS_START_OK;
    sendStart(this);
    const refusal = this.facts.tls?.refusal ?? null;
    // Behind connection.start, as clients wait for that; what they answer is no longer acted upon.
    if (refusal !== null) this.close(new AmqpError('ACCESS_REFUSED', refusal, { hard: true }), 0);
    if (read.rest.length > 0) this.reader.feed(read.rest);
  }

  /** What was read before the end comes first. */
  onEnd(): void {
    this.ended = true;
    if (!this.reader.midChunk) this.closing.peerEnded();
  }

  onSocketError(error: Error): void {
    this.abort(error.message, hasHungUp(error) ? 'hung-up' : null);
  }

  /** The socket is gone: everything is given back. */
  dispose(): void {
    this.state = CLOSED;
    this.closing.over();
    this.heartbeat.stop();
    if (this.reader.midChunk) this.reader.abandon();
    this.giveUp();
    this.outbox.drop();
    // It counts among the connections until nothing waits for it any more.
    this.release.await(() => this.gone());
  }

  private gone(): void {
    this.server.connectionGone(this);
    const { ending, told } = this.closing;
    if (!this.handedOver) this.server.connectionEnded(this, null, ending);
    if (told) return;
    const [kind, max] = closedLine(this.openedVhost !== null);
    if (!this.server.lines.admits(kind, max)) return;
    this.log.info(ending.text === '' ? {} : { reason: ending.text }, 'connection closed');
  }
}
