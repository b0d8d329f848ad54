// Owns one AMQP connection of the load tester, as lean as can be: methods are decoded, deliveries and
// confirms are not. Never measures.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  BASIC_ACK,
  BASIC_DELIVER,
  BASIC_NACK,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  PROTOCOL_HEADER,
} from '../amqp/constants.ts';
import type { Field } from '../amqp/field-table.ts';
import { decodeMethod, encodeMethodFrame } from '../amqp/method-codec.ts';
import type { AnyMethod, MethodFields, MethodName } from '../amqp/spec.ts';
import { U32 } from '../util/bytes.ts';
import { plainPart, withoutLogin } from '../util/url-text.ts';
import { UserError } from '../util/user-error.ts';

const HEAD = 7;
const HEARTBEAT = Buffer.of(FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END);
const HEARTBEAT_S = 30;
const CONNECT_MS = 10_000;
/** The same where there are other hosts to go to. */
const WATCHED_HEARTBEAT_S = 10;
const WATCHED_CONNECT_MS = 3000;
/** A peer sends a heartbeat each half of the interval; after so many halves of silence it counts as gone. */
const SILENT_HALVES = 4;
/** The code of a close with which a broker sends its clients to another node: CONNECTION_FORCED. */
const FORCED = 320;

/** A connection that another host may make good: none was made, or it has ended. */
export class LostConnection extends UserError {}

/** Where to connect, and as which user. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly user: string;
  readonly password: string;
  readonly vhost: string;
}

/** Reads an AMQP URL. Throws a UserError. */
export function parseAmqpUrl(text: string): Address {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UserError(
      `'${withoutLogin(text)}' is no URL: write for example amqp://guest:guest@127.0.0.1:5672/`,
    );
  }
  const tls = url.protocol === 'amqps:';
  if (!tls && url.protocol !== 'amqp:') {
    throw new UserError(`'${url.protocol}//' is not AMQP: a URL begins with amqp:// or amqps://`);
  }
  const path = url.pathname.replace(/^\//, '');
  return {
    host: url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: url.port === '' ? (tls ? 5671 : 5672) : Number(url.port),
    tls,
    user: plainPart(url.username) || 'guest',
    password: plainPart(url.password) || 'guest',
    vhost: path === '' ? '/' : plainPart(path),
  };
}

/** Told of what comes in; all on channel 1, the only one. */
export interface Receiver {
  /** A message; its body is `bytes` from `start` on, as far as its first frame goes. */
  delivered(
    tag: number,
    bytes: Buffer,
    start: number,
    bodyBytes: number,
    redelivered: boolean,
  ): void;
  confirmed(tag: number, multiple: boolean, nack: boolean): void;
  returned(): void;
  /** All that one chunk held has been told. */
  chunkEnded(): void;
  /** The socket takes more. */
  drained(): void;
  failed(error: UserError): void;
}

/** A connection with one channel. */
export class PerfConnection {
  /** Why nothing may be published now, or ''. */
  blocked = '';
  private readonly socket: Socket;
  private readonly receiver: Receiver;
  private carry: Buffer | null = null;
  private frameMax = 131_072;
  private readonly waiting: {
    readonly name: MethodName;
    readonly resolve: (method: AnyMethod) => void;
    readonly reject: (error: UserError) => void;
  }[] = [];
  private tag = 0;
  private redelivered = false;
  private bodyBytes = 0;
  private bodyLeft = 0;
  private told = false;
  private inReturn = false;
  private closing = false;
  /** Why it has ended; null: it has not. */
  failure: UserError | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly watched: boolean;
  /** Halves of the heartbeat's interval that nothing has come in. */
  private silentHalves = 0;

  private constructor(socket: Socket, receiver: Receiver, watched: boolean) {
    this.socket = socket;
    this.watched = watched;
    this.receiver = receiver;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.feedGuarded(bytes));
    socket.on('drain', () => receiver.drained());
    socket.on('error', (error) => this.fail(new LostConnection(error.message)));
    socket.on('close', () => this.fail(new LostConnection('the broker closed the connection')));
  }

  /**
   * Connects, logs in and opens the channel.
   *
   * @param watched whether a broker that is silent for two heartbeats counts as gone, as with other hosts to go to
   * @throws LostConnection where another host may do; UserError otherwise, such as for a login that is refused
   */
  static async open(
    address: Address,
    receiver: Receiver,
    watched = false,
  ): Promise<PerfConnection> {
    const patienceMs = watched ? WATCHED_CONNECT_MS : CONNECT_MS;
    const socket = await openSocket(address, patienceMs);
    const connection = new PerfConnection(socket, receiver, watched);
    const late = (): void => connection.fail(new LostConnection('the broker does not answer'));
    const timer = setTimeout(late, patienceMs);
    try {
      await connection.handshake(address);
    } finally {
      clearTimeout(timer);
    }
    return connection;
  }

  private async handshake({ user, password, vhost }: Address): Promise<void> {
    const seconds = this.watched ? WATCHED_HEARTBEAT_S : HEARTBEAT_S;
    const start = this.wait('connection.start');
    this.socket.write(PROTOCOL_HEADER);
    await start;
    const on: Field = { type: 't', value: true };
    const capabilities = new Map<string, Field>([
      ['connection.blocked', on],
      ['authentication_failure_close', on],
      ['publisher_confirms', on],
      ['basic.nack', on],
    ]);
    const tune = this.wait('connection.tune');
    this.sendOn(0, 'connection.start-ok', {
      clientProperties: new Map<string, Field>([
        ['product', { type: 'S', value: 'leveret perf' }],
        ['capabilities', { type: 'F', value: capabilities }],
      ]),
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${user}\0${password}`),
      locale: 'en_US',
    });
    const tuned = (await tune) as MethodFields<'connection.tune'>;
    if (tuned.frameMax > 0) this.frameMax = Math.min(this.frameMax, tuned.frameMax);
    this.sendOn(0, 'connection.tune-ok', {
      channelMax: tuned.channelMax,
      frameMax: this.frameMax,
      heartbeat: seconds,
    });
    const opened = this.wait('connection.open-ok');
    this.sendOn(0, 'connection.open', { virtualHost: vhost });
    await opened;
    this.timer = setInterval(() => this.beat(), (seconds / 2) * 1000);
    await this.ask('channel.open', {}, 'channel.open-ok');
  }

  private beat(): void {
    this.socket.write(HEARTBEAT);
    this.silentHalves += 1;
    if (this.watched && this.silentHalves > SILENT_HALVES)
      this.fail(new LostConnection('nothing comes from the broker, not even heartbeats'));
  }

  /** The most bytes of a body that one frame takes. */
  get bodyMax(): number {
    return this.frameMax - HEAD - 1;
  }

  /** Sends a method, and resolves with the answer. */
  ask<N extends MethodName>(
    name: N,
    fields: MethodFields<N>,
    answer: MethodName,
  ): Promise<AnyMethod> {
    const answered = this.wait(answer);
    this.sendOn(1, name, fields);
    return answered;
  }

  /** Sends bytes that are frames; false when the socket has enough for now. */
  write(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }

  get full(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** Ends it in good order. */
  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    if (this.timer !== null) clearInterval(this.timer);
    const closed = this.wait('connection.close-ok').catch(() => undefined);
    const fields = { replyCode: 200, replyText: 'OK', classId: 0, methodId: 0 };
    this.sendOn(0, 'connection.close', fields);
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    this.socket.destroy();
  }

  private sendOn<N extends MethodName>(channel: number, name: N, fields: MethodFields<N>): void {
    this.socket.write(encodeMethodFrame(channel, name, fields));
  }

  private wait(name: MethodName): Promise<AnyMethod> {
    // The end may have come with the answer before, in one chunk.
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.waiting.push({ name, resolve, reject }));
  }

  private fail(error: UserError): void {
    if (this.closing) return;
    this.closing = true;
    this.failure = error;
    if (this.timer !== null) clearInterval(this.timer);
    for (const { reject } of this.waiting.splice(0)) reject(error);
    this.socket.destroy();
    this.receiver.failed(error);
  }

  // --- what comes in ---

  /** What cannot be read is no AMQP of a broker. */
  private feedGuarded(chunk: Buffer): void {
    try {
      this.feed(chunk);
    } catch (error) {
      const why = (error as Error).message;
      this.fail(new UserError(`the answer is not AMQP 0-9-1 (${why})`));
    }
  }

  private feed(chunk: Buffer): void {
    const bytes = this.carry === null ? chunk : Buffer.concat([this.carry, chunk]);
    let at = 0;
    this.silentHalves = 0;
    while (at + HEAD <= bytes.length && this.failure === null) {
      const size = bytes.readUInt32BE(at + 3);
      const end = at + HEAD + size + 1;
      if (end > bytes.length) break;
      this.frame(bytes, bytes[at] as number, at + HEAD, size);
      at = end;
    }
    this.carry = at === bytes.length ? null : bytes.subarray(at);
    this.receiver.chunkEnded();
  }

  private frame(bytes: Buffer, type: number, start: number, size: number): void {
    if (type === FRAME_BODY) this.body(bytes, start, size);
    else if (type === FRAME_HEADER) this.header(bytes, start);
    else if (type === FRAME_METHOD) this.method(bytes, start, size);
  }

  private header(bytes: Buffer, start: number): void {
    this.bodyBytes = bytes.readUInt32BE(start + 4) * U32 + bytes.readUInt32BE(start + 8);
    this.bodyLeft = this.bodyBytes;
    this.told = false;
    if (this.bodyBytes === 0) this.tell(bytes, start);
  }

  private body(bytes: Buffer, start: number, size: number): void {
    this.bodyLeft -= size;
    // Latency is until the last byte; what is measured stands in the first frame.
    if (!this.told && this.bodyLeft === 0) this.tell(bytes, start);
    else if (!this.told) this.first ??= Buffer.from(bytes.subarray(start, start + 16));
    if (this.bodyLeft === 0 && !this.told && this.first !== null) this.tell(this.first, 0);
  }

  private first: Buffer | null = null;

  private tell(bytes: Buffer, start: number): void {
    this.told = true;
    const { first } = this;
    this.first = null;
    if (this.inReturn) {
      this.inReturn = false;
      this.receiver.returned();
    } else if (first === null) {
      this.receiver.delivered(this.tag, bytes, start, this.bodyBytes, this.redelivered);
    } else {
      this.receiver.delivered(this.tag, first, 0, this.bodyBytes, this.redelivered);
    }
  }

  private method(bytes: Buffer, start: number, size: number): void {
    const key = bytes.readUInt32BE(start);
    if (key === BASIC_DELIVER) {
      const at = start + 5 + (bytes[start + 4] as number);
      this.tag = bytes.readUInt32BE(at) * U32 + bytes.readUInt32BE(at + 4);
      this.redelivered = ((bytes[at + 8] as number) & 1) === 1;
    } else if (key === BASIC_ACK || key === BASIC_NACK) {
      const tag = bytes.readUInt32BE(start + 4) * U32 + bytes.readUInt32BE(start + 8);
      this.receiver.confirmed(tag, ((bytes[start + 12] as number) & 1) === 1, key === BASIC_NACK);
    } else {
      this.other(decodeMethod(bytes, start, start + size));
    }
  }

  private other(method: AnyMethod): void {
    switch (method.name) {
      case 'connection.close':
      case 'channel.close': {
        const text = `${method.replyText} (${method.replyCode})`;
        const isForced = method.replyCode === FORCED;
        this.fail(isForced ? new LostConnection(text) : new UserError(text));
        return;
      }
      case 'connection.blocked':
        this.blocked = method.reason;
        return;
      case 'connection.unblocked':
        this.blocked = '';
        this.receiver.drained();
        return;
      case 'basic.return':
        this.inReturn = true;
        return;
      case 'basic.cancel':
        this.fail(new UserError('the broker cancelled the consumer: its queue is gone'));
        return;
      default: {
        const at = this.waiting.findIndex(({ name }) => name === method.name);
        if (at >= 0) this.waiting.splice(at, 1)[0]?.resolve(method);
      }
    }
  }
}

function openSocket({ host, port, tls }: Address, patienceMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tls ? connectTls({ host, port }) : connectTcp({ host, port });
    const fail = (why: string): void => {
      socket.destroy();
      reject(
        new LostConnection(
          `cannot connect to ${host}:${port} (${why}): is a broker running there?`,
        ),
      );
    };
    const timer = setTimeout(() => fail('it does not answer'), patienceMs);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(error.code ?? error.message);
    });
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
