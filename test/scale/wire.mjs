// A client for load: one connection, one channel, plain sockets, no object for a message. Knows the
// few methods that load needs; queues are declared and looked at with amqplib.
import { once } from 'node:events';
import { connect } from 'node:net';

const FRAME_MAX = 131_072;
const FRAME_EXTRA = 8;
const CHANNEL = 1;

const CONNECTION_START_OK = 0x000a000b;
const CONNECTION_TUNE_OK = 0x000a001f;
const CONNECTION_OPEN = 0x000a0028;
const CONNECTION_CLOSE = 0x000a0032;
const CONNECTION_BLOCKED = 0x000a003c;
const CONNECTION_UNBLOCKED = 0x000a003d;
const CHANNEL_OPEN = 0x0014000a;
const CHANNEL_CLOSE = 0x00140028;
const QUEUE_DECLARE = 0x0032000a;
const QUEUE_BIND = 0x00320014;
const BASIC_QOS = 0x003c000a;
const BASIC_CONSUME = 0x003c0014;
const BASIC_CANCEL = 0x003c001e;
const BASIC_PUBLISH = 0x003c0028;
const BASIC_DELIVER = 0x003c003c;
const BASIC_GET = 0x003c0046;
const BASIC_GET_OK = 0x003c0047;
const BASIC_GET_EMPTY = 0x003c0048;
const BASIC_ACK = 0x003c0050;
const BASIC_REJECT = 0x003c005a;
const BASIC_NACK = 0x003c0078;
const CONFIRM_SELECT = 0x0055000a;
const TX_SELECT = 0x005a000a;
const TX_COMMIT = 0x005a0014;
const TX_ROLLBACK = 0x005a001e;

const ACK_BYTES = 21;
const SETTLE_BYTES_MAX = 64 * 1024;

const shortString = (text) =>
  Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
const longString = (text) => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);
const NO_TABLE = u32(0);

function u16(n) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(n);
  return bytes;
}

function u32(n) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

function frame(type, channel, payload) {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

function method(channel, key, ...parts) {
  return frame(1, channel, Buffer.concat([u32(key), ...parts]));
}

/** A field table whose values are strings, integers or booleans. */
function table(fields) {
  const parts = Object.entries(fields).flatMap(([name, value]) => {
    let typed = typeof value === 'string' ? ['S', longString(value)] : ['I', u32(value)];
    if (typeof value === 'boolean') typed = ['t', Buffer.from([value ? 1 : 0])];
    return [shortString(name), Buffer.from(typed[0]), typed[1]];
  });
  const bytes = Buffer.concat(parts);
  return Buffer.concat([u32(bytes.length), bytes]);
}

/** One header whose value ends in eight bytes that are put in later. */
function oneHeader(name, ...value) {
  return headersOf([shortString(name), ...value, Buffer.alloc(8)]);
}

/** A table of entries; the last eight bytes are put in later. */
function headersOf(...entries) {
  const bytes = Buffer.concat(entries.flat());
  return Buffer.concat([u32(bytes.length), bytes]);
}

const DELAY_HEADERS = oneHeader('x-deliver-at', Buffer.from('l'));
const GROUP_HEADERS = oneHeader('group', Buffer.from('x'), u32(8));
const KEY_HEADERS = oneHeader(
  'x-deduplication-header',
  Buffer.from('S'),
  u32(36),
  Buffer.from('as long as a UUID in text is:'.slice(0, 28)),
);

const VALUE_HEADERS = oneHeader('x-stream-filter-value', Buffer.from('S'), u32(8));

/** A name of 36 bytes, of which eight are put in later: it has to be text. */
const PUBLISHER_NAME = [
  shortString('x-stream-publisher'),
  Buffer.from('S'),
  u32(36),
  Buffer.from('as long as a UUID in text is:'.slice(0, 28)),
  Buffer.alloc(8),
];
const NAMED_HEADERS = {
  /** Nothing of that name may be there. */
  new: headersOf([shortString('x-stream-expected-id'), Buffer.from('I'), u32(0)], PUBLISHER_NAME),
  /** One has to be there. */
  next: headersOf([shortString('x-stream-expected-id'), Buffer.from('I'), u32(1)], PUBLISHER_NAME),
  /** A duplicate of the first. */
  again: headersOf(
    [shortString('x-stream-publishing-id'), Buffer.from('I'), u32(1)],
    PUBLISHER_NAME,
  ),
  /** Of one publisher, which numbers them. */
  one: headersOf(
    [shortString('x-stream-publisher'), Buffer.from('S'), longString('one')],
    [shortString('x-stream-publishing-id'), Buffer.from('l'), Buffer.alloc(8)],
  ),
};

/**
 * The frames of one publish whose body begins with a number that is put in later, and so is its `x-deliver-at` where it is
 * `delayed`, the header `group` where it is `grouped`, its key where it is `keyed`, its filter value where it is `valued`,
 * or the name of its publisher where it is `named`, or the id where that is `one`.
 * @param {{ exchange?: string, key: string, body: Buffer, persistent: boolean, priority?: number, delayed?: boolean, grouped?: boolean, keyed?: boolean, valued?: boolean, named?: 'new' | 'next' | 'again' | 'one' }} message
 */
function publishFrames({
  exchange = '',
  key,
  body,
  persistent,
  priority,
  delayed,
  grouped,
  keyed,
  valued,
  named,
}) {
  const kinds = [
    [delayed, DELAY_HEADERS],
    [grouped, GROUP_HEADERS],
    [keyed, KEY_HEADERS],
    [valued, VALUE_HEADERS],
    [named !== undefined, NAMED_HEADERS[named]],
  ];
  const headers = kinds.find(([asked]) => asked)?.[1] ?? null;
  const properties = headers === null ? [] : [headers];
  properties.push(Buffer.from([persistent ? 2 : 1]));
  if (priority !== undefined) properties.push(Buffer.from([priority]));
  const flags = 0x1000 | (priority === undefined ? 0 : 0x0800) | (headers === null ? 0 : 0x2000);
  const header = [u16(60), u16(0), u32(0), u32(body.length), u16(flags), ...properties];
  const frames = [
    method(
      CHANNEL,
      BASIC_PUBLISH,
      u16(0),
      shortString(exchange),
      shortString(key),
      Buffer.from([0]),
    ),
    frame(2, CHANNEL, Buffer.concat(header)),
  ];
  const partMax = FRAME_MAX - FRAME_EXTRA;
  for (let at = 0; at < body.length; at += partMax) {
    frames.push(frame(3, CHANNEL, body.subarray(at, at + partMax)));
  }
  const headerAt = frames[0].length + 7;
  return {
    frames: Buffer.concat(frames),
    bodyAt: frames[0].length + frames[1].length + 7,
    valueAt: headers === null ? -1 : headerAt + 14 + headers.length - 8,
  };
}

/** Publishes made once and sent again and again, each time with other numbers in their bodies. */
export class Batch {
  constructor(messages) {
    const made = messages.map(publishFrames);
    this.count = made.length;
    this.bytes = Buffer.concat(made.map(({ frames }) => frames));
    /** Whether the socket still reads from `bytes`. */
    this.busy = false;
    this.frameBytes = made.map(({ frames }) => frames.length);
    let start = 0;
    this.valuesAt = [];
    this.numbersAt = made.map(({ frames, bodyAt, valueAt }) => {
      const at = start + bodyAt;
      if (valueAt >= 0) this.valuesAt.push(start + valueAt);
      start += frames.length;
      return at;
    });
    /** When the message of a number is due, ms since the Unix epoch, where they are `delayed`; its group or key where they have one. */
    this.valueOf = (_n) => 0;
  }

  /** Numbers the bodies from `first` on; the answer is how many bytes the first `count` take. */
  number(first, count) {
    const { bytes, numbersAt } = this;
    for (let i = 0; i < count; i++) {
      const at = numbersAt[i];
      const n = first + i;
      bytes[at] = n >>> 24;
      bytes[at + 1] = n >>> 16;
      bytes[at + 2] = n >>> 8;
      bytes[at + 3] = n;
      if (this.valuesAt.length > 0) {
        bytes.writeBigInt64BE(BigInt(this.valueOf(n)), this.valuesAt[i]);
      }
    }
    if (count === this.count) return bytes.length;
    let end = 0;
    for (let i = 0; i < count; i++) end += this.frameBytes[i];
    return end;
  }
}

/** One connection with one channel. */
export class Wire {
  constructor(socket) {
    this.socket = socket;
    this.rest = Buffer.alloc(0);
    this.calls = [];
    /** How many publishes were confirmed without a gap, and those beyond a gap. */
    this.confirmed = 0;
    this.early = new Set();
    this.refused = 0;
    this.blocked = false;
    this.failure = null;
    this.settles = Buffer.alloc(SETTLE_BYTES_MAX);
    this.settlesEnd = 0;
    this.tag = 0;
    this.redelivered = false;
    this.bodyBytes = 0;
    this.bodyLeft = 0;
    /** Called with each message's tag, and where the first part of its body lies. */
    this.onMessage = (_tag, _redelivered, _bytes, _at, _bodyBytes) => {};
    /** Called with each part of a body. */
    this.onPart = null;
    this.onConfirm = () => {};
    this.onGetEmpty = () => {};
    this.onEnd = () => {};
    socket.on('data', (chunk) => this.read(chunk));
    socket.on('error', (error) => this.end(error));
    socket.on('close', () => this.end(new Error('the connection was closed')));
  }

  /** @param {{ port: number, host?: string, user: string, password: string, vhost: string }} broker */
  static async open({ port, host = '127.0.0.1', user, password, vhost }) {
    const socket = connect({ port, host, noDelay: true });
    const wire = new Wire(socket);
    await once(socket, 'connect');
    await wire.call(Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'));
    const login = [
      shortString('PLAIN'),
      longString(`\0${user}\0${password}`),
      shortString('en_US'),
    ];
    const able = Buffer.concat([shortString('connection.blocked'), Buffer.from('t\x01', 'latin1')]);
    const abilities = [shortString('capabilities'), Buffer.from('F'), u32(able.length), able];
    const properties = Buffer.concat(abilities);
    await wire.call(method(0, CONNECTION_START_OK, u32(properties.length), properties, ...login));
    wire.write(method(0, CONNECTION_TUNE_OK, u16(CHANNEL), u32(FRAME_MAX), u16(0)));
    await wire.call(method(0, CONNECTION_OPEN, shortString(vhost), Buffer.from([0, 0])));
    await wire.call(method(CHANNEL, CHANNEL_OPEN, Buffer.from([0])));
    return wire;
  }

  write(bytes, written) {
    if (this.failure === null) this.socket.write(bytes, written);
  }

  /** Sends a method and waits for its answer. */
  call(bytes) {
    return new Promise((resolve, reject) => {
      if (this.failure !== null) return reject(this.failure);
      this.calls.push({ resolve, reject });
      this.socket.write(bytes);
    });
  }

  confirmSelect() {
    return this.call(method(CHANNEL, CONFIRM_SELECT, Buffer.from([0])));
  }

  txSelect() {
    return this.call(method(CHANNEL, TX_SELECT));
  }

  txCommit() {
    return this.call(method(CHANNEL, TX_COMMIT));
  }

  txRollback() {
    return this.call(method(CHANNEL, TX_ROLLBACK));
  }

  qos(prefetch) {
    return this.call(method(CHANNEL, BASIC_QOS, u32(0), u16(prefetch), Buffer.from([0])));
  }

  consume(queue, { noAck = false, tag = '' } = {}) {
    const flags = Buffer.from([noAck ? 2 : 0]);
    const names = [u16(0), shortString(queue), shortString(tag)];
    return this.call(method(CHANNEL, BASIC_CONSUME, ...names, flags, NO_TABLE));
  }

  cancel(tag) {
    return this.call(method(CHANNEL, BASIC_CANCEL, shortString(tag), Buffer.from([0])));
  }

  /** Declares durable queues without waiting for each; the last is answered. */
  async declareDurable(names, fields = {}) {
    const declares = names.map((name, i) => {
      const flags = Buffer.from([i === names.length - 1 ? 2 : 2 | 16]);
      return method(CHANNEL, QUEUE_DECLARE, u16(0), shortString(name), flags, table(fields));
    });
    await this.call(Buffer.concat(declares));
  }

  bind(queue, exchange) {
    const names = [u16(0), shortString(queue), shortString(exchange), shortString('')];
    return this.call(method(CHANNEL, QUEUE_BIND, ...names, Buffer.from([0]), NO_TABLE));
  }

  get(queue, noAck) {
    this.write(
      method(CHANNEL, BASIC_GET, u16(0), shortString(queue), Buffer.from([noAck ? 1 : 0])),
    );
  }

  ack(tag, multiple) {
    this.settle(BASIC_ACK, tag, multiple ? 1 : 0);
  }

  reject(tag, requeue) {
    this.settle(BASIC_REJECT, tag, requeue ? 1 : 0);
  }

  /** Notes an answer to a delivery; it goes out at the end of the chunk that is being read. */
  settle(key, tag, flag) {
    if (this.settlesEnd + ACK_BYTES > SETTLE_BYTES_MAX) this.flush();
    const { settles, settlesEnd: at } = this;
    settles[at] = 1;
    settles.writeUInt16BE(CHANNEL, at + 1);
    settles.writeUInt32BE(13, at + 3);
    settles.writeUInt32BE(key, at + 7);
    settles.writeUInt32BE(Math.floor(tag / 2 ** 32), at + 11);
    settles.writeUInt32BE(tag >>> 0, at + 15);
    settles[at + 19] = flag;
    settles[at + 20] = 0xce;
    this.settlesEnd = at + ACK_BYTES;
  }

  flush() {
    if (this.settlesEnd === 0) return;
    const bytes = Buffer.from(this.settles.subarray(0, this.settlesEnd));
    this.settlesEnd = 0;
    this.write(bytes);
  }

  async close() {
    this.flush();
    if (this.failure === null) {
      const [code, text, blame] = [u16(200), shortString('bye'), u32(0)];
      await this.call(method(0, CONNECTION_CLOSE, code, text, blame)).catch(() => {});
    }
    this.socket.destroy();
  }

  end(error) {
    if (this.failure !== null) return;
    this.failure = error;
    for (const { reject } of this.calls.splice(0)) reject(error);
    this.onConfirm();
    this.onEnd();
  }

  read(chunk) {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (at + FRAME_EXTRA <= bytes.length) {
      const end = at + FRAME_EXTRA + bytes.readUInt32BE(at + 3);
      if (end > bytes.length) break;
      const type = bytes[at];
      if (type === 1) this.readMethod(bytes, at + 7);
      else if (type === 2) this.readHeader(bytes, at + 7);
      else if (type === 3) this.readBody(bytes, at + 7, end - 1);
      at = end;
    }
    this.rest = at === bytes.length ? bytes.subarray(0, 0) : bytes.subarray(at);
    this.flush();
  }

  readMethod(bytes, at) {
    const key = bytes.readUInt32BE(at);
    if (key === BASIC_DELIVER) {
      const tagAt = at + 5 + bytes[at + 4];
      this.tag = readTag(bytes, tagAt);
      this.redelivered = bytes[tagAt + 8] === 1;
    } else if (key === BASIC_ACK || key === BASIC_NACK) {
      if (key === BASIC_NACK) this.refused += 1;
      this.confirm(readTag(bytes, at + 4), (bytes[at + 12] & 1) === 1);
    } else if (key === BASIC_GET_OK) {
      this.tag = readTag(bytes, at + 4);
      this.redelivered = bytes[at + 12] === 1;
    } else if (key === BASIC_GET_EMPTY) this.onGetEmpty();
    else if (key === CONNECTION_BLOCKED) this.blocked = true;
    else if (key === CONNECTION_UNBLOCKED) {
      this.blocked = false;
      this.onConfirm();
    } else if (key === CONNECTION_CLOSE || key === CHANNEL_CLOSE) {
      const textAt = at + 7;
      const text = bytes.toString('utf8', textAt, textAt + bytes[at + 6]);
      this.end(new Error(`the broker closed: ${bytes.readUInt16BE(at + 4)} ${text}`));
      this.socket.destroy();
    } else this.calls.shift()?.resolve();
  }

  readHeader(bytes, at) {
    this.bodyBytes = readTag(bytes, at + 4);
    this.bodyLeft = this.bodyBytes;
    if (this.bodyLeft === 0) this.onMessage(this.tag, this.redelivered, bytes, at, 0);
  }

  readBody(bytes, start, end) {
    const first = this.bodyLeft === this.bodyBytes;
    this.bodyLeft -= end - start;
    if (this.onPart !== null) this.onPart(bytes, start, end);
    if (first) this.onMessage(this.tag, this.redelivered, bytes, start, this.bodyBytes);
  }

  confirm(tag, multiple) {
    if (multiple) this.confirmed = Math.max(this.confirmed, tag);
    else if (tag === this.confirmed + 1) this.confirmed = tag;
    else this.early.add(tag);
    while (this.early.size > 0 && this.early.delete(this.confirmed + 1)) this.confirmed += 1;
    this.onConfirm();
  }
}

function readTag(bytes, at) {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
