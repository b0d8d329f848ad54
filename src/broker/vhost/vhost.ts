// Owns one vhost: its exchanges, queues and bindings, and making and removing them whole. Never checks rights or rules:
// vhost-actor.ts does, which is the way in for clients, tools and files.

import { AmqpError } from '../../amqp/errors.ts';
import type { Rights } from '../access/grants.ts';
import { NO_METADATA, type VhostMetadata, type VhostSnapshot } from '../access/vhost-metadata.ts';
import type { BrokerCore } from '../core/core.ts';
import type { BrokerEvents } from '../core/events.ts';
import { Exchange, type ExchangeDeclaration, type ExchangeHome } from '../exchange/exchange.ts';
import { PREDECLARED_EXCHANGES } from '../exchange/predeclared.ts';
import { exchangeIn } from '../names-in-texts.ts';
import { Parameters } from '../policy/parameters.ts';
import { Policies } from '../policy/policies.ts';
import type { PolicyRows } from '../policy/policy-rows.ts';
import type { ConsumerSource } from '../queue/consumer.ts';
import type { DelayPlace } from '../queue/delay/delay-lookup.ts';
import type { DelayedAction } from '../queue/delay/queue-delays.ts';
import type { HeldEntry } from '../queue/messages/messages-host.ts';
import type { DeathReason, DyingQueue, QueueDeclaration, QueueHome } from '../queue/ports.ts';
import { Queue } from '../queue/queue.ts';
import { type AnyQueue, createQueue } from '../queue/types/create-queue.ts';
import { deadLetter } from '../republish/dead-letter.ts';
import { Firehose } from '../republish/firehose.ts';
import { Router } from '../routing/router.ts';
import type { ScheduleWatch } from '../schedule/schedule-watch.ts';
import { Schedules } from '../schedule/schedules.ts';
import { Traffic } from '../stats/counts.ts';
import type { Active, Activity } from '../stats/history/busiest.ts';
import type { Steps } from '../turn/slices.ts';
import { type Away, awayFrom } from '../vhost-place.ts';
import { VhostBindings } from './bindings.ts';
import { lockedQueue, noQueue, notStream } from './declare-rules.ts';
import { OwnedQueues } from './owned-queues.ts';
import { ReplyQueues } from './reply-queues.ts';
import { SuperStreams } from './super-streams.ts';
import type { DefinitionRows } from './topology-rows.ts';
import type { LongAct } from './unbinding.ts';
import { VhostActor } from './vhost-actor.ts';

/** What a vhost needs of its broker. */
export interface VhostBroker {
  readonly core: BrokerCore;
  readonly definitionRows: DefinitionRows;
  readonly policyRows: PolicyRows;
  readonly changes: BrokerEvents;
  readonly scheduleWatch: ScheduleWatch;
}

/** What acts without a connection owns no queue. */
export const NO_CONNECTION = {};

/** One vhost. */
export class Vhost implements QueueHome, ExchangeHome, Active {
  readonly name: string;
  readonly exchanges = new Map<string, Exchange>();
  readonly queues = new Map<string, AnyQueue>();
  /** The queues of direct reply-to, which are none of `queues`. */
  readonly replies: ReplyQueues;
  readonly router: Router;
  readonly policies: Policies;
  readonly parameters: Parameters;
  readonly schedules: Schedules;
  readonly bindings: VhostBindings;
  readonly superStreams: SuperStreams;
  /** What is known of it beside what is in it; set by the broker, which stores it. */
  metadata: VhostMetadata = NO_METADATA;
  away: Away | null = null;
  /** Where copies of all messages go while it is traced, else null. */
  firehose: Firehose | null = null;
  /** What its closed channels and connections have done since the start, and what died in deleted queues. */
  readonly closed = new Traffic();
  activity: Activity | null = null;
  /** How many connections have opened it. */
  connections = 0;
  private readonly broker: VhostBroker;
  private readonly owned = new OwnedQueues<AnyQueue>();

  constructor(name: string, broker: VhostBroker) {
    this.name = name;
    this.broker = broker;
    this.replies = new ReplyQueues(broker.core, this);
    this.router = new Router(this);
    this.superStreams = new SuperStreams(this, broker.core);
    const definitionChanged = (): void => broker.core.definitionChanged();
    const routesChanged = (): void => this.router.topologyChanged();
    const { queues, exchanges } = this;
    this.bindings = new VhostBindings(name, broker, routesChanged, (exchange) =>
      this.removeExchange(exchange),
    );
    const act = (steps: Steps): boolean => broker.core.slices.begin(steps, () => {});
    const home = { name, queues, exchanges, definitionChanged, routesChanged, act };
    this.policies = new Policies(home, broker.policyRows);
    this.parameters = new Parameters(name, broker.policyRows, definitionChanged);
    this.schedules = new Schedules(this, broker.scheduleWatch);
    for (const declaration of PREDECLARED_EXCHANGES)
      exchanges.set(declaration.name, new Exchange(declaration, this));
  }

  /**
   * The door for acts with these rights. `connection` is compared with the owners of exclusive queues; without it, they
   * are all of others.
   */
  as(rights: Rights, connection: object = NO_CONNECTION): VhostActor {
    return new VhostActor(this, this.broker.core, rights, connection);
  }

  get core(): BrokerCore {
    return this.broker.core;
  }

  /** How the node is called that it is on. */
  get nodeName(): string {
    return this.broker.core.nodeName;
  }

  /** The type that the node gives queues whose declaration and vhost name none; null: the usual one. */
  get nodeQueueType(): string | null {
    return this.broker.core.defaultQueueType;
  }

  /** All queues, those for replies too. */
  everyQueue(): AnyQueue[] {
    return [...this.queues.values(), ...this.replies.all()];
  }

  /** An operator drops a queue that cannot be read. */
  removeStandIn(name: string): void {
    const queue = this.queues.get(name);
    if (queue === undefined || queue.unreadable === null) return;
    this.queues.delete(name);
    queue.deleted = true;
    this.bindings.unbinding.removeTo(queue);
    this.router.topologyChanged();
  }

  /** Has a queue stand for one whose rows cannot be read: it takes nothing and gives nothing. */
  standIn(name: string, error: string): void {
    const { core } = this.broker;
    const declaration = {
      name,
      durable: true,
      autoDelete: false,
      owner: null,
      arguments: new Map(),
    };
    const broken = this.queues.get(name);
    if (broken !== undefined) broken.deleted = true;
    const queue = new Queue(0, declaration, core.log, core, this, core.queueRows);
    queue.refuseAll(error);
    this.queues.set(name, queue);
  }

  /** Changes what is given. */
  setMetadata(metadata: Partial<VhostMetadata>): void {
    this.metadata = { ...this.metadata, ...metadata };
    this.away = awayFrom(this.broker.core.group, this.metadata.place);
    const { tracing } = this.metadata;
    this.firehose = tracing ? (this.firehose ?? new Firehose(this.broker.core, this)) : null;
  }

  snapshot(): VhostSnapshot {
    return { name: this.name, ...this.metadata };
  }

  /** Lets go of its queues, step by step, as it is deleted; its connections and stored bindings are gone. */
  *dropping(): Steps {
    const { broker } = this;
    for (const exchange of this.exchanges.values()) exchange.duplicates?.clear();
    this.exchanges.clear();
    this.bindings.clear();
    this.owned.clear();
    this.router.topologyChanged();
    for (const queue of this.queues.values()) {
      yield* this.bindings.unbinding.steps(queue, () =>
        broker.changes.bulk(() => this.removeQueue(queue)),
      );
      broker.core.setAside.dropOf(queue.id);
      yield;
    }
  }

  /** The exchange of that name, or NOT_FOUND. */
  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) throw this.noExchange(name);
    return exchange;
  }

  /** The error for an exchange that is not there. */
  noExchange(name: string): AmqpError {
    this.broker.core.setAsideRows.refuse('exchange', this.name, name);
    return new AmqpError('NOT_FOUND', `no ${exchangeIn(this.name, name)}`, {
      reason: 'no-exchange',
    });
  }

  /** The queue of that name, or NOT_FOUND; RESOURCE_LOCKED when another connection owns it. */
  queue(name: string, connection: object): AnyQueue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw noQueue(this.name, name);
    if (queue.owner !== null && queue.owner !== connection) throw lockedQueue(this.name, name);
    if (queue.unreadable !== null) this.broker.core.setAsideRows.refuse('queue', this.name, name);
    return queue;
  }

  /** The same, of those in which messages may wait; NOT_IMPLEMENTED for a stream. */
  waitingIn(name: string, connection: object): Queue {
    return notStream(this.queue(name, connection), this.name, 'waiting for a time');
  }

  /** Makes an exchange. Throws where one of that name is set aside, before any change. */
  createExchange(declaration: ExchangeDeclaration): void {
    const { name } = declaration;
    this.broker.core.setAsideRows.refuse('exchange', this.name, name);
    const exchange = new Exchange(declaration, this);
    // What could refuse comes before any change in memory: the rows too.
    if (exchange.durable) this.broker.definitionRows.putExchange(this.name, exchange);
    this.broker.core.line.change(() => {
      this.exchanges.set(name, exchange);
      this.policies.applyToExchange(exchange);
      this.router.topologyChanged();
      this.broker.changes.exchange('declared', this.name, exchange);
      if (exchange.durable) this.broker.core.definitionChanged();
    });
  }

  /** Where the keys of an exchange are is in its row. */
  giveKeysId(exchange: Exchange): void {
    exchange.keysId = this.core.queueIds.take();
    this.broker.definitionRows.putExchange(this.name, exchange, exchange.keysId);
  }

  /** Removes an exchange with its bindings, by `act` where they are many. */
  removeExchangeBy(act: LongAct, exchange: Exchange, then: () => void): void {
    this.bindings.unbinding.whenUnbound(exchange, act, () => this.removeExchange(exchange), then);
  }

  /**
   * Makes a queue as definitions say, which were checked before: it may have a name that the broker
   * gave, and the vhost's queue type was filled in when it was declared.
   */
  restoreQueue(declaration: QueueDeclaration): AnyQueue {
    return this.queues.get(declaration.name) ?? this.createQueue(declaration);
  }

  /** Makes a queue. */
  createQueue(declaration: QueueDeclaration): AnyQueue {
    const id = this.broker.core.queueIds.take();
    if (declaration.durable) this.broker.definitionRows.putQueue(this.name, { ...declaration, id });
    this.broker.core.line.begin();
    const queue = this.addQueue(id, declaration);
    this.broker.core.counts.queuesCreated += 1;
    this.broker.changes.queue('declared', this.name, queue);
    this.router.topologyChanged();
    if (declaration.durable) this.broker.core.definitionChanged();
    this.broker.core.line.end();
    return queue;
  }

  /**
   * Removes a queue by `act` where it has many bindings or consumers; `then` is given how many messages were ready.
   * What is published meanwhile goes with the queue.
   */
  removeQueueBy(act: LongAct, queue: AnyQueue, then = (_readyCount: number): void => {}): void {
    let count = 0;
    const last = (): void => {
      count = this.removeQueue(queue);
    };
    this.bindings.unbinding.whenUnbound(queue, act, last, () => then(count));
  }

  /** Removes a queue with its messages, bindings and consumers; returns how many messages were ready. */
  removeQueue(queue: AnyQueue): number {
    if (queue.deleted) return 0;
    const count = queue.readyCount;
    this.broker.core.line.begin();
    this.broker.core.counts.queuesDeleted += 1;
    this.broker.changes.queue('deleted', this.name, queue);
    this.queues.delete(queue.name);
    this.owned.remove(queue);
    this.bindings.unbinding.removeTo(queue);
    queue.discard();
    this.broker.core.setAsideRows.dropPagesOf(queue.id);
    this.closed.messages.addLosses(queue.counts);
    this.router.topologyChanged();
    if (queue.durable) {
      this.broker.definitionRows.removeQueue(this.name, queue.name);
      this.broker.core.definitionChanged();
    }
    queue.endConsumers();
    this.broker.core.line.end();
    return count;
  }

  /** Removes all ready messages of a queue by `act`; `then` is told how many. */
  purgeQueueBy(act: LongAct, queue: Queue, then: (count: number) => void): void {
    let count = 0;
    const told = (ready: number): void => {
      count = ready;
    };
    act(queue.purging(told), () => {
      // A caller that is told that they are gone must not see them again.
      if (queue.durable && count > 0) this.broker.core.definitionChanged();
      then(count);
    });
  }

  /** Makes messages ready now that wait for their time, or drops them; null: all. Returns how many. */
  handleDelayed(queue: Queue, action: DelayedAction, places: readonly DelayPlace[] | null): number {
    const { delays } = queue;
    const all = (): number => (action === 'send' ? delays.hasten() : delays.drop());
    const count =
      places === null ? all() : places.filter((place) => delays.handle(action, place)).length;
    if (queue.durable && count > 0) this.broker.core.definitionChanged();
    return count;
  }

  /** Pauses a queue, or resumes it; that of a durable one outlives a restart. */
  pauseQueue(queue: AnyQueue, paused: boolean): void {
    const { changes, core, definitionRows } = this.broker;
    // What came before is the consumers'.
    queue.catchUp();
    if (queue.durable) definitionRows.putQueue(this.name, queue, paused);
    core.line.change(() => {
      queue.setPaused(paused);
      changes.tell('queue', paused ? 'paused' : 'resumed', { vhost: this.name, queue: queue.name });
      if (queue.durable) core.definitionChanged();
    });
  }

  /** Deletes the queues that a connection owns, step by step, as it closes. */
  *deletingQueuesOf(connection: object): Steps {
    for (const queue of this.owned.take(connection)) {
      // None of them is durable, nor are their bindings.
      yield* this.bindings.unbinding.steps(queue, () => this.removeQueue(queue));
      yield;
    }
  }

  /** Told that the last consumer of a queue left: an auto-delete queue goes with it, one for replies too. */
  lastConsumerLeft(
    source: ConsumerSource,
    act = this.broker.core.slices.whole,
    then = (): void => {},
  ): void {
    const queue = this.replies.close(source.name) ? undefined : this.queues.get(source.name);
    // What is read of a stream has the name of another thing, which is no queue.
    if (queue !== source || !queue.autoDelete) return then();
    this.removeQueueBy(act, queue, then);
  }

  deadLetter(
    queue: DyingQueue,
    position: number,
    reason: DeathReason,
    returns: number,
    held: boolean,
  ): Steps | null {
    return deadLetter(this.broker.core, this, queue, position, reason, returns, held);
  }

  setAside(queue: DyingQueue, entry: HeldEntry, doing: string, error: unknown): void {
    this.broker.core.setAside.add(this.name, queue, entry, doing, error);
  }

  queueExpired(name: string): void {
    const queue = this.queues.get(name);
    if (queue !== undefined) this.removeQueueBy(this.broker.core.slices.whole, queue);
  }

  /** Makes a queue, also for recovery. */
  addQueue(id: number, declaration: QueueDeclaration): AnyQueue {
    const { core } = this.broker;
    const queue = createQueue(id, declaration, core.log, core, this, core.queueRows);
    this.queues.set(declaration.name, queue);
    this.policies.applyToQueue(queue);
    this.owned.add(queue);
    return queue;
  }

  private removeExchange(exchange: Exchange): void {
    if (exchange.deleted) return;
    const { changes, definitionRows } = this.broker;
    const { line } = this.broker.core;
    line.begin();
    this.exchanges.delete(exchange.name);
    exchange.deleted = true;
    exchange.duplicates?.clear();
    for (const identity of exchange.bindings.keys())
      this.bindings.unbinding.remove(exchange, identity);
    this.bindings.unbinding.removeTo(exchange);
    this.router.topologyChanged();
    changes.exchange('deleted', this.name, exchange);
    if (exchange.durable) {
      definitionRows.removeExchange(this.name, exchange.name);
      this.broker.core.definitionChanged();
    }
    line.end();
  }
}
