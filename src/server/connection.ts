// Owns one connection: its socket, its state from protocol header to close, its channels, and what
// becomes of an error. Never knows the rules of methods: handlers/ does.

import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import {
  BASIC_ACK,
  BASIC_PUBLISH,
  CHANNEL_CLOSE,
  CHANNEL_CLOSE_OK,
  CHANNEL_OPEN,
  CONNECTION_CLOSE,
  CONNECTION_CLOSE_OK,
  PROTOCOL_HEADER,
  REPLY_SUCCESS,
} from '../amqp/constants.ts';
import { AmqpError } from '../amqp/errors.ts';
import { decodeMethod, encodeMethodFrame } from '../amqp/method-codec.ts';
import {
  type AnyMethod,
  type ClientMethod,
  isClientMethod,
  type MethodFields,
  type MethodName,
} from '../amqp/spec.ts';
import type { Broker } from '../broker/broker.ts';
import type { Vhost } from '../broker/vhost.ts';
import type { Chunk } from '../message/chunk.ts';
import { assert } from '../util/assert.ts';
import { WheelTimer } from '../util/timers.ts';
import {
  CHANNEL_CLOSED,
  CHANNEL_CLOSING,
  CHANNEL_OPEN_STATE,
  Channel,
  type ChannelConnection,
} from './channel.ts';
import { AWAITS_HEADER, AWAITS_START_OK, CLOSED, CLOSING, RUNNING } from './connection-state.ts';
import { FrameReader, type FrameSink } from './frame-reader.ts';
import { handleConnectionMethod, sendStart } from './handlers/connection.ts';
import { handleChannelMethod } from './handlers/dispatch.ts';
import { Heartbeat } from './heartbeat.ts';
import { Outbox, type OutboxListener } from './outbox.ts';
import type { Server } from './server.ts';

/** How long the peer has to answer connection.close, or to hang up after close-ok. */
const CLOSE_TIMEOUT_MS = 5000;
/** How long a client that cannot be told about a failed login waits for the end, as in RabbitMQ. */
const LOGIN_FAILURE_DELAY_MS = 1000;

/** One AMQP connection. */
export class Connection implements ChannelConnection, FrameSink, OutboxListener {
  readonly server: Server;
  readonly broker: Broker;
  readonly log: Logger;
  readonly remoteAddress: string;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  state = AWAITS_HEADER;
  paused = false;
  frameMax: number;
  peerFrameMax: number;
  channelMax: number;
  user = '';
  wantsCancelNotice = false;
  wantsLoginFailure = false;
  private readonly socket: Socket;
  private readonly reader: FrameReader;
  private readonly channels: (Channel | null)[] = [];
  private openChannels = 0;
  private openedVhost: Vhost | null = null;
  private preamble = Buffer.alloc(0);
  private readonly deadline = new WheelTimer(() => this.deadlinePassed());
  private closeReason = '';

  constructor(server: Server, socket: Socket) {
    const { broker, settings } = server;
    this.server = server;
    this.broker = broker;
    this.socket = socket;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.log = server.log.child({ peer: `${this.remoteAddress}:${socket.remotePort}` });
    this.frameMax = settings.initialFrameMaxBytes;
    this.peerFrameMax = settings.initialFrameMaxBytes;
    this.channelMax = settings.channelMax;
    this.outbox = new Outbox(socket, broker.log, this, settings.outboxHighWatermarkBytes);
    this.heartbeat = new Heartbeat(this, server.wheel, server.clock);
    this.reader = new FrameReader(this, broker.log);
    server.wheel.schedule(this.deadline, settings.handshakeTimeoutMs);
    socket.on('data', (bytes: Buffer) => this.onData(bytes));
    socket.on('end', () => this.onEnd());
    socket.on('error', (error: Error) => this.onSocketError(error));
    socket.on('close', () => this.dispose());
  }

  /** The vhost that connection.open named; only after the handshake. */
  get vhost(): Vhost {
    assert(this.openedVhost !== null, 'the vhost is known once the connection is open');
    return this.openedVhost;
  }

  get maxMessageBytes(): number {
    return this.server.settings.maxMessageBytes;
  }

  /** Ends the handshake: methods other than the connection class's are taken from now on. */
  opened(vhost: Vhost): void {
    this.openedVhost = vhost;
    this.state = RUNNING;
    this.server.wheel.cancel(this.deadline);
    this.log.info({ user: this.user, vhost: vhost.name }, 'connection opened');
  }

  /** Sends a method on channel 0. */
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void {
    this.outbox.append(encodeMethodFrame(0, name, fields));
  }

  listConfirms(channel: Channel): void {
    this.server.listConfirms(channel);
  }

  outboxFilled(outbox: Outbox): void {
    this.server.outboxFilled(outbox);
    this.heartbeat.sent();
  }

  outboxDrained(): void {
    for (const channel of this.channels) channel?.wakeConsumers();
  }

  /**
   * Stops reading until `batch` is durable, then runs `resume` and reads on: how the answer to a
   * durable declaration comes after the disk has it, and before the answer to anything later.
   * `key` is the method that waits; `resume` may hold again.
   */
  hold(batch: number, number: number, key: number, resume: () => void): void {
    this.paused = true;
    this.socket.pause();
    this.server.holdUntil(batch, () => {
      if (this.state === CLOSED) return;
      this.paused = false;
      // A connection that was closed in the meantime waits for close-ok and nothing else.
      if (this.state === RUNNING) this.guard(number, key, resume);
      if (this.paused) return;
      this.socket.resume();
      try {
        this.reader.resume();
      } catch (error) {
        this.badFrame(error);
      }
    });
  }

  // --- frames ---

  wholePublish(
    number: number,
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): boolean {
    const channel = this.channels[number];
    if (this.state !== RUNNING || channel === null || channel === undefined) return false;
    if (channel.state !== CHANNEL_OPEN_STATE || channel.publisher.midContent) return false;
    try {
      channel.publisher.publish(chunk, start, addressEnd, headerFrame, end);
    } catch (error) {
      this.failed(error, number, BASIC_PUBLISH);
    }
    return true;
  }

  methodFrame(number: number, bytes: Buffer, start: number, end: number): void {
    if (this.state === CLOSED) return;
    const key = end - start >= 4 ? bytes.readInt32BE(start) : 0;
    try {
      if (end - start < 4) throw new AmqpError('FRAME_ERROR', 'type 1: unknown_frame');
      if (this.state === CLOSING) {
        if (number !== 0) return;
        // Both sides closed at the same time: each answers the other.
        if (key === CONNECTION_CLOSE) this.send('connection.close-ok', {});
        if (key === CONNECTION_CLOSE_OK) this.hangUp();
        return;
      }
      if (number === 0) handleConnectionMethod(this, this.decode(bytes, start, end));
      else this.channelMethod(number, key, bytes, start, end);
    } catch (error) {
      this.failed(error, number, key);
    }
  }

  headerFrame(number: number, bytes: Buffer, start: number, end: number): void {
    const channel = this.contentChannel(number);
    if (channel === null) return;
    const key = channel.publisher.midContent ? BASIC_PUBLISH : 0;
    try {
      channel.publisher.header(bytes, start, end);
    } catch (error) {
      this.failed(error, number, key);
    }
  }

  bodyPart(number: number, bytes: Buffer, start: number, end: number): void {
    const channel = this.contentChannel(number);
    if (channel === null) return;
    const key = channel.publisher.midContent ? BASIC_PUBLISH : 0;
    try {
      channel.publisher.body(bytes, start, end);
    } catch (error) {
      this.failed(error, number, key);
    }
  }

  heartbeatFrame(): void {
    // Any bytes count as a sign of life, and onData has noted these.
  }

  private decode(bytes: Buffer, start: number, end: number): ClientMethod {
    const method = decodeOrRefuse(bytes, start, end);
    if (isClientMethod(method)) return method;
    throw new AmqpError('COMMAND_INVALID', 'unimplemented method');
  }

  private channelMethod(
    number: number,
    key: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.state !== RUNNING) {
      throw new AmqpError('CHANNEL_ERROR', 'unexpected method before connection.open');
    }
    const channel = this.channels[number];
    if (channel === null || channel === undefined) {
      if (key === CHANNEL_CLOSE_OK) return;
      if (key !== CHANNEL_OPEN) throw new AmqpError('CHANNEL_ERROR', "expected 'channel.open'");
      this.openChannel(number);
      return;
    }
    if (channel.state === CHANNEL_CLOSING) {
      if (key === CHANNEL_CLOSE) channel.send('channel.close-ok', {});
      if (key === CHANNEL_CLOSE || key === CHANNEL_CLOSE_OK) this.freeChannel(channel);
      return;
    }
    if (channel.publisher.midContent) {
      this.failed(channel.publisher.unexpectedMethod(), 0, BASIC_PUBLISH);
      return;
    }
    if (key === BASIC_PUBLISH) {
      channel.publisher.begin(bytes, start, end);
    } else if (key === BASIC_ACK && end - start === 13) {
      const tag = bytes.readUInt32BE(start + 4) * 0x1_0000_0000 + bytes.readUInt32BE(start + 8);
      channel.ack(tag, ((bytes[start + 12] as number) & 1) !== 0);
    } else {
      handleChannelMethod(this, channel, this.decode(bytes, start, end));
    }
  }

  /** The channel that content frames are for; null when they are to be ignored. */
  private contentChannel(number: number): Channel | null {
    if (this.state === CLOSED || this.state === CLOSING) return null;
    const channel = this.channels[number];
    if (channel !== null && channel !== undefined) {
      return channel.state === CHANNEL_OPEN_STATE ? channel : null;
    }
    const text =
      number === 0 || this.state !== RUNNING
        ? 'expected method frame, got non method frame instead'
        : "expected 'channel.open'";
    this.failed(new AmqpError(number === 0 ? 'UNEXPECTED_FRAME' : 'CHANNEL_ERROR', text), 0, 0);
    return null;
  }

  // --- channels ---

  private openChannel(number: number): void {
    if (this.channelMax > 0 && this.openChannels >= this.channelMax) {
      const text =
        `number of channels opened (${this.openChannels}) has reached ` +
        `the negotiated channel_max (${this.channelMax})`;
      this.failed(new AmqpError('NOT_ALLOWED', text), 0, 0);
      return;
    }
    const channel = new Channel(number, this);
    while (this.channels.length <= number) this.channels.push(null);
    this.channels[number] = channel;
    this.openChannels += 1;
    channel.send('channel.open-ok', {});
  }

  /** The peer closed a channel. */
  closeChannel(channel: Channel): void {
    channel.close();
    channel.send('channel.close-ok', {});
    this.freeChannel(channel);
  }

  private freeChannel(channel: Channel): void {
    channel.state = CHANNEL_CLOSED;
    this.channels[channel.number] = null;
    this.openChannels -= 1;
  }

  // --- errors and the end ---

  /**
   * Acts on whatever was thrown while handling method `key` of a channel: a soft error closes the
   * channel, a hard one the connection; anything else is a bug of ours, logged, and closes it too.
   */
  private failed(error: unknown, number: number, key: number): void {
    if (!(error instanceof AmqpError)) {
      if (this.server.isFatal(error)) return;
      this.log.error({ err: error }, 'internal error: the connection is closed');
      this.close(new AmqpError('INTERNAL_ERROR', 'internal error, see the log of the broker'), key);
      return;
    }
    const channel = this.channels[number];
    if (error.hard || channel === null || channel === undefined) {
      this.close(error, key);
      return;
    }
    this.log.warn({ channel: number, reason: error.replyText }, 'channel closed after an error');
    channel.close();
    channel.state = CHANNEL_CLOSING;
    channel.send('channel.close', {
      replyCode: error.code,
      replyText: error.replyText,
      classId: key >>> 16,
      methodId: key & 0xffff,
    });
  }

  private guard(number: number, key: number, act: () => void): void {
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
    this.closeReason = error.replyText;
    if (this.state === AWAITS_HEADER) {
      this.hangUp();
      return;
    }
    this.giveUpChannels();
    this.state = CLOSING;
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
    const text =
      `Login was refused using authentication mechanism ${mechanism}. ` +
      'For details see the broker logfile.';
    if (this.wantsLoginFailure) {
      this.close(new AmqpError('ACCESS_REFUSED', text, { hard: true }), 0);
      return;
    }
    this.state = CLOSING;
    this.server.wheel.schedule(this.deadline, LOGIN_FAILURE_DELAY_MS);
  }

  /** The peer sent connection.close: everything is given back before it is answered. */
  closeByPeer(replyCode: number, replyText: string): void {
    this.closeReason = replyCode === REPLY_SUCCESS ? '' : `${replyCode} ${replyText}`;
    this.giveUpChannels();
    this.send('connection.close-ok', {});
    this.hangUp();
  }

  /** Writes what is left and ends the socket. */
  private hangUp(): void {
    this.state = CLOSED;
    this.outbox.flush();
    this.socket.end();
    this.server.wheel.schedule(this.deadline, CLOSE_TIMEOUT_MS);
  }

  private giveUpChannels(): void {
    for (const channel of this.channels) {
      if (channel === null) continue;
      channel.close();
      channel.state = CHANNEL_CLOSED;
    }
    this.channels.length = 0;
    this.openChannels = 0;
    this.openedVhost?.deleteQueuesOf(this);
  }

  /** The peer sends nothing any more, or takes nothing: the socket is cut. */
  abort(reason: string): void {
    if (this.closeReason === '') this.closeReason = reason;
    this.socket.destroy();
  }

  private deadlinePassed(): void {
    this.abort(this.state < RUNNING ? 'the handshake took too long' : 'the close took too long');
  }

  private onData(bytes: Buffer): void {
    if (this.state === CLOSED) return;
    this.broker.nowMs = this.server.clock.wallMs();
    this.heartbeat.received();
    try {
      if (this.state !== AWAITS_HEADER) this.reader.feed(bytes);
      else this.readPreamble(bytes);
    } catch (error) {
      this.badFrame(error);
    }
    this.server.chunkRead(bytes.length);
  }

  /** What was read is no frame: nothing behind it in its chunk can be one. */
  private badFrame(error: unknown): void {
    this.reader.abandon();
    this.failed(error, 0, 0);
  }

  /** §4.2.2: eight octets name the protocol; for any other the server says which it speaks. */
  private readPreamble(bytes: Buffer): void {
    const seen = Buffer.concat([this.preamble, bytes]);
    const head = seen.subarray(0, PROTOCOL_HEADER.length);
    if (!head.equals(PROTOCOL_HEADER.subarray(0, head.length))) {
      this.log.warn('connection refused: it does not speak AMQP 0-9-1');
      this.outbox.append(PROTOCOL_HEADER);
      this.hangUp();
      return;
    }
    this.preamble = seen;
    if (seen.length < PROTOCOL_HEADER.length) return;
    this.state = AWAITS_START_OK;
    sendStart(this);
    this.preamble = Buffer.alloc(0);
    if (seen.length > PROTOCOL_HEADER.length) {
      this.reader.feed(Buffer.from(seen.subarray(PROTOCOL_HEADER.length)));
    }
  }

  private onEnd(): void {
    if (this.state !== CLOSED) this.abort('the peer hung up without connection.close');
    else this.socket.destroy();
  }

  private onSocketError(error: Error): void {
    if (this.closeReason === '') this.closeReason = error.message;
  }

  /** The socket is gone: everything is given back. */
  private dispose(): void {
    this.state = CLOSED;
    this.server.wheel.cancel(this.deadline);
    this.heartbeat.stop();
    if (this.reader.midChunk) this.reader.abandon();
    this.giveUpChannels();
    this.outbox.drop();
    this.server.connectionGone(this);
    const reason = this.closeReason === '' ? {} : { reason: this.closeReason };
    this.log.info(reason, 'connection closed');
  }
}

/** Arguments that cannot be read break the framing of the connection in RabbitMQ's eyes. */
function decodeOrRefuse(bytes: Buffer, start: number, end: number): AnyMethod {
  try {
    return decodeMethod(bytes, start, end);
  } catch (error) {
    if (!(error instanceof AmqpError) || error.replyName !== 'SYNTAX_ERROR') throw error;
    const octets = [...bytes.subarray(start, Math.min(end, start + 32))].join(',');
    throw new AmqpError('FRAME_ERROR', `cannot decode <<${octets}>>: ${error.explanation}`);
  }
}
