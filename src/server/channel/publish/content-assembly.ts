// Owns putting the frames of one content together into a record, when they do not lie in one chunk.
// Never publishes it.

import { CLASS_BASIC, FRAME_BODY, FRAME_END, FRAME_HEADER } from '../../../amqp/constants.ts';
import { AmqpError } from '../../../amqp/errors.ts';
import { BodyParts } from '../../../message/body-parts.ts';
import { Chunk } from '../../../message/chunk.ts';
import { LARGE_BODY_BYTES_MIN, RECORD_HEAD_BYTES } from '../../../message/record.ts';
import type { UnfinishedBytes } from '../../backpressure/unfinished-bytes.ts';

const EXPECT_NOTHING = 0;
const EXPECT_HEADER = 1;
const EXPECT_BODY = 2;
const NOTHING = Buffer.alloc(0);
/** What a content takes in memory beside its bytes, about. */
const CONTENT_OVERHEAD_BYTES = 256;

/**
 * The frames of a content, one after the other. A small body is copied behind its header; of a
 * large one the parts are kept where they were read, unless they are small themselves, so that it is not
 * copied on its way in, and memory is taken as it arrives, not as it is announced.
 */
export class ContentAssembly {
  /** Holds the record once it is complete. */
  readonly chunk = new Chunk();
  /** Where the content-header frame begins in the record. */
  headerFrame = 0;
  /** The end of the record. */
  end = 0;
  private readonly maxMessageBytes: number;
  private readonly holdings: UnfinishedBytes;
  /** The round of unfinished-watch.ts in which something came last. */
  grownIn = 0;
  /** Bytes of memory that it takes. */
  private heldBytes = 0;
  private expected = EXPECT_NOTHING;
  private record: Buffer = NOTHING;
  private bodyLeft = 0;
  /** The parts of a large body; null for a small one. */
  private parts: BodyParts | null = null;

  /** `holdings` counts what the contents under way hold. */
  constructor(maxMessageBytes: number, holdings: UnfinishedBytes) {
    this.maxMessageBytes = maxMessageBytes;
    this.holdings = holdings;
  }

  /** Whether the frames of a content are under way, so that nothing else may come. */
  get underWay(): boolean {
    return this.expected !== EXPECT_NOTHING;
  }

  /** What of the body has not come. */
  get bytesLeft(): number {
    return this.bodyLeft;
  }

  /** The method frame of a publish; `start` is its payload. */
  begin(bytes: Buffer, start: number, end: number): void {
    const exchange = start + 6;
    const key = exchange + 1 + (bytes[exchange] ?? 256);
    const addressEnd = key + 1 + (bytes[key] ?? 256);
    if (addressEnd + 1 !== end) {
      throw new AmqpError('SYNTAX_ERROR', 'basic.publish does not end with its arguments');
    }
    const headerFrame = RECORD_HEAD_BYTES + (addressEnd - exchange) + 2;
    this.record = Buffer.allocUnsafe(headerFrame);
    bytes.copy(this.record, RECORD_HEAD_BYTES, exchange, end);
    this.record[headerFrame - 1] = FRAME_END;
    this.headerFrame = headerFrame;
    this.expected = EXPECT_HEADER;
    this.holdings.contents += 1;
    this.take(headerFrame + CONTENT_OVERHEAD_BYTES);
  }

  /** The content-header frame; returns whether the content is complete with it. */
  header(bytes: Buffer, start: number, end: number): boolean {
    if (this.expected !== EXPECT_HEADER) throw unexpectedContent();
    if (end - start < 14) throw new AmqpError('SYNTAX_ERROR', 'content header is cut short');
    const classId = bytes.readUInt16BE(start);
    if (classId !== CLASS_BASIC) {
      throw new AmqpError(
        'UNEXPECTED_FRAME',
        `expected content header for class ${CLASS_BASIC}, got one for class ${classId} instead`,
      );
    }
    const size = Number(bytes.readBigUInt64BE(start + 4));
    checkBodySize(size, this.maxMessageBytes);
    const payload = end - start;
    const headerEnd = this.headerFrame + 8 + payload;
    const large = size >= LARGE_BODY_BYTES_MIN;
    const room = headerEnd + (large ? 7 : 8 + size);
    const record = Buffer.allocUnsafe(room);
    this.record.copy(record, 0, 0, this.headerFrame);
    writeFrameHead(record, this.headerFrame, FRAME_HEADER, payload);
    bytes.copy(record, this.headerFrame + 7, start, end);
    record[headerEnd - 1] = FRAME_END;
    this.record = record;
    this.end = headerEnd;
    this.bodyLeft = size;
    this.parts = large ? new BodyParts(size) : null;
    this.expected = EXPECT_BODY;
    if (size > 0) {
      this.take(room - this.headerFrame);
      writeFrameHead(record, headerEnd, FRAME_BODY, size);
      this.end += 7;
      return false;
    }
    this.complete();
    return true;
  }

  /** A part of the body, in a buffer that nothing changes any more; returns whether it is the last. */
  body(bytes: Buffer, start: number, end: number): boolean {
    if (this.expected === EXPECT_HEADER) throw unexpectedHeader();
    if (this.expected !== EXPECT_BODY) throw unexpectedContent();
    const length = end - start;
    if (length > this.bodyLeft) {
      const over = length - this.bodyLeft;
      throw new AmqpError(
        'UNEXPECTED_FRAME',
        `content body is ${over} bytes longer than announced`,
      );
    }
    // An empty frame brings nothing, so that it neither costs anything nor counts as progress.
    if (length === 0) return false;
    if (this.parts === null) {
      bytes.copy(this.record, this.end, start, end);
      this.grownIn = this.holdings.all.round;
    } else {
      this.take(this.parts.add(bytes, start, end));
    }
    this.end += length;
    this.bodyLeft -= length;
    if (this.bodyLeft > 0) return false;
    if (this.parts === null) {
      this.record[this.end] = FRAME_END;
      this.end += 1;
    }
    this.complete();
    return true;
  }

  /** The error for a method that comes while the frames of a content are under way. */
  unexpectedMethod(): AmqpError {
    if (this.expected === EXPECT_HEADER) return unexpectedHeader();
    const text = 'expected content body, got non content body frame instead';
    return new AmqpError('UNEXPECTED_FRAME', text);
  }

  /** Forgets a content that was under way: the channel is closing. */
  abandon(): void {
    if (this.expected === EXPECT_NOTHING) return;
    this.expected = EXPECT_NOTHING;
    this.record = NOTHING;
    this.parts = null;
    this.holdings.contents -= 1;
    this.holdings.giveContent(this.heldBytes);
    this.heldBytes = 0;
  }

  private complete(): void {
    const { record } = this;
    const parts = this.parts === null ? null : this.parts.end();
    this.abandon();
    this.chunk.loadRecord(record, parts);
  }

  private take(bytes: number): void {
    this.grownIn = this.holdings.all.round;
    this.heldBytes += bytes;
    this.holdings.takeContent(bytes);
  }
}

/** Throws PRECONDITION_FAILED for a body that is larger than allowed. */
export function checkBodySize(size: number, max: number): void {
  if (size <= max) return;
  const text = `message size ${size} is larger than configured max size ${max}`;
  throw new AmqpError('PRECONDITION_FAILED', text, { reason: 'message-too-large' });
}

function writeFrameHead(record: Buffer, at: number, type: number, payload: number): void {
  record[at] = type;
  record.writeUInt16BE(0, at + 1);
  record.writeUInt32BE(payload, at + 3);
}

function unexpectedContent(): AmqpError {
  const text = 'expected method frame, got non method frame instead';
  return new AmqpError('UNEXPECTED_FRAME', text);
}

function unexpectedHeader(): AmqpError {
  return new AmqpError(
    'UNEXPECTED_FRAME',
    `expected content header for class ${CLASS_BASIC}, got non content header frame instead`,
  );
}
