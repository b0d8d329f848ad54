// Owns one vhost: its exchanges, queues and bindings, and the rules for declaring and deleting
// them. Never sends anything: a broken rule is an AmqpError, and the caller tells the peer.

import { AmqpError } from '../../amqp/errors.ts';
import type { Grants } from '../access/grants.ts';
import { NO_TRAITS, type VhostSnapshot, type VhostTraits } from '../access/vhost-traits.ts';
import type { BrokerCore } from '../core/core.ts';
import type { BrokerEvents } from '../core/events.ts';
import { Exchange, type ExchangeTraits } from '../exchange/exchange.ts';
import { PREDECLARED_EXCHANGES } from '../exchange/predeclared.ts';
import { Parameters } from '../policy/parameters.ts';
import { Policies } from '../policy/policies.ts';
import type { PolicyRows } from '../policy/policy-rows.ts';
import type { ConsumerSource } from '../queue/consumer.ts';
import type { HeldEntry } from '../queue/messages/host.ts';
import type { DeathReason, DyingQueue, QueueHome, QueueTraits } from '../queue/ports.ts';
import { Queue } from '../queue/queue.ts';
import { deadLetter } from '../republish/dead-letter.ts';
import { Firehose } from '../republish/firehose.ts';
import { Router } from '../routing/router.ts';
import type { Steps } from '../turn/slices.ts';
import { VhostBindings } from './bindings.ts';
import {
  checkDeadLetterRights,
  checkExchangeDeclaration,
  checkName,
  checkQueueDeclaration,
  checkQueueDeletion,
  checkQueueLimit,
  lockedQueue,
  refuseDefaultExchange,
  refuseSystemExchange,
  withQueueType,
} from './declare-rules.ts';
import { generateName } from './generated-name.ts';
import { OwnedQueues } from './owned-queues.ts';
import { ReplyQueues } from './reply-queues.ts';
import type { DefinitionRows } from './topology-rows.ts';
import { atOnce, type LongAct } from './unbinding.ts';

/** What a vhost needs of its broker. */
export interface VhostBroker {
  readonly core: BrokerCore;
  readonly definitionRows: DefinitionRows;
  readonly policyRows: PolicyRows;
  readonly changes: BrokerEvents;
}

/** One vhost. */
export class Vhost implements QueueHome {
  readonly name: string;
  readonly exchanges = new Map<string, Exchange>();
  readonly queues = new Map<string, Queue>();
  /** The queues of direct reply-to, which are none of `queues`. */
  readonly replies: ReplyQueues;
  readonly router: Router;
  readonly policies: Policies;
  readonly parameters: Parameters;
  readonly bindings: VhostBindings;
  /** What is known of it beside what is in it; set by the broker, which stores it. */
  traits: VhostTraits = NO_TRAITS;
  /** Where copies of all messages go while it is traced, else null. */
  firehose: Firehose | null = null;
  /** How many connections have opened it. */
  connections = 0;
  private readonly broker: VhostBroker;
  private readonly owned = new OwnedQueues();

  constructor(name: string, broker: VhostBroker) {
    this.name = name;
    this.broker = broker;
    this.replies = new ReplyQueues(broker.core, this);
    this.router = new Router(this);
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
    for (const traits of PREDECLARED_EXCHANGES) exchanges.set(traits.name, new Exchange(traits));
  }

  /** All queues, those for replies too. */
  everyQueue(): Queue[] {
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
    const traits = { name, durable: true, autoDelete: false, owner: null, arguments: new Map() };
    const broken = this.queues.get(name);
    if (broken !== undefined) broken.deleted = true;
    const queue = new Queue(0, traits, core.log, core, this, core.queueRows);
    queue.refuseAll(error);
    this.queues.set(name, queue);
  }

  /** Changes what is given. */
  setTraits(traits: Partial<VhostTraits>): void {
    this.traits = { ...this.traits, ...traits };
    if (!this.traits.tracing) this.firehose = null;
    else this.firehose ??= new Firehose(this.broker.core, this);
  }

  snapshot(): VhostSnapshot {
    return { name: this.name, ...this.traits };
  }

  /** Lets go of its queues, step by step, as it is deleted; its connections and stored bindings are gone. */
  *dropping(): Steps {
    const { broker } = this;
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
    return new AmqpError('NOT_FOUND', `no exchange '${name}' in vhost '${this.name}'`, {
      reason: 'no-exchange',
    });
  }

  /** The queue of that name, or NOT_FOUND; RESOURCE_LOCKED when another connection owns it. */
  queue(name: string, connection: object): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined) {
      throw new AmqpError('NOT_FOUND', `no queue '${name}' in vhost '${this.name}'`, {
        reason: 'no-queue',
      });
    }
    if (queue.owner !== null && queue.owner !== connection) throw lockedQueue(this.name, name);
    if (queue.unreadable !== null) this.broker.core.setAsideRows.refuse('queue', this.name, name);
    return queue;
  }

  /** Declares an exchange, or checks that the one there is equivalent. */
  declareExchange(traits: ExchangeTraits): void {
    const { name } = traits;
    const current = this.exchanges.get(name);
    checkExchangeDeclaration(this.name, current, traits);
    if (current !== undefined) return;
    this.broker.core.setAsideRows.refuse('exchange', this.name, name);
    const exchange = new Exchange(traits);
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

  /** Deletes an exchange with its bindings, by `act` where they are many; one that is not there is no error. */
  deleteExchange(name: string, ifUnused: boolean, act = atOnce, then = (): void => {}): void {
    refuseDefaultExchange(name);
    refuseSystemExchange(this.name, name);
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) {
      this.broker.core.setAsideRows.refuse('exchange', this.name, name);
      return then();
    }
    if (ifUnused && exchange.bindings.size > 0) {
      const what = `exchange '${name}' in vhost '${this.name}' in use`;
      throw new AmqpError('PRECONDITION_FAILED', what, { reason: 'in-use' });
    }
    this.bindings.unbinding.whenUnbound(exchange, act, () => this.removeExchange(exchange), then);
  }

  /**
   * Declares a queue, or checks that the one there is equivalent. An empty name asks for one.
   * `grants` are the rights of the user that declares it; null: any.
   */
  declareQueue(given: QueueTraits, connection: object, grants: Grants | null = null): Queue {
    this.broker.core.counts.queuesDeclared += 1;
    const current = this.queues.get(given.name);
    checkName('queue', given.name);
    const name = given.name === '' ? generateName('amq.gen-') : given.name;
    grants?.requireQueue('configure', name);
    const { defaultQueueType, limits } = this.traits;
    const traits = withQueueType({ ...given, name }, defaultQueueType);
    this.broker.core.setAsideRows.refuse('queue', this.name, name);
    checkQueueDeclaration(this.name, current, traits, connection);
    if (current !== undefined) return current;
    checkQueueLimit(this.name, name, this.queues.size, limits);
    if (grants !== null) checkDeadLetterRights(traits, grants);
    return this.createQueue({ ...traits, durable: traits.durable && traits.owner === null });
  }

  /**
   * Makes a queue as definitions say, which were checked before: it may have a name that the broker
   * gave, and the vhost's queue type was filled in when it was declared.
   */
  restoreQueue(traits: QueueTraits): Queue {
    return this.queues.get(traits.name) ?? this.createQueue(traits);
  }

  private createQueue(traits: QueueTraits): Queue {
    const id = this.broker.core.queueIds.take();
    if (traits.durable) this.broker.definitionRows.putQueue(this.name, { ...traits, id });
    this.broker.core.line.begin();
    const queue = this.addQueue(id, traits);
    this.broker.core.counts.queuesCreated += 1;
    this.broker.changes.queue('declared', this.name, queue);
    this.router.topologyChanged();
    if (traits.durable) this.broker.core.definitionChanged();
    this.broker.core.line.end();
    return queue;
  }

  /**
   * Deletes a queue with its messages, bindings and consumers; returns how many messages were
   * ready. PRECONDITION_FAILED when it is in use or not empty and that was asked for.
   */
  deleteQueue(queue: Queue, ifUnused: boolean, ifEmpty: boolean): number {
    checkQueueDeletion(this.name, queue, ifUnused, ifEmpty);
    return this.removeQueue(queue);
  }

  /**
   * The same by `act` where it has many bindings; `then` is given what `deleteQueue` returns. What is published
   * meanwhile goes with the queue.
   */
  deleteQueueBy(
    act: LongAct,
    queue: Queue,
    ifUnused = false,
    ifEmpty = false,
    then = (_count: number): void => {},
  ): void {
    checkQueueDeletion(this.name, queue, ifUnused, ifEmpty);
    let count = 0;
    const last = (): void => {
      count = this.removeQueue(queue);
    };
    this.bindings.unbinding.whenUnbound(queue, act, last, () => then(count));
  }

  private removeQueue(queue: Queue): number {
    if (queue.deleted) return 0;
    const count = queue.readyCount;
    this.broker.core.line.begin();
    this.broker.core.counts.queuesDeleted += 1;
    this.broker.changes.queue('deleted', this.name, queue);
    this.queues.delete(queue.name);
    this.owned.remove(queue);
    this.bindings.unbinding.removeTo(queue);
    queue.discard();
    this.router.topologyChanged();
    if (queue.durable) {
      this.broker.definitionRows.removeQueue(this.name, queue.name);
      this.broker.core.definitionChanged();
    }
    for (const consumer of queue.subscribed.clear()) consumer.channel.consumerGone(consumer);
    this.broker.core.line.end();
    return count;
  }

  /** Removes all ready messages of a queue; returns how many. */
  purgeQueue(queue: Queue): number {
    const count = queue.purge();
    // A caller that is told that they are gone must not see them again.
    if (queue.durable && count > 0) this.broker.core.definitionChanged();
    return count;
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
    { name }: ConsumerSource,
    act = this.broker.core.slices.whole,
    then = (): void => {},
  ): void {
    const queue = this.replies.close(name) ? undefined : this.queues.get(name);
    if (queue?.autoDelete !== true) return then();
    this.deleteQueueBy(act, queue, false, false, then);
  }

  deadLetter(queue: DyingQueue, position: number, reason: DeathReason): Steps | null {
    return deadLetter(this.broker.core, this, queue, position, reason);
  }

  setAside(queue: DyingQueue, entry: HeldEntry, doing: string, error: unknown): void {
    this.broker.core.setAside.add(this.name, queue, entry, doing, error);
  }

  queueExpired(name: string): void {
    const queue = this.queues.get(name);
    if (queue !== undefined) this.deleteQueueBy(this.broker.core.slices.whole, queue);
  }

  /** Makes a queue, also for recovery. */
  addQueue(id: number, traits: QueueTraits): Queue {
    const { core } = this.broker;
    const queue = new Queue(id, traits, core.log, core, this, core.queueRows);
    this.queues.set(traits.name, queue);
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
