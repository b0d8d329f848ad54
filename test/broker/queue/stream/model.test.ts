// Owns the simulation of streams: random publishes, readers, groups, acks, crashes, restarts and retention, compared with
// a model that is an array. SEED=... plays one run again, SIMULATION_RUNS=... looks for longer.

import { expect, test } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import type { StreamStart } from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../src/broker/queue/stream/stream.ts';
import { Random } from '../../../amqp/random.ts';
import { TEST_TIMEOUT_MS } from '../../../support/patience.ts';
import { runSimulation, runsMin, withSeed } from '../../../support/simulation-runs.ts';
import { limitPages, wrongReferences } from '../../inspect.ts';
import { SmallBroker } from '../../small-broker.ts';
import { declareStream, StreamReader, streamOf } from './stream-reader.ts';

const PAGE = 256;
const RUNS_MIN = runsMin(8);
const RUNS_MORE = 100;
const STEPS = 250;

/** What a batch has to bring back. */
interface Snapshot {
  readonly first: number;
  readonly tail: number;
  readonly places: ReadonlyMap<string, number>;
}

/** One consumer, and the offset that it gets next at the earliest; one of a group goes by the group's. */
interface Reader {
  readonly channel: StreamReader;
  readonly group: string | null;
  next: number;
  seen: number;
}

class StreamWorld {
  readonly counts = {
    delivered: 0,
    gaps: 0,
    redelivered: 0,
    joined: 0,
    tookOver: 0,
    crashes: 0,
    lost: 0,
    retired: 0,
    aged: 0,
    placesMoved: 0,
    compacted: 0,
  };
  private small = new SmallBroker();
  /** What was published, and when, by offset. */
  private messages: { readonly body: string; readonly ms: number }[] = [];
  private first = 0;
  private places = new Map<string, number>();
  private snapshots = new Map<number, Snapshot>();
  private readers: Reader[] = [];
  /** What a group gets next. */
  private readonly nexts = new Map<string, number>();
  private nextId = 0;
  private readonly random: Random;
  private readonly lengthMax: number;
  private readonly maxAgeMs: number;
  private readonly pagesMax: number;

  constructor(random: Random) {
    this.random = random;
    this.lengthMax = random.pick([Infinity, PAGE, 3 * PAGE + 17]);
    this.maxAgeMs = random.pick([Infinity, Infinity, 2_000]);
    this.pagesMax = random.pick([1, 4, 4_096]);
    this.opened();
    const args: Record<string, Field> = {};
    if (this.lengthMax !== Infinity) args['x-max-length'] = { type: 'l', value: this.lengthMax };
    if (this.maxAgeMs !== Infinity) args['x-max-age'] = { type: 'S', value: '2s' };
    const stream = declareStream(this.small, 's', args);
    const queue = this.small.declare('q');
    const exchange = { name: 'all', type: 'fanout', durable: true, autoDelete: false };
    const rest = { internal: false, arguments: new Map<string, Field>() };
    this.small.vhost.as(ALL_RIGHTS).declareExchange({ ...exchange, ...rest });
    for (const to of [stream, queue]) {
      this.small.vhost.bindings.bind(this.small.vhost.exchange('all'), to, '', new Map());
    }
    this.seal();
    this.small.store.sync();
  }

  private get stream(): Stream {
    return streamOf(this.small);
  }

  private get queue(): Queue {
    return this.small.queue('q');
  }

  private opened(): void {
    limitPages(this.small.broker, this.pagesMax, 2);
    this.small.broker.core.log.sparse.bytesMin = 0;
    this.readers = [];
    this.snapshots = new Map();
  }

  // --- what happens ---

  publish(count: number): void {
    const { random, small } = this;
    for (let n = 0; n < count; n++) {
      const body = `${this.nextId++} `.padEnd(8 + random.below(random.pick([8, 200, 20_000])), 'x');
      const persistent = random.below(4) > 0;
      const exchange = random.pick(['', 'all']);
      const properties = persistent ? { deliveryMode: 2 } : {};
      small.publish({ exchange, routingKey: 's', properties }, Buffer.from(body));
      this.messages.push({ body, ms: small.broker.core.nowMs });
    }
  }

  /** Retention as the design says: whole pages from the head, none that a limit still needs. */
  private retire(): void {
    const { nowMs } = this.small.broker.core;
    for (let pages = 0; pages < 128 && this.first < this.messages.length; pages++) {
      const end = Math.min((Math.floor(this.first / PAGE) + 1) * PAGE, this.messages.length);
      const tooMany = this.messages.length - end >= this.lengthMax;
      const tooOld = (this.messages[end - 1]?.ms as number) + this.maxAgeMs <= nowMs;
      if (!tooMany && !tooOld) return;
      this.first = end;
      this.counts[tooMany ? 'retired' : 'aged'] += 1;
    }
  }

  seal(): void {
    if (this.stream.dirty) this.retire();
    const { first, messages, places } = this;
    this.snapshots.set(this.small.store.batch, {
      first,
      tail: messages.length,
      places: new Map(places),
    });
    this.small.broker.core.seal();
    expect([this.stream.entries.first, this.stream.entries.tail]).toEqual([first, messages.length]);
  }

  sync(count?: number): void {
    this.small.store.sync(count);
  }

  turn(): void {
    this.small.broker.core.tick();
    this.deliver();
    if (this.small.broker.core.sealable && this.random.below(3) > 0) this.seal();
    this.small.broker.core.maintain();
  }

  advance(ms: number): void {
    this.small.nowMs += ms;
    this.small.broker.core.tick();
  }

  private get durable(): Snapshot {
    let found: Snapshot = { first: 0, tail: 0, places: new Map() };
    for (const [batch, snapshot] of this.snapshots) {
      if (batch <= this.small.broker.core.durableBatch) found = snapshot;
    }
    return found;
  }

  deliver(): void {
    this.small.broker.core.deliver();
    for (const reader of this.readers) this.check(reader);
    this.checkPlaces();
  }

  /** Each delivery is the next message that is kept, with its body, and durable. */
  private check(reader: Reader): void {
    const { group, channel } = reader;
    for (; reader.seen < channel.given.length; reader.seen++) {
      const [offset, body] = channel.given[reader.seen] as [number, string];
      const next = group === null ? reader.next : (this.nexts.get(group) as number);
      if (next < this.first) this.counts.gaps += 1;
      expect(offset).toBe(Math.max(next, this.first));
      expect(offset).toBeLessThan(this.tailNow());
      expect(body).toBe(this.messages[offset]?.body);
      this.counts.delivered += 1;
      if (group === null) reader.next = offset + 1;
      else this.nexts.set(group, offset + 1);
    }
  }

  /** Below which all is durable: a snapshot of before the last start, or of this broker. */
  private startTail = 0;
  private tailNow(): number {
    return Math.max(this.startTail, this.durable.tail);
  }

  /** A place is where all below is settled: never beyond what is out, and at it once the first is settled. */
  private checkPlaces(): void {
    for (const [group, { offset }] of this.stream.places.all) {
      const before = this.places.get(group) ?? 0;
      expect(offset).toBeGreaterThanOrEqual(before);
      const out = this.readers
        .filter((reader) => reader.group === group)
        .flatMap(({ channel }) => channel.out.map((each) => each.offset));
      // What retention took is passed by.
      const next = Math.max(this.nexts.get(group) ?? Infinity, this.first);
      expect(offset).toBeLessThanOrEqual(Math.min(...out, next));
      if (offset > before) this.counts.placesMoved += 1;
      this.places.set(group, offset);
    }
  }

  attach(): void {
    if (this.readers.length > 7) return;
    const { random, stream } = this;
    const { first, tail } = stream.entries;
    const group = random.pick([null, 'a', 'a', 'b']);
    const at = random.below(tail + 20);
    const starts: [StreamStart, number][] = [
      [{ kind: 'first' }, first],
      [{ kind: 'next' }, tail],
      [{ kind: 'last' }, Math.max(first, tail - 1)],
      [{ kind: 'offset', offset: at }, Math.max(first, at)],
      [{ kind: 'back', count: at }, Math.max(first, tail - at)],
    ];
    const [start, next] = random.pick(starts);
    if (group !== null) {
      const place = this.places.get(group);
      const members = this.readers.some((reader) => reader.group === group);
      if (!members) this.nexts.set(group, place ?? next);
      else this.counts.joined += 1;
    }
    const prefetch = random.pick([1, 10, 100, 1_000]);
    const channel = new StreamReader(this.small, stream, { start, group }, prefetch);
    this.readers.push({ channel, group, next, seen: 0 });
    this.checkPlaces();
  }

  ack(): void {
    const reader = this.random.pick(this.readers);
    if (reader === undefined) return;
    const { channel, group } = reader;
    const had = channel.out.length > 0;
    if (this.random.bool()) channel.ack(this.random.below(channel.out.length + 1));
    else {
      const one = this.random.pick(channel.out);
      if (one !== undefined) channel.ackOffset(one.offset);
    }
    this.checkPlaces();
    const out = this.readers.some((each) => each.group === group && each.channel.out.length > 0);
    if (group === null || !had || out) return;
    const next = this.nexts.get(group) as number;
    const place = this.places.get(group) as number;
    expect(place).toBeGreaterThanOrEqual(next);
    expect(place).toBeLessThanOrEqual(Math.max(next, this.first));
  }

  leave(): void {
    const reader = this.random.pick(this.readers);
    if (reader !== undefined) this.end(reader);
  }

  private end(reader: Reader): void {
    const { channel, group } = reader;
    this.readers.splice(this.readers.indexOf(reader), 1);
    const again = Math.min(...channel.out.map(({ offset }) => offset));
    if (group !== null && again < (this.nexts.get(group) as number)) {
      this.nexts.set(group, again);
      this.counts.redelivered += 1;
      if (this.readers.some((each) => each.group === group)) this.counts.tookOver += 1;
    }
    channel.leave();
    this.checkPlaces();
  }

  consumeQueue(): void {
    const { queue } = this;
    for (let n = this.random.below(queue.readyCount + 1); n > 0; n--) {
      const entry = queue.take();
      if (entry === null) break;
      queue.settle(entry.seq);
    }
  }

  crash(): void {
    this.sync(this.random.below(3));
    this.deliver();
    const { first, tail, places } = this.durableOrStart();
    this.counts.crashes += 1;
    this.counts.lost += this.messages.length - tail;
    this.reopen(this.small.crashed(), first, tail, places);
  }

  restart(): void {
    for (const reader of [...this.readers]) this.end(reader);
    this.small.broker.sealExactMarks();
    this.seal();
    this.sync();
    this.reopen(this.small.crashed(), this.first, this.messages.length, this.places);
  }

  private startSnapshot: Snapshot = { first: 0, tail: 0, places: new Map() };
  private durableOrStart(): Snapshot {
    const { durableBatch } = this.small.broker.core;
    const any = [...this.snapshots.keys()].some((batch) => batch <= durableBatch);
    return any ? this.durable : this.startSnapshot;
  }

  private reopen(
    small: SmallBroker,
    first: number,
    tail: number,
    places: ReadonlyMap<string, number>,
  ): void {
    this.small = small;
    this.first = first;
    this.messages.length = tail;
    this.places = new Map(places);
    this.startTail = tail;
    this.startSnapshot = { first, tail, places: new Map(places) };
    this.nexts.clear();
    this.opened();
    const { entries } = this.stream;
    expect([entries.first, entries.tail, entries.durableTail]).toEqual([first, tail, tail]);
    const found = [...this.stream.places.all].map(([group, { offset }]) => [group, offset]);
    expect(new Map(found as [string, number][])).toEqual(this.places);
    this.checkContents();
  }

  checkContents(): void {
    const { small, stream } = this;
    const { done } = small.broker.core.compaction;
    this.counts.compacted += done.segments;
    done.segments = 0;
    const wrong = wrongReferences(small.broker, small.vhost.queues.values());
    if (wrong !== null) throw new Error(wrong);
    const bytes = this.messages.slice(this.first).reduce((sum, { body }) => sum + body.length, 0);
    expect(stream.entries.bodyBytes).toBe(bytes);
  }

  /** All that there is reaches a reader from the first message on. */
  quiesce(): void {
    for (let n = 0; n < 50; n++) {
      this.turn();
      this.sync();
    }
    for (const { channel } of this.readers) channel.ack();
    const channel = new StreamReader(this.small, this.stream);
    const reader = { channel, group: null, next: this.first, seen: 0 };
    this.readers.push(reader);
    for (let n = 0; n < 50; n++) {
      this.turn();
      this.sync();
    }
    expect(reader.next).toBe(Math.max(this.messages.length, reader.next));
    this.end(reader);
    this.checkContents();
  }
}

function step(world: StreamWorld, random: Random): void {
  world.advance(random.below(random.pick([5, 5, 800])));
  const dice = random.below(40);
  if (dice < 9) world.publish(random.below(30));
  else if (dice < 11) world.publish(random.below(700));
  else if (dice < 20) world.turn();
  else if (dice < 24) world.sync(random.below(3));
  else if (dice < 27) world.attach();
  else if (dice < 33) world.ack();
  else if (dice < 35) world.leave();
  else if (dice < 36) world.consumeQueue();
  else if (dice < 37) world.crash();
  else if (dice < 38) world.checkContents();
  else if (dice < 39) world.quiesce();
  else if (random.below(3) === 0) world.restart();
}

function simulate(seed: number): StreamWorld {
  const random = new Random(seed);
  const world = new StreamWorld(random);
  let now = 0;
  return withSeed(
    seed,
    () => now,
    () => {
      for (; now < STEPS; now++) step(world, random);
      world.restart();
      world.quiesce();
      return world;
    },
  );
}

test(
  'streams do what an array does, through crashes and restarts',
  () => {
    runSimulation(RUNS_MIN, RUNS_MORE, (seed) => simulate(seed).counts);
  },
  TEST_TIMEOUT_MS + RUNS_MIN * 2_000,
);
