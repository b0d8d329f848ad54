// Owns the fuzzer: dialogues that are mutated, frames that are random, tables that lie, and a dialogue cut
// at every byte. The seed is the same in every run; `npm run fuzz -- bytes` takes others, and goes on longer.

import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import { Random } from '../amqp/random.ts';
import { encodeMethod, HEARTBEAT, typed } from '../support/amqp-wire.ts';
import { heldBytes, untilHeldBelow } from '../support/memory.ts';
import { PATIENCE_MS, SCRIPT_TIMEOUT_MS } from '../support/patience.ts';
import { HANG_UP, handshake, publication } from './scripted.ts';
import { type TestServer, useServers } from './support.ts';

const start = useServers();

/** The seed of every run that names no other. */
const SEED = Number(process.env['SEED'] ?? 20_261_125);
const DURATION_MS = Number(process.env['FUZZ_SECONDS'] ?? 3) * 1000;
const CASES_MIN = 1000;
/** Whether this is a long run: there memory and pauses are judged too. */
const LONG = process.env['FUZZ_SECONDS'] !== undefined;
const STALL_MS_MAX = 100;
const GROWTH_MIB_MAX = 96;
/** After so many cases the queues they left are deleted. */
const CLEANED_EVERY = 2_000;
const ABREAST = 12;
const HANG_MS = PATIENCE_MS;

const HEADERS = {
  text: 'text',
  yes: true,
  long: typed('l', 5),
  nested: { deeper: { deepest: typed('V', null) } },
  list: typed('A', [typed('I', 1), typed('S', 'two')]),
};

const REQUEST = { deliveryMode: 2, replyTo: 'amq.rabbitmq.reply-to', correlationId: 'c' };
const COPIES = { CC: ['fuzz-d', 'fuzz-own'], BCC: ['fuzz-d'], other: 1 };

/** A dialogue that touches nearly everything, frame by frame. */
function session(): Buffer[] {
  const q = 'fuzz';
  const own = 'fuzz-own';
  return [
    handshake(),
    ...[1, 2, 3, 4].map((channel) => encodeMethod(channel, 'channel.open')),
    encodeMethod(1, 'exchange.declare', { exchange: 'fuzz-x', type: 'topic', durable: true }),
    encodeMethod(1, 'exchange.declare', { exchange: 'fuzz-h', type: 'headers', autoDelete: true }),
    encodeMethod(1, 'queue.declare', {
      queue: q,
      arguments: { 'x-dead-letter-exchange': 'fuzz-x', 'x-dead-letter-routing-key': 'a.b' },
    }),
    encodeMethod(1, 'queue.declare', { queue: 'fuzz-d', durable: true, arguments: HEADERS }),
    encodeMethod(2, 'queue.declare', { queue: own, exclusive: true, autoDelete: true }),
    encodeMethod(1, 'queue.bind', { queue: q, exchange: 'fuzz-x', routingKey: 'a.#' }),
    encodeMethod(1, 'queue.bind', { queue: 'fuzz-d', exchange: 'fuzz-x', routingKey: '*.b' }),
    encodeMethod(1, 'queue.bind', {
      queue: q,
      exchange: 'fuzz-h',
      arguments: { 'x-match': 'any', text: 'text' },
    }),
    encodeMethod(1, 'exchange.bind', { destination: 'fuzz-h', source: 'fuzz-x', routingKey: '#' }),
    encodeMethod(2, 'basic.qos', { prefetchCount: 10 }),
    encodeMethod(2, 'confirm.select'),
    encodeMethod(2, 'basic.consume', { queue: q, consumerTag: 'one' }),
    encodeMethod(3, 'basic.consume', { queue: 'fuzz-d', consumerTag: 'two', noAck: true }),
    HEARTBEAT,
    encodeMethod(4, 'basic.consume', {
      queue: 'amq.rabbitmq.reply-to',
      consumerTag: 'replies',
      noAck: true,
    }),
    encodeMethod(4, 'tx.select'),
    publication(4, { routingKey: 'fuzz-d' }, REQUEST, Buffer.alloc(30, 4)),
    publication(
      4,
      { routingKey: q },
      { headers: COPIES, userId: 'guest' },
      Buffer.alloc(40_000, 5),
    ),
    encodeMethod(4, 'tx.commit'),
    encodeMethod(4, 'basic.get', { queue: 'fuzz-d' }),
    encodeMethod(4, 'basic.ack', { deliveryTag: 0, multiple: true }),
    publication(4, { routingKey: q }, { deliveryMode: 2 }, Buffer.alloc(100, 6)),
    encodeMethod(4, 'tx.rollback'),
    publication(2, { exchange: 'fuzz-x', routingKey: 'a.b' }, {}, Buffer.alloc(0)),
    publication(2, { routingKey: q }, { deliveryMode: 2, headers: HEADERS }, Buffer.alloc(100, 1)),
    publication(1, { routingKey: 'fuzz-d' }, { deliveryMode: 2 }, Buffer.alloc(9000, 2), 1000),
    publication(
      1,
      { exchange: 'fuzz-h', mandatory: true },
      { headers: HEADERS, expiration: '60000', priority: 3, timestamp: 5, replyTo: 'me' },
      Buffer.alloc(20_000, 3),
    ),
    encodeMethod(2, 'basic.ack', { deliveryTag: 1 }),
    encodeMethod(2, 'basic.nack', { deliveryTag: 2, requeue: true }),
    encodeMethod(2, 'basic.reject', { deliveryTag: 3, requeue: false }),
    encodeMethod(1, 'basic.get', { queue: own }),
    encodeMethod(1, 'basic.get', { queue: q, noAck: true }),
    encodeMethod(2, 'basic.ack', { deliveryTag: 0, multiple: true }),
    encodeMethod(2, 'basic.recover', { requeue: true }),
    encodeMethod(3, 'basic.cancel', { consumerTag: 'two' }),
    encodeMethod(1, 'queue.purge', { queue: q }),
    encodeMethod(1, 'queue.unbind', { queue: q, exchange: 'fuzz-x', routingKey: 'a.#' }),
    encodeMethod(3, 'channel.close', { replyCode: 200 }),
    encodeMethod(1, 'queue.delete', { queue: q }),
    HANG_UP,
  ];
}

const FRAMES = session();

function mutated(random: Random): Buffer {
  const frames = [...FRAMES];
  // Mostly the handshake stays as it is, or few cases would come further.
  const first = random.below(5) === 0 ? 0 : 1;
  for (let n = random.below(3); n > 0; n--) {
    const at = first + random.below(frames.length - first);
    const frame = frames[at] as Buffer;
    const kind = random.below(4);
    if (kind === 0) frames.splice(at, 0, frame);
    else if (kind === 1) frames.splice(at, 1);
    else if (kind === 2) frames.splice(first + random.below(frames.length - first), 0, frame);
    else frames[at] = frame.subarray(0, random.below(frame.length));
  }
  let bytes: Buffer = Buffer.concat(frames);
  const from = first === 0 ? 0 : (frames[0] as Buffer).length;
  const place = (): number => from + random.below(Math.max(1, bytes.length - from));
  for (let n = random.below(6); n > 0; n--) {
    const at = place();
    const kind = random.below(5);
    if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    else if (kind === 1) bytes[at] = random.below(2) === 0 ? 0 : 255;
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    else if (kind === 3) bytes = insert(bytes, at, random.bytes(1 + random.below(9)));
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(place())]);
  }
  return bytes;
}

/** A table that nests as deep, and lies about its length. */
function lyingTable(random: Random): Buffer {
  let table = Buffer.concat([Buffer.from('\x01kI'), random.bytes(4)]);
  for (let depth = random.below(random.below(4) === 0 ? 300 : 8); depth > 0; depth--) {
    const kind = random.below(3) === 0 ? 'A' : 'F';
    const inner = kind === 'A' ? Buffer.concat([Buffer.from('I'), random.bytes(4)]) : table;
    table = Buffer.concat([Buffer.from(`\x01k${kind}`), lengthOf(inner, random), inner]);
  }
  return Buffer.concat([lengthOf(table, random), table]);
}

/** The length of some bytes, mostly. */
function lengthOf(bytes: Buffer, random: Random): Buffer {
  const length = Buffer.alloc(4);
  const lie = random.pick([0, 1, bytes.length + 1, 0x7fff_ffff, 0xffff_ffff, bytes.length - 1]);
  length.writeUInt32BE(random.below(4) === 0 ? Math.max(0, lie) : bytes.length);
  return length;
}

/** Frames that are well formed, with anything in them, behind a handshake or without one. */
function randomFrames(random: Random): Buffer {
  const frames = random.below(4) === 0 ? [] : [FRAMES[0] as Buffer, FRAMES[1] as Buffer];
  for (let n = 1 + random.below(6); n > 0; n--) {
    const method = Buffer.alloc(4);
    method.writeUInt16BE(random.pick([10, 20, 40, 50, 60, 85, 90, random.below(65_536)]));
    method.writeUInt16BE(random.pick([10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 80, 90]), 2);
    const rest = random.bool() ? random.bytes(80) : lyingDeclaration(random);
    const payload = random.below(8) === 0 ? random.bytes(300) : Buffer.concat([method, rest]);
    const head = Buffer.alloc(7);
    head.writeUInt8(random.pick([1, 1, 1, 2, 3, 8, random.below(256)]));
    head.writeUInt16BE(random.pick([0, 1, 1, 2, random.below(65_536)]), 1);
    head.writeUInt32BE(payload.length, 3);
    frames.push(Buffer.concat([head, payload, Buffer.of(random.below(20) === 0 ? 0 : 0xce)]));
  }
  return Buffer.concat(frames);
}

/** What may follow the ids of queue.declare, with a table that lies. */
function lyingDeclaration(random: Random): Buffer {
  return Buffer.concat([Buffer.from('\x00\x00\x04fuzz\x00', 'latin1'), lyingTable(random)]);
}

/** Reply codes of connection.close and channel.close, as they are found in what a broker sends. */
function noteCloses(bytes: Buffer, codes: Map<number, number>): void {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at + 3);
    const payload = at + 7;
    const isClose =
      bytes[at] === 1 &&
      [0x000a_0032, 0x0014_0028].includes(size >= 6 ? bytes.readUInt32BE(payload) : 0);
    if (isClose) {
      const code = bytes.readUInt16BE(payload + 4);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    at = payload + size + 1;
  }
}

function insert(bytes: Buffer, at: number, what: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), what, bytes.subarray(at)]);
}

/** Sends the bytes in pieces, hangs up in one of several ways, waits for the broker to do the same. */
function converse(
  broker: TestServer,
  bytes: Buffer,
  random: Random,
  codes: Map<number, number>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(broker.endpoint.port, '127.0.0.1');
    const timer = setTimeout(() => reject(new Error('the broker does not hang up')), HANG_MS);
    const abrupt = random.below(4) === 0;
    const pieces = random.below(3) === 0 ? 1 : 1 + random.below(12);
    const received: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('close', () => {
      clearTimeout(timer);
      // A peer without a handshake is told the protocol: that is no frame.
      const all = Buffer.concat(received);
      if (all.length > 8 && all[0] === 1) noteCloses(all, codes);
      resolve();
    });
    const cuts = Array.from({ length: pieces - 1 }, () => random.below(bytes.length + 1));
    const ends = [...cuts.sort((a, b) => a - b), bytes.length];
    let from = 0;
    const sendNext = (): void => {
      const end = ends.shift();
      if (end === undefined || socket.destroyed) {
        if (abrupt) socket.destroy();
        else socket.end();
        return;
      }
      if (end > from) socket.write(bytes.subarray(from, end));
      from = end;
      setImmediate(sendNext);
    };
    socket.setNoDelay(true);
    socket.once('connect', sendNext);
  });
}

/** What the broker may close with: all codes of the specification but 541. */
const CODES = [311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540];

/** Deletes what cases left behind, and forgets lines of the log that are fine: those are no leaks. */
async function clean(broker: TestServer, spared: unknown): Promise<void> {
  const { vhosts } = broker.server.broker;
  const { sweeps } = broker.server.broker.core;
  for (const vhost of vhosts.values()) {
    for (const queue of [...vhost.queues.values()]) {
      if (queue.name !== spared) vhost.removeQueue(queue);
    }
    for (const exchange of [...vhost.exchanges.values()]) {
      const own = exchange.name === '' || exchange.name.startsWith('amq.');
      if (!own) vhost.as(ALL_RIGHTS).deleteExchange(exchange.name, false);
    }
  }
  const { lines } = broker;
  lines.splice(0, lines.length, ...lines.filter(({ level }) => level >= 50));
  while (sweeps.any) await new Promise((resolve) => setImmediate(resolve));
}

const heldMib = (): number => Math.round(heldBytes() / 2 ** 20);

test('a dialogue that is cut at any byte leaves nothing behind', {
  timeout: SCRIPT_TIMEOUT_MS,
}, async () => {
  const broker = await start({ handshakeTimeoutMs: 1000 });
  const bytes = Buffer.concat(FRAMES);
  const codes = new Map<number, number>();
  // Every byte of what is short, every 97th of the bodies.
  const cuts = Array.from({ length: bytes.length }, (_, at) => at).filter(
    (at) => at < 2_500 || at % 97 === 0,
  );
  const visit = async (): Promise<void> => {
    for (let at = cuts.pop(); at !== undefined; at = cuts.pop()) {
      await converse(broker, bytes.subarray(0, at), new Random(at), codes);
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, visit));
  for (const code of codes.keys()) expect(CODES).toContain(code);
  await broker.expectServing();
});

test('a mutated dialogue harms nobody but itself', {
  timeout: DURATION_MS + 4 * PATIENCE_MS,
}, async () => {
  const seed = SEED;
  const broker = await start({ handshakeTimeoutMs: 1000 });
  const bystander = await broker.open();
  const { queue } = await bystander.call(1, 'queue.declare', { exclusive: true });
  await bystander.call(1, 'basic.consume', { queue, noAck: true });

  const codes = new Map<number, number>();
  const memoryBefore = heldMib();
  const endMs = Date.now() + DURATION_MS;
  let next = 0;
  const visit = async (): Promise<void> => {
    while (Date.now() < endMs || next < CASES_MIN) {
      const number = next;
      next += 1;
      if (number % CLEANED_EVERY === 0) await clean(broker, queue);
      const random = new Random(seed + number);
      const bytes = random.below(4) === 0 ? randomFrames(random) : mutated(random);
      await converse(broker, bytes, random, codes).catch((error: unknown) => {
        throw new Error(`case ${number} of SEED=${seed}: ${bytes.toString('base64')}`, {
          cause: error,
        });
      });
    }
  };
  const visits = Promise.all(Array.from({ length: ABREAST }, visit));
  let finished = false;
  const watched = visits.finally(() => {
    finished = true;
  });
  let echoes = 0;
  let slowestMs = 0;
  while (!finished) {
    const sentMs = performance.now();
    bystander.publish(1, { routingKey: queue }, { deliveryMode: 2 }, Buffer.from(`echo ${echoes}`));
    const { body } = await bystander.message(1);
    expect(body.toString()).toBe(`echo ${echoes}`);
    echoes += 1;
    slowestMs = Math.max(slowestMs, performance.now() - sentMs);
  }
  await watched;
  const told = Object.fromEntries([...codes].sort(([a], [b]) => a - b));
  await clean(broker, queue);
  const grownMib = heldMib() - memoryBefore;
  console.log(
    `${next} cases from SEED=${seed}; ${echoes} echoes, the slowest after ${slowestMs.toFixed(1)} ms; ` +
      `${grownMib} MiB more in use; closes by code: ${JSON.stringify(told)}`,
  );
  // 541 is what a bug of ours looks like to a peer.
  for (const code of codes.keys())
    expect(CODES, 'a reply code of the specification').toContain(code);
  expect(codes.size, 'kinds of closes').toBeGreaterThan(5);
  if (LONG) {
    expect(slowestMs).toBeLessThan(STALL_MS_MAX);
    await untilHeldBelow((memoryBefore + GROWTH_MIB_MAX) * 2 ** 20);
  }
  expect(echoes).toBeGreaterThan(100);
  await broker.expectServing();
});
