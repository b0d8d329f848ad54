// Owns what a user may do to one vhost through a tool: the very functions that AMQP uses, with the
// rights of that user. Never decides which user it is: the caller that asks for a ToolActor has done so.

import { AmqpError } from '../../amqp/errors.ts';
import type { FieldTable } from '../../amqp/field-table.ts';
import { readMessage } from '../../message/read-message.ts';
import type { JsonValue } from '../../util/json/json.ts';
import type { Rests } from '../../util/json/json-text.ts';
import type { Grants } from '../access/grants.ts';
import type { Broker } from '../broker.ts';
import { argumentsFromJson } from '../definitions/arguments-json.ts';
import { headerFromJson } from '../definitions/properties-json.ts';
import { Refusal } from '../errors.ts';
import type { Binding } from '../exchange/binding.ts';
import type { Destination, Exchange } from '../exchange/exchange.ts';
import type { ConsumerSource } from '../queue/consumer.ts';
import { gotCount, setCount } from '../queue/got-count.ts';
import type { TakenEntry } from '../queue/messages/queue-entries.ts';
import type { Queue } from '../queue/queue.ts';
import { redriveMessage, type Stuck } from '../republish/redrive.ts';
import { type DeleteConditions, noQueue, notStream } from '../vhost/declare-rules.ts';
import { NO_CONNECTION, type Vhost } from '../vhost/vhost.ts';
import type { BindingEnd, VhostActor } from '../vhost/vhost-actor.ts';
import { propertiesKeyOf } from './bindings.ts';
import {
  type BrowsePage,
  type BrowseRequest,
  browse,
  type MessageFilter,
  matches,
} from './browse/browse.ts';
import { QueueWalk } from './browse/queue-walk.ts';
import { DelayedActor } from './delayed/delayed.ts';
import { type MessageView, type PayloadEncoding, viewMessage } from './message-json.ts';
import { StreamActor } from './queues/stream-readers.ts';
import { SuperStreamActor } from './queues/super-streams.ts';
import { ScheduleActor } from './schedules/schedule-actor.ts';
import type { ServerPort } from './server-port.ts';
import { SetAsideActor } from './set-aside.ts';

/** What becomes of messages that a tool gets, in RabbitMQ's words. */
export const ACK_MODES = [
  'ack_requeue_true',
  'ack_requeue_false',
  'reject_requeue_true',
  'reject_requeue_false',
] as const;
export type AckMode = (typeof ACK_MODES)[number];

/** A queue or an exchange as a tool declares it; what is not given is not asked for. */
export interface Declaration {
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly arguments: JsonValue | undefined;
}

export type { BindingEnd };

/** A message got from a queue. */
export interface GotMessage extends MessageView {
  /** How many are left. */
  readonly message_count: number;
}

/** What a redrive did. */
export interface RedriveResult {
  readonly moved: number;
  /** Those that fit, but stay, by the reason. */
  readonly stuck: Readonly<Record<Stuck, number>>;
  /** Where to go on; null: all messages were looked at. */
  readonly cursor: string | null;
}

/** The reasons why messages stay, before there is one. */
export function noneStuck(): Record<Stuck, number> {
  return { not_dead_letter: 0, no_queue: 0, refused: 0 };
}

/** Messages that are taken out of a queue for a while. */
export interface TakenMessages {
  readonly messages: GotMessage[];
  /** Does with them what the mode says; does nothing the second time. */
  settle(mode: AckMode): void;
}

/** So many characters of payloads are taken at a time, and one message more. */
const TAKEN_CHARS_MAX = 16 * 2 ** 20;

/** One user in one vhost. */
export class ToolActor {
  private readonly broker: Broker;
  private readonly host: ServerPort;
  private readonly vhost: Vhost;
  private readonly grants: Grants;
  /** The door that AMQP uses, too. */
  private readonly topology: VhostActor;

  constructor(broker: Broker, host: ServerPort, vhost: Vhost, grants: Grants) {
    this.broker = broker;
    this.host = host;
    this.vhost = vhost;
    this.grants = grants;
    this.topology = vhost.as(grants);
  }

  /** What this user may do with what is set aside. */
  get setAside(): SetAsideActor {
    return new SetAsideActor(this.broker, this.vhost, this.grants);
  }

  /** What this user may do with what waits for its time. */
  get delayed(): DelayedActor {
    return new DelayedActor(this.broker, this.topology);
  }

  /** What this user may do with those that read streams. */
  get streams(): StreamActor {
    return new StreamActor(this.broker, this.vhost.name, this.topology);
  }

  /** What this user may do with super streams. */
  get superStreams(): SuperStreamActor {
    return new SuperStreamActor(this.broker.core, this.vhost, this.grants, this.topology);
  }

  /** What this user may do with schedules. */
  get schedules(): ScheduleActor {
    return new ScheduleActor(this.vhost, this.grants);
  }

  // --- queues ---

  /** Returns whether it is new. Throws an AmqpError or a Refusal. */
  declareQueue(name: string, { durable, autoDelete, arguments: args }: Declaration): boolean {
    const isNew = !this.vhost.queues.has(name);
    const declaration = { name, durable, autoDelete, owner: null, arguments: readArguments(args) };
    this.topology.declareQueue(declaration).use();
    return isNew;
  }

  async deleteQueue(name: string, conditions: DeleteConditions): Promise<void> {
    const { whole } = this.broker.core.slices;
    const count = await new Promise<number | null>((resolve) =>
      this.topology.deleteQueue(name, conditions, whole, resolve),
    );
    if (count === null) throw noQueue(this.vhost.name, name);
  }

  /** Removes all ready messages of a queue. */
  async purgeQueue(name: string): Promise<void> {
    const { whole } = this.broker.core.slices;
    await new Promise<number>((resolve) => this.topology.purgeQueue(name, whole, resolve));
  }

  /** Holds back what a queue would give to consumers, or gives it out again. */
  pauseQueue(name: string, paused: boolean): void {
    this.topology.pauseQueue(name, paused);
  }

  // --- exchanges ---

  /** Returns whether it is new. */
  declareExchange(
    name: string,
    type: string,
    internal: boolean,
    { durable, autoDelete, arguments: json }: Declaration,
  ): boolean {
    const args = readArguments(json);
    const isNew = !this.vhost.exchanges.has(name);
    this.topology.declareExchange({ name, type, durable, autoDelete, internal, arguments: args });
    return isNew;
  }

  async deleteExchange(name: string, ifUnused: boolean): Promise<void> {
    this.vhost.exchange(name);
    const { whole } = this.broker.core.slices;
    await new Promise<void>((resolve) =>
      this.topology.deleteExchange(name, ifUnused, whole, resolve),
    );
  }

  // --- bindings ---

  /** Returns what stands for the binding in paths. */
  bind(source: string, to: BindingEnd, key: string, args: JsonValue | undefined): string {
    const table = readArguments(args);
    this.topology.bind(source, to, key, table);
    return propertiesKeyOf(key, table);
  }

  /** Takes the binding away that has the first of these properties keys that one has; a Refusal when none has. */
  unbind(source: string, to: BindingEnd, propertiesKeys: readonly string[]): void {
    const exchange = this.vhost.exchange(source);
    const binding = findBinding(exchange, this.topology.destination(to), propertiesKeys);
    if (binding === null) throw new Refusal('not-found', 'there is no such binding');
    this.topology.unbind(source, to, binding.bindingKey, binding.arguments);
  }

  // --- messages ---

  /** Publishes; resolves, once the message is safe, with whether any queue took it. */
  publish(
    exchange: string,
    routingKey: string,
    properties: JsonValue,
    body: Buffer,
  ): Promise<boolean> {
    const header = headerFromJson(properties, body.length);
    return this.host.publish(this.grants, this.vhost, { exchange, routingKey, header, body });
  }

  /** Gets up to `count` messages, and does with them all what the mode says. */
  async get(
    name: string,
    count: number,
    mode: AckMode,
    encoding: PayloadEncoding,
    truncate: number,
  ): Promise<GotMessage[]> {
    const { messages, settle } = await this.take(name, count, encoding, truncate, null);
    settle(mode);
    return messages;
  }

  /**
   * Takes up to `count` messages, and no more once they have some MiB, with rests on the way. They stay
   * unacked until `settle` is called with what is to become of them.
   */
  async take(
    name: string,
    count: number,
    encoding: PayloadEncoding,
    truncate: number,
    rests: Rests | null,
  ): Promise<TakenMessages> {
    this.grants.requireQueue('read', name);
    const taken: number[] = [];
    const messages: GotMessage[] = [];
    const queue = this.noStream(name, 'basic.get');
    let chars = 0;
    const settleAll = (mode: AckMode): void => {
      if (queue.deleted) return;
      for (const seq of taken.splice(0)) settle(queue, seq, mode);
    };
    try {
      while (messages.length < count && chars < TAKEN_CHARS_MAX && !queue.deleted) {
        let view: MessageView | undefined;
        const look = (seen: TakenEntry): void => {
          const message = readMessage(this.broker.core.log, seen.position);
          const earlier = gotCount(queue, seen);
          if (earlier !== null) setCount(message.headers, earlier);
          view = viewMessage(message, seen.redelivered, encoding, truncate);
        };
        const entry = queue.get(false, look, true);
        if (entry === null) {
          if (queue.overdue) {
            await this.dropExpired(queue);
            continue;
          }
          if (!queue.waitsForMark) break;
          // A message may go out only once the disk knows that it may have been delivered.
          await this.host.durable(this.broker.core.store.batch);
          continue;
        }
        taken.push(entry.seq);
        const { payload } = view as MessageView;
        chars += payload.length;
        messages.push({ ...(view as MessageView), message_count: queue.readyCount });
        if (rests?.due === true) await rests.rest();
      }
    } catch (error) {
      settleAll('ack_requeue_true');
      throw error;
    }
    return { messages, settle: settleAll };
  }

  private noStream(name: string, act: string): Queue {
    return notStream(this.vhost.queue(name, NO_CONNECTION), this.vhost.name, act);
  }

  private dropExpired(queue: ConsumerSource): Promise<void> {
    return new Promise((done) => this.broker.core.slices.begin(queue.droppingExpired(), done));
  }

  /** How many messages of a queue are ready. */
  readyCount(name: string): number {
    const queue = this.vhost.queue(name, NO_CONNECTION);
    queue.catchUp();
    return queue.readyCount;
  }

  /** Looks at messages without disturbing them. */
  browse(name: string, request: BrowseRequest): BrowsePage {
    this.grants.requireQueue('read', name);
    const { log, clock, time } = this.broker.core;
    const queue = this.vhost.queue(name, NO_CONNECTION);
    queue.catchUp();
    return browse(queue, log, clock, time, request);
  }

  /**
   * Moves up to `count` ready messages that fit back to where they died, or to the queue `to`; those
   * behind `cursor`. Does only so much at a time as the event loop bears.
   */
  redrive(
    name: string,
    filter: MessageFilter,
    count: number,
    to: string | null,
    cursor: string,
  ): RedriveResult {
    this.grants.requireQueue('read', name);
    // Where the messages go they go as by a publish through the default exchange.
    this.grants.requireExchange('write', '');
    const { broker, vhost } = this;
    const from = this.noStream(name, 'moving messages');
    from.catchUp();
    const target = to === null ? null : vhost.queue(to, NO_CONNECTION);
    const walk = new QueueWalk(from, broker.core.log, broker.core.clock, cursor);
    let moved = 0;
    const stuck = noneStuck();
    walk.run((entry, message) => {
      if (!entry.ready || !matches(filter, message)) return true;
      const what = redriveMessage(broker.core, vhost, from, entry, message, target);
      if (what === 'moved') moved += 1;
      else stuck[what] += 1;
      return moved < count;
    });
    return { moved, stuck, cursor: walk.cursor };
  }
}

function settle(queue: Queue, seq: number, mode: AckMode): void {
  if (mode === 'ack_requeue_false') queue.settle(seq);
  else if (mode === 'reject_requeue_false') queue.reject(seq);
  else queue.requeue(seq, mode === 'reject_requeue_true');
}

function readArguments(json: JsonValue | undefined): FieldTable {
  try {
    return argumentsFromJson(json);
  } catch (error) {
    throw new AmqpError('PRECONDITION_FAILED', (error as Error).message);
  }
}

function findBinding(
  exchange: Exchange,
  destination: Destination,
  propertiesKeys: readonly string[],
): Binding<Destination> | null {
  const found = [...exchange.bindings.values()].filter((each) => each.destination === destination);
  const keys = found.map((each) => propertiesKeyOf(each.bindingKey, each.arguments));
  const place = propertiesKeys.map((key) => keys.indexOf(key)).find((at) => at >= 0);
  return found[place ?? -1] ?? null;
}
