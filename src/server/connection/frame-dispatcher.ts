// Owns what becomes of each frame of one connection: which channel it is for, whether it may come
// now, and what handles it. Never reads the socket; never closes anything but through the connection.

import {
  BASIC_ACK,
  BASIC_PUBLISH,
  CHANNEL_CLOSE,
  CHANNEL_CLOSE_OK,
  CHANNEL_OPEN,
  CONNECTION_CLOSE,
  CONNECTION_CLOSE_OK,
} from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import { decodeMethod } from '../../amqp/method-codec.ts';
import { type AnyMethod, type ClientMethod, isClientMethod } from '../../amqp/spec.ts';
import type { Chunk } from '../../message/chunk.ts';
import { U32 } from '../../util/bytes.ts';
import type { Channel } from '../channel/channel.ts';
import { publishLater, type RecordPlace } from '../channel/publish/long-route.ts';
import { handleConnectionMethod, outOfState } from '../methods/connection.ts';
import { handleChannelMethod } from '../methods/dispatch.ts';
import type { MethodConnection } from '../methods/method-connection.ts';
import { CHANNEL_CLOSING, CHANNEL_OPEN_STATE, CLOSED, CLOSING, RUNNING } from '../states.ts';
import type { FrameSink } from '../wire/frame-reader.ts';

/** The frames of one connection. */
export class FrameDispatcher implements FrameSink {
  frameMax: number;
  paused = false;
  /** Whether more was read already behind the method at hand: its peer does not wait for the answer. */
  pipelined = false;
  private readonly connection: MethodConnection;

  constructor(connection: MethodConnection, frameMax: number) {
    this.connection = connection;
    this.frameMax = frameMax;
  }

  wholePublish(
    number: number,
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): boolean {
    const channel = this.connection.channels.at(number);
    if (this.connection.state !== RUNNING || channel === null) return false;
    if (this.connection.guard.on) return false;
    if (channel.state !== CHANNEL_OPEN_STATE || channel.publisher.assembly.underWay) return false;
    try {
      channel.publisher.publish(chunk, start, addressEnd, headerFrame, end);
    } catch (error) {
      this.publishLater(channel, error, chunk, start, addressEnd, headerFrame, end);
    }
    return true;
  }

  private publishLater(channel: Channel, error: unknown, ...record: RecordPlace): void {
    try {
      publishLater(channel.publisher, channel, error, ...record);
    } catch (failure) {
      this.connection.failed(failure, channel.number, BASIC_PUBLISH);
    }
  }

  methodFrame(number: number, bytes: Buffer, start: number, end: number): void {
    if (this.connection.state === CLOSED) return;
    const key = end - start >= 4 ? bytes.readInt32BE(start) : 0;
    try {
      if (end - start < 4) throw new AmqpError('FRAME_ERROR', 'type 1: unknown_frame');
      if (this.connection.state >= CLOSING) {
        this.closingMethod(number, key);
        return;
      }
      if (number === 0) this.connectionMethod(bytes, start, end);
      else this.channelMethod(number, key, bytes, start, end);
    } catch (error) {
      this.connection.failed(error, number, key);
    }
  }

  headerFrame(number: number, bytes: Buffer, start: number, end: number): void {
    const channel = this.contentChannel(number);
    if (channel === null) return;
    const key = channel.publisher.assembly.underWay ? BASIC_PUBLISH : 0;
    try {
      const { publisher } = channel;
      if (publisher.assembly.header(bytes, start, end)) publisher.publishAssembled();
    } catch (error) {
      this.connection.failed(error, number, key);
    }
  }

  bodyPart(number: number, bytes: Buffer, start: number, end: number): void {
    const channel = this.contentChannel(number);
    if (channel === null) return;
    const key = channel.publisher.assembly.underWay ? BASIC_PUBLISH : 0;
    try {
      const { publisher } = channel;
      if (!publisher.assembly.body(bytes, start, end)) {
        this.connection.guard.published(publisher.assembly.bytesLeft);
        return;
      }
      this.connection.guard.completed();
      publisher.publishAssembled();
    } catch (error) {
      this.connection.failed(error, number, key);
    }
  }

  heartbeatFrame(): void {
    // Any bytes count as a sign of life, and onData has noted these.
  }

  /** A close is answered as often as it is sent: both sides may close at the same time, or repeat it. */
  private closingMethod(number: number, key: number): void {
    if (number !== 0) return;
    if (key === CONNECTION_CLOSE) this.connection.send('connection.close-ok', {});
    if (key === CONNECTION_CLOSE_OK) this.connection.closing.hangUp();
  }

  private connectionMethod(bytes: Buffer, start: number, end: number): void {
    const method = this.decodeOrRefuse(bytes, start, end);
    if (this.connection.state < RUNNING) this.connection.noteHandshake(bytes, start, end);
    if (!isClientMethod(method)) throw outOfState(this.connection);
    handleConnectionMethod(this.connection, method);
  }

  private decode(bytes: Buffer, start: number, end: number): ClientMethod {
    const method = this.decodeOrRefuse(bytes, start, end);
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
    if (this.connection.state !== RUNNING) {
      throw new AmqpError('CHANNEL_ERROR', 'unexpected method before connection.open');
    }
    const channel = this.connection.channels.at(number);
    if (channel === null) {
      if (key === CHANNEL_CLOSE_OK) return;
      if (key !== CHANNEL_OPEN) throw new AmqpError('CHANNEL_ERROR', "expected 'channel.open'");
      this.openChannel(number);
      return;
    }
    if (channel.state === CHANNEL_CLOSING) {
      if (key === CHANNEL_CLOSE) channel.send('channel.close-ok', {});
      if (key === CHANNEL_CLOSE || key === CHANNEL_CLOSE_OK) this.connection.channels.free(channel);
      return;
    }
    if (channel.publisher.assembly.underWay) {
      this.connection.failed(channel.publisher.assembly.unexpectedMethod(), 0, BASIC_PUBLISH);
      return;
    }
    if (key === BASIC_PUBLISH) {
      channel.publisher.assembly.begin(bytes, start, end);
      this.connection.guard.published(0);
    } else if (key === BASIC_ACK && end - start === 13) {
      const tag = bytes.readUInt32BE(start + 4) * U32 + bytes.readUInt32BE(start + 8);
      channel.deliveries.ack(tag, ((bytes[start + 12] as number) & 1) !== 0);
    } else {
      this.pipelined = bytes.length > end + 1;
      handleChannelMethod(this.connection, channel, this.decode(bytes, start, end));
      // A chunk may hold thousands of methods, each of them short.
      if (this.connection.core.slices.spent) this.connection.acts.rest();
    }
  }

  /** RabbitMQ blames no method when there are too many channels. */
  private openChannel(number: number): void {
    try {
      this.connection.channels.open(number, this.connection);
    } catch (error) {
      this.connection.failed(error);
    }
  }

  /** The channel that content frames are for; null when they are to be ignored. */
  private contentChannel(number: number): Channel | null {
    if (this.connection.state >= CLOSING) return null;
    const channel = this.connection.channels.at(number);
    if (channel !== null) {
      return channel.state === CHANNEL_OPEN_STATE ? channel : null;
    }
    const text =
      number === 0 || this.connection.state !== RUNNING
        ? 'expected method frame, got non method frame instead'
        : "expected 'channel.open'";
    this.connection.failed(
      new AmqpError(number === 0 ? 'UNEXPECTED_FRAME' : 'CHANNEL_ERROR', text),
      0,
      0,
    );
    return null;
  }

  /** Arguments that cannot be read break the framing of the connection in RabbitMQ's eyes. */
  private decodeOrRefuse(bytes: Buffer, start: number, end: number): AnyMethod {
    try {
      return decodeMethod(bytes, start, end, this.connection.settings);
    } catch (error) {
      if (!(error instanceof AmqpError) || error.replyName !== 'SYNTAX_ERROR') throw error;
      const octets = [...bytes.subarray(start, Math.min(end, start + 32))].join(',');
      throw new AmqpError('FRAME_ERROR', `cannot decode <<${octets}>>: ${error.explanation}`);
    }
  }
}
