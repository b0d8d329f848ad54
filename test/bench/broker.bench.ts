// Owns the benches of the broker without sockets: a queue's cycle, and the whole way of a message
// from the bytes of a publish to the bytes of a delivery.

import type { FieldTable } from '../../src/amqp/field-table.ts';
import { encodeMethodFrame } from '../../src/amqp/method-codec.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Consumer, type DeliveryChannel } from '../../src/broker/queue/consumer.ts';
import { PUSH_STORED } from '../../src/broker/queue/push-flags.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import { type CalledLines, SharedCredit } from '../../src/broker/queue/waiting-line.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';
import { NO_EXPIRY, writeRecordHead } from '../../src/message/record.ts';
import { viewOf } from '../../src/util/bytes.ts';
import { SimLink } from '../broker/peers.ts';
import { plain } from '../broker/plain-queue.ts';
import { publishFrames } from '../message/frames.ts';
import { type Bench, keep, type Run } from './kit.ts';
import { benchClock, chunkOf, ForgetfulStore, Loopback } from './loopback.ts';

const TURN_MESSAGES = 1_000;
const CHUNKS_PER_TURN = 4;
const NONE: FieldTable = new Map();
const ROUTED_BINDINGS = 10_000;
/** Positions past this one are no small integers for V8: a broker gets there after 2 GiB. */
const LATE_SEGMENT = 100_000;

interface Bare {
  readonly broker: Broker;
  readonly store: ForgetfulStore;
  readonly queues: Queue[];
}

function bare(count: number, durable: boolean, late: boolean): Bare {
  const store = new ForgetfulStore();
  const broker = new Broker(store, benchClock, {
    turnWanted: () => {},
    durable: () => {},
    connectionsForced: () => {},
  });
  if (late) broker.core.log['nextId'] = LATE_SEGMENT;
  broker.recover({ vhost: '/', user: null });
  const vhost = broker.vhost('/');
  const queues = Array.from({ length: count }, (_, n) => {
    const declaration = { name: `q${n}`, durable, autoDelete: false, owner: null, arguments: NONE };
    return plain(vhost.as(ALL_RIGHTS, store).declareQueue(declaration));
  });
  return { broker, store, queues };
}

/** Copies one record into the log for all queues. */
function publisher({ broker, queues }: Bare, stored: boolean): () => void {
  const body = Buffer.alloc(16, 7);
  const record = publishFrames(1, { exchange: '', routingKey: 'queue', properties: {}, body });
  const view = viewOf(record);
  writeRecordHead(view, 0, 0, 0, 1_700_000_000_000, NO_EXPIRY);
  const { log } = broker.core;
  const flags = stored ? PUSH_STORED : 0;
  return () => {
    const position = log.append(record, view, 0, record.length, stored);
    log.placed.addRefs(queues.length, 16);
    for (let i = 0; i < queues.length; i++) (queues[i] as Queue).push(position, 16, flags);
  };
}

/** Messages are pushed, taken one by one as basic.get does, and settled. */
function takeCycle(stored: boolean, late = false): Run {
  const all = bare(1, stored, late);
  const publish = publisher(all, stored);
  const queue = all.queues[0] as Queue;
  return (count) => {
    for (let left = count; left > 0; left -= TURN_MESSAGES) {
      const messages = Math.min(left, TURN_MESSAGES);
      for (let i = 0; i < messages; i++) publish();
      for (let i = 0; i < messages; i++) {
        const taken = queue.take();
        if (taken !== null) queue.settle(taken.seq);
      }
      all.broker.core.deliver();
      all.broker.core.seal();
      all.store.sync();
    }
    keep(queue.readyCount);
  };
}

/** A channel that settles everything at the end of the turn. */
class SettlingChannel implements DeliveryChannel {
  readonly link: SimLink;
  readonly credit: SharedCredit;
  readonly grants = { reads: () => true };
  delivered = 0;
  private readonly seqs = new Float64Array(8_192);
  private count = 0;

  constructor(lines: CalledLines) {
    this.link = new SimLink(lines);
    this.credit = new SharedCredit(lines);
  }

  details(): never {
    throw new Error('nobody asks for it');
  }

  deliver(_consumer: Consumer, _queue: Queue, seq: number, position: number): void {
    this.seqs[this.count] = seq;
    this.count += 1;
    this.delivered += position > 0 ? 1 : 0;
  }

  deliverEntry(): never {
    throw new Error('no stream is read here');
  }

  timeoutChanged(): void {}

  consumerGone(): void {}

  settle(queue: Queue): void {
    for (let i = 0; i < this.count; i++) queue.settle(this.seqs[i] as number);
    this.count = 0;
  }
}

/** Messages are pushed, delivered to consumers and settled; `seal` puts them to disk in between. */
function deliverCycle(queueCount: number, stored: boolean, seal: boolean, late = false): Run {
  const all = bare(queueCount, stored, late);
  const publish = publisher(all, stored);
  const channels = all.queues.map((queue) => {
    const channel = new SettlingChannel(all.broker.core.lines);
    queue.addConsumer(new Consumer(queue, channel, 'tag', false, false, 0, NONE));
    return channel;
  });
  const perTurn = TURN_MESSAGES / queueCount;
  let owed = 0;
  return (count) => {
    for (owed += count; owed >= TURN_MESSAGES; owed -= TURN_MESSAGES) {
      for (let i = 0; i < perTurn; i++) publish();
      all.broker.core.deliver();
      if (seal) {
        all.broker.core.seal();
        all.store.sync();
      }
      for (let i = 0; i < queueCount; i++) channels[i]?.settle(all.queues[i] as Queue);
      all.broker.core.seal();
      all.store.sync();
    }
    keep(channels[0]?.delivered);
  };
}

interface Way {
  readonly bodyBytes: number;
  readonly queues?: number;
  readonly persistent?: boolean;
  readonly confirms?: boolean;
  /** Deliveries per basic.ack; 0: the consumers are no-ack. */
  readonly ackEvery?: number;
  readonly late?: boolean;
  /** Publish to an exchange of this type with ROUTED_BINDINGS bindings, one for each key. */
  readonly exchange?: 'direct' | 'topic';
}

/** A key of five words, each unlike the others. */
function fiveWords(n: number): string {
  return `shop${n % 10}.order${Math.floor(n / 10) % 100}.item${Math.floor(n / 1000)}.paid.eu`;
}

/** Binds a queue by each key, as it stands for direct and with a wildcard in it for topic. */
function bindAll(loopback: Loopback, type: 'direct' | 'topic', queue: string): void {
  const vhost = loopback.server.broker.vhosts.get('/') as Vhost;
  const declaration = { durable: false, autoDelete: false, internal: false, arguments: NONE };
  vhost.as(ALL_RIGHTS).declareExchange({ name: 'routed', type, ...declaration });
  const exchange = vhost.exchange('routed');
  const target = vhost.queues.get(queue) as Queue;
  for (let n = 0; n < ROUTED_BINDINGS; n++) {
    const key = fiveWords(10_000 + n);
    vhost.bindings.bind(
      exchange,
      target,
      type === 'direct' ? key : key.replace('.paid.', '.*.'),
      NONE,
    );
  }
}

/** Chunks of publishes in, deliver frames out, acks in. */
function wholeWay(way: Way): Run {
  const { bodyBytes, queues = 1, persistent = false, confirms = false, ackEvery = 0 } = way;
  const loopback = new Loopback();
  const { log } = loopback.server.broker.core;
  if (way.late === true) log['nextId'] = LATE_SEGMENT;
  const [source, target] = [loopback.connect(), loopback.connect()];
  if (confirms) loopback.call(source, 1, 'confirm.select', { noWait: false });
  for (let n = 0; n < queues; n++) {
    loopback.declare(target, `queue-${n}`, persistent);
    loopback.consume(target, `queue-${n}`, ackEvery === 0);
  }
  const { exchange } = way;
  if (exchange !== undefined) bindAll(loopback, exchange, 'queue-0');
  const templates = Array.from({ length: CHUNKS_PER_TURN }, (_, chunk) =>
    chunkOf((n) => ({
      exchange: exchange === undefined ? '' : 'routed',
      routingKey:
        exchange === undefined ? `queue-${n % queues}` : fiveWords(10_000 + n * 9 + chunk),
      properties: { deliveryMode: persistent ? 2 : 1 },
      body: Buffer.alloc(bodyBytes, 7),
    })),
  );
  const template = templates[0] as (typeof templates)[0];
  // The broker owns and keeps a chunk until its messages are settled: then it is used again here.
  const chunks = templates.map(({ bytes }) => Buffer.from(bytes));
  const perTurn = CHUNKS_PER_TURN * template.count;
  const ack = encodeMethodFrame(1, 'basic.ack', { deliveryTag: 0, multiple: true });
  const acks = Buffer.alloc(ackEvery === 0 ? 0 : (Math.ceil(perTurn / ackEvery) + 1) * ack.length);
  const before = target.bytes;
  let delivered = 0;
  let acked = 0;
  let owed = 0;
  const turn = (): void => {
    for (let i = 0; i < chunks.length; i++) {
      const chunk = chunks[i] as Buffer;
      templates[i]?.bytes.copy(chunk);
      loopback.feed(source, chunk);
    }
    delivered += perTurn;
    loopback.turn();
    loopback.turn();
    if (ackEvery === 0) return;
    let end = 0;
    while (acked < delivered) {
      acked = Math.min(delivered, acked + ackEvery);
      ack.copy(acks, end);
      acks.writeUInt32BE(Math.floor(acked / 2 ** 32), end + 11);
      acks.writeUInt32BE(acked % 2 ** 32, end + 15);
      end += ack.length;
    }
    loopback.feed(target, acks.subarray(0, end));
    loopback.turn();
  };
  turn();
  const queue = loopback.server.broker.vhosts.get('/')?.queues.get('queue-0') as Queue;
  if (target.bytes - before < perTurn * bodyBytes || queue.readyCount + queue.unackedCount > 0) {
    throw new Error('not everything was delivered and settled within a turn');
  }
  return (count) => {
    for (owed += count; owed >= perTurn; owed -= perTurn) turn();
    keep(target.bytes);
  };
}

export const queueBenches: readonly Bench[] = [
  { name: 'push, take, settle', prepare: () => takeCycle(false) },
  { name: 'push, take, settle, after 2 GiB', prepare: () => takeCycle(false, true) },
  { name: 'push, take, settle, stored but gone', prepare: () => takeCycle(true) },
  { name: 'push, deliver, settle', prepare: () => deliverCycle(1, false, false) },
  {
    name: 'push, deliver, settle, after 2 GiB',
    prepare: () => deliverCycle(1, false, false, true),
  },
  { name: 'push, deliver, seal, settle, stored', prepare: () => deliverCycle(1, true, true) },
  { name: 'fan-out to 100 queues, per delivery', prepare: () => deliverCycle(100, false, false) },
];

export const wayBenches: readonly Bench[] = [
  { name: '16 B, no-ack', prepare: () => wholeWay({ bodyBytes: 16 }) },
  { name: '16 B, no-ack, after 2 GiB', prepare: () => wholeWay({ bodyBytes: 16, late: true }) },
  { name: '16 B, ack every 100', prepare: () => wholeWay({ bodyBytes: 16, ackEvery: 100 }) },
  {
    name: '100 B, one key after another of 50, ack every 50',
    prepare: () => wholeWay({ bodyBytes: 100, queues: 50, ackEvery: 50 }),
  },
  {
    name: '16 B, no-ack, direct, 10,000 bindings, 2,000 keys in turn',
    prepare: () => wholeWay({ bodyBytes: 16, exchange: 'direct' }),
  },
  {
    name: '16 B, no-ack, topic, 10,000 bindings, 2,000 keys in turn',
    prepare: () => wholeWay({ bodyBytes: 16, exchange: 'topic' }),
  },
  { name: '16 B, ack each', prepare: () => wholeWay({ bodyBytes: 16, ackEvery: 1 }) },
  { name: '1 KiB, no-ack', prepare: () => wholeWay({ bodyBytes: 1_024 }) },
  {
    name: '16 B, stored, confirmed, ack every 100',
    prepare: () => wholeWay({ bodyBytes: 16, persistent: true, confirms: true, ackEvery: 100 }),
  },
  {
    name: '1 KiB, stored, confirmed, ack every 50',
    prepare: () => wholeWay({ bodyBytes: 1_024, persistent: true, confirms: true, ackEvery: 50 }),
  },
];
