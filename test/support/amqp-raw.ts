// A client that speaks to the broker frame by frame, for what a decent library would never send.
// It keeps no state of its channels and checks nothing: each test says what it expects.
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  decodeFrames,
  encodeContent,
  encodeMethod,
  type Fields,
  type Frame,
  HEARTBEAT,
  PROTOCOL_HEADER,
} from './amqp-wire.ts';
import { PATIENCE_MS } from './patience.ts';

const EMPTY = Buffer.alloc(0);
const ATTEMPT_CHANNEL = 1000;

export interface Endpoint {
  host: string;
  port: number;
  user: string;
  password: string;
  vhost: string;
}

export interface OpenOptions {
  user?: string;
  password?: string;
  vhost?: string;
  mechanism?: string;
  response?: Buffer;
  capabilities?: Fields;
  channelMax?: number;
  frameMax?: number;
  heartbeat?: number;
}

export interface RawMessage {
  method: Frame;
  header: Frame;
  properties: Fields;
  body: Buffer;
}

interface Waiter {
  channel: number | null;
  resolve: (frame: Frame) => void;
}

export function endpointOf(url: string): Endpoint {
  const parts = new URL(url);
  return {
    host: parts.hostname,
    port: Number(parts.port || (parts.protocol === 'amqps:' ? '5671' : '5672')),
    user: decodeURIComponent(parts.username) || 'guest',
    password: decodeURIComponent(parts.password) || 'guest',
    vhost: parts.pathname.length > 1 ? decodeURIComponent(parts.pathname.slice(1)) : '/',
  };
}

/** What a URL asks of TLS: nothing, or to trust an authority beside those of the machine. */
export function tlsOptionsOf(url: string, ca: string): { ca?: string } | null {
  if (!url.startsWith('amqps:')) return null;
  return ca === '' ? {} : { ca };
}

export class RawConnection {
  readonly socket: Socket;
  readonly endpoint: Endpoint;
  /** Whether headers may come with a name twice: the broker hands on what a publisher sent. */
  takesTwice = false;
  /** Heartbeats are counted, not handed out. */
  heartbeats = 0;
  closed = false;
  /** The names of the frames that came together, for each chunk that was read; heartbeats too. */
  readonly chunks: string[][] = [];
  serverProperties: Fields = {};
  tune: Fields = {};
  private rest: Buffer = Buffer.alloc(0);
  private readonly inbox: Frame[] = [];
  private readonly waiters: Waiter[] = [];
  private readonly whenClosed: Promise<void>;

  private constructor(socket: Socket, endpoint: Endpoint) {
    this.socket = socket;
    this.endpoint = endpoint;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => undefined);
    socket.on('end', () => this.noteClosed());
    this.whenClosed = new Promise((resolve) => {
      socket.once('close', () => {
        this.noteClosed();
        resolve();
      });
    });
  }

  /**
   * Connects the socket, over TLS where there are options for it, and sends nothing. With `halfOpen`
   * it stays open on this side when the broker ends its own.
   */
  static dial(
    endpoint: Endpoint,
    tls: ConnectionOptions | null = null,
    halfOpen = false,
  ): Promise<RawConnection> {
    const { host, port } = endpoint;
    return new Promise((resolve, reject) => {
      const socket =
        tls === null
          ? connect({ port, host, allowHalfOpen: halfOpen })
          : connectTls({ port, host, ...tls });
      socket.once('error', reject);
      const connected = tls === null ? 'connect' : 'secureConnect';
      socket.once(connected, () => resolve(new RawConnection(socket, endpoint)));
    });
  }

  /** Speaks over a stream that is open already. */
  static over(stream: Socket, endpoint: Endpoint): RawConnection {
    return new RawConnection(stream, endpoint);
  }

  /** Sends the protocol header and takes connection.start. */
  async start(): Promise<Frame> {
    this.write(PROTOCOL_HEADER);
    const start = await this.next();
    this.serverProperties = (start['serverProperties'] ?? {}) as Fields;
    return start;
  }

  /** Sends start-ok and gives the answer: tune, secure, close, or the end of the socket. */
  login(options: OpenOptions = {}): Promise<Frame> {
    const user = options.user ?? this.endpoint.user;
    const password = options.password ?? this.endpoint.password;
    return this.call(0, 'connection.start-ok', {
      clientProperties: {
        product: 'conformance suite',
        capabilities: options.capabilities ?? { authentication_failure_close: true },
      },
      mechanism: options.mechanism ?? 'PLAIN',
      response: options.response ?? Buffer.from(`\0${user}\0${password}`),
      locale: 'en_US',
    });
  }

  /** The whole handshake; gives open-ok, or whatever came in its place. */
  async open(options: OpenOptions = {}): Promise<Frame> {
    await this.start();
    const tune = await this.login(options);
    if (tune.name !== 'connection.tune') return tune;
    this.tune = tune;
    this.send(0, 'connection.tune-ok', {
      channelMax: options.channelMax ?? tune['channelMax'],
      frameMax: options.frameMax ?? tune['frameMax'],
      heartbeat: options.heartbeat ?? 0,
    });
    return this.call(0, 'connection.open', { virtualHost: options.vhost ?? this.endpoint.vhost });
  }

  write(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  send(channel: number, name: string, fields: Fields = {}): void {
    this.write(encodeMethod(channel, name, fields));
  }

  /** Sends a method and gives the next frame on that channel or on channel 0. */
  call(channel: number, name: string, fields: Fields = {}): Promise<Frame> {
    this.send(channel, name, fields);
    return this.next(channel);
  }

  async openChannel(channel: number): Promise<void> {
    const reply = await this.call(channel, 'channel.open');
    if (reply.name !== 'channel.open-ok') throw new Error(`no channel: ${JSON.stringify(reply)}`);
  }

  /**
   * Sends a method on a channel of its own and gives the answer; a close is answered, so that the
   * next call can follow on the same connection.
   */
  async attempt(name: string, fields: Fields = {}): Promise<Frame> {
    const channel = ATTEMPT_CHANNEL;
    await this.openChannel(channel);
    const reply = await this.call(channel, name, fields);
    if (reply.name === 'channel.close') this.send(channel, 'channel.close-ok');
    else if (reply.name === 'connection.close') this.send(0, 'connection.close-ok');
    else await this.call(channel, 'channel.close', { replyCode: 200 });
    return reply;
  }

  publish(channel: number, fields: Fields, properties: Fields = {}, body: Buffer = EMPTY): void {
    this.write(
      Buffer.concat([
        encodeMethod(channel, 'basic.publish', fields),
        encodeContent(channel, properties, body),
      ]),
    );
  }

  heartbeat(): void {
    this.write(HEARTBEAT);
  }

  /** The next frame: on any channel, or on the one given (and then also on channel 0). */
  next(channel: number | null = null): Promise<Frame> {
    const index = this.inbox.findIndex((frame) => fits(frame, channel));
    if (index >= 0) {
      const [frame] = this.inbox.splice(index, 1);
      return Promise.resolve(frame as Frame);
    }
    if (this.closed) return Promise.resolve({ name: 'socket closed', channel: -1 });
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        channel,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      };
      const timer = setTimeout(() => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        reject(new Error(`no frame came on channel ${channel ?? 'any'}`));
      }, PATIENCE_MS);
      this.waiters.push(waiter);
    });
  }

  /** A method with content, and that content: basic.deliver, basic.get-ok, basic.return. */
  async message(channel: number): Promise<RawMessage> {
    const method = await this.next(channel);
    const header = await this.next(channel);
    if (header.name !== 'header') {
      throw new Error(`no content: ${JSON.stringify(method)}, then ${JSON.stringify(header)}`);
    }
    const pieces: Buffer[] = [];
    for (let left = header['bodySize'] as number; left > 0; ) {
      const body = await this.next(channel);
      const piece = body['payload'] as Buffer;
      pieces.push(piece);
      left -= piece.length;
    }
    const properties = header['properties'] as Fields;
    return { method, header, properties, body: Buffer.concat(pieces) };
  }

  /** What has come and was not asked for. */
  unread(): Frame[] {
    return [...this.inbox];
  }

  /** Takes all of that. */
  takeUnread(): Frame[] {
    return this.inbox.splice(0);
  }

  /** Resolves when the broker has closed the socket. */
  async untilClosed(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('the socket stays open')), PATIENCE_MS);
    });
    await Promise.race([this.whenClosed, late]);
    clearTimeout(timer);
  }

  /** Closes as a client should: connection.close, close-ok, end. */
  async close(): Promise<void> {
    if (!this.closed) {
      this.send(0, 'connection.close', { replyCode: 200, replyText: 'done' });
      let frame = await this.next(0);
      while (frame.name !== 'connection.close-ok' && frame.name !== 'socket closed') {
        frame = await this.next(0);
      }
    }
    this.drop();
  }

  /** Breaks the connection without a word. */
  drop(): void {
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    const { frames, rest } = decodeFrames(Buffer.concat([this.rest, chunk]), this.takesTwice);
    this.rest = rest;
    if (frames.length > 0) this.chunks.push(frames.map(({ name }) => name));
    for (const frame of frames) {
      if (frame.name === 'heartbeat') this.heartbeats += 1;
      else this.hand(frame);
    }
  }

  private hand(frame: Frame): void {
    const index = this.waiters.findIndex((waiter) => fits(frame, waiter.channel));
    if (index < 0) {
      this.inbox.push(frame);
      return;
    }
    const [waiter] = this.waiters.splice(index, 1);
    waiter?.resolve(frame);
  }

  private noteClosed(): void {
    this.closed = true;
    for (const waiter of this.waiters.splice(0)) {
      waiter.resolve({ name: 'socket closed', channel: -1 });
    }
  }
}

function fits(frame: Frame, channel: number | null): boolean {
  return channel === null || frame.channel === channel || frame.channel === 0;
}
