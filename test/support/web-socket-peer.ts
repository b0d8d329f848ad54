// A WebSocket made by hand over a socket, for what a decent library would never do: it answers neither
// close frames nor pings, and each side of its socket ends when the test says so.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

const BINARY = 0x82;
const CLOSE = 0x88;
/** A mask of zeros is one too (RFC 6455 §5.3). */
const MASKED = 0x80;

/** What the test holds of one peer: the stream of its messages, and what lies below. */
export class WebSocketPeer extends Duplex {
  readonly tcp: Socket;
  /** The close frames of the broker that have come. */
  closes = 0;
  private unread = Buffer.alloc(0);

  constructor(tcp: Socket) {
    super({ allowHalfOpen: true });
    this.tcp = tcp;
    tcp.on('data', (bytes: Buffer) => this.unwrap(bytes));
    tcp.on('error', () => undefined);
    tcp.on('end', () => this.push(null));
    tcp.on('close', () => this.destroy());
  }

  /** Opens a WebSocket, over a socket that stays open on this side when the broker ends its own. */
  static async dial(port: number, path = '/ws/amqp'): Promise<WebSocketPeer> {
    const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(tcp, 'connect');
    tcp.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n` +
        'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
        'sec-websocket-protocol: amqp\r\n\r\n',
    );
    const [head] = (await once(tcp, 'data')) as [Buffer];
    if (!head.includes('HTTP/1.1 101')) throw new Error(`no WebSocket: ${head}`);
    return new WebSocketPeer(tcp);
  }

  setNoDelay(): this {
    this.tcp.setNoDelay();
    return this;
  }

  /** Sends a close frame, 1000. */
  sendClose(): void {
    this.tcp.write(frame(CLOSE, Buffer.of(0x03, 0xe8)));
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.tcp.write(frame(BINARY, bytes));
    done();
  }

  override _read(): void {
    this.tcp.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.tcp.destroy();
    done(error);
  }

  private unwrap(bytes: Buffer): void {
    let rest = Buffer.concat([this.unread, bytes]);
    for (;;) {
      const found = payloadOf(rest);
      if (found === null) break;
      if (rest[0] === CLOSE) this.closes += 1;
      else if (!this.push(found.payload)) this.tcp.pause();
      rest = rest.subarray(found.end);
    }
    this.unread = rest;
  }
}

/** A frame as clients send it. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(14);
  head[0] = first;
  if (length < 126) {
    head[1] = MASKED | length;
    return Buffer.concat([head.subarray(0, 6), payload]);
  }
  head[1] = MASKED | 127;
  head.writeUInt32BE(length, 6);
  return Buffer.concat([head, payload]);
}

/** The payload of the first frame of the broker, and where it ends; null while it is not whole. */
function payloadOf(bytes: Buffer): { payload: Buffer; end: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes[1] as number;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const length =
    short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : bytes.readUInt32BE(6);
  const end = start + length;
  return bytes.length < end ? null : { payload: bytes.subarray(start, end), end };
}
