// Owns what a user may do with super streams through a tool: an exchange, its partitions and their bindings as one thing. Never
// changes anything before all is known to be allowed.

import { type Field, type FieldTable, textField } from '../../../amqp/field-table.ts';
import type { JsonObject } from '../../../util/json/json.ts';
import type { Rows } from '../../../util/rows.ts';
import type { Grants } from '../../access/grants.ts';
import type { BrokerCore } from '../../core/core.ts';
import { argumentsFromJson } from '../../definitions/arguments-json.ts';
import { Refusal } from '../../errors.ts';
import type { Exchange } from '../../exchange/exchange.ts';
import { PARTITION_ORDER, SUPER_STREAM } from '../../exchange/types/super-stream.ts';
import { PARTITIONS_READ_MAX } from '../../queue/stream/reading/reading.ts';
import { QUEUE_TYPE } from '../../queue/types/registry.ts';
import {
  checkExchangeDeclaration,
  checkName,
  checkQueueDeclaration,
  checkQueueLimit,
} from '../../vhost/declare-rules.ts';
import { partitionsOf, type StreamPartition } from '../../vhost/super-streams.ts';
import { NO_CONNECTION, type Vhost } from '../../vhost/vhost.ts';
import type { VhostActor } from '../../vhost/vhost-actor.ts';

/** A super stream as tools see it. */
interface SuperStreamRow {
  readonly name: string;
  readonly vhost: string;
  /** In their order. */
  readonly partitions: readonly {
    readonly queue: string;
    readonly routing_key: string;
    /** What deliveries call it. */
    readonly number: number;
    readonly messages: number;
  }[];
  readonly messages: number;
}

/** Which partitions are asked for. */
export interface PartitionsWish {
  /** So many, with their numbers as keys; or those with these keys. */
  readonly partitions: number | readonly string[];
  /** What their streams are declared with; null: as those that there are. */
  readonly arguments: JsonObject | null;
}

/** A partition that is going to be made. */
interface NewPartition {
  readonly queue: string;
  readonly key: string;
  readonly number: number;
}

const STREAM = textField('stream');
const SUPER: FieldTable = new Map<string, Field>([[SUPER_STREAM, { type: 't', value: true }]]);
const ANYHOW = { ifUnused: false, ifEmpty: false };

/** What one user may do in one vhost with super streams. */
export class SuperStreamActor {
  private readonly core: BrokerCore;
  private readonly vhost: Vhost;
  private readonly grants: Grants;
  private readonly topology: VhostActor;

  constructor(core: BrokerCore, vhost: Vhost, grants: Grants, topology: VhostActor) {
    this.core = core;
    this.vhost = vhost;
    this.grants = grants;
    this.topology = topology;
  }

  /** All super streams of the vhost. */
  *rows(): Rows<SuperStreamRow> {
    for (const exchange of this.vhost.exchanges.values()) {
      const partitions = partitionsOf(exchange);
      yield partitions === null ? null : this.row(exchange, partitions);
    }
  }

  /** The one of that name; a Refusal where there is none. */
  one(name: string): SuperStreamRow {
    const { exchange, partitions } = this.existing(name);
    return this.row(exchange, partitions);
  }

  private row({ name }: Exchange, partitions: readonly StreamPartition[]): SuperStreamRow {
    const shown = partitions.map(({ stream, key, number }) => ({
      queue: stream.name,
      routing_key: key,
      number,
      messages: stream.readyCount,
    }));
    const messages = shown.reduce((sum, each) => sum + each.messages, 0);
    return { name, vhost: this.vhost.name, partitions: shown, messages };
  }

  /**
   * Makes a super stream, as RabbitMQ does: the exchange, its streams and their bindings. Refuses, before any change, where one
   * of the names is taken. The rights: those of the acts that it is made of.
   */
  add(name: string, wish: PartitionsWish): void {
    const args = readArguments(wish.arguments ?? {});
    const declaration = {
      name,
      type: 'direct',
      durable: true,
      autoDelete: false,
      internal: false,
      arguments: SUPER,
    };
    this.grants.requireExchange('configure', name);
    checkName('exchange', name);
    if (name === '' || this.vhost.exchanges.has(name)) throw taken('an exchange', name);
    checkExchangeDeclaration(this.vhost.name, undefined, declaration);
    this.core.setAsideRows.refuse('exchange', this.vhost.name, name);
    const partitions = planned(name, wish.partitions, 0, 0);
    this.check(name, partitions, args);
    this.topology.declareExchange(declaration);
    this.make(name, partitions, args);
  }

  /** Adds partitions behind those that there are. Refuses as `add`; a Refusal where there is no such super stream. */
  extend(name: string, wish: PartitionsWish): void {
    const { partitions: known } = this.existing(name);
    const like = known[0]?.stream.arguments ?? new Map();
    const args = wish.arguments === null ? like : readArguments(wish.arguments);
    const from = known.reduce((next, { number }) => Math.max(next, number + 1), 0);
    const partitions = planned(name, wish.partitions, from, known.length);
    this.check(name, partitions, args);
    this.make(name, partitions, args);
  }

  /** Deletes a super stream with its streams. The right: configure, of all of them. */
  async delete(name: string): Promise<void> {
    const { partitions } = this.existing(name);
    const queues = partitions.map(({ stream }) => stream.name);
    this.grants.requireExchange('configure', name);
    for (const queue of queues) this.grants.requireQueue('configure', queue);
    const { whole } = this.core.slices;
    // First what routes: as long as it is there, keys of a partition that is gone would go to another.
    await new Promise<void>((resolve) => this.topology.deleteExchange(name, false, whole, resolve));
    for (const queue of queues) {
      await new Promise((resolve) => this.topology.deleteQueue(queue, ANYHOW, whole, resolve));
    }
  }

  private existing(name: string) {
    const exchange = this.vhost.exchanges.get(name);
    const partitions = exchange === undefined ? null : partitionsOf(exchange);
    if (exchange !== undefined && partitions !== null) return { exchange, partitions };
    throw new Refusal('not-found', `there is no super stream '${name}'`);
  }

  /** Asks all that could refuse. */
  private check(exchange: string, partitions: readonly NewPartition[], args: FieldTable): void {
    const { vhost, grants, core } = this;
    grants.requireExchange('read', exchange);
    for (const { queue } of partitions) {
      grants.requireQueue('configure', queue);
      grants.requireQueue('write', queue);
    }
    const type = args.get(QUEUE_TYPE)?.value ?? 'stream';
    if (type !== 'stream')
      throw new Refusal('invalid', 'the partitions of a super stream are streams');
    for (const { queue } of partitions) {
      checkName('queue', queue);
      if (vhost.queues.has(queue)) throw taken('a queue', queue);
      core.setAsideRows.refuse('queue', vhost.name, queue);
      checkQueueDeclaration(vhost.name, undefined, streamOf(queue, args), NO_CONNECTION);
    }
    const last = partitions.at(-1)?.queue ?? '';
    const size = vhost.queues.size + partitions.length - 1;
    checkQueueLimit(vhost.name, last, size, vhost.metadata.limits);
  }

  private make(exchange: string, partitions: readonly NewPartition[], args: FieldTable): void {
    for (const { queue } of partitions) this.topology.declareQueue(streamOf(queue, args));
    for (const { queue, key, number } of partitions) {
      const order = new Map<string, Field>([[PARTITION_ORDER, { type: 'l', value: number }]]);
      this.topology.bind(exchange, { kind: 'queue', name: queue }, key, order);
    }
  }
}

function readArguments(json: JsonObject): FieldTable {
  try {
    return argumentsFromJson(json);
  } catch (error) {
    throw new Refusal('invalid', (error as Error).message);
  }
}

function streamOf(name: string, args: FieldTable) {
  const all = new Map([...args, [QUEUE_TYPE, STREAM] as const]);
  return { name, durable: true, autoDelete: false, owner: null, arguments: all };
}

/** The partitions to be, numbered from `from` on, where there are `count` already. */
function planned(
  name: string,
  wish: number | readonly string[],
  from: number,
  count: number,
): NewPartition[] {
  const wanted = typeof wish === 'number' ? wish : wish.length;
  if (wanted < 1) throw new Refusal('invalid', 'The partition number must be greater than 0');
  if (count + wanted > PARTITIONS_READ_MAX) {
    throw new Refusal('invalid', `a super stream has ${PARTITIONS_READ_MAX} partitions at most`);
  }
  const keys =
    typeof wish === 'number' ? Array.from({ length: wish }, (_, i) => String(from + i)) : wish;
  const seen = new Set<string>();
  return keys.map((key, i) => {
    const queue = `${name}-${key}`;
    if (seen.has(key)) throw taken('a queue', queue);
    seen.add(key);
    return { queue, key, number: from + i };
  });
}

function taken(what: string, name: string): Refusal {
  return new Refusal('invalid', `there is already ${what} named ${name}`);
}
