// Owns the one door to declare, bind, unbind, delete and purge in a vhost: which right each act asks for, which rules
// it keeps to, and in which order they are checked. Never reads a frame or JSON, and never changes anything itself.

import type { FieldTable } from '../../amqp/field-table.ts';
import type { Rights } from '../access/grants.ts';
import type { VhostMetadata } from '../access/vhost-metadata.ts';
import type { BrokerCore } from '../core/core.ts';
import type { Destination, Exchange, ExchangeDeclaration } from '../exchange/exchange.ts';
import { unlistedExchange } from '../exchange/predeclared.ts';
import type { DelayPlace } from '../queue/delay/delay-lookup.ts';
import type { DelayedAction, QueueDelays } from '../queue/delay/queue-delays.ts';
import type { QueueDeclaration } from '../queue/ports.ts';
import type { Queue } from '../queue/queue.ts';
import type { Stream } from '../queue/stream/stream.ts';
import type { AnyQueue } from '../queue/types/create-queue.ts';
import type { VhostBindings } from './bindings.ts';
import {
  checkExchangeDeclaration,
  checkExchangeDeletion,
  checkName,
  checkQueueDeclaration,
  checkQueueDeletion,
  checkQueueLimit,
  checkServerNamed,
  type DeleteConditions,
  notStream,
  refuseBinding,
  refuseDefaultExchange,
  refuseSystemExchange,
  refuseUnknownType,
  requireStream,
  withQueueType,
} from './declare-rules.ts';
import { generateName } from './generated-name.ts';
import { atOnce, type LongAct } from './unbinding.ts';

/** The vhost behind the door: what there is, and changes that ask no more questions. */
export interface ActedVhost {
  readonly name: string;
  readonly metadata: VhostMetadata;
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: ReadonlyMap<string, AnyQueue>;
  readonly bindings: Pick<VhostBindings, 'bind' | 'has' | 'unbind'>;
  exchange(name: string): Exchange;
  queue(name: string, connection: object): AnyQueue;
  waitingIn(name: string, connection: object): Queue;
  createExchange(declaration: ExchangeDeclaration): void;
  createQueue(declaration: QueueDeclaration): AnyQueue;
  removeExchangeBy(act: LongAct, exchange: Exchange, then: () => void): void;
  removeQueueBy(act: LongAct, queue: AnyQueue, then: (readyCount: number) => void): void;
  purgeQueueBy(act: LongAct, queue: Queue, then: (count: number) => void): void;
  handleDelayed(queue: Queue, action: DelayedAction, places: readonly DelayPlace[] | null): number;
  pauseQueue(queue: AnyQueue, paused: boolean): void;
}

/** The end of a binding that messages go to. */
export interface BindingEnd {
  readonly kind: 'queue' | 'exchange';
  readonly name: string;
}

/** Acts of one user in one vhost. What the user may not do, or the rules forbid, is an AmqpError. */
export class VhostActor {
  private readonly vhost: ActedVhost;
  private readonly core: BrokerCore;
  private readonly rights: Rights;
  private readonly connection: object;

  /** `connection` is what exclusive queues are compared with. */
  constructor(vhost: ActedVhost, core: BrokerCore, rights: Rights, connection: object) {
    this.vhost = vhost;
    this.core = core;
    this.rights = rights;
    this.connection = connection;
  }

  /**
   * Declares an exchange, or checks that the one there is equivalent. The right: configure; with an alternate exchange
   * of its own also to read the exchange and to write to the alternate one.
   */
  declareExchange(declaration: ExchangeDeclaration): void {
    const { vhost, rights } = this;
    const { name } = declaration;
    const current = vhost.exchanges.get(name) ?? unlistedExchange(name);
    // As in RabbitMQ: what can never be declared is told before what this user may.
    refuseUnknownType(declaration.type);
    refuseDefaultExchange(name);
    rights.requireExchange('configure', name);
    const alternate = declaration.arguments.get('alternate-exchange');
    if (alternate?.type === 'S' && current === undefined) {
      rights.requireExchange('read', name);
      rights.requireExchange('write', alternate.value.toString());
    }
    checkExchangeDeclaration(vhost.name, current, declaration);
    if (current === undefined) vhost.createExchange(declaration);
  }

  /**
   * Deletes an exchange with its bindings, by `act` where they are many; one that is not there is no error. The
   * right: configure.
   */
  deleteExchange(name: string, ifUnused: boolean, act = atOnce, then = (): void => {}): void {
    const { vhost } = this;
    refuseDefaultExchange(name);
    refuseSystemExchange(vhost.name, name);
    this.rights.requireExchange('configure', name);
    const exchange = vhost.exchanges.get(name);
    if (exchange === undefined) {
      this.core.setAsideRows.refuse('exchange', vhost.name, name);
      return then();
    }
    checkExchangeDeletion(vhost.name, exchange, ifUnused);
    vhost.removeExchangeBy(act, exchange, then);
  }

  /**
   * Declares a queue, or checks that the one there is equivalent. An empty name asks for one. The right: configure;
   * with a dead-letter exchange also to read the queue and to write to that exchange.
   */
  declareQueue(given: QueueDeclaration): AnyQueue {
    const { core, vhost, rights } = this;
    core.counts.queuesDeclared += 1;
    const current = vhost.queues.get(given.name);
    checkName('queue', given.name);
    checkServerNamed(given);
    const name = given.name === '' ? generateName('amq.gen-') : given.name;
    rights.requireQueue('configure', name);
    const { defaultQueueType, limits } = vhost.metadata;
    const type = defaultQueueType ?? core.defaultQueueType;
    const declaration = { ...withQueueType(given, type), name };
    core.setAsideRows.refuse('queue', vhost.name, name);
    checkQueueDeclaration(vhost.name, current, declaration, this.connection);
    if (current !== undefined) return current;
    checkQueueLimit(vhost.name, name, vhost.queues.size, limits);
    const deadLetters = declaration.arguments.get('x-dead-letter-exchange');
    if (deadLetters?.type === 'S') {
      rights.requireQueue('read', name);
      rights.requireExchange('write', deadLetters.value.toString());
    }
    return vhost.createQueue({
      ...declaration,
      durable: declaration.durable && declaration.owner === null,
    });
  }

  /**
   * Deletes a queue with its messages, bindings and consumers, by `act` where it has many. `then` is given how many
   * messages were ready; null: there is no such queue. What is published meanwhile goes with the queue. The right:
   * configure.
   */
  deleteQueue(
    name: string,
    conditions: DeleteConditions,
    act: LongAct = atOnce,
    then = (_readyCount: number | null): void => {},
  ): void {
    const { vhost } = this;
    this.rights.requireQueue('configure', name);
    if (!vhost.queues.has(name)) return then(null);
    const queue = vhost.queue(name, this.connection);
    queue.catchUp();
    checkQueueDeletion(vhost.name, queue, conditions);
    vhost.removeQueueBy(act, queue, (readyCount) => {
      this.core.setAside.dropOf(queue.id);
      then(readyCount);
    });
  }

  /** Removes all ready messages of a queue, by `act` where they are many; `then` is told how many. The right: read. */
  purgeQueue(name: string, act: LongAct = atOnce, then = (_count: number): void => {}): void {
    this.rights.requireQueue('read', name);
    const queue = this.vhost.queue(name, this.connection);
    this.vhost.purgeQueueBy(act, notStream(queue, this.vhost.name, 'queue.purge'), then);
  }

  /** The messages of a queue that wait for their time, to be looked at. The right: read. */
  delaysOf(name: string): QueueDelays {
    this.rights.requireQueue('read', name);
    return this.vhost.waitingIn(name, this.connection).delays;
  }

  /**
   * Makes messages ready now that wait for their time, or drops them: those of these places, or all; returns how many.
   * The right: read.
   */
  handleDelayed(name: string, action: DelayedAction, places: readonly DelayPlace[] | null): number {
    this.rights.requireQueue('read', name);
    return this.vhost.handleDelayed(this.vhost.waitingIn(name, this.connection), action, places);
  }

  /**
   * A stream, to see who reads it and to move the places of its groups. The right: read, as what consumers ack moves
   * places, too. Throws a Refusal for a queue that is none.
   */
  stream(name: string): Stream {
    this.rights.requireQueue('read', name);
    return requireStream(this.vhost.queue(name, this.connection), this.vhost.name);
  }

  /**
   * Holds back what a queue would give to consumers and to `basic.get`, or gives it out again; doing so twice changes
   * nothing. The right: configure, as consumers of all other users are held, too.
   */
  pauseQueue(name: string, paused: boolean): void {
    this.rights.requireQueue('configure', name);
    const queue = this.vhost.queue(name, this.connection);
    if (queue.paused !== paused) this.vhost.pauseQueue(queue, paused);
  }

  /** Binds a destination to a source exchange; doing so again changes nothing. The rights: see `requireBinding`. */
  bind(source: string, to: BindingEnd, bindingKey: string, args: FieldTable): void {
    this.requireBinding(source, to, bindingKey);
    const { vhost } = this;
    vhost.bindings.bind(vhost.exchange(source), this.destination(to), bindingKey, args);
  }

  /** Takes a binding away; one that is not there is no error. The rights: those of `bind`. */
  unbind(source: string, to: BindingEnd, bindingKey: string, args: FieldTable): void {
    this.requireBinding(source, to, bindingKey);
    const { bindings, exchanges, queues } = this.vhost;
    const exchange = exchanges.get(source);
    const destination = (to.kind === 'queue' ? queues : exchanges).get(to.name);
    if (exchange === undefined || destination === undefined) return;
    if (!bindings.has(exchange, destination, bindingKey, args)) return;
    bindings.unbind(exchange, this.destination(to), bindingKey, args);
  }

  /** The queue or exchange of that name, or NOT_FOUND; RESOURCE_LOCKED for a queue of another connection. */
  destination({ kind, name }: BindingEnd): Destination {
    return kind === 'queue' ? this.vhost.queue(name, this.connection) : this.vhost.exchange(name);
  }

  /** To write to the destination, to read from the source, and to read there with this binding key. */
  private requireBinding(source: string, { kind, name }: BindingEnd, bindingKey: string): void {
    const { rights } = this;
    if (kind === 'queue') {
      rights.requireQueue('write', name);
    } else {
      rights.requireExchange('write', name);
      refuseBinding(name);
    }
    refuseBinding(source);
    rights.requireExchange('read', source);
    const exchange = this.vhost.exchanges.get(source);
    if (exchange !== undefined) rights.requireTopic('read', exchange, bindingKey);
  }
}
