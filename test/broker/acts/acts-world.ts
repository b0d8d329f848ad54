// Owns one run of the simulation of long acts: a broker whose acts are cut anywhere, clients, turns, crashes,
// and what has to hold on a disk. Never chooses what happens: the test does.

import type { Field } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import type { BrokerListener } from '../../../src/broker/broker.ts';
import { Broker } from '../../../src/broker/broker.ts';
import { readPolicy } from '../../../src/broker/policy/policy.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import type { Vhost } from '../../../src/broker/vhost/vhost.ts';
import type { JsonObject } from '../../../src/util/json/json.ts';
import { ControlledStore, Disk } from '../controlled-store.ts';
import { paceTurns, positionsOf, wrongReferences } from '../inspect.ts';
import { plain, plainQueues } from '../plain-queue.ts';
import { Actor, type Committed } from './actor.ts';
import { idsAt, Mirror } from './mirror.ts';

/** A route to more than 256 is pushed in slices; policies hold for some. */
const WIDE = Array.from({ length: 200 }, (_, i) => `wide-${i}`);
export const SOFT = Array.from({ length: 80 }, (_, i) => `soft-${i}`);
export const DEEP = ['deep-0', 'deep-1'];
export const SOFT_MAX = 2;
const OWNED = 40;
/** A queue with more than 256 bindings is deleted in slices. */
const KNOTS = 300;
const TURNS_MAX = 20_000;
const NOBODY = {};

type Args = Record<string, Field>;
const text = (value: string): Field => ({ type: 'S', value });
const lettersTo = (queue: string): Args => ({
  'x-dead-letter-exchange': text(''),
  'x-dead-letter-routing-key': text(queue),
});
const REFUSING: Args = {
  'x-max-length': { type: 'l', value: 3 },
  'x-overflow': text('reject-publish-dlx'),
  ...lettersTo('refused'),
};
const ARGUMENTS = new Map<string, Args>([
  ...DEEP.map((name): [string, Args] => [name, lettersTo('dead')]),
  ['refusing', REFUSING],
]);
const LASTING = [...WIDE, ...SOFT, ...DEEP, 'dead', 'refusing', 'refused', 'ledger'];
/** Where messages come in the order of their numbers, but for what a crash takes. */
const ASCENDING = new Set(['refused', 'refusing', ...DEEP]);

type Contents = ReadonlyMap<string, readonly number[]>;

export class ActsWorld implements BrokerListener {
  readonly counts = {
    cut: 0,
    cutByCrash: 0,
    cutBySeal: 0,
    wide: 0,
    commits: 0,
    refused: 0,
    dead: 0,
    deletions: 0,
  };
  /** How long a look at the clock of acts takes, of the 5 ms that they have of a turn. */
  pace = 1;
  broker!: Broker;
  vhost!: Vhost;
  store!: ControlledStore;
  actors: Actor[] = [];
  nextId = 1;
  private nowMs = 1_700_000_000_000;
  private creptMs = 0;
  private readonly disk = new Disk();
  private mirrors = new Map<Queue, Mirror>();
  private snapshots = new Map<number, Contents>();
  private readonly commits = new Map<number, Committed>();
  /** In which batch the message of a number came. */
  private readonly batches = new Map<number, number>();
  private confirmedWide: number[] = [];
  private readonly wideIds = new Set<number>();
  private owner: object | null = null;

  constructor() {
    this.open(new Map());
    this.declareMissing();
  }

  turnWanted(): void {}
  connectionsForced(): void {}

  durable(batch: number): void {
    for (const known of this.snapshots.keys()) if (known < batch) this.snapshots.delete(known);
  }

  // --- starting and ending ---

  private open(expected: Contents): void {
    this.store = new ControlledStore(this.disk);
    const clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs };
    this.broker = new Broker(this.store, clock, this);
    const creeping = { wallMs: clock.wallMs, monotonicMs: () => this.creep() };
    paceTurns(this.broker, creeping);
    this.broker.recover({ vhost: '/', user: null });
    this.vhost = this.broker.vhost('/');
    this.mirrors = new Map();
    for (const queue of plainQueues(this.vhost.queues.values())) {
      this.mirrorOf(queue).restore(expected.get(queue.name) ?? []);
    }
    this.snapshots = new Map([[0, this.contents()]]);
    this.batches.clear();
    this.actors = [1, 2, 3, 4].map(() => this.newActor());
    this.owner = null;
    this.confirmedWide = [];
    same('queues', [...this.vhost.queues.keys()].sort(), [...expected.keys()].sort());
    this.check();
    this.checkWhole();
  }

  private creep(): number {
    this.creptMs += this.pace;
    return this.nowMs + this.creptMs;
  }

  newActor(): Actor {
    const mirrorOf = (queue: Queue): Mirror => this.mirrorOf(queue);
    const idOf = (position: number): number => idsAt(this.broker, position)[0];
    const actor: Actor = new Actor(this.broker, this.vhost, mirrorOf, idOf);
    return actor;
  }

  /** Power fails. */
  crash(): void {
    const snapshot = this.snapshots.get(this.broker.core.durableBatch);
    if (snapshot === undefined) throw new Error('a durable batch was sealed once');
    if (this.broker.core.slices.any) this.counts.cutByCrash += 1;
    const confirmed = this.confirmedWide;
    this.open(snapshot);
    const kept = new Set(snapshot.get('wide-0') ?? []);
    const lost = confirmed.filter((id) => !kept.has(id));
    if (lost.length > 0) throw new Error(`wide messages ${lost} were confirmed and are gone`);
  }

  /** A clean stop amid whatever goes on, as the server makes it. */
  restart(): void {
    for (const actor of this.actors) actor.close(() => {});
    this.broker.sealExactMarks();
    for (const actor of this.actors) {
      actor.look();
      same('acts of a client at a stop', actor.busy, false);
    }
    this.seal();
    this.store.sync();
    this.open(this.contents());
  }

  // --- topology ---

  declareMissing(): void {
    const rest = { autoDelete: false, owner: null, durable: true };
    const exchange = { name: 'wide', type: 'fanout', durable: true, autoDelete: false };
    this.vhost
      .as(ALL_RIGHTS)
      .declareExchange({ ...exchange, internal: false, arguments: new Map() });
    for (const name of LASTING) {
      if (this.vhost.queues.has(name)) continue;
      const args = new Map(Object.entries(ARGUMENTS.get(name) ?? {}));
      const queue = this.vhost
        .as(ALL_RIGHTS, NOBODY)
        .declareQueue({ ...rest, name, arguments: args });
      this.mirrorOf(plain(queue));
      if (!WIDE.includes(name) && !SOFT.includes(name)) continue;
      this.vhost.bindings.bind(this.vhost.exchange('wide'), queue, '', new Map());
    }
    this.bindKnots();
  }

  private bindKnots(): void {
    const { vhost } = this;
    if (vhost.queues.has('bound')) return;
    const declaration = { durable: true, autoDelete: false, arguments: new Map() };
    vhost
      .as(ALL_RIGHTS)
      .declareExchange({ ...declaration, name: 'knots', type: 'direct', internal: false });
    const queue = vhost
      .as(ALL_RIGHTS, NOBODY)
      .declareQueue({ ...declaration, name: 'bound', owner: null });
    this.mirrorOf(plain(queue));
    const knots = vhost.exchange('knots');
    for (let i = 0; i < KNOTS; i++) vhost.bindings.bind(knots, queue, `key-${i}`, new Map());
  }

  /** By a client, step by step. */
  deleteBound(actor: Actor): void {
    const queue = this.vhost.queues.get('bound');
    if (queue === undefined) return;
    this.counts.deletions += 1;
    this.vhost.removeQueueBy((steps, then) => actor.act(steps, then, true), queue);
  }

  mirrorOf(queue: Queue): Mirror {
    let mirror = this.mirrors.get(queue);
    if (mirror === undefined) {
      mirror = new Mirror(this.broker, queue, ASCENDING.has(queue.name));
      this.mirrors.set(queue, mirror);
    }
    return mirror;
  }

  deleteQueue(name: string): void {
    const queue = this.vhost.queues.get(name);
    if (queue === undefined) return;
    this.vhost.removeQueue(queue);
    this.mirrors.delete(plain(queue));
  }

  /** A connection comes with queues of its own, or goes, and they with it, step by step. */
  ownQueues(): void {
    const { owner, vhost } = this;
    if (owner !== null) {
      this.owner = null;
      this.broker.core.slices.begin(vhost.deletingQueuesOf(owner), () => {
        const left = [...vhost.queues.values()].filter((queue) => queue.owner === owner);
        same('queues of a connection that is gone', left.length, 0);
      });
      return;
    }
    const next = {};
    this.owner = next;
    const declaration = { autoDelete: false, owner: next, durable: false, arguments: new Map() };
    for (let i = 0; i < OWNED; i++) {
      const name = `own-${this.nextId++}`;
      this.mirrorOf(plain(vhost.as(ALL_RIGHTS, next).declareQueue({ ...declaration, name })));
    }
  }

  setPolicy(definition: JsonObject | null): void {
    const { policies } = this.vhost;
    if (definition !== null) {
      policies.set('policy', readPolicy('policy', 'p', { pattern: '^soft-', definition }));
    } else if ([...policies.list('policy')].length > 0) policies.clear('policy', 'p');
  }

  // --- clients ---

  publish(actor: Actor, exchange: string, routingKey: string): void {
    const id = this.nextId++;
    if (exchange === 'wide') {
      this.counts.wide += 1;
      this.wideIds.add(id);
    }
    if (routingKey === 'refusing') this.counts.refused += 1;
    this.batches.set(id, this.store.batch);
    actor.committed?.published.push(id);
    actor.publish(exchange, routingKey, id, actor.committed?.number ?? 0);
  }

  beginTransaction(actor: Actor): void {
    if (actor.transaction === null) return;
    actor.committed ??= { number: this.nextId++, published: [], acked: [] };
  }

  commit(actor: Actor): void {
    const { committed } = actor;
    if (committed === null) return;
    this.commits.set(committed.number, committed);
    this.counts.commits += 1;
    actor.commit(() => {});
  }

  // --- turns ---

  turn(): boolean {
    this.nowMs += 1;
    this.broker.core.tick();
    if (this.broker.core.slices.any) this.counts.cut += 1;
    const more = this.broker.core.deliver();
    for (const actor of this.actors) actor.look();
    if (this.broker.core.sealable && this.broker.core.prepareSeal()) this.seal();
    for (const actor of this.actors) this.takeConfirms(actor);
    return more;
  }

  private takeConfirms({ confirms, published }: Actor): void {
    if (confirms === null) return;
    confirms.durable(this.broker.core.durableBatch);
    while (confirms.takeNack() !== 0) {}
    const upTo = confirms.due ? confirms.take() : 0;
    for (const id of published.slice(0, upTo)) {
      if (this.wideIds.has(id)) this.confirmedWide.push(id);
    }
  }

  private seal(): void {
    if (this.broker.core.slices.any) this.counts.cutBySeal += 1;
    this.snapshots.set(this.store.batch, this.contents());
    this.broker.core.seal();
  }

  quiesce(): void {
    for (
      let turns = 0;
      this.turn() || this.broker.core.slices.any || this.broker.core.sealable;
      turns++
    ) {
      this.store.sync();
      if (turns > TURNS_MAX) throw new Error('the broker does not come to rest');
    }
    this.store.sync();
    for (const actor of this.actors) same('acts of a client at rest', actor.busy, false);
    same('refused letters at rest', this.broker.core.overflowDeadLetters.count, 0);
    for (const name of SOFT) {
      const queue = this.vhost.queues.get(name);
      if (queue === undefined) continue;
      const wanted =
        [...this.vhost.policies.list('policy')][0]?.rules.get('max-length') ?? Infinity;
      same(`the limit of ${name}`, queue.rules.lengthMax, wanted);
      if (queue.readyCount > queue.rules.lengthMax) throw new Error(`${name} is too long`);
    }
    this.check();
  }

  // --- comparing ---

  /** What a disk would hold now. */
  private contents(): Contents {
    const lasting = [...this.mirrors.values()].filter(
      ({ queue }) => queue.durable && !queue.deleted,
    );
    return new Map(lasting.map((mirror) => [mirror.queue.name, mirror.ids]));
  }

  /** Every queue has what it was told of. */
  check(): void {
    for (const queue of plainQueues(this.vhost.queues.values())) {
      const mirror = this.mirrorOf(queue);
      const found = positionsOf(queue).map((position) => idsAt(this.broker, position)[0]);
      same(`messages in ${queue.name}`, found, mirror.ids);
      same(`ready in ${queue.name}`, queue.readyCount, mirror.readyCount);
    }
    this.counts.dead = Math.max(this.counts.dead, this.vhost.queues.get('dead')?.readyCount ?? 0);
    // An act holds messages for queues that it has not come to.
    if (this.broker.core.slices.any) return;
    const wrong = wrongReferences(this.broker, this.vhost.everyQueue());
    if (wrong !== null) throw new Error(wrong);
  }

  /** After a start each act that is one change is there or not, whatever it consists of. */
  private checkWhole(): void {
    const idsIn = (name: string): number[] => {
      const queue = this.vhost.queues.get(name);
      return queue === undefined ? [] : this.mirrorOf(plain(queue)).ids;
    };
    const first = idsIn('wide-0');
    for (const name of WIDE) same(`wide messages in ${name}`, idsIn(name), first);
    const knots = this.vhost.exchanges.get('knots')?.bindings.size ?? 0;
    same('bindings to a queue', knots, this.vhost.queues.has('bound') ? KNOTS : 0);
    const ledger = idsIn('ledger');
    for (let at = 0; at < ledger.length; ) {
      const commit = this.commitOf(ledger[at] as number);
      const { length } = commit.published;
      same('a commit in the ledger', ledger.slice(at, at + length), commit.published);
      at += length;
    }
    const kept = new Set(ledger);
    for (const { published, acked } of this.commits.values()) {
      if (published.length === 0 || !kept.has(published[0] as number)) continue;
      for (const { queue, id } of acked) {
        if (idsIn(queue).includes(id)) throw new Error(`${id} was acked by a commit and is there`);
      }
    }
  }

  private commitOf(id: number): Committed {
    for (const commit of this.commits.values()) if (commit.published.includes(id)) return commit;
    throw new Error(`message ${id} of the ledger is of no commit`);
  }
}

/** Throws unless the broker has what is expected. */
function same(what: string, found: unknown, expected: unknown): void {
  const [ours, theirs] = [JSON.stringify(found), JSON.stringify(expected)];
  if (ours !== theirs) throw new Error(`${what}: ${ours}, not ${theirs}`);
}
