import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import {
  decodeFrames,
  encodeContent,
  encodeFrame,
  encodeMethod,
  FRAME_BODY,
  type Frame,
} from '../support/amqp-wire.ts';
import { HANG_UP, handshake, publication } from './scripted.ts';
import { printedSeed, privately, Random, type TestServer, useServers } from './support.ts';

const start = useServers();

/** A socket without a network: what the broker reads in one piece is what was pushed in one. */
class LocalSocket extends Duplex {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  readonly frames: Frame[] = [];
  private rest: Buffer = Buffer.alloc(0);

  override _read(): void {
    // The test pushes.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const { frames, rest } = decodeFrames(Buffer.concat([this.rest, chunk]));
    for (const frame of frames) this.frames.push(frame);
    this.rest = Buffer.from(rest);
    done();
  }

  count(name: string): number {
    return this.frames.filter((frame) => frame.name === name).length;
  }
}

interface Script {
  readonly bytes: Buffer;
  /** How many deliveries and basic.get-oks answer it. */
  readonly deliveries: number;
  readonly gets: number;
  readonly publishes: number;
}

/** Publishes on two channels at once, frame by frame in turns, and more besides. */
function script(sizes: readonly number[], pieceBytes: number): Script {
  const random = new Random(20);
  const parts = [handshake()];
  for (const channel of [1, 2, 3]) parts.push(encodeMethod(channel, 'channel.open'));
  parts.push(
    encodeMethod(1, 'queue.declare', { queue: 'consumed' }),
    encodeMethod(1, 'queue.declare', { queue: 'held', durable: true }),
    encodeMethod(1, 'queue.bind', { queue: 'held', exchange: 'amq.topic', routingKey: 'held.#' }),
    encodeMethod(1, 'confirm.select'),
    encodeMethod(3, 'basic.consume', { queue: 'consumed', consumerTag: 'c', noAck: true }),
  );
  for (const size of sizes) {
    const body = random.bytes(size);
    const one = encodeMethod(1, 'basic.publish', { routingKey: 'consumed' });
    const two = encodeMethod(2, 'basic.publish', { exchange: 'amq.topic', routingKey: 'held.a' });
    const first = framesOf(1, one, { messageId: String(size) }, body, pieceBytes);
    const second = framesOf(2, two, { deliveryMode: 2, headers: { size } }, body, pieceBytes);
    for (let i = 0; i < Math.max(first.length, second.length); i++) {
      parts.push(first[i] ?? Buffer.alloc(0), second[i] ?? Buffer.alloc(0));
    }
    parts.push(publication(1, { routingKey: 'consumed' }, { priority: 1 }, body, 131_064));
    parts.push(encodeMethod(2, 'basic.get', { queue: 'held' }));
  }
  for (let tag = 1; tag <= sizes.length; tag++) {
    const name = tag % 3 === 0 ? 'basic.reject' : 'basic.ack';
    parts.push(encodeMethod(2, name, { deliveryTag: tag, requeue: false }));
  }
  parts.push(encodeMethod(2, 'queue.purge', { queue: 'held' }));
  const bytes = Buffer.concat(parts);
  const { length } = sizes;
  return { bytes, deliveries: 2 * length, gets: length, publishes: 2 * length };
}

function framesOf(
  channel: number,
  method: Buffer,
  properties: Record<string, unknown>,
  body: Buffer,
  pieceBytes: number,
): Buffer[] {
  const content = encodeContent(channel, properties, body, pieceBytes);
  const header = 8 + content.readUInt32BE(3);
  const frames = [method, content.subarray(0, header)];
  for (let at = 0; at < body.length; at += pieceBytes) {
    frames.push(encodeFrame(FRAME_BODY, channel, body.subarray(at, at + pieceBytes)));
  }
  return frames;
}

/** Plays the script in these pieces; gives all that came, channel by channel. */
async function play(
  broker: TestServer,
  wanted: Script,
  pieces: readonly Buffer[],
  pauses: () => boolean,
): Promise<Record<string, string[]>> {
  const socket = new LocalSocket({ allowHalfOpen: true });
  const server = broker.server;
  server.accepted(privately<Socket>(socket), null);
  for (const piece of pieces) {
    if (piece.length > 0) socket.push(Buffer.from(piece));
    if (pauses()) await turn();
  }
  const last = (): number => Math.max(0, ...confirmed(socket.frames));
  const complete = (): boolean =>
    socket.count('basic.deliver') === wanted.deliveries &&
    socket.count('queue.purge-ok') === 1 &&
    last() === wanted.publishes;
  for (let turns = 0; !complete(); turns++) {
    if (turns === 20_000) throw new Error(`incomplete: ${socket.frames.map((f) => f.name)}`);
    await turn();
  }
  expect(socket.count('basic.get-ok')).toBe(wanted.gets);
  const result = byChannel(socket.frames);
  socket.push(Buffer.from(HANG_UP));
  socket.push(null);
  for (let turns = 0; broker.connectionCount > 0 && turns < 1000; turns++) await turn();
  expect(socket.frames.at(-1)?.name).toBe('connection.close-ok');
  for (const queue of [...(broker.server.broker.vhosts.get('/')?.queues.values() ?? [])]) {
    expect(queue.readyCount + queue.unackedCount, queue.name).toBe(0);
    broker.server.broker.vhosts.get('/')?.removeQueue(queue);
  }
  return result;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function confirmed(frames: readonly Frame[]): number[] {
  const acks = frames.filter((frame) => frame.name === 'basic.ack');
  return acks.map((frame) => frame['deliveryTag'] as number);
}

/** The frames of each channel but for confirms, which may come together; bodies by their hash. */
function byChannel(frames: readonly Frame[]): Record<string, string[]> {
  const channels: Record<string, string[]> = {};
  for (const frame of frames) {
    // Confirms may come together; a connection that is held back is sent heartbeats, now and then.
    if (frame.name === 'basic.ack' || frame.name === 'heartbeat') continue;
    const payload = frame['payload'] as Buffer | undefined;
    const hash = payload === undefined ? '' : createHash('md5').update(payload).digest('hex');
    const text = JSON.stringify({ ...frame, payload: hash });
    channels[frame.channel] ??= [];
    channels[frame.channel]?.push(text);
  }
  return channels;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places, bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

const never = (): boolean => false;

test('a short dialogue cut in two at every byte is answered alike', async () => {
  const broker = await start();
  const wanted = script([0, 1, 100], 60);
  const expected = await play(broker, wanted, [wanted.bytes], never);
  const text = JSON.stringify(expected);
  for (let at = 1; at < wanted.bytes.length; at++) {
    const got = await play(broker, wanted, cut(wanted.bytes, [at]), () => at % 2 === 0);
    if (JSON.stringify(got) !== text) expect(got, `cut at ${at}`).toEqual(expected);
  }
});

test('a dialogue that comes byte by byte is answered alike', async () => {
  const broker = await start();
  const wanted = script([0, 1, 100, 5000], 500);
  const expected = await play(broker, wanted, [wanted.bytes], never);
  const bytes = Array.from(wanted.bytes, (byte) => Buffer.of(byte));
  expect(await play(broker, wanted, bytes, never)).toEqual(expected);
  const random = new Random(21);
  expect(await play(broker, wanted, bytes, () => random.below(50) === 0)).toEqual(expected);
});

test('a long dialogue with bodies of up to 300 KiB cut at random is answered alike', async () => {
  const random = new Random(printedSeed('cuts of a long dialogue'));
  const broker = await start();
  const sizes = [0, 1, 300, 4088, 16_383, 16_384, 16_385, 65_536, 70_000, 131_064, 307_200];
  const wanted = script(sizes, 20_000);
  const expected = await play(broker, wanted, [wanted.bytes], never);
  expect(expected['3']?.length).toBeGreaterThan(2 * sizes.length);
  const text = JSON.stringify(expected);
  for (let round = 0; round < 25; round++) {
    const count = round % 3 === 0 ? 2000 : 1 + random.below(60);
    const places = Array.from({ length: count }, () => random.below(wanted.bytes.length));
    const rarely = (): boolean => random.below(10) === 0;
    const got = await play(broker, wanted, cut(wanted.bytes, places), rarely);
    if (JSON.stringify(got) !== text) expect(got, `round ${round}`).toEqual(expected);
  }
});
