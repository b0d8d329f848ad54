// Owns a whole server without sockets, for benches: what a client would send is handed to its
// connections, and what they answer is counted. Never waits for the event loop or a disk.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { pino } from 'pino';
import { encodeMethodFrame } from '../../src/amqp/method-codec.ts';
import type { MethodFields, MethodName } from '../../src/amqp/spec.ts';
import { defaultSettings } from '../../src/config/settings.ts';
import { Connection } from '../../src/server/connection/connection.ts';
import { Server } from '../../src/server/server.ts';
import type { Store, StoredRow } from '../../src/store/port.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { type Publish, publishFrames } from '../message/frames.ts';

const CHUNK_BYTES = 65_536;
const CHANNEL = 1;

/** How far a reading moves a clock that goes by readings. */
const STEP_MS = 2 ** -16;

/** The time in all benches. */
class BenchClock implements Clock {
  private readings = -1;

  /** From now on time goes by readings: no turn runs out of it, however busy the machine is. */
  slow(): void {
    this.readings = 0;
  }

  wallMs(): number {
    if (this.readings < 0) return systemClock.wallMs();
    return 1_700_000_000_000 + Math.floor(this.monotonicMs());
  }

  monotonicMs(): number {
    if (this.readings < 0) return systemClock.monotonicMs();
    this.readings += 1;
    return 1_000.123 + this.readings * STEP_MS;
  }
}

export const benchClock = new BenchClock();

/** A store that forgets what it is given and calls it durable when asked. */
export class ForgetfulStore implements Store {
  batch = 1;
  dirty = false;
  busy = false;
  reusableBytes = 0;
  gatheredBytes = 0;
  private listener: (batch: number) => void = () => {};
  private readableListener: (batch: number) => void = () => {};

  get(): Buffer | null {
    return null;
  }

  range(): Iterable<StoredRow> {
    return [];
  }

  keys(): Iterable<Buffer> {
    return [];
  }

  put(): void {
    this.dirty = true;
  }

  remove(): void {
    this.dirty = true;
  }

  removeRange(): void {
    this.dirty = true;
  }

  seal(): number {
    this.busy = true;
    this.dirty = false;
    return this.batch++;
  }

  onDurable(listener: (batch: number) => void): void {
    this.listener = listener;
  }

  onReadable(listener: (batch: number) => void): void {
    this.readableListener = listener;
  }

  onFailure(): void {}

  copyTo(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Calls all sealed batches durable. */
  sync(): void {
    if (!this.busy) return;
    this.busy = false;
    this.listener(this.batch - 1);
    this.readableListener(this.batch - 1);
  }
}

/** A socket that takes everything at once and throws it away. */
export class CountingSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  readonly writableLength = 0;
  readonly destroyed = false;
  readonly writableEnded = false;
  bytes = 0;
  private readonly written: (() => void)[] = [];

  write(bytes: Buffer, written?: () => void): boolean {
    this.bytes += bytes.length;
    if (written !== undefined) this.written.push(written);
    return true;
  }

  cork(): void {}

  uncork(): void {}

  pause(): void {}

  resume(): void {}

  destroy(): void {}

  /** Tells of writes that have ended, which a socket never does within `write`. */
  tell(): void {
    for (let i = 0; i < this.written.length; i++) this.written[i]?.();
    this.written.length = 0;
  }
}

/** A server with one connection that publishes and one that consumes. */
export class Loopback {
  readonly store = new ForgetfulStore();
  readonly server: Server;
  private readonly sockets: CountingSocket[] = [];

  constructor() {
    const settings = { ...defaultSettings(), loopbackUsers: ['guest'] };
    const guest = { user: 'guest', password: 'guest', vhost: '/', logCost: 1 };
    const access = { ...guest, loopbackUsers: ['guest'] };
    const log = pino({ enabled: false });
    this.server = new Server(this.store, settings, access, log, benchClock, '0.0.0');
  }

  /** An open connection with channel 1 open. */
  connect(): CountingSocket {
    const socket = new CountingSocket();
    new Connection(this.server, socket as unknown as Socket, null);
    this.sockets.push(socket);
    this.feed(socket, Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    const response = Buffer.from('\x00guest\x00guest');
    const start = { clientProperties: new Map(), mechanism: 'PLAIN', response, locale: 'en_US' };
    this.call(socket, 0, 'connection.start-ok', start);
    this.call(socket, 0, 'connection.tune-ok', {
      channelMax: 100,
      frameMax: 131_072,
      heartbeat: 0,
    });
    this.call(socket, 0, 'connection.open', { virtualHost: '/' });
    this.call(socket, CHANNEL, 'channel.open', {});
    return socket;
  }

  call<N extends MethodName>(
    socket: CountingSocket,
    channel: number,
    name: N,
    fields: MethodFields<N>,
  ): void {
    this.feed(socket, encodeMethodFrame(channel, name, fields));
    this.turn();
  }

  declare(socket: CountingSocket, queue: string, durable: boolean): void {
    const rest = { passive: false, exclusive: false, autoDelete: false, noWait: false };
    const fields = { queue, durable, ...rest, arguments: new Map() };
    this.call(socket, CHANNEL, 'queue.declare', fields);
  }

  consume(socket: CountingSocket, queue: string, noAck: boolean): void {
    const rest = { noLocal: false, exclusive: false, noWait: false, arguments: new Map() };
    this.call(socket, CHANNEL, 'basic.consume', { queue, consumerTag: queue, noAck, ...rest });
  }

  /** Bytes from the socket of a connection, which becomes their owner. */
  feed(socket: CountingSocket, bytes: Buffer): void {
    socket.emit('data', bytes);
  }

  /** The end of a turn, with a disk that is at once done. */
  turn(): void {
    this.server.turn.end();
    this.store.sync();
    for (const socket of this.sockets) socket.tell();
  }
}

/** A chunk as a socket brings it, full of one publish after another to these queues in turn. */
export function chunkOf(make: (n: number) => Publish): { bytes: Buffer; count: number } {
  const frames: Buffer[] = [];
  let length = 0;
  for (let n = 0; ; n++) {
    const next = publishFrames(CHANNEL, make(n));
    if (length + next.length > CHUNK_BYTES) break;
    frames.push(next);
    length += next.length;
  }
  return { bytes: Buffer.concat(frames), count: frames.length };
}
