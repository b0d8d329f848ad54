// Owns the benches of the wire alone: publishes read out of chunks, deliveries written to an outbox.
// Never routes or queues: see broker.bench.ts.

import type { Socket } from 'node:net';
import { BASIC_DELIVER } from '../../src/amqp/constants.ts';
import { CalledLines } from '../../src/broker/queue/waiting-line.ts';
import type { Chunk } from '../../src/message/chunk.ts';
import { MessageLog } from '../../src/message/log/log.ts';
import { positionOf } from '../../src/message/log/segment.ts';
import { NO_EXPIRY, writeRecordHead } from '../../src/message/record.ts';
import { asBytes, deliverPrefix, writeDelivery } from '../../src/server/wire/content-writer.ts';
import { FrameReader, type FrameSink } from '../../src/server/wire/frame-reader.ts';
import { Outbox } from '../../src/server/wire/outbox.ts';
import { viewOf } from '../../src/util/bytes.ts';
import { publishFrames } from '../message/frames.ts';
import { type Bench, keep, type Run } from './kit.ts';
import { CountingSocket, chunkOf, ForgetfulStore } from './loopback.ts';

const RESIDENT_BYTES_MAX = 1024 * 1024;
const FRAME_MAX = 131_072;
const DELIVERIES_PER_TURN = 1_000;

function publish(bodyBytes: number) {
  const body = Buffer.alloc(bodyBytes, 7);
  return { exchange: '', routingKey: 'queue', properties: { deliveryMode: 1 }, body };
}

/** Takes whole publishes, counts them, and does nothing. */
class CountingSink implements FrameSink {
  frameMax = FRAME_MAX;
  paused = false;
  publishes = 0;
  octets = 0;

  wholePublish(
    _channel: number,
    _chunk: Chunk,
    start: number,
    _a: number,
    _h: number,
    end: number,
  ) {
    this.publishes += 1;
    this.octets += end - start;
    return true;
  }

  methodFrame(): void {
    this.publishes += 1;
  }

  headerFrame(): void {}

  bodyPart(_channel: number, _bytes: Buffer, start: number, end: number): void {
    this.octets += end - start;
  }

  heartbeatFrame(): void {}
}

/** Reads the same bytes again and again, in chunks of `chunkBytes`. */
function read(bodyBytes: number, chunkBytes: number): Run {
  const { bytes, count: perChunk } = chunkOf(() => publish(bodyBytes));
  const sink = new CountingSink();
  const reader = new FrameReader(sink, new MessageLog(new ForgetfulStore(), RESIDENT_BYTES_MAX));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push(bytes.subarray(at, at + chunkBytes));
  }
  let owed = 0;
  return (count) => {
    for (owed += count; owed >= perChunk; owed -= perChunk) {
      for (let i = 0; i < chunks.length; i++) reader.feed(chunks[i] as Buffer);
    }
    keep(sink.octets);
  };
}

/** Writes the same record again and again, and flushes now and then. */
function write(bodyBytes: number): Run {
  const log = new MessageLog(new ForgetfulStore(), RESIDENT_BYTES_MAX);
  const record = publishFrames(1, publish(bodyBytes));
  const view = viewOf(record);
  writeRecordHead(view, 0, 0, 0, 1_700_000_000_000, NO_EXPIRY);
  const position = log.append(record, view, 0, record.length, false);
  log.placed.addRefs(1, bodyBytes);
  const socket = new CountingSocket();
  const listener = { outboxFilled: () => {}, outboxOverfull: () => {}, outboxDrained: () => {} };
  const lines = new CalledLines({ touch: () => {} }, { turnWanted: () => {} });
  const outbox = new Outbox(
    socket as unknown as Socket,
    log,
    listener,
    Number.MAX_SAFE_INTEGER,
    lines,
  );
  const prefix = asBytes(deliverPrefix(1, BASIC_DELIVER, 'consumer-tag'));
  let tag = 0;
  return (count) => {
    for (let i = 0; i < count; i++) {
      const segment = log.readable(position);
      const at = position - positionOf(segment.id, 0);
      writeDelivery(outbox, prefix, 1, FRAME_MAX, ++tag, false, segment, at);
      if (tag % DELIVERIES_PER_TURN === 0) {
        outbox.flush();
        socket.tell();
      }
    }
    keep(socket.bytes);
  };
}

export const codecBenches: readonly Bench[] = [
  { name: 'read a publish, 16 B, chunks of 64 KiB', prepare: () => read(16, 65_536) },
  { name: 'read a publish, 1 KiB, chunks of 64 KiB', prepare: () => read(1_024, 65_536) },
  { name: 'read a publish, 16 B, chunks of 1,400 B', prepare: () => read(16, 1_400) },
  { name: 'write a delivery, 16 B', prepare: () => write(16) },
  { name: 'write a delivery, 1 KiB', prepare: () => write(1_024) },
  { name: 'write a delivery, 16 KiB', prepare: () => write(16_384) },
];
