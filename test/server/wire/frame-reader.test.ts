import { beforeEach, describe, expect, test } from 'vitest';
import { AmqpError } from '../../../src/amqp/errors.ts';
import type { Chunk } from '../../../src/message/chunk.ts';
import type { MessageLog } from '../../../src/message/log/log.ts';
import { FrameReader, type FrameSink } from '../../../src/server/wire/frame-reader.ts';
import { encodeContent, encodeFrame, encodeMethod, HEARTBEAT } from '../../support/amqp-wire.ts';
import { printedSeed, privately, Random } from '../support.ts';

const FRAME_MAX = 4096;

/** Writes down frames as text; parts of one body are joined, however it was cut. */
class RecordingSink implements FrameSink {
  frameMax = FRAME_MAX;
  paused = false;
  /** Takes publishes that lie whole in a chunk; else they come frame by frame. */
  takesWhole = false;
  /** Pauses after so many methods. */
  pauseAfter = Number.POSITIVE_INFINITY;
  readonly seen: string[] = [];
  private body = '';

  wholePublish(
    channel: number,
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): boolean {
    if (!this.takesWhole) return false;
    const { bytes } = chunk;
    this.methodFrame(channel, bytes, start + 7, addressEnd + 1);
    const header = bytes.readUInt32BE(headerFrame + 3);
    const headerEnd = headerFrame + 7 + header;
    this.headerFrame(channel, bytes, headerFrame + 7, headerEnd);
    if (end > headerEnd + 1) this.bodyPart(channel, bytes, headerEnd + 8, end - 1);
    return true;
  }

  methodFrame(channel: number, bytes: Buffer, start: number, end: number): void {
    this.note(`method ${channel} ${bytes.toString('hex', start, end)}`);
    this.pauseAfter -= 1;
    if (this.pauseAfter === 0) this.paused = true;
  }

  headerFrame(channel: number, bytes: Buffer, start: number, end: number): void {
    this.note(`header ${channel} ${bytes.toString('hex', start, end)}`);
  }

  bodyPart(channel: number, bytes: Buffer, start: number, end: number): void {
    this.body += `${channel}:${bytes.toString('hex', start, end)};`;
  }

  heartbeatFrame(channel: number): void {
    this.note(`heartbeat ${channel}`);
  }

  /** What came, with the bytes of all body frames between two other frames as one. */
  get frames(): string[] {
    this.flushBody();
    return this.seen;
  }

  private note(text: string): void {
    this.flushBody();
    this.seen.push(text);
  }

  private flushBody(): void {
    if (this.body === '') return;
    const parts = this.body.split(';').filter((part) => part !== '');
    const channels = new Set(parts.map((part) => part.slice(0, part.indexOf(':'))));
    const bytes = parts.map((part) => part.slice(part.indexOf(':') + 1)).join('');
    this.seen.push(`body ${[...channels].join()} ${bytes}`);
    this.body = '';
  }
}

let released: number;
let sink: RecordingSink;
let reader: FrameReader;

function makeReader(): FrameReader {
  const release = (chunk: Chunk): void => {
    released += 1;
    chunk.unload();
  };
  return new FrameReader(sink, privately<MessageLog>({ release }));
}

beforeEach(() => {
  released = 0;
  sink = new RecordingSink();
  reader = makeReader();
});

function publish(channel: number, bodyBytes: number, random: Random): Buffer {
  return Buffer.concat([
    encodeMethod(channel, 'basic.publish', { exchange: 'x', routingKey: 'some.key' }),
    encodeContent(channel, { deliveryMode: 2 }, random.bytes(bodyBytes), FRAME_MAX - 8),
  ]);
}

/** Frames of every kind and of many sizes. */
function stream(random: Random): Buffer {
  const parts: Buffer[] = [];
  for (const bytes of [0, 1, 17, 100, 4087, 4088, 4089, 9000]) {
    parts.push(publish(1, bytes, random), HEARTBEAT);
    parts.push(encodeMethod(2, 'basic.ack', { deliveryTag: bytes + 1 }));
  }
  parts.push(encodeMethod(3, 'queue.declare', { arguments: { long: 'x'.repeat(4000) } }));
  return Buffer.concat(parts);
}

/** The frames that come of a stream when it is fed in these pieces. */
function framesOf(pieces: readonly Buffer[], takesWhole: boolean): string[] {
  sink = new RecordingSink();
  sink.takesWhole = takesWhole;
  reader = makeReader();
  for (const piece of pieces) reader.feed(Buffer.from(piece));
  return sink.frames;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...at, bytes.length];
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

describe('a stream of frames', () => {
  test.each([false, true])('is the same cut in two at every byte (whole: %s)', (whole) => {
    const bytes = stream(new Random(4)).subarray(0, 12_000);
    const expected = framesOf([bytes], whole);
    expect(expected.length).toBeGreaterThan(15);
    for (let at = 1; at < bytes.length; at++) {
      const got = framesOf(cut(bytes, [at]), whole);
      // Comparing long lists with `toEqual` at every byte would take seconds.
      if (got.join() !== expected.join()) expect(got, `cut at ${at}`).toEqual(expected);
    }
  });

  test('is the same byte by byte, and whichever way publishes come', () => {
    const bytes = stream(new Random(5));
    const expected = framesOf([bytes], false);
    expect(framesOf([bytes], true)).toEqual(expected);
    const single = Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
    expect(framesOf(single, true)).toEqual(expected);
  });

  test('is the same cut at random', () => {
    const random = new Random(printedSeed('cuts of a stream of frames'));
    const bytes = stream(new Random(6));
    const expected = framesOf([bytes], false).join();
    for (let round = 0; round < 300; round++) {
      const at = Array.from({ length: 1 + random.below(40) }, () => random.below(bytes.length));
      const pieces = cut(
        bytes,
        at.sort((a, b) => a - b),
      );
      const fed = pieces.filter((piece) => piece.length > 0);
      expect(framesOf(fed, round % 2 === 0).join() === expected, `cut at ${at}`).toBe(true);
    }
  });

  test('goes on where it paused, to the byte', () => {
    const bytes = stream(new Random(7));
    const expected = framesOf([bytes], true);
    sink = new RecordingSink();
    sink.takesWhole = true;
    reader = makeReader();
    sink.pauseAfter = 3;
    reader.feed(Buffer.from(bytes));
    let pauses = 0;
    while (reader.midChunk) {
      expect(sink.paused).toBe(true);
      pauses += 1;
      sink.paused = false;
      sink.pauseAfter = 3;
      reader.resume();
    }
    expect(pauses).toBeGreaterThan(2);
    expect(sink.frames).toEqual(expected);
  });

  test('gives back each chunk once', () => {
    const bytes = stream(new Random(8));
    for (const piece of cut(bytes, [1000, 2000, 9000])) reader.feed(Buffer.from(piece));
    expect(released).toBe(4);
  });
});

describe('a frame that is wrong', () => {
  const cases: Record<string, [Buffer, string]> = {
    'larger than agreed': [
      encodeFrame(1, 0, Buffer.alloc(FRAME_MAX - 7)),
      `FRAME_ERROR - type 1, first 16 octets = <<0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0>>: {frame_too_large,${FRAME_MAX - 7},${FRAME_MAX - 8}}`,
    ],
    'without its end octet': [
      Buffer.concat([encodeMethod(0, 'connection.close-ok').subarray(0, -1), Buffer.of(1)]),
      'FRAME_ERROR - type 1, all octets = <<0,10,0,51>>: {invalid_frame_end_marker, 1}',
    ],
    'of an unknown type': [
      encodeFrame(7, 0, Buffer.of(1, 2)),
      'FRAME_ERROR - type 7, all octets = <<1,2>>: unknown_frame',
    ],
    'a heartbeat on a channel': [
      encodeFrame(8, 1, Buffer.alloc(0)),
      'UNEXPECTED_FRAME - type 8, all octets = <<>>',
    ],
  };

  test.each(Object.entries(cases))('%s is refused, whole or in pieces', (_title, [bytes, text]) => {
    for (const pieces of [[bytes], cut(bytes, [3]), cut(bytes, [7]), cut(bytes, [9])]) {
      sink = new RecordingSink();
      reader = makeReader();
      const feedAll = (): void => {
        for (const piece of pieces) reader.feed(Buffer.from(piece));
      };
      expect(feedAll).toThrow(AmqpError);
      if (pieces.length === 1) expect(() => makeReader().feed(Buffer.from(bytes))).toThrow(text);
    }
  });

  test('that is too large is refused as soon as its head is there', () => {
    const head = encodeFrame(1, 0, Buffer.alloc(FRAME_MAX)).subarray(0, 7);
    expect(() => reader.feed(Buffer.from(head))).toThrow('frame_too_large');
  });
});

test('random bytes raise AmqpErrors and nothing else', () => {
  const seed = printedSeed('random bytes to a frame reader');
  const random = new Random(seed);
  const valid = stream(new Random(9));
  for (let round = 0; round < 20_000; round++) {
    sink = new RecordingSink();
    sink.takesWhole = round % 2 === 0;
    reader = makeReader();
    try {
      for (let n = 1 + random.below(4); n > 0; n--) {
        if (sink.paused) {
          sink.paused = false;
          reader.resume();
        } else {
          reader.feed(randomPiece(random, valid));
        }
        if (random.below(8) === 0) sink.paused = !reader.midChunk;
      }
    } catch (error) {
      if (!(error instanceof AmqpError)) throw error;
      reader.abandon();
    }
  }
});

/** Noise, a frame head before noise, or a stretch of valid frames with some bytes changed. */
function randomPiece(random: Random, valid: Buffer): Buffer {
  const kind = random.below(4);
  const noise = random.bytes(random.below(60));
  if (kind === 0) return noise;
  if (kind === 1) {
    const type = random.below(10);
    return Buffer.concat([Buffer.of(type, 0, random.below(3), 0, 0, 0, noise.length), noise]);
  }
  const from = kind === 2 ? 0 : random.below(valid.length);
  const piece = Buffer.from(valid.subarray(from, from + random.below(400)));
  for (let n = random.below(3); n > 0 && piece.length > 0; n--) {
    piece[random.below(piece.length)] = random.below(256);
  }
  return piece;
}
