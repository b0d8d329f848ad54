// Owns cutting the bytes of one connection into frames, and the short way for a publish that lies
// whole in the chunk just read. Never acts on a frame: its sink does.

import {
  BASIC_PUBLISH,
  CLASS_BASIC,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEAD_BYTES,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  FRAME_OVERHEAD_BYTES,
} from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import { Chunk } from '../../message/chunk.ts';
import type { MessageLog } from '../../message/log/log.ts';

/** What frames are given to. Every method may throw an AmqpError. */
export interface FrameSink {
  /** The largest frame the peer may send, head and end octet included. */
  frameMax: number;
  /** Set to stop after the frame at hand; `resume` goes on. */
  paused: boolean;
  /**
   * A publish whose frames all lie in the chunk, as a record (see message/record.ts). Returns false
   * to have its frames one by one instead.
   */
  wholePublish(
    channel: number,
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): boolean;
  methodFrame(channel: number, bytes: Buffer, start: number, end: number): void;
  headerFrame(channel: number, bytes: Buffer, start: number, end: number): void;
  /** A part of a body frame's payload; a frame cut by the chunk's edge comes in several. */
  bodyPart(channel: number, bytes: Buffer, start: number, end: number): void;
  heartbeatFrame(channel: number): void;
}

const NOTHING = Buffer.alloc(0);

/** Reads one connection's frames. */
export class FrameReader {
  private readonly sink: FrameSink;
  private readonly log: MessageLog;
  private readonly chunk = new Chunk();
  /** The start of a frame that the last chunk cut. */
  private carry = NOTHING;
  /** How much of `carry` is there. */
  private carried = 0;
  /** How many rounds of unfinished-watch.ts that frame has been cut for. */
  cutRounds = 0;
  /** The rest of a body frame that the last chunk cut, its end octet not counted. */
  private bodyLeft = 0;
  private bodyChannel = 0;
  private insideBody = false;
  /** Where to go on in the chunk when the sink paused. */
  private pausedAt = -1;

  constructor(sink: FrameSink, log: MessageLog) {
    this.sink = sink;
    this.log = log;
  }

  /** Whether a pause left a chunk half read. */
  get midChunk(): boolean {
    return this.pausedAt >= 0;
  }

  /** Whether the beginning of a frame, other than a body, waits for its rest. */
  get midFrame(): boolean {
    return this.carried > 0;
  }

  /** Reads a chunk of which this reader becomes the only owner. Throws the sink's AmqpErrors. */
  feed(bytes: Buffer): void {
    this.chunk.load(bytes, true);
    let at = 0;
    if (this.insideBody) at = this.continueBody(bytes, 0);
    else if (this.carried > 0) at = this.completeCarry(bytes);
    this.read(at);
  }

  /** Goes on after a pause. */
  resume(): void {
    const at = this.pausedAt;
    if (at < 0) return;
    this.pausedAt = -1;
    this.read(at);
  }

  /** What was read and not looked at: another reader goes on with it, and this one reads nothing more. */
  takeRest(): Buffer {
    const at = this.pausedAt;
    const { carry, carried } = this;
    this.dropCarry();
    if (at < 0) return carry.subarray(0, carried);
    const rest = Buffer.from(this.chunk.bytes.subarray(at));
    this.abandon();
    return rest;
  }

  /** Lets go of the chunk: nothing more will be read. */
  abandon(): void {
    this.pausedAt = -1;
    this.log.release(this.chunk);
  }

  private read(from: number): void {
    const { chunk, sink } = this;
    const { bytes, view } = chunk;
    const length = bytes.length;
    let at = from;
    while (length - at >= FRAME_HEAD_BYTES) {
      if (sink.paused) {
        this.pausedAt = at;
        return;
      }
      const type = bytes[at] as number;
      const size = view.getUint32(at + 3);
      const frameEnd = at + FRAME_HEAD_BYTES + size;
      if (type === FRAME_METHOD && frameEnd < length && size >= 4) {
        if (view.getInt32(at + 7) === BASIC_PUBLISH) {
          const next = this.wholePublish(at, frameEnd, length);
          if (next > 0) {
            at = next;
            continue;
          }
        }
      }
      if (frameEnd >= length) {
        checkFrameHead(bytes, at, sink.frameMax);
        if (type === FRAME_BODY) at = this.beginBody(bytes, at, size);
        break;
      }
      this.frame(bytes, at, type, size);
      at = frameEnd + 1;
    }
    if (at < length && !this.insideBody) {
      this.carry = Buffer.from(bytes.subarray(at));
      this.carried = this.carry.length;
      this.cutRounds = 0;
    }
    this.log.release(chunk);
  }

  /** Reads method, header and body at once; returns where to go on, or 0 to take the long way. */
  private wholePublish(at: number, methodEnd: number, length: number): number {
    const { chunk, sink } = this;
    const { bytes, view } = chunk;
    const exchange = at + 13;
    if (exchange >= methodEnd) return 0;
    const key = exchange + 1 + (bytes[exchange] as number);
    if (key >= methodEnd) return 0;
    const addressEnd = key + 1 + (bytes[key] as number);
    const headerFrame = methodEnd + 1;
    const flagsAt = headerFrame + 19;
    if (addressEnd + 1 !== methodEnd || flagsAt + 3 > length) return 0;
    if (bytes[headerFrame] !== FRAME_HEADER || bytes[methodEnd] !== FRAME_END) return 0;
    const channel = view.getUint16(at + 1);
    const headerSize = view.getUint32(headerFrame + 3);
    const headerEnd = headerFrame + FRAME_HEAD_BYTES + headerSize;
    if (view.getUint16(headerFrame + 1) !== channel || headerEnd >= length) return 0;
    if (bytes[headerEnd] !== FRAME_END || view.getUint32(headerFrame + 11) !== 0) return 0;
    if (headerSize < 14 || view.getUint32(headerFrame + 7) !== CLASS_BASIC << 16) return 0;
    if (headerSize > sink.frameMax - FRAME_OVERHEAD_BYTES) return 0;
    const bodyBytes = view.getUint32(headerFrame + 15);
    let end = headerEnd + 1;
    if (bodyBytes > 0) {
      const bodyEnd = end + FRAME_HEAD_BYTES + bodyBytes;
      if (bodyEnd >= length || bytes[end] !== FRAME_BODY || bytes[bodyEnd] !== FRAME_END) return 0;
      if (view.getUint16(end + 1) !== channel || view.getUint32(end + 3) !== bodyBytes) return 0;
      if (bodyBytes > sink.frameMax - FRAME_OVERHEAD_BYTES) return 0;
      end = bodyEnd + 1;
    }
    return sink.wholePublish(channel, chunk, at, addressEnd, headerFrame, end) ? end : 0;
  }

  /** One frame that lies whole in `bytes`. */
  private frame(bytes: Buffer, at: number, type: number, size: number): void {
    const { sink } = this;
    checkFrameHead(bytes, at, sink.frameMax);
    const start = at + FRAME_HEAD_BYTES;
    const end = start + size;
    if (bytes[end] !== FRAME_END) {
      const text = `all octets = ${octets(bytes, start, end)}`;
      const wrong = `{invalid_frame_end_marker, ${bytes[end]}}`;
      throw new AmqpError('FRAME_ERROR', `type ${type}, ${text}: ${wrong}`);
    }
    const channel = bytes.readUInt16BE(at + 1);
    switch (type) {
      case FRAME_METHOD:
        sink.methodFrame(channel, bytes, start, end);
        return;
      case FRAME_HEADER:
        sink.headerFrame(channel, bytes, start, end);
        return;
      case FRAME_BODY:
        sink.bodyPart(channel, bytes, start, end);
        return;
      case FRAME_HEARTBEAT:
        if (channel !== 0) {
          throw new AmqpError('UNEXPECTED_FRAME', 'type 8, all octets = <<>>');
        }
        sink.heartbeatFrame(channel);
        return;
      default:
        throw new AmqpError(
          'FRAME_ERROR',
          `type ${type}, all octets = ${octets(bytes, start, end)}: unknown_frame`,
        );
    }
  }

  /** A body frame whose end is not there yet: what there is of it goes to the sink already. */
  private beginBody(bytes: Buffer, at: number, size: number): number {
    const start = at + FRAME_HEAD_BYTES;
    const end = Math.min(bytes.length, start + size);
    this.bodyChannel = bytes.readUInt16BE(at + 1);
    this.bodyLeft = size - (end - start);
    this.insideBody = true;
    if (end > start) this.sink.bodyPart(this.bodyChannel, bytes, start, end);
    return bytes.length;
  }

  private continueBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.bodyLeft);
    this.bodyLeft -= end - at;
    if (this.bodyLeft === 0 && end < bytes.length) {
      if (bytes[end] !== FRAME_END) {
        const wrong = `{invalid_frame_end_marker, ${bytes[end]}}`;
        throw new AmqpError('FRAME_ERROR', `type ${FRAME_BODY}: ${wrong}`);
      }
      this.insideBody = false;
      if (end > at) this.sink.bodyPart(this.bodyChannel, bytes, at, end);
      return end + 1;
    }
    if (end > at) this.sink.bodyPart(this.bodyChannel, bytes, at, end);
    return bytes.length;
  }

  /** Puts the start of a cut frame together with its rest; returns where to go on in `bytes`. */
  private completeCarry(bytes: Buffer): number {
    let used = 0;
    while (used < bytes.length) {
      const { carry, carried } = this;
      const known = carried >= FRAME_HEAD_BYTES;
      if (known) {
        checkFrameHead(carry.subarray(0, carried), 0, this.sink.frameMax);
        if (carry[0] === FRAME_BODY) {
          this.dropCarry();
          this.beginBody(carry.subarray(0, carried), 0, carry.readUInt32BE(3));
          return this.continueBody(bytes, used);
        }
      }
      const wanted = known ? FRAME_OVERHEAD_BYTES + carry.readUInt32BE(3) : FRAME_HEAD_BYTES;
      const taken = Math.min(wanted - carried, bytes.length - used);
      this.extendCarry(bytes, used, taken, wanted);
      used += taken;
      if (known && this.carried === wanted) {
        const frame = this.carry;
        this.dropCarry();
        this.frame(frame, 0, frame[0] as number, wanted - FRAME_OVERHEAD_BYTES);
        return used;
      }
    }
    return used;
  }

  /** Adds to the cut frame; its room doubles, so that a frame that drips in is not copied for each drop. */
  private extendCarry(bytes: Buffer, from: number, length: number, wanted: number): void {
    const { carry, carried } = this;
    if (carried + length > carry.length) {
      const room = Math.min(wanted, Math.max(carry.length * 2, carried + length));
      this.carry = Buffer.allocUnsafeSlow(room);
      carry.copy(this.carry, 0, 0, carried);
    }
    bytes.copy(this.carry, carried, from, from + length);
    this.carried += length;
  }

  private dropCarry(): void {
    this.carry = NOTHING;
    this.carried = 0;
  }
}

/** Throws FRAME_ERROR for a frame that is too large. */
function checkFrameHead(bytes: Buffer, at: number, frameMax: number): void {
  const type = bytes[at] as number;
  const size = bytes.readUInt32BE(at + 3);
  const start = at + FRAME_HEAD_BYTES;
  if (size > frameMax - FRAME_OVERHEAD_BYTES) {
    const first = octets(bytes, start, Math.min(bytes.length, start + 16));
    const wrong = `{frame_too_large,${size},${frameMax - FRAME_OVERHEAD_BYTES}}`;
    throw new AmqpError('FRAME_ERROR', `type ${type}, first 16 octets = ${first}: ${wrong}`);
  }
}

/** Bytes as RabbitMQ prints them in its frame errors. */
function octets(bytes: Buffer, start: number, end: number): string {
  return `<<${[...bytes.subarray(start, Math.min(end, start + 64))].join(',')}>>`;
}
