// Owns the model that the simulation compares a broker with: plain arrays of messages per queue,
// and what of them a disk must hold. Never knows pages, segments, seqs or batches.

import type { Consumer } from '../../src/broker/queue/consumer.ts';
import { LateConsumers } from './late.ts';
import { type KeyRule, type KnownKey, ModelKeys } from './model-keys.ts';
import { type Claim, ModelPublishers } from './model-publishers.ts';
import { ModelStream, NO_LIMITS, type StreamLimits, type StreamSnapshot } from './model-stream.ts';

/** One message as it lies in a queue; dead-lettering makes another of it. */
export interface Message {
  readonly id: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Buffer;
  readonly persistent: boolean;
  /** Null: it names none. */
  readonly priority: number | null;
  readonly ttlMs: number;
  /** How long it waits before it is ready, ms; 0: not at all. */
  readonly delayMs: number;
  /** Null: it belongs to no group. */
  readonly group: string | null;
  /** By which duplicates are told; null: it is none. */
  readonly key: string | null;
  /** How long its key is known, ms; null: as long as others. */
  readonly keyTtlMs: number | null;
  /** Its number among those of its publisher; null: it has none. */
  readonly claim: Claim | null;
  /** Where it died before, the last time first. */
  readonly deaths: readonly Death[];
}

/** How messages die. */
export type Reason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

interface Death {
  readonly queue: string;
  readonly reason: Reason;
}

/** A message in one queue. */
export class Entry {
  readonly message: Message;
  /** Its place: higher than that of all that came to the queue, or were ready in it, before. */
  order: number;
  /** When it is ready, ms since the Unix epoch; 0: it does not wait. */
  readyMs = 0;
  /** Its place among those that wait. */
  waitOrder = 0;
  /** Whether it came back and has waited: it goes ahead of those that have not. */
  ahead = false;
  /** Whether a durable batch brings it back after a crash. */
  readonly stored: boolean;
  /** When it expires, ms since the Unix epoch. */
  readonly dueMs: number;
  readonly priority: number;
  /** How often it came back to a queue that counts this. */
  returns = 0;
  /** Whether some consumer has been given it, before or after a restart. */
  given = false;
  /** Whether it was there at a crash, after which a broker may be wrong to call it redelivered. */
  doubtful = false;

  constructor(message: Message, order: number, stored: boolean, dueMs: number, priority: number) {
    this.message = message;
    this.order = order;
    this.stored = stored;
    this.dueMs = dueMs;
    this.priority = priority;
  }

  /** Whether it goes out before another. */
  isBefore(other: Entry): boolean {
    if (this.priority !== other.priority) return this.priority > other.priority;
    if (this.ahead !== other.ahead) return this.ahead;
    return this.order < other.order;
  }
}

/** What a queue is declared with. */
export interface QueueSpec {
  readonly name: string;
  readonly durable: boolean;
  readonly deadLetterExchange: string | null;
  readonly deadLetterRoutingKey: string | null;
  readonly ttlMs: number;
  readonly lengthMax: number;
  readonly refusing: boolean;
  readonly priorityMax: number;
  readonly returnsMax: number;
  readonly singleActive: boolean;
  /** What the delays of messages that come back are made of, ms; 0: they do not wait. */
  readonly retryMinMs: number;
  /** How many messages of one group may be unacked; 0: there are no groups. */
  readonly groupMax: number;
  /** How many messages may be unacked. */
  readonly unackedMax: number;
  /** Null: it does not look for duplicates. */
  readonly keys: KeyRule | null;
}

export interface ExchangeSpec {
  readonly name: string;
  readonly type: 'direct' | 'fanout';
  readonly durable: boolean;
  /** Where that goes which it has no way for; null: nowhere. */
  readonly alternate: string | null;
  /** Null: it does not look for duplicates. */
  readonly keys: KeyRule | null;
}

/** What a stream is declared with. */
export interface StreamSpec {
  readonly name: string;
  readonly limits: StreamLimits;
}

export interface BindingSpec {
  readonly source: string;
  readonly queue: string;
  readonly bindingKey: string;
}

/** What decides whose turn it is. */
export interface ModelConsumer {
  readonly tag: string;
  readonly priority: number;
  readonly channel: { readonly link: object };
}

/** The consumers of a queue, and whom it may serve. */
export class ModelConsumers<C extends ModelConsumer> {
  /** In order of registration. */
  private readonly all: C[] = [];
  private readonly singleActive: boolean;
  /** For how many queues a connection has the single active consumer. */
  private readonly activeOn: (link: object) => number;
  /** The only one to be served, of a queue that has a single active consumer. */
  active: C | null = null;
  /** Whether it was given anything since it became so. */
  private given = false;
  readonly late = new LateConsumers<C>();
  private lastServed: C | null = null;

  constructor(singleActive: boolean, activeOn: (link: object) => number) {
    this.singleActive = singleActive;
    this.activeOn = activeOn;
  }

  /** The highest priority first, and in order of registration among equals. */
  get ranked(): C[] {
    return [...this.all].sort((a, b) => b.priority - a.priority);
  }

  get count(): number {
    return this.all.length;
  }

  add(consumer: C): void {
    this.all.push(consumer);
    this.late.added(consumer);
    this.lastServed = null;
    if (!this.singleActive) return;
    const { active } = this;
    const more = active === null ? 0 : this.loadOf(active) - this.loadOf(consumer);
    const moves = !this.given && consumer.priority === active?.priority && more > 1;
    if (active === null || moves) this.activate(consumer);
  }

  /** Takes one off; returns whether another takes over from it. */
  remove(consumer: C): boolean {
    this.all.splice(this.all.indexOf(consumer), 1);
    this.late.removed(consumer);
    this.lastServed = null;
    if (this.active !== consumer) return false;
    this.active = null;
    const { ranked } = this;
    const equals = ranked.filter(({ priority }) => priority === ranked[0]?.priority);
    const least = Math.min(...equals.map((each) => this.loadOf(each)));
    this.activate(equals.find((each) => this.loadOf(each) === least) ?? null);
    return this.active !== null;
  }

  private activate(consumer: C | null): void {
    this.active = consumer;
    this.given = false;
  }

  private loadOf(consumer: C): number {
    return this.activeOn(consumer.channel.link);
  }

  /** Those that may be served before or in place of one, if they are ready. */
  rivalsOf(consumer: C): C[] {
    if (this.singleActive) return [];
    const again = this.lastServed === consumer;
    return this.all.filter(
      (other) =>
        other !== consumer &&
        (other.priority > consumer.priority || (again && other.priority === consumer.priority)),
    );
  }

  /** Whether others are late, one of them of a priority that goes before or along with that of one. */
  rivalsLate(consumer: C): boolean {
    return this.all.some(
      (other) =>
        other !== consumer && other.priority >= consumer.priority && this.late.of(other)[1] > 0,
    );
  }

  served(consumer: C): void {
    this.lastServed = consumer;
    if (consumer === this.active) this.given = true;
  }

  /** Whose turn it is may pass without a delivery: when that has to wait for the disk. */
  turnEnds(): void {
    this.lastServed = null;
  }
}

/** A queue: what is ready, in order, and what is with consumers. */
export class ModelQueue {
  readonly spec: QueueSpec;
  readonly consumers: ModelConsumers<Consumer>;
  readonly ready: Entry[] = [];
  /** Those that wait for their time, the first one first. */
  readonly waiting: Entry[] = [];
  readonly unacked = new Set<Entry>();
  readonly keys: ModelKeys<Entry> | null;
  private nextOrder = 0;
  private nextWait = 0;

  constructor(spec: QueueSpec, activeOn: (link: object) => number) {
    this.spec = spec;
    this.consumers = new ModelConsumers(spec.singleActive, activeOn);
    const isThere = (entry: Entry): boolean =>
      this.unacked.has(entry) || this.ready.includes(entry) || this.waiting.includes(entry);
    this.keys = spec.keys === null ? null : new ModelKeys(spec.keys, isThere);
  }

  /** How many are ready or wait. */
  get length(): number {
    return this.ready.length + this.waiting.length;
  }

  /** Whether there is no place for one more. */
  get full(): boolean {
    return this.spec.refusing && this.length >= this.spec.lengthMax;
  }

  /** Whether a message that is ready may go out now. */
  mayGo(entry: Entry): boolean {
    const { groupMax, unackedMax } = this.spec;
    if (this.unacked.size >= unackedMax) return false;
    if (groupMax === 0) return entry === this.ready[0];
    const { group } = entry.message;
    const same = (other: Entry): boolean => other.message.group === group;
    if (entry !== this.ready.find(same)) return false;
    // What waits to be tried again holds up its group.
    const waiting = this.waiting.filter((other) => same(other) && other.returns > 0).length;
    return group === null || [...this.unacked].filter(same).length + waiting < groupMax;
  }

  /** Whether a message is a duplicate, which is counted then: one that died here before is none of itself. */
  drops({ key, deaths }: Message, nowMs: number): boolean {
    const { keys, spec } = this;
    if (keys === null || !keys.knows(key, nowMs)) return false;
    const cameBefore = deaths.some(({ queue }) => queue === spec.name);
    if (cameBefore) keys.cameBack += 1;
    else keys.dropped += 1;
    return !cameBefore;
  }

  push(message: Message, stored: boolean, nowMs: number, delayMs = 0): void {
    const { durable, ttlMs, priorityMax } = this.spec;
    const dueMs = nowMs + delayMs + Math.min(ttlMs, message.ttlMs);
    const priority = Math.min(message.priority ?? 0, priorityMax);
    const lasts = stored && durable && message.persistent;
    const entry = new Entry(message, -1, lasts, dueMs, priority);
    this.keys?.taken(message.key, message.keyTtlMs, nowMs, entry.stored, entry);
    if (delayMs > 0) return this.wait(entry, nowMs + delayMs);
    // Before a full queue refuses, it delivers: what is due by then is ready before what comes in.
    const due = this.full ? this.waiting.filter(({ readyMs }) => readyMs <= nowMs).length : 0;
    entry.order = due > 0 ? this.nextOrder + due - 0.5 : this.nextOrder++;
    this.place(entry);
  }

  /** Has a message wait, one that comes in or one that came back. */
  wait(entry: Entry, readyMs: number): void {
    this.unacked.delete(entry);
    entry.readyMs = readyMs;
    entry.waitOrder = this.nextWait++;
    this.waiting.push(entry);
    this.waiting.sort((a, b) => a.readyMs - b.readyMs || a.waitOrder - b.waitOrder);
  }

  /** The time of the first one has come, or there is no place for it to wait. */
  readyNow(): Entry {
    const entry = this.waiting.shift() as Entry;
    entry.readyMs = 0;
    entry.ahead = entry.returns > 0;
    entry.order = this.nextOrder++;
    this.place(entry);
    return entry;
  }

  /** Puts a message back where it was. */
  requeue(entry: Entry): void {
    this.unacked.delete(entry);
    this.place(entry);
  }

  private place(entry: Entry): void {
    const at = this.ready.findIndex((other) => entry.isBefore(other));
    this.ready.splice(at < 0 ? this.ready.length : at, 0, entry);
  }

  /** All that is there, in order. */
  get live(): Entry[] {
    return [...this.ready, ...this.unacked].sort((a, b) => (a.isBefore(b) ? -1 : 1));
  }

  get readyBytes(): number {
    return this.ready.reduce((sum, entry) => sum + entry.message.body.length, 0);
  }

  /** Comes back from a disk that holds these entries. */
  restore(entries: readonly SnapshotEntry[]): void {
    for (const { entry, ...was } of entries) {
      Object.assign(entry, was);
      this.nextOrder = Math.max(this.nextOrder, entry.order + 1);
      this.nextWait = Math.max(this.nextWait, entry.waitOrder + 1);
      if (entry.readyMs > 0) this.waiting.push(entry);
      else this.ready.push(entry);
    }
    this.waiting.sort((a, b) => a.readyMs - b.readyMs || a.waitOrder - b.waitOrder);
    this.ready.sort((a, b) => (a.isBefore(b) ? -1 : 1));
  }
}

/** A message as it was when a batch was sealed. */
export interface SnapshotEntry {
  readonly entry: Entry;
  readonly returns: number;
  readonly order: number;
  readonly readyMs: number;
  readonly waitOrder: number;
  readonly ahead: boolean;
}

function snapshotOf(entry: Entry): SnapshotEntry {
  const { returns, order, readyMs, waitOrder, ahead } = entry;
  return { entry, returns, order, readyMs, waitOrder, ahead };
}

/** What a disk holds of a broker. */
export interface Snapshot {
  readonly exchanges: readonly ExchangeSpec[];
  readonly bindings: readonly BindingSpec[];
  readonly queues: readonly {
    readonly spec: QueueSpec;
    readonly entries: readonly SnapshotEntry[];
    readonly keys: readonly [string, KnownKey<Entry>][];
  }[];
  readonly streams: readonly {
    readonly spec: StreamSpec;
    readonly kept: StreamSnapshot<Message>;
    readonly ids: ReadonlyMap<string, number>;
    readonly places: ReadonlyMap<string, number>;
  }[];
  readonly policies: ReadonlyMap<string, Partial<StreamLimits>>;
  readonly keys: readonly (readonly [string, readonly [string, KnownKey<never>][]])[];
}

/** A stream in a vhost. */
export class VhostStream extends ModelStream<Message> {
  readonly spec: StreamSpec;
  readonly publishers: ModelPublishers;
  /** The places of groups, as they were when a batch took them last. */
  places: ReadonlyMap<string, number> = new Map();
  /** Messages that were there already, and those that did not follow the one that they had to. */
  duplicates = 0;
  refused = 0;

  constructor(
    spec: StreamSpec,
    policy: Partial<StreamLimits>,
    ids: ReadonlyMap<string, number> = new Map(),
  ) {
    super({ ...NO_LIMITS, ...spec.limits, ...policy }, ({ body }) => body.length);
    this.spec = spec;
    this.publishers = new ModelPublishers(ids);
  }

  /** Takes a message in, unless its publisher did so before; false: it is refused. */
  take(message: Message, nowMs: number): boolean {
    const { claim } = message;
    const verdict = claim === null ? 'stored' : this.publishers.take(claim);
    if (verdict === 'stored') this.push(message, nowMs);
    else if (verdict === 'duplicate') this.duplicates += 1;
    else this.refused += 1;
    return verdict !== 'unexpected';
  }
}

/** A vhost: its topology and its queues. */
export class Model {
  readonly exchanges = new Map<string, ExchangeSpec>();
  /** By the name of the exchange, of those that look for duplicates. */
  readonly keys = new Map<string, ModelKeys<never>>();
  readonly queues = new Map<string, ModelQueue>();
  readonly streams = new Map<string, VhostStream>();
  /** What policies say of streams, by the names of these. */
  readonly policies = new Map<string, Partial<StreamLimits>>();
  readonly activeOn = (link: object): number =>
    [...this.queues.values()].filter(({ consumers }) => consumers.active?.channel.link === link)
      .length;
  bindings: BindingSpec[] = [];

  /** Whether two bindings are one. */
  static same(a: BindingSpec, b: BindingSpec): boolean {
    return a.source === b.source && a.queue === b.queue && a.bindingKey === b.bindingKey;
  }

  declareExchange(spec: ExchangeSpec): void {
    this.exchanges.set(spec.name, spec);
    if (spec.keys !== null && !this.keys.has(spec.name)) {
      this.keys.set(spec.name, new ModelKeys<never>(spec.keys));
    }
  }

  declareStream(spec: StreamSpec, ids?: ReadonlyMap<string, number>): VhostStream {
    const stream = new VhostStream(spec, this.policies.get(spec.name) ?? {}, ids);
    this.streams.set(spec.name, stream);
    return stream;
  }

  /** Has a policy say so much of a stream, be it there or not, which goes by it in a moment; null: there is none. */
  setPolicy(name: string, policy: Partial<StreamLimits> | null): void {
    if (policy === null) this.policies.delete(name);
    else this.policies.set(name, policy);
  }

  /** Has a stream go by the policy that there is. */
  applyPolicy(stream: VhostStream): void {
    const { name, limits } = stream.spec;
    stream.limits = { ...limits, ...this.policies.get(name) };
  }

  private named(name: string): ModelQueue | VhostStream | undefined {
    return this.queues.get(name) ?? this.streams.get(name);
  }

  route(exchange: string, routingKey: string): (ModelQueue | VhostStream)[] {
    if (exchange === '') {
      const target = this.named(routingKey);
      return target === undefined ? [] : [target];
    }
    const spec = this.exchanges.get(exchange);
    const fanout = spec?.type === 'fanout';
    const names = this.bindings
      .filter((each) => each.source === exchange && (fanout || each.bindingKey === routingKey))
      .map((each) => each.queue);
    const alternate = spec?.alternate ?? null;
    if (names.length === 0 && alternate !== null) return this.route(alternate, routingKey);
    return [...new Set(names)].map((name) => this.named(name) as ModelQueue | VhostStream);
  }

  /** Takes in a message; says what its confirm waits for. */
  publish(message: Message, nowMs: number): 'nothing' | 'batch' | 'refused' {
    const keys = this.keys.get(message.exchange);
    if (keys?.knows(message.key, nowMs)) {
      keys.dropped += 1;
      // The first one may not be on the disk yet.
      return message.persistent ? 'batch' : 'nothing';
    }
    const targets = this.route(message.exchange, message.routingKey);
    const stored = isStored(message, targets);
    let refused = false;
    for (const target of targets) {
      if (target instanceof VhostStream) {
        if (!target.take(message, nowMs)) refused = true;
        continue;
      }
      if (target.drops(message, nowMs)) continue;
      // A full queue drops what has expired before it refuses.
      if (target.full && this.overdue(target, nowMs).length === 0) refused = true;
      else target.push(message, stored, nowMs, message.delayMs);
    }
    if (refused) return 'refused';
    if (targets.length > 0) this.passed(message, stored, nowMs);
    return stored ? 'batch' : 'nothing';
  }

  /** An exchange has brought a message to queues: it knows its key from now on. */
  private passed({ exchange, key, keyTtlMs }: Message, stored: boolean, nowMs: number): void {
    const kept = stored && this.exchanges.get(exchange)?.durable === true;
    this.keys.get(exchange)?.taken(key, keyTtlMs, nowMs, kept, null);
  }

  /** The messages of a queue that had to be delivered by `dueMs` and have nothing before them. */
  overdue(queue: ModelQueue, dueMs: number): Entry[] {
    const heads = new Map<number, Entry>();
    for (const entry of queue.ready) {
      const line = entry.priority + (entry.ahead ? 0.5 : 0);
      if (!heads.has(line)) heads.set(line, entry);
    }
    return [...heads.values()].filter((entry) => entry.dueMs <= dueMs);
  }

  /** What may expire before it goes out: those, and in a queue with groups the first of each. */
  expirable(queue: ModelQueue, dueMs: number): Entry[] {
    const firsts = queue.ready.filter((entry) => queue.spec.groupMax > 0 && queue.mayGo(entry));
    return [...this.overdue(queue, dueMs), ...firsts.filter((entry) => entry.dueMs <= dueMs)];
  }

  /** Moves a dead message on to where its queue's dead letters go, unless it has been there. */
  deadLetter(queue: ModelQueue, { message }: Entry, reason: Reason, nowMs: number): void {
    const { name, deadLetterExchange: exchange, deadLetterRoutingKey } = queue.spec;
    if (exchange === null || (exchange !== '' && !this.exchanges.has(exchange))) return;
    const routingKey = deadLetterRoutingKey ?? message.routingKey;
    const earlier = message.deaths.filter((each) => each.queue !== name || each.reason !== reason);
    const deaths = [{ queue: name, reason }, ...earlier];
    const rejected = deaths.findIndex((each) => each.reason === 'rejected');
    const since = rejected < 0 ? deaths : deaths.slice(0, rejected);
    const targets = this.route(exchange, routingKey).filter(
      ({ spec }) => !since.some((each) => each.queue === spec.name),
    );
    const moved = { ...message, exchange, routingKey, ttlMs: Infinity, deaths };
    const stored = isStored(message, targets);
    let refusals = 0;
    for (const target of targets) {
      if (target instanceof VhostStream) refusals += target.take(moved, nowMs) ? 0 : 1;
      else if (!target.drops(moved, nowMs)) target.push(moved, stored, nowMs);
    }
    // A dead letter passes, also where its key is known.
    if (refusals < targets.length) this.passed(moved, stored, nowMs);
  }

  /** Deletes a queue or a stream. */
  deleteQueue(name: string): void {
    this.queues.delete(name);
    this.streams.delete(name);
    this.bindings = this.bindings.filter((each) => each.queue !== name);
  }

  /** What a batch sealed now has to bring back. */
  snapshot(): Snapshot {
    const durable = (each: BindingSpec): boolean =>
      this.exchanges.get(each.source)?.durable === true &&
      (this.streams.has(each.queue) || this.queues.get(each.queue)?.spec.durable === true);
    return {
      exchanges: [...this.exchanges.values()].filter((exchange) => exchange.durable),
      bindings: this.bindings.filter(durable),
      queues: [...this.queues.values()]
        .filter((queue) => queue.spec.durable)
        .map((queue) => ({
          spec: queue.spec,
          entries: [...queue.live, ...queue.waiting]
            .filter((entry) => entry.stored)
            .map(snapshotOf),
          keys: queue.keys?.snapshot() ?? [],
        })),
      streams: [...this.streams.values()].map((stream) => ({
        spec: stream.spec,
        kept: stream.snapshot(),
        ids: stream.publishers.snapshot(),
        places: stream.places,
      })),
      policies: new Map(this.policies),
      keys: [...this.keys].map(([name, keys]) => [name, keys.snapshot()] as const),
    };
  }

  static from(snapshot: Snapshot): Model {
    const model = new Model();
    for (const exchange of snapshot.exchanges) model.declareExchange(exchange);
    for (const [name, keys] of snapshot.keys) model.keys.get(name)?.restore(keys);
    model.bindings = [...snapshot.bindings];
    for (const { spec, entries, keys } of snapshot.queues) {
      const queue = new ModelQueue(spec, model.activeOn);
      queue.restore(entries);
      queue.keys?.restore(keys);
      model.queues.set(spec.name, queue);
    }
    for (const [name, policy] of snapshot.policies) model.setPolicy(name, policy);
    for (const { spec, kept, ids, places } of snapshot.streams) {
      const stream = model.declareStream(spec, ids);
      stream.restore(kept);
      stream.places = places;
    }
    return model;
  }
}

/** Whether a message is on the disk once its batch is: a stream keeps all. */
function isStored(
  { persistent }: Message,
  targets: readonly (ModelQueue | VhostStream)[],
): boolean {
  return targets.some(
    (target) => target instanceof VhostStream || (persistent && target.spec.durable),
  );
}
