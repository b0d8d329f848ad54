// Owns the two ends of the simulation's clients: a publisher that sends frames cut anywhere, and a
// channel that is delivered to. Never opens a socket, never compares.

import type { Field } from '../../src/amqp/field-table.ts';
import { WIRE_LIMITS } from '../../src/amqp/table-limits.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { Consumer, DeliveryChannel } from '../../src/broker/queue/consumer.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import {
  type CalledLines,
  type DeliveryLink,
  LinkLine,
  SharedCredit,
} from '../../src/broker/queue/waiting-line.ts';
import { MessageCounts } from '../../src/broker/stats/counts.ts';
import { finish, type Steps } from '../../src/broker/turn/slices.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';
import type { Chunk } from '../../src/message/chunk.ts';
import {
  AllUnfinishedBytes,
  UnfinishedBytes,
} from '../../src/server/backpressure/unfinished-bytes.ts';
import { Confirms } from '../../src/server/channel/publish/confirms.ts';
import { Publisher } from '../../src/server/channel/publish/publisher.ts';
import type {
  AckedDeliveries,
  PublisherChannel,
} from '../../src/server/channel/publish/publisher-channel.ts';
import { type CommitOutcome, Transaction } from '../../src/server/channel/publish/transaction.ts';
import { TakenBack } from '../../src/server/channel/taken-back.ts';
import { FrameReader, type FrameSink } from '../../src/server/wire/frame-reader.ts';
import { publishFrames } from '../message/frames.ts';
import type { Entry, Message, ModelQueue } from './model.ts';
import type { Claim } from './model-publishers.ts';

/** As much as one read of a socket brings. */
const CHUNK_BYTES_MAX = 65_536;
const LIMITS = { ...WIRE_LIMITS, maxMessageBytes: 16 * 1024 * 1024 };

function integerField(value: number): Field {
  return { type: 'I', value };
}

/** The headers of a message that is numbered by its publisher. */
export function claimHeaders({ name, id, expected }: Claim): [string, Field][] {
  const headers: [string, Field][] = [
    ['x-stream-publisher', { type: 'S', value: name }],
    ['x-stream-publishing-id', integerField(id)],
  ];
  if (expected !== null) headers.push(['x-stream-expected-id', integerField(expected)]);
  return headers;
}

/** A connection with one channel in confirm mode, as far as publishing goes. */
export class SimPublisher implements FrameSink, PublisherChannel {
  frameMax = 131_072;
  paused = false;
  readonly number = 1;
  readonly counts = new MessageCounts();
  readonly connectionName = 'simulated';
  readonly userName = 'guest';
  transaction: Transaction | null = null;
  /** What its transaction holds. */
  readonly staged: Message[] = [];
  readonly replyQueue = null;
  /** Those that its publishes may ack. */
  deliveries: AckedDeliveries | null = null;
  /** Those that the publish acks which the broker takes in now. */
  acking: readonly Delivery[] = [];
  readonly leases = null;
  readonly confirms = new Confirms();
  /** For each publish that waits for a batch: its number and that batch. */
  readonly waits: { readonly number: number; readonly batch: number }[] = [];
  /** The number of the next publish that arrives. */
  waitsFrom = 1;
  /** Every publish up to this number is confirmed or refused. */
  confirmed = 0;
  /** Numbers of publishes that are refused, and those of them that were nacked. */
  readonly refused = new Set<number>();
  readonly nacked = new Set<number>();
  readonly grants = null;
  readonly holdings: UnfinishedBytes;
  private readonly publisher: Publisher;
  private readonly reader: FrameReader;
  private readonly sent: { readonly message: Message; readonly acks: readonly Delivery[] }[] = [];
  private readonly onPublish: (message: Message) => void;
  private unread: Buffer = Buffer.alloc(0);

  /** `onPublish` is told of each message just before the broker takes it in. */
  constructor(broker: Broker, vhost: Vhost, onPublish: (message: Message) => void) {
    this.onPublish = onPublish;
    this.holdings = new UnfinishedBytes(new AllUnfinishedBytes(broker.core));
    this.publisher = new Publisher(broker.core, vhost, this, LIMITS);
    this.reader = new FrameReader(this, broker.core.log);
  }

  get unreadBytes(): number {
    return this.unread.length;
  }

  /** Puts a message on the wire, which acks deliveries. */
  send(message: Message, bodyFrameMax: number, acks: readonly Delivery[] = []): void {
    const { exchange, routingKey, body, persistent, priority, ttlMs, delayMs, group } = message;
    const headers = new Map<string, Field>(
      message.claim === null ? [] : claimHeaders(message.claim),
    );
    if (delayMs > 0) headers.set('x-delay', integerField(delayMs));
    if (group !== null) {
      headers.set('group', { type: 'S', value: group });
      headers.set('id', integerField(message.id));
    }
    if (message.key !== null) {
      headers.set('x-deduplication-header', { type: 'S', value: message.key });
    }
    if (message.keyTtlMs !== null) headers.set('x-cache-ttl', integerField(message.keyTtlMs));
    const tags = acks.map(({ tag }) => integerField(tag));
    const [only] = tags;
    if (only !== undefined) {
      headers.set('x-ack-delivery-tag', tags.length === 1 ? only : { type: 'A', value: tags });
    }
    const properties = {
      ...(persistent ? { deliveryMode: 2 } : {}),
      ...(priority === null ? {} : { priority }),
      ...(ttlMs === Infinity ? {} : { expiration: String(ttlMs) }),
      ...(headers.size === 0 ? {} : { headers }),
    };
    const publish = { exchange, routingKey, body, properties };
    this.unread = Buffer.concat([this.unread, publishFrames(1, publish, bodyFrameMax)]);
    this.sent.push({ message, acks });
  }

  /** What it publishes waits for its commit from now on. */
  begin(): void {
    this.transaction = new Transaction(LIMITS.maxMessageBytes, this.holdings);
  }

  /** `onPublish` is told of each message just before the broker takes it in. */
  commit(onPublish: (message: Message) => void): CommitOutcome {
    const transaction = this.transaction as Transaction;
    const { publishes } = transaction;
    this.transaction = null;
    transaction.clear();
    const outcome = { stored: false, refused: false };
    for (const held of publishes) {
      onPublish(this.staged.shift() as Message);
      const steps = this.publisher.publishHeld(held, false, outcome);
      if (steps !== null) finish(steps);
    }
    return outcome;
  }

  /** Lets the broker read the next bytes. */
  feed(bytes: number): void {
    const length = Math.min(bytes, CHUNK_BYTES_MAX, this.unread.length);
    const chunk = Buffer.allocUnsafeSlow(length);
    this.unread.copy(chunk, 0, 0, length);
    this.unread = this.unread.subarray(length);
    this.reader.feed(chunk);
  }

  wholePublish(
    _channel: number,
    chunk: Chunk,
    start: number,
    addressEnd: number,
    headerFrame: number,
    end: number,
  ): boolean {
    if (this.publisher.assembly.underWay) return false;
    this.announce();
    this.publisher.publish(chunk, start, addressEnd, headerFrame, end);
    return true;
  }

  methodFrame(_channel: number, bytes: Buffer, start: number, end: number): void {
    this.publisher.assembly.begin(bytes, start, end);
  }

  headerFrame(_channel: number, bytes: Buffer, start: number, end: number): void {
    if (this.publisher.assembly.header(bytes, start, end)) this.publishAssembled();
  }

  bodyPart(_channel: number, bytes: Buffer, start: number, end: number): void {
    if (this.publisher.assembly.body(bytes, start, end)) this.publishAssembled();
  }

  private publishAssembled(): void {
    this.announce();
    this.publisher.publishAssembled();
  }

  private announce(): void {
    const { message, acks } = this.sent.shift() as (typeof this.sent)[number];
    this.acking = acks;
    this.onPublish(message);
  }

  heartbeatFrame(): void {}

  returnUnroutable(): void {}

  act(steps: Steps, then: () => void): void {
    finish(steps);
    then();
  }

  rest(): void {}

  confirmsChanged(): void {}
}

/** A delivery that is not settled. */
export interface Delivery {
  readonly tag: number;
  readonly queue: Queue;
  readonly modelQueue: ModelQueue;
  readonly entry: Entry;
  readonly seq: number;
  /** Null for one taken as basic.get takes it. */
  readonly consumer: Consumer | null;
}

/** What the simulation is told of a delivery. */
export type OnDelivery = (
  channel: SimChannel,
  consumer: Consumer,
  queue: Queue,
  seq: number,
  position: number,
  redelivered: boolean,
) => void;

/** A connection whose socket a test fills and empties. */
export class SimLink implements DeliveryLink {
  /** Whether the socket takes nothing. */
  stuck = false;
  full = false;
  readonly line: LinkLine;
  activeQueues = 0;

  constructor(lines: CalledLines) {
    this.line = new LinkLine(lines, this);
  }

  reopen(): void {
    this.full = this.stuck;
  }

  fill(): void {
    this.stuck = true;
    this.full = true;
  }

  /** The socket has taken all. */
  drain(): void {
    this.stuck = false;
    this.full = false;
    this.line.call();
  }
}

/** A channel that keeps what it is given. */
export class SimChannel implements DeliveryChannel {
  readonly link: SimLink;
  readonly credit: SharedCredit;
  readonly grants = { reads: () => true };
  readonly consumers: Consumer[] = [];
  readonly unacked: Delivery[] = [];
  /** Deliveries whose message was given to others. */
  readonly late: Delivery[] = [];
  private readonly takenBack = new TakenBack((consumer) => this.giveBack(consumer));
  private readonly onDelivery: OnDelivery;

  constructor(lines: CalledLines, onDelivery: OnDelivery, link = new SimLink(lines)) {
    this.link = link;
    this.credit = new SharedCredit(lines);
    this.onDelivery = onDelivery;
  }

  details(): never {
    throw new Error('nobody asks for it');
  }

  deliver(
    consumer: Consumer,
    queue: Queue,
    seq: number,
    position: number,
    redelivered: boolean,
  ): void {
    this.onDelivery(this, consumer, queue, seq, position, redelivered);
  }

  deliverEntry(): never {
    throw new Error('no stream is read here');
  }

  consumerGone(consumer: Consumer): void {
    this.leaves(consumer);
    this.consumers.splice(this.consumers.indexOf(consumer), 1);
  }

  timeoutChanged(): void {}

  /** A consumer of it ends: its queue waits for this channel no more. */
  leaves({ queue }: Consumer): void {
    this.credit.leave(queue);
    this.link.line.leave(queue);
  }

  /** Takes a delivery off and gives its credit back. */
  release(delivery: Delivery): void {
    this.unacked.splice(this.unacked.indexOf(delivery), 1);
    const { consumer } = delivery;
    if (consumer === null) return;
    delivery.modelQueue.consumers.late.settled(consumer);
    this.giveBack(consumer);
  }

  /** The lease of a delivery is over: it keeps its place, if its consumer is there. */
  takeBack(delivery: Delivery): void {
    const { tag, queue, modelQueue, consumer } = delivery;
    this.unacked.splice(this.unacked.indexOf(delivery), 1);
    this.late.push(delivery);
    const stays = consumer !== null && this.consumers.includes(consumer);
    if (stays) modelQueue.consumers.late.fellBehind(consumer);
    this.takenBack.add(tag, queue, stays ? consumer : null);
    if (consumer !== null && !stays) this.giveBack(consumer);
  }

  /** It is settled late. */
  settleLate(delivery: Delivery): void {
    const { tag, modelQueue, consumer } = delivery;
    this.late.splice(this.late.indexOf(delivery), 1);
    if (consumer !== null) modelQueue.consumers.late.settledLate(consumer);
    this.takenBack.settled(tag);
  }

  /** The channel ends: all places are free. */
  endLeases(): void {
    this.takenBack.freeAll();
    this.late.length = 0;
  }

  private giveBack(consumer: Consumer): void {
    consumer.unacked -= 1;
    this.credit.giveBack();
    consumer.queue.wake();
  }
}
