// Owns one channel: its consumers, what is sent to them, its prefetch limits, confirms and commits.
// Never reads frames; the handlers and the publisher do.

import { BASIC_ACK, BASIC_CANCEL, BASIC_DELIVER, BASIC_NACK } from '../../amqp/constants.ts';
import { AmqpError } from '../../amqp/errors.ts';
import { encodeMethodFrame } from '../../amqp/method-codec.ts';
import type { MethodFields, MethodName } from '../../amqp/spec.ts';
import type { Grants } from '../../broker/access/grants.ts';
import type { BrokerCore } from '../../broker/core/core.ts';
import {
  type ChannelDetails,
  Consumer,
  type ConsumerSource,
  type DeliveryChannel,
} from '../../broker/queue/consumer.ts';
import type { TakenEntry } from '../../broker/queue/messages/queue-entries.ts';
import { SharedCredit } from '../../broker/queue/waiting-line.ts';
import { MessageCounts } from '../../broker/stats/counts.ts';
import type { ChangeLine } from '../../broker/turn/change-line.ts';
import type { Steps } from '../../broker/turn/slices.ts';
import type { LongAct } from '../../broker/vhost/unbinding.ts';
import type { Vhost } from '../../broker/vhost/vhost.ts';
import type { Chunk } from '../../message/chunk.ts';
import { positionOf } from '../../message/log/segment.ts';
import type { UnfinishedBytes } from '../backpressure/unfinished-bytes.ts';
import { CHANNEL_CLOSED, CHANNEL_OPEN_STATE } from '../states.ts';
import {
  asBytes,
  type Bytes,
  deliverPrefix,
  writeConfirm,
  writeDelivery,
} from '../wire/content-writer.ts';
import {
  type SeenMessage,
  seeCounted,
  writeGetOk,
  writeReturn,
  writeSeenDelivery,
} from '../wire/message-writer.ts';
import type { Outbox } from '../wire/outbox.ts';
import { seeEntry, writeEntry } from '../wire/stream-writer.ts';
import { CancelNotices } from './cancel-notices.ts';
import type { ChannelConnection } from './channel-connection.ts';
import { channelDetails } from './channel-details.ts';
import { consumersByQueue } from './consumers-by-queue.ts';
import { Deliveries } from './deliveries.ts';
import { Leases } from './leases.ts';
import { Confirms } from './publish/confirms.ts';
import { Publisher, type PublishLimits } from './publish/publisher.ts';
import type { PublisherChannel } from './publish/publisher-channel.ts';
import { type CommitOutcome, type HeldPublish, Transaction } from './publish/transaction.ts';
import { traceDelivery } from './trace.ts';
import type { Unacked } from './unacked.ts';

/** Publishes of a commit between two moments at which others may have their turn. */
const PUBLISHES_PER_STEP = 16;

/** What a channel is made of; a broker for tests has parts with faults. */
export interface ChannelParts {
  deliveries(channel: Channel, line: ChangeLine): Deliveries;
  publisher(core: BrokerCore, vhost: Vhost, channel: Channel, limits: PublishLimits): Publisher;
}

const SOUND_PARTS: ChannelParts = {
  deliveries: (channel, line) => new Deliveries(channel, line),
  publisher: (...of) => new Publisher(...of),
};

/** One channel of a connection. */
export class Channel implements DeliveryChannel, PublisherChannel {
  readonly number: number;
  readonly connection: ChannelConnection;
  readonly link: Outbox;
  readonly grants: Grants;
  readonly holdings: UnfinishedBytes;
  readonly vhost: Vhost;
  readonly publisher: Publisher;
  readonly counts = new MessageCounts();
  readonly consumers = new Map<string, Consumer>();
  /** What it has delivered and not settled. */
  readonly deliveries: Deliveries;
  /** The queue of its consumer of replies, if it has one. */
  replyQueue: ConsumerSource | null = null;
  private readonly unacked: Unacked;
  /** How long it may keep that. */
  readonly leases: Leases;
  state = CHANNEL_OPEN_STATE;
  /** The limit for each consumer to come (`basic.qos`); 0: none. */
  prefetch = 0;
  readonly credit: SharedCredit;
  confirms: Confirms | null = null;
  /** What waits for tx.commit, or null unless the channel is in transaction mode. */
  transaction: Transaction | null = null;
  /** Whether the server has it on its list of channels with confirms to send. */
  confirmsListed = false;
  /** The queue declared last, which an empty queue name stands for. */
  currentQueue = '';
  /** What the client is told of consumers that the broker ends. */
  readonly notices = new CancelNotices(this);
  private readonly prefixes = new Map<Consumer, Bytes>();
  private prefixOwner: Consumer | null = null;
  private prefix: Bytes = asBytes(Buffer.alloc(0));

  constructor(
    number: number,
    connection: ChannelConnection,
    holdings: UnfinishedBytes,
    parts = SOUND_PARTS,
  ) {
    this.number = number;
    this.holdings = holdings;
    this.connection = connection;
    this.link = connection.outbox;
    this.grants = connection.grants;
    const { core, vhost, settings } = connection;
    this.vhost = vhost;
    this.credit = new SharedCredit(core.lines);
    this.deliveries = parts.deliveries(this, core.line);
    this.unacked = this.deliveries.unacked;
    this.leases = new Leases(this);
    this.publisher = parts.publisher(core, vhost, this, settings);
  }

  act(steps: Steps, then: () => void = () => {}, whole = false, key = 0): void {
    this.connection.acts.act(steps, this.number, key, then, whole);
  }

  rest(): void {
    this.connection.acts.rest();
  }

  get connectionName(): string {
    return this.connection.name;
  }

  details(): ChannelDetails {
    return channelDetails(this.connection.facts, this.userName, this.number, this.vhost.nodeName);
  }

  get userName(): string {
    return this.connection.user.name;
  }

  /** Sends a method on this channel. */
  send<N extends MethodName>(name: N, fields: MethodFields<N>): void {
    this.link.append(encodeMethodFrame(this.number, name, fields));
  }

  // --- deliveries ---

  deliver(
    consumer: Consumer,
    queue: ConsumerSource,
    seq: number,
    position: number,
    redelivered: boolean,
  ): void {
    const { core, peerFrameMax } = this.connection;
    const segment = core.log.readable(position);
    const returns = redelivered ? queue.returnsOf(seq) : 0;
    const seen = returns > 0 ? seeCounted(core.log, position, returns) : null;
    // All that can fail over this message has been done: from here on it is delivered.
    core.line.begin();
    if (this.vhost.firehose !== null) traceDelivery(this, queue, position, redelivered);
    let tag: number;
    if (consumer.noAck) {
      tag = this.unacked.skip();
      this.counts.deliveredNoAck += 1;
    } else {
      tag = this.unacked.add(queue, consumer, seq);
      this.credit.unacked += 1;
      this.counts.delivered += 1;
    }
    if (redelivered) this.counts.redelivered += 1;
    const prefix = this.prefixOf(consumer);
    if (seen !== null) {
      writeSeenDelivery(this, prefix.bytes, tag, true, seen);
    } else {
      const record = position - positionOf(segment.id, 0);
      const { link, number } = this;
      writeDelivery(link, prefix, number, peerFrameMax, tag, redelivered, segment, record);
    }
    core.line.end();
  }

  deliverEntry(
    consumer: Consumer,
    source: ConsumerSource,
    seq: number,
    position: number,
    offset: number,
    partition: number,
  ): void {
    const { core } = this.connection;
    const segment = core.log.readable(position);
    const record = position - positionOf(segment.id, 0);
    const seen = seeEntry(core.log, segment, position, record, offset, partition);
    // All that can fail over this message has been done: from here on it is delivered.
    core.line.begin();
    if (this.vhost.firehose !== null) {
      traceDelivery(this, source, position, false, offset, partition);
    }
    const tag = this.unacked.add(source, consumer, seq);
    this.credit.unacked += 1;
    this.counts.delivered += 1;
    const prefix = this.prefixOf(consumer);
    writeEntry(this, prefix, tag, seen, segment, record, offset, partition);
    core.line.end();
  }

  /** How every deliver frame of a consumer begins. */
  private prefixOf(consumer: Consumer): Bytes {
    if (this.prefixOwner !== consumer) {
      this.prefixOwner = consumer;
      this.prefix = this.prefixes.get(consumer) as Bytes;
    }
    return this.prefix;
  }

  /** Sends basic.get-ok for a message just taken from a queue, and read by `seeGot`. */
  deliverGet(queue: ConsumerSource, entry: TakenEntry, noAck: boolean, seen: SeenMessage): void {
    const { line } = this.connection.core;
    const { seq, position, redelivered } = entry;
    line.begin();
    this.counts.countGet(entry, noAck);
    if (this.vhost.firehose !== null) traceDelivery(this, queue, position, redelivered);
    const tag = noAck ? this.unacked.skip() : this.unacked.add(queue, null, seq);
    writeGetOk(this, tag, queue, entry, seen);
    if (!noAck) this.leases.timeouts.expect(null, queue);
    else queue.settleGet(seq);
    line.end();
  }

  returnUnroutable(chunk: Chunk, record: number): void {
    writeReturn(this, chunk, record);
  }

  // --- transactions ---

  /** Starts transaction mode; doing so again changes nothing. */
  selectTransactions(bytesMax: number): void {
    if (this.confirms !== null) {
      throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from confirm to tx mode');
    }
    this.transaction ??= new Transaction(bytesMax, this.holdings);
  }

  /**
   * Applies all that a transaction holds, step by step, publishes first, and empties it. Notes whether the
   * disk has to know of it, and whether a queue was too full, with all else applied.
   */
  *committing(transaction: Transaction, outcome: CommitOutcome): Steps {
    const { publishes, tags, ways } = transaction;
    const settles = transaction.settled.size > 0;
    const { line } = this.connection.core;
    line.begin();
    this.deliveries.promise(transaction.settled);
    transaction.clear();
    for (let i = 0; i < publishes.length; i++) {
      const left = this.publisher.publishHeld(publishes[i] as HeldPublish, settles, outcome);
      if (left === null && i % PUBLISHES_PER_STEP !== PUBLISHES_PER_STEP - 1) continue;
      // What throws once others have had their turn comes out of a turn: that is behind the line anyway.
      line.end();
      if (left !== null) yield* left;
      yield;
      line.begin();
    }
    line.end();
    yield* this.deliveries.settleAll(tags, ways, outcome);
    yield* this.deliveries.promiseOver();
  }

  // --- consumers ---

  /** Subscribes to a queue; the rules have been checked. Deliveries begin at the end of the turn. */
  addConsumer(
    queue: ConsumerSource,
    tag: string,
    noAck: boolean,
    exclusive: boolean,
    args: Consumer['arguments'],
  ): void {
    const prefetch = noAck ? 0 : this.prefetch;
    const consumer = new Consumer(queue, this, tag, noAck, exclusive, prefetch, args);
    this.consumers.set(tag, consumer);
    this.prefixes.set(consumer, asBytes(deliverPrefix(this.number, BASIC_DELIVER, tag)));
    queue.addConsumer(consumer);
    if (!noAck) this.leases.timeouts.expect(consumer, queue);
  }

  timeoutChanged(consumer: Consumer): void {
    if (!consumer.noAck) this.leases.timeouts.changed(consumer);
  }

  defaultTimeoutChanged(): void {
    this.leases.timeouts.defaultChanged();
  }

  /** Ends a subscription, and then calls `then`; what it has not settled stays outstanding. */
  removeConsumer(consumer: Consumer, then: () => void): void {
    if (!this.detach(consumer.queue, [consumer])) return then();
    const act: LongAct = (steps, end) => this.act(steps, end, true, BASIC_CANCEL);
    this.connection.vhost.lastConsumerLeft(consumer.queue, act, then);
  }

  cancelConsumer(consumer: Consumer): void {
    this.removeConsumer(consumer, () => this.notices.ended(consumer.tag));
  }

  /** Takes consumers off a queue; returns whether none is left, where the queue is still there. */
  private detach(queue: ConsumerSource, consumers: readonly Consumer[]): boolean {
    for (const consumer of consumers) this.forget(consumer);
    return !queue.deleted && queue.removeConsumers(consumers);
  }

  consumerGone(consumer: Consumer): void {
    this.forget(consumer);
    this.notices.ended(consumer.tag);
  }

  private forget(consumer: Consumer): void {
    if (consumer.queue === this.replyQueue) this.replyQueue = null;
    this.credit.leave(consumer.queue);
    this.link.line.leave(consumer.queue);
    this.consumers.delete(consumer.tag);
    this.prefixes.delete(consumer);
    if (this.prefixOwner === consumer) this.prefixOwner = null;
  }

  // --- confirms ---

  confirmsChanged(): void {
    if (!this.confirmsListed) this.connection.listConfirms(this);
  }

  /** Starts confirm mode; doing so again changes nothing. */
  selectConfirms(): void {
    if (this.transaction !== null) {
      throw new AmqpError('PRECONDITION_FAILED', 'cannot switch from tx to confirm mode');
    }
    this.confirms ??= new Confirms();
  }

  /**
   * Sends a nack for each publish that was refused, and one ack for all that are safe now that
   * `durableBatch` is durable. Returns whether others still wait.
   */
  flushConfirms(durableBatch: number): boolean {
    const { confirms } = this;
    if (confirms === null || this.state !== CHANNEL_OPEN_STATE) return false;
    confirms.durable(durableBatch);
    if (confirms.due) {
      for (let tag = confirms.takeNack(); tag !== 0; tag = confirms.takeNack()) {
        writeConfirm(this.link, this.number, BASIC_NACK, tag, 0);
      }
      const upTo = confirms.take();
      this.counts.confirmed = confirms.confirmed;
      if (upTo !== 0)
        writeConfirm(this.link, this.number, BASIC_ACK, upTo, confirms.single ? 0 : 1);
    }
    return confirms.waiting;
  }

  /**
   * Gives everything back, step by step: consumers end, unsettled messages return to their queues. Consumers end
   * first, since a message that came back too often may make a full queue deliver at once; queues
   * that have no consumer any more go last, with what returned to them.
   */
  *closing(): Steps {
    if (this.state === CHANNEL_CLOSED) return;
    this.confirms = null;
    this.leases.timeouts.stop();
    this.publisher.assembly.abandon();
    // A transaction that is under way is rolled back: what it would settle returns as well.
    this.transaction?.clear();
    this.transaction = null;
    // A limit that admits nothing: while others are taken off, none of them is given anything.
    this.credit.limit = -1;
    const left: ConsumerSource[] = [];
    for (const [queue, consumers] of consumersByQueue(this.consumers.values())) {
      if (this.detach(queue, consumers)) left.push(queue);
      yield;
    }
    yield* this.deliveries.returnAll();
    for (const queue of left) {
      this.connection.vhost.lastConsumerLeft(queue);
      yield;
    }
  }
}
