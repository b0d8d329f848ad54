// Owns one run of the simulation: a broker and its model, what may be done to both at once, and all
// that is compared. Never waits: time, turns and the disk move when a step says so.

import type { Field } from '../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import type { BrokerListener } from '../../src/broker/broker.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Consumer } from '../../src/broker/queue/consumer.ts';
import type { SeenKeys } from '../../src/broker/queue/duplicates/seen-keys.ts';
import type { Queue } from '../../src/broker/queue/queue.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';
import { segmentIdOfKey } from '../../src/message/log/segment-rows.ts';
import { headersAt } from '../../src/message/read-message.ts';
import { Scratch } from '../../src/store/scratch.ts';
import { TABLE_DELAYS, TABLE_PURGES, TABLE_SEGMENTS } from '../../src/store/tables.ts';
import { assert } from '../../src/util/assert.ts';
import { ControlledStore, Disk } from './controlled-store.ts';
import {
  hasReadyConsumer,
  limitPages,
  paceTurns,
  pagePlaces,
  pagesAway,
  positionsOf,
  readRecord,
  segmentsOf,
  settledPages,
  walk,
  wrongReferences,
} from './inspect.ts';
import {
  type Entry,
  type Message,
  Model,
  ModelQueue,
  type QueueSpec,
  type Reason,
  type Snapshot,
} from './model.ts';
import type { KeyRule, ModelKeys } from './model-keys.ts';
import { type Delivery, type OnDelivery, SimChannel, SimPublisher } from './peers.ts';
import { plain, plainQueues } from './plain-queue.ts';
import { purgeIn } from './purge.ts';
import { same } from './same.ts';
import { BINDINGS, EXCHANGES, QUEUES } from './topology.ts';
import { type StreamHost, WorldStreams } from './world-streams.ts';

const TURNS_MAX = 10_000;
const OWNER = {};

/** So few that wait are in memory that others have to leave it. */
const FEW_WAITING = { heapMax: 24, heapKept: 6, awayMin: 16, openMax: 12, openPages: 1 };

/** A broker beside its model. */
export class World implements BrokerListener, StreamHost {
  readonly streams = new WorldStreams(this);
  readonly counts = {
    published: 0,
    delivered: 0,
    redelivered: 0,
    deadLettered: 0,
    expired: 0,
    refused: 0,
    surplus: 0,
    tired: 0,
    away: 0,
    pagesAway: 0,
    sweeping: 0,
    resumed: 0,
    outranked: 0,
    handedOver: 0,
    spilled: 0,
    compacted: 0,
    waited: 0,
    retried: 0,
    grouped: 0,
    outOfOrder: 0,
    handedOn: 0,
    notHandedOn: 0,
    takenBack: 0,
    settledLate: 0,
    gaveWay: 0,
    duplicates: 0,
    duplicatesOfExchanges: 0,
    noDuplicates: 0,
    keysKnown: 0,
    keysUnknown: 0,
    committed: 0,
    readableLater: 0,
  };
  nowMs = 1_700_000_000_000;
  /** The number of the next message published. */
  nextId = 1;
  private nextTag = 1;
  private nextDelivery = 1;
  model = new Model();
  store!: ControlledStore;
  scratchStore!: ControlledStore;
  vhost!: Vhost;
  publishers: SimPublisher[] = [];
  channels: SimChannel[] = [];
  readonly chunkBytesMax: number;
  private readonly residentBytesMax: number;
  private readonly loadedPagesMax: number;
  private readonly sweptPerBatch: number;
  private readonly sparseBytesMin: number;
  private readonly holdsReadable: boolean;
  private ticks = 0;
  /** How long a look at the clock takes for what has a share of each turn, commonly 5 ms. */
  lookMs = 1 / 8;
  private creptMs = 0;
  private readonly watched = new WeakSet<Queue>();
  disk = new Disk();
  /** Rows of pages on it that are of other vhosts. */
  foreignPages = 0;
  broker!: Broker;
  /** What the disk must bring back, by the batch from which on it must. */
  private snapshots = new Map<number, Snapshot>();

  /**
   * Chunks are no longer than `chunkBytesMax`; for the limits see log.ts, loaded-pages.ts, sweeps.ts. `holdsReadable`: what is
   * durable becomes readable with `apply` alone.
   */
  constructor(
    chunkBytesMax: number,
    residentBytesMax: number,
    loadedPagesMax: number,
    sweptPerBatch: number,
    sparseBytesMin: number,
    holdsReadable: boolean,
  ) {
    this.chunkBytesMax = chunkBytesMax;
    this.residentBytesMax = residentBytesMax;
    this.loadedPagesMax = loadedPagesMax;
    this.sweptPerBatch = sweptPerBatch;
    this.sparseBytesMin = sparseBytesMin;
    this.holdsReadable = holdsReadable;
    this.open();
    this.declareMissing();
  }

  turnWanted(): void {}

  get onDisk(): Snapshot {
    const snapshot = this.snapshots.get(this.broker.core.durableBatch);
    assert(snapshot !== undefined, 'a durable batch was sealed once');
    return snapshot;
  }

  connectionsForced(): void {}

  durable(batch: number): void {
    for (const known of this.snapshots.keys()) if (known < batch) this.snapshots.delete(known);
  }

  // --- starting and ending ---

  private open(): void {
    this.start();
    this.opened();
  }

  /** Opens what the disk has; the broker reads it back. */
  protected start(): void {
    this.store = new ControlledStore(this.disk);
    this.store.holdsReadable = this.holdsReadable;
    // Each look at this clock takes a while, so that work which goes by time is done in pieces.
    const clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs + this.ticks++ / 8 };
    this.scratchStore = new ControlledStore(new Disk());
    const scratch = new Scratch(() => Promise.reject(new Error('it is open already')));
    scratch.use(this.scratchStore);
    this.broker = new Broker(this.store, clock, this, {
      memoryBytesMax: this.residentBytesMax,
      scratch,
    });
    const { log } = this.broker.core;
    log.sparse.bytesMin = this.sparseBytesMin;
    const pool = log['pool'];
    const give = pool.give.bind(pool);
    // What is read of it from now on is wrong at once, and not only when others use it.
    pool.give = (buffer) => give(buffer.fill(0xdb));
    const handedOver = log.handedOver.bind(log);
    log.handedOver = (segment) => {
      this.counts.spilled += 1;
      handedOver(segment);
    };
    limitPages(this.broker, this.loadedPagesMax, this.sweptPerBatch);
    this.broker.core.delayRows.bounds = FEW_WAITING;
    paceTurns(this.broker, { wallMs: clock.wallMs, monotonicMs: () => this.creep() });
    // Nothing is damaged here. What the model complains of amid a delivery would be taken for a message that is.
    this.broker.core.setAside.add = (_vhost, _queue, _entry, _doing, error) => {
      throw error;
    };
    this.broker.recover({ vhost: '/', user: null });
    if (this.broker.core.sweeps.any) this.counts.resumed += 1;
    this.vhost = this.broker.vhost('/');
  }

  /** Compares what is there with the model, and has new peers. */
  protected opened(): void {
    this.snapshots = new Map([[this.broker.core.durableBatch, this.model.snapshot()]]);
    this.publishers = [1, 2].map(() => {
      const publisher: SimPublisher = new SimPublisher(this.broker, this.vhost, (message) =>
        this.published(publisher, message),
      );
      return publisher;
    });
    for (const queue of this.queues) this.watchDeaths(queue);
    this.channels = [1, 2, 3].map(() => new SimChannel(this.broker.core.lines, this.onDelivery));
    this.checkTopology();
    this.streams.opened();
    this.checkCounts();
  }

  private creep(): number {
    this.creptMs += this.lookMs;
    return this.nowMs + this.creptMs;
  }

  /** Power fails: what is not durable is gone, and so are all connections. */
  crash(): void {
    this.powerFails();
    this.open();
  }

  /** The model has no more than what is durable. */
  protected powerFails(): void {
    const snapshot = this.onDisk;
    this.streams.crashes();
    for (const { entries } of snapshot.queues) {
      for (const { entry } of entries) entry.doubtful = true;
    }
    this.model = Model.from(snapshot);
  }

  /** A clean stop as the server makes it, and a start. */
  restart(): void {
    for (const channel of this.channels) this.closeChannel(channel);
    this.streams.leaveAll();
    this.broker.sealExactMarks();
    this.seal();
    this.store.sync();
    this.store.apply();
    this.model = Model.from(this.model.snapshot());
    // Where messages go out in any order, one that a crash left in doubt leaves all in doubt.
    for (const { spec, ready } of this.model.queues.values()) {
      const inDoubt = spec.groupMax > 0 && ready.some(({ doubtful }) => doubtful);
      if (inDoubt) for (const entry of ready) entry.doubtful = true;
    }
    this.open();
  }

  // --- topology ---

  /** Declares and binds again whatever a crash or a deletion took. */
  declareMissing(): void {
    for (const spec of EXCHANGES) {
      const args = keyArguments(spec.keys);
      if (spec.alternate !== null) {
        args.set('alternate-exchange', { type: 'S', value: spec.alternate });
      }
      const rest = { autoDelete: false, internal: false, arguments: args };
      this.vhost.as(ALL_RIGHTS).declareExchange({ ...spec, ...rest });
      this.model.declareExchange(spec);
    }
    for (const spec of QUEUES) {
      const { name, durable } = spec;
      const declaration = {
        name,
        durable,
        autoDelete: false,
        owner: null,
        arguments: argumentsOf(spec),
      };
      this.watchDeaths(plain(this.vhost.as(ALL_RIGHTS, OWNER).declareQueue(declaration)));
      if (!this.model.queues.has(name))
        this.model.queues.set(name, new ModelQueue(spec, this.model.activeOn));
    }
    this.streams.declareMissing();
    for (const binding of BINDINGS) {
      const queue = this.vhost.queue(binding.queue, OWNER);
      this.vhost.bindings.bind(
        this.vhost.exchange(binding.source),
        queue,
        binding.bindingKey,
        new Map(),
      );
      const known = this.model.bindings.some((each) => Model.same(each, binding));
      if (!known) this.model.bindings.push(binding);
    }
  }

  unbind(index: number): void {
    const binding = this.model.bindings[index];
    if (binding === undefined) return;
    const queue = this.vhost.queue(binding.queue, OWNER);
    this.vhost.bindings.unbind(
      this.vhost.exchange(binding.source),
      queue,
      binding.bindingKey,
      new Map(),
    );
    this.model.bindings = this.model.bindings.filter((each) => each !== binding);
  }

  deleteQueue(queue: Queue): void {
    queue.use();
    const { ready } = this.modelQueue(queue);
    same('messages deleted', this.vhost.removeQueue(queue), ready.length);
    this.model.deleteQueue(queue.name);
  }

  purge(queue: Queue): void {
    const { ready } = this.modelQueue(queue);
    queue.use();
    same('messages purged', purgeIn(this.vhost, queue), ready.length);
    ready.length = 0;
  }

  get queues(): Queue[] {
    return plainQueues(this.vhost.queues.values());
  }

  modelQueue(queue: Queue): ModelQueue {
    const modelQueue = this.model.queues.get(queue.name);
    assert(modelQueue !== undefined, `the model has no queue ${queue.name}`);
    return modelQueue;
  }

  // --- publishing ---

  /** Lets the broker read some of what a publisher sent. */
  feed(publisher: SimPublisher, bytes: number): void {
    publisher.feed(bytes);
  }

  private published(publisher: SimPublisher, message: Message): void {
    this.counts.published += 1;
    if (publisher.transaction !== null) {
      publisher.staged.push(message);
      return;
    }
    const number = publisher.waitsFrom++;
    const waitsFor = this.model.publish(message, this.nowMs);
    const acks = waitsFor === 'refused' ? [] : publisher.acking;
    for (const { modelQueue, entry } of acks) modelQueue.unacked.delete(entry);
    const stored = waitsFor === 'batch' || acks.some(({ queue }) => queue.durable);
    if (stored) publisher.waits.push({ number, batch: this.store.batch });
    if (waitsFor !== 'refused') return;
    publisher.refused.add(number);
    this.counts.refused += 1;
  }

  /** A publish that acks deliveries of a channel, if it is not refused: in one batch with what it stores. */
  handOn(
    publisher: SimPublisher,
    channel: SimChannel,
    acks: readonly Delivery[],
    message: Message,
  ): void {
    while (publisher.unreadBytes > 0) publisher.feed(this.chunkBytesMax);
    const refusals = this.counts.refused;
    const find = (tag: number) => channel.unacked.find((each) => each.tag === tag);
    publisher.deliveries = {
      checkTags: (tags) => assert(tags.every(find), 'deliveries that are outstanding'),
      ackAll: (tags) => {
        const settled = tags.map((tag) => find(tag) as Delivery);
        for (const delivery of settled) {
          if (!delivery.queue.deleted) delivery.queue.settle(delivery.seq);
          channel.release(delivery);
        }
        return settled.some(({ queue }) => queue.durable);
      },
      promise: () => {},
      promiseOver: function* () {},
    };
    publisher.send(message, 131_072, acks);
    while (publisher.unreadBytes > 0) publisher.feed(this.chunkBytesMax);
    publisher.deliveries = null;
    publisher.acking = [];
    const refused = this.counts.refused > refusals;
    this.counts[refused ? 'notHandedOn' : 'handedOn'] += 1;
    const left = acks.filter((each) => channel.unacked.includes(each)).length;
    same('deliveries left by a publish that settles', left, refused ? acks.length : 0);
  }

  /** A transaction of some publishes: all of them in one batch. */
  commit(publisher: SimPublisher, messages: readonly Message[]): void {
    while (publisher.unreadBytes > 0) publisher.feed(this.chunkBytesMax);
    publisher.begin();
    for (const message of messages) publisher.send(message, 131_072);
    while (publisher.unreadBytes > 0) publisher.feed(this.chunkBytesMax);
    let refused = false;
    const outcome = publisher.commit((message) => {
      if (this.model.publish(message, this.nowMs) === 'refused') refused = true;
    });
    same('whether a queue is too full for a commit', outcome.refused, refused);
    this.counts.committed += messages.length;
  }

  private checkConfirms(): void {
    const { durableBatch } = this.broker.core;
    for (const publisher of this.publishers) {
      const { confirms, waits } = publisher;
      confirms.durable(durableBatch);
      for (let tag = confirms.takeNack(); tag !== 0; tag = confirms.takeNack()) {
        if (!publisher.refused.has(tag)) throw new Error(`publish ${tag} is nacked for nothing`);
        publisher.nacked.add(tag);
      }
      const upTo = confirms.due ? confirms.take() : 0;
      if (upTo !== 0) {
        if (upTo <= publisher.confirmed) throw new Error(`publish ${upTo} is confirmed again`);
        if (publisher.refused.has(upTo)) throw new Error(`publish ${upTo} is acked and nacked`);
        publisher.confirmed = upTo;
      }
      while (publisher.nacked.has(publisher.confirmed + 1)) publisher.confirmed += 1;
      while (waits[0] !== undefined && waits[0].number <= publisher.confirmed) {
        const { number, batch } = waits.shift() as { number: number; batch: number };
        if (batch > durableBatch) throw new Error(`publish ${number} is confirmed too early`);
      }
      const late = waits[0] !== undefined && waits[0].batch <= durableBatch;
      if (late) throw new Error(`publish ${waits[0]?.number} should be confirmed`);
    }
  }

  // --- delivering and settling ---

  consume(
    channel: SimChannel,
    queue: Queue,
    noAck: boolean,
    prefetch: number,
    priority: number,
  ): void {
    const args = new Map<string, Field>();
    if (priority !== 0) args.set('x-priority', { type: 'I', value: priority });
    const tag = `consumer-${this.nextTag++}`;
    const consumer = new Consumer(queue, channel, tag, noAck, false, prefetch, args);
    channel.consumers.push(consumer);
    queue.addConsumer(consumer);
    this.modelQueue(queue).consumers.add(consumer);
  }

  cancel(channel: SimChannel, consumer: Consumer): void {
    channel.consumerGone(consumer);
    consumer.queue.removeConsumers([consumer]);
    const handedOver = this.modelQueue(consumer.queue as Queue).consumers.remove(consumer);
    if (handedOver) this.counts.handedOver += 1;
  }

  /** As a channel closes: nobody is given anything before all is back in its place. */
  closeChannel(channel: SimChannel): void {
    for (const consumer of [...channel.consumers]) this.cancel(channel, consumer);
    channel.endLeases();
    for (const delivery of [...channel.unacked]) this.requeue(channel, delivery);
    channel.credit.setLimit(0);
    channel.link.drain();
  }

  /** As basic.get. */
  get(channel: SimChannel, queue: Queue): void {
    const taken = queue.get();
    if (taken === null) {
      const modelQueue = this.modelQueue(queue);
      const waits = queue.waitsForMark || queue.endings.overdue;
      if (modelQueue.ready.some((entry) => modelQueue.mayGo(entry)) && !waits)
        throw new Error('get finds a full queue empty');
      return;
    }
    const { seq, position, redelivered } = taken;
    channel.unacked.push(this.given(queue, null, seq, position, redelivered));
  }

  private readonly onDelivery: OnDelivery = (
    channel,
    consumer,
    queue,
    seq,
    position,
    redelivered,
  ) => {
    if (channel.link.full) throw new Error('a delivery to a link that is full');
    this.checkTurn(queue, consumer);
    const delivery = this.given(queue, consumer, seq, position, redelivered);
    if (consumer.noAck) {
      delivery.modelQueue.unacked.delete(delivery.entry);
      return;
    }
    const { prefetch, unacked } = consumer;
    if (prefetch !== 0 && unacked > prefetch) throw new Error('more than the prefetch allows');
    const shared = channel.credit.limit;
    if (shared !== 0 && channel.credit.unacked >= shared) {
      throw new Error('more than the shared prefetch allows');
    }
    const wrong = delivery.modelQueue.consumers.late.given(consumer);
    if (wrong !== null) throw new Error(`${queue.name}: ${wrong}`);
    if (delivery.modelQueue.consumers.rivalsLate(consumer)) this.counts.gaveWay += 1;
    channel.credit.unacked += 1;
    channel.unacked.push(delivery);
  };

  /** Sees that nobody else should have been served. */
  private checkTurn(queue: Queue, consumer: Consumer): void {
    const { consumers } = this.modelQueue(queue);
    const { active } = consumers;
    if (active !== null) same(`the active consumer of ${queue.name}`, consumer.tag, active.tag);
    const rival = consumers.rivalsOf(consumer).find((each) => each.ready);
    if (rival !== undefined) {
      throw new Error(`${queue.name} serves ${consumer.tag} and not ${rival.tag}`);
    }
    const last = consumers.ranked.at(-1) as Consumer;
    if (last.priority < consumer.priority && last.ready) this.counts.outranked += 1;
    consumers.served(consumer);
  }

  /** Compares a message that was given out with the one the model gives out. */
  private given(
    queue: Queue,
    consumer: Consumer | null,
    seq: number,
    position: number,
    redelivered: boolean,
  ): Delivery {
    const modelQueue = this.modelQueue(queue);
    const entry = this.entryAt(modelQueue, position);
    if (entry === undefined) throw new Error(`${queue.name} gives out what is not there`);
    if (!modelQueue.mayGo(entry)) {
      throw new Error(`${queue.name} gives out message ${entry.message.id} before its turn`);
    }
    if (entry !== modelQueue.ready[0]) this.counts.outOfOrder += 1;
    modelQueue.ready.splice(modelQueue.ready.indexOf(entry), 1);
    if (entry.message.group !== null && modelQueue.spec.groupMax > 0) this.counts.grouped += 1;
    // A consumer may still be given what expires in this very millisecond.
    const aliveMs = consumer === null ? this.nowMs + 1 : this.nowMs;
    if (entry.dueMs < aliveMs) throw new Error(`${queue.name} gives out what has expired`);
    this.checkRecord(queue, position, entry.message);
    const what = `the message ${entry.message.id} of ${queue.name}, redelivered`;
    if (entry.given || !entry.doubtful) same(what, redelivered, entry.given);
    same(`returns of message ${entry.message.id}`, queue.messages.returnsOf(seq), entry.returns);
    entry.given = true;
    modelQueue.unacked.add(entry);
    this.counts.delivered += 1;
    if (redelivered) this.counts.redelivered += 1;
    return { tag: this.nextDelivery++, queue, modelQueue, entry, seq, consumer };
  }

  /** The message that a queue gives out: the first one, or where there are groups, the first without one or that with its id. */
  private entryAt(modelQueue: ModelQueue, position: number): Entry | undefined {
    const { spec, ready } = modelQueue;
    if (spec.groupMax === 0) return ready[0];
    const id = headersAt(this.broker.core.log, position)?.get('id')?.value;
    if (id === undefined) return ready.find(({ message }) => message.group === null);
    return ready.find(({ message }) => message.id === id);
  }

  ack(channel: SimChannel, delivery: Delivery): void {
    const { queue, modelQueue, entry, seq } = delivery;
    if (!queue.deleted) queue.settle(seq);
    modelQueue.unacked.delete(entry);
    channel.release(delivery);
  }

  requeue(channel: SimChannel, delivery: Delivery): void {
    this.goBack(delivery);
    channel.release(delivery);
  }

  /** The lease of a delivery is over: its message goes out again, and it keeps its place in the prefetch. */
  takeBack(channel: SimChannel, delivery: Delivery): void {
    this.counts.takenBack += 1;
    channel.takeBack(delivery);
    this.goBack(delivery);
  }

  /** A client settles one whose lease was over. */
  settleLate(channel: SimChannel, delivery: Delivery): void {
    this.counts.settledLate += 1;
    channel.settleLate(delivery);
  }

  private goBack(delivery: Delivery): void {
    const { queue, modelQueue, entry, seq } = delivery;
    entry.returns += 1;
    const tired = entry.returns > modelQueue.spec.returnsMax;
    const { retryMinMs } = modelQueue.spec;
    // What is too much by it is dropped at once, so that the model has to have it before.
    if (!tired && retryMinMs > 0) {
      modelQueue.wait(entry, this.nowMs + retryMinMs * entry.returns);
      this.counts.retried += 1;
    } else if (!tired) modelQueue.requeue(entry);
    if (!queue.deleted) queue.requeue(seq);
    if (tired) {
      modelQueue.unacked.delete(entry);
      if (!queue.deleted) this.model.deadLetter(modelQueue, entry, 'delivery_limit', this.nowMs);
      this.counts.tired += 1;
    }
  }

  reject(channel: SimChannel, delivery: Delivery): void {
    const { queue, modelQueue, entry, seq } = delivery;
    if (!queue.deleted) {
      queue.reject(seq);
      this.model.deadLetter(modelQueue, entry, 'rejected', this.nowMs);
      this.counts.deadLettered += 1;
    }
    modelQueue.unacked.delete(entry);
    channel.release(delivery);
  }

  /**
   * Lets the model follow messages of a queue that expire or are too many at the moment that they go: how
   * many go in which turn, and in which queue first, is for the broker to say.
   */
  private watchDeaths(queue: Queue): void {
    if (this.watched.has(queue)) return;
    this.watched.add(queue);
    const { endings } = queue;
    const die = endings.die.bind(endings);
    endings.die = (seq, reason) => {
      const modelQueue = this.modelQueue(queue);
      if (reason === 'expired') {
        const position = queue.messages.positionOf(seq);
        const { body } = readRecord(this.broker.core.log, position);
        const id = headersAt(this.broker.core.log, position)?.get('id')?.value;
        // Bodies may be alike.
        const dead = this.model
          .expirable(modelQueue, this.nowMs)
          .find(({ message }) =>
            id === undefined ? message.body.equals(body) : message.id === id,
          );
        if (dead === undefined) throw new Error(`a message of ${queue.name} expires too early`);
        this.counts.expired += 1;
        this.die(modelQueue, dead, reason);
      } else if (reason === 'maxlen') {
        const over = modelQueue.length > modelQueue.spec.lengthMax;
        if (!over) throw new Error(`${queue.name} drops a message though it has room`);
        this.counts.surplus += 1;
        this.die(modelQueue, modelQueue.ready[0] as Entry, reason);
      }
      die(seq, reason);
    };
    const { delays } = queue;
    const ready = delays['ready'].bind(delays);
    delays['ready'] = (entry) => {
      this.readyNow(queue, entry.position);
      return ready(entry);
    };
  }

  /** A message that has waited is ready: when, among others that are due, is for the broker to say. */
  private readyNow(queue: Queue, position: number): void {
    const modelQueue = this.modelQueue(queue);
    const { spec, waiting, ready } = modelQueue;
    const [first] = waiting;
    if (first === undefined) throw new Error(`${queue.name} has what waits nowhere`);
    this.checkRecord(queue, position, first.message);
    const pushedOut = ready.length === 0 && modelQueue.length > spec.lengthMax;
    if (first.readyMs > this.nowMs && !pushedOut) {
      throw new Error(`a message of ${queue.name} is ready too early`);
    }
    modelQueue.readyNow();
    this.counts.waited += 1;
  }

  private die(modelQueue: ModelQueue, entry: Entry, reason: Reason): void {
    modelQueue.ready.splice(modelQueue.ready.indexOf(entry), 1);
    this.model.deadLetter(modelQueue, entry, reason, this.nowMs);
  }

  /** Lets time go by. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.broker.core.nowMs = this.nowMs;
  }

  // --- turns ---

  /** The end of a turn, as the server has it. */
  turn(seal: boolean): boolean {
    this.broker.core.tick();
    for (const { consumers } of this.model.queues.values()) consumers.turnEnds();
    const more = this.broker.core.deliver();
    this.streams.delivered();
    if (!more) this.checkLimits();
    if (seal && this.broker.core.sealable && this.broker.core.prepareSeal()) this.seal();
    this.checkConfirms();
    return this.broker.core.maintain() || more;
  }

  /** Makes durable what waits for it, and readable what left memory. */
  sync(count?: number): void {
    this.store.sync(count);
    this.scratchStore.sync(count);
  }

  /** Makes the oldest batches readable that are durable and not yet readable: so many, or all. */
  apply(count?: number): void {
    if (this.store.apply(count) > 0 && this.holdsReadable) this.counts.readableLater += 1;
  }

  private seal(): void {
    const { batch } = this.store;
    this.broker.core.seal();
    // Streams let go of what is too much with it.
    this.snapshots.set(batch, this.model.snapshot());
  }

  /** Turns until nothing is left to do, with a disk that writes at once. */
  quiesce(): void {
    for (let turns = 0; ; turns++) {
      const more = this.turn(true);
      this.sync();
      this.apply();
      this.checkConfirms();
      const idle = !this.broker.core.sealable && this.broker.core['touched'].count === 0;
      // A batch of the scratch store that is durable has the next one sealed.
      if (!more && idle && !this.scratchStore.busy) break;
      if (turns > TURNS_MAX) throw new Error('the broker does not come to rest');
    }
    for (const queue of this.queues) {
      const { active } = this.modelQueue(queue).consumers;
      const waited = active === null ? hasReadyConsumer(queue) : active.ready;
      const modelQueue = this.modelQueue(queue);
      const stuck = modelQueue.ready.some((entry) => modelQueue.mayGo(entry)) && waited;
      if (stuck) throw new Error(`${queue.name} keeps messages from a consumer that has credit`);
    }
    this.streams.checkIdle();
    for (const { confirmed, confirms } of this.publishers) {
      same('publishes confirmed at rest', confirmed, confirms.published);
    }
  }

  /** Consumes all there is; then nothing may be left of it anywhere, but in streams. */
  drain(): void {
    for (const channel of this.channels) this.closeChannel(channel);
    const channel = this.channels[0] as SimChannel;
    for (const queue of this.queues) this.consume(channel, queue, true, 0, 0);
    this.quiesce();
    this.advance(200_000);
    this.quiesce();
    this.checkCounts();
    for (const queue of this.queues) {
      const { readyCount, unackedCount, delayedCount } = queue;
      same(`messages left in ${queue.name}`, readyCount + unackedCount + delayedCount, 0);
      if (pagePlaces(queue) > 1) throw new Error(`${queue.name} keeps pages without messages`);
    }
    this.checkContents();
    this.streams.checkRows();
    same('rows of messages that wait', this.disk.keys(TABLE_DELAYS).length, 0);
    same('notes of purges that are over', this.disk.keys(TABLE_PURGES).length, 0);
    for (const key of [
      ...this.disk.keys(TABLE_SEGMENTS),
      ...this.scratchStore.keys(TABLE_SEGMENTS, Buffer.alloc(0), Buffer.alloc(20, 0xff)),
    ]) {
      const known = segmentsOf(this.broker.core.log).has(segmentIdOfKey(key));
      if (!known) throw new Error(`the row ${key.toString('hex')} of a segment is left behind`);
    }
  }

  /** Nothing of any stream is left behind. */
  deleteStreams(): void {
    for (const stream of this.streams.all) this.streams.delete(stream);
    this.drain();
  }

  // --- comparing ---

  private checkTopology(): void {
    const names = (each: Iterable<string>): string[] => [...each].sort();
    const { queues, streams } = this.model;
    same('queues', names(this.vhost.queues.keys()), names([...queues.keys(), ...streams.keys()]));
    const declared = [...this.vhost.exchanges.values()].filter(
      ({ name }) => name !== '' && !name.startsWith('amq.'),
    );
    const ours = names(this.model.exchanges.keys());
    same('exchanges', names(declared.map(({ name }) => name)), ours);
    for (const exchange of declared) {
      const bindings = this.model.bindings.filter(({ source }) => source === exchange.name);
      same(`bindings of ${exchange.name}`, exchange.bindings.size, bindings.length);
    }
  }

  /** After a turn nothing may be left that has expired, unless its turn is still to come, and no queue may be too long. */
  private checkLimits(): void {
    for (const queue of this.queues) {
      const modelQueue = this.modelQueue(queue);
      const due = queue.touched || queue.watchedMs <= this.nowMs;
      if (this.model.overdue(modelQueue, this.nowMs).length > 0 && !due) {
        throw new Error(`${queue.name} keeps a message that has expired`);
      }
      const late = modelQueue.waiting.some(({ readyMs }) => readyMs <= this.nowMs);
      if (late && !due) throw new Error(`${queue.name} keeps a message waiting`);
      if (modelQueue.length > modelQueue.spec.lengthMax && !modelQueue.spec.refusing) {
        throw new Error(`${queue.name} is longer than it may be`);
      }
    }
  }

  checkCounts(): void {
    this.streams.check();
    for (const queue of this.queues) {
      const { name } = queue;
      const modelQueue = this.modelQueue(queue);
      same(`readyCount of ${name}`, queue.readyCount, modelQueue.ready.length);
      same(`unackedCount of ${name}`, queue.unackedCount, modelQueue.unacked.size);
      same(`delayedCount of ${name}`, queue.delayedCount, modelQueue.waiting.length);
      same(`readyBytes of ${name}`, queue.readyBytes, modelQueue.readyBytes);
      same(`duplicates of ${name}`, queue.counts.duplicates, modelQueue.keys?.dropped ?? 0);
      const { ranked, active, late } = modelQueue.consumers;
      for (const consumer of queue.consumers) {
        const [held, behind] = late.of(consumer);
        same(`deliveries of ${consumer.tag}`, [consumer.unacked, consumer.late], [held, behind]);
        const { room, prefetch } = consumer;
        if (behind === 0) same(`room of ${consumer.tag}, which is not late`, room, prefetch);
      }
      const tags = queue.consumers.map(({ tag }) => tag);
      same(
        `consumers of ${name}`,
        tags,
        ranked.map(({ tag }) => tag),
      );
      same(`active consumer of ${name}`, queue.subscribed.active?.tag, active?.tag);
    }
  }

  /** Asks for keys that were noted, and for some that may not be. */
  private checkKeys(): void {
    for (const { name, duplicates } of this.queues) {
      const { keys } = this.model.queues.get(name) as ModelQueue;
      if (keys !== null && duplicates !== null) this.checkKeysOf(name, duplicates.keys, keys);
      this.counts.duplicates += keys?.dropped ?? 0;
      this.counts.noDuplicates += keys?.cameBack ?? 0;
    }
    for (const [name, keys] of this.model.keys) {
      const { duplicates, duplicatesIn } = this.vhost.exchange(name);
      same(`duplicates of ${name}`, duplicatesIn, keys.dropped);
      this.counts.duplicatesOfExchanges += keys.dropped;
      if (duplicates !== null) this.checkKeysOf(name, duplicates['keys'], keys);
    }
  }

  private checkKeysOf(
    name: string,
    seen: SeenKeys,
    keys: ModelKeys<never> | ModelKeys<Entry>,
  ): void {
    for (const key of new Set([...keys.noted, 'key 0', 'key 1', 'key 2', 'key 3'])) {
      seen.key.read({ type: 'S', value: key });
      const known = keys.knows(key, this.nowMs);
      same(`whether ${name} knows ${key}`, seen.has(), known);
      this.counts[known ? 'keysKnown' : 'keysUnknown'] += 1;
    }
  }

  /** Reads every message of every queue, and counts the references to every segment. */
  checkContents(): void {
    for (const segment of segmentsOf(this.broker.core.log).values()) {
      if (segment.bytes === null) this.counts.away += 1;
    }
    const { done } = this.broker.core.compaction;
    this.counts.compacted += done.segments;
    done.segments = 0;
    if (this.broker.core.sweeps.any) this.counts.sweeping += 1;
    for (const queue of this.queues) {
      this.counts.pagesAway += pagesAway(queue);
      const { live } = this.modelQueue(queue);
      const positions = positionsOf(queue);
      same(`messages in ${queue.name}`, positions.length, live.length);
      positions.forEach((position, i) => {
        this.checkRecord(queue, position, live[i]?.message as Message);
      });
      const ascending = (a: number, b: number): number => a - b;
      const visited = walk(queue).map(([position]) => position);
      const visitable = [...positions].sort(ascending);
      same(`a walk over ${queue.name}`, visited.sort(ascending), visitable);
      same(`settled pages of ${queue.name}`, settledPages(queue), 0);
    }
    this.streams.checkContents();
    this.checkKeys();
    const wrong = wrongReferences(
      this.broker,
      [...this.broker.vhosts.values()].flatMap(({ queues }) => [...queues.values()]),
    );
    if (wrong !== null) throw new Error(wrong);
  }

  private checkRecord(queue: Queue, position: number, message: Message): void {
    const record = readRecord(this.broker.core.log, position);
    const { id } = message;
    if (!record.body.equals(message.body)) {
      const found = record.body.length >= 4 ? record.body.readUInt32BE(0) : 'none';
      throw new Error(`${queue.name} has message ${found} or parts of it in place of ${id}`);
    }
    same(`exchange of message ${id}`, record.exchange, message.exchange);
    same(`routing key of message ${id}`, record.routingKey, message.routingKey);
  }
}

function keyArguments(rule: KeyRule | null): Map<string, Field> {
  const args = new Map<string, Field>();
  if (rule === null) return args;
  args.set('x-message-deduplication', { type: 't', value: true });
  args.set('x-cache-release', { type: 'S', value: rule.release });
  if (rule.ttlMs !== Infinity) args.set('x-cache-ttl', { type: 'I', value: rule.ttlMs });
  if (rule.size !== Infinity) args.set('x-cache-size', { type: 'I', value: rule.size });
  return args;
}

function argumentsOf(spec: QueueSpec): Map<string, Field> {
  const args = keyArguments(spec.keys);
  const text = (name: string, value: string | null): void => {
    if (value !== null) args.set(name, { type: 'S', value });
  };
  const limit = (name: string, value: number): void => {
    if (value !== Infinity) args.set(name, { type: 'I', value });
  };
  text('x-dead-letter-exchange', spec.deadLetterExchange);
  text('x-dead-letter-routing-key', spec.deadLetterRoutingKey);
  text('x-overflow', spec.refusing ? 'reject-publish' : null);
  limit('x-message-ttl', spec.ttlMs);
  limit('x-max-length', spec.lengthMax);
  limit('x-delivery-limit', spec.returnsMax);
  if (spec.retryMinMs > 0) limit('x-delayed-retry-min', spec.retryMinMs);
  text('x-group-header', spec.groupMax > 0 ? 'group' : null);
  limit('x-group-concurrency', spec.groupMax > 0 ? spec.groupMax : spec.unackedMax);
  if (spec.singleActive) args.set('x-single-active-consumer', { type: 't', value: true });
  if (spec.priorityMax > 0) limit('x-max-priority', spec.priorityMax);
  return args;
}
