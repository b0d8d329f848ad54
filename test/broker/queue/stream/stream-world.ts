// Owns one run of the simulation of streams: a stream and its model, what may be done to both at once, and all that is
// compared. Never chooses what happens when: the test does.

import { expect } from 'vitest';
import type { Field } from '../../../../src/amqp/field-table.ts';
import type { Properties } from '../../../../src/amqp/properties.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import type { Queue } from '../../../../src/broker/queue/queue.ts';
import type {
  StreamFilter,
  StreamStart,
} from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../src/broker/queue/stream/stream.ts';
import type { AnyQueue } from '../../../../src/broker/queue/types/create-queue.ts';
import type { Random } from '../../../amqp/random.ts';
import { limitPages, wrongReferences } from '../../inspect.ts';
import { type Claim, ModelPublishers, type Verdict } from '../../model-publishers.ts';
import {
  ModelStream,
  NO_LIMITS,
  PAGE,
  type StreamLimits,
  type StreamSnapshot,
} from '../../model-stream.ts';
import { claimHeaders } from '../../peers.ts';
import { SmallBroker } from '../../small-broker.ts';
import { declareStream, StreamReader, streamOf } from './stream-reader.ts';

/** A message, by its body; null: it has no filter value. */
interface Message {
  readonly body: string;
  readonly value: string | null;
}

/** What a batch has to bring back. */
interface Snapshot {
  readonly kept: StreamSnapshot<Message>;
  readonly places: ReadonlyMap<string, number>;
  readonly ids: ReadonlyMap<string, number>;
}

/** Values that messages have, some of them often. */
const VALUES = ['a', 'a', 'a', 'b', 'b', 'c', 'd', null, null];
/** What the group of this name lets through, which all its consumers have to ask for. */
const FILTERED_GROUP = 'filtered';
const FILTER: StreamFilter = {
  values: [Buffer.from('c'), Buffer.from('d')],
  matchUnfiltered: false,
};

/** One consumer, and the offset that it gets next at the earliest; one of a group goes by the group's. */
interface Reader {
  readonly channel: StreamReader;
  readonly group: string | null;
  readonly filter: StreamFilter | null;
  next: number;
  seen: number;
}

/** A stream and a queue beside a model of the stream. */
export class StreamWorld {
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
    filtered: 0,
    leftOut: 0,
    stored: 0,
    duplicate: 0,
    unexpected: 0,
    declaredAnew: 0,
  };
  private small = new SmallBroker();
  private model: ModelStream<Message>;
  private publishers = new ModelPublishers();
  private places = new Map<string, number>();
  private snapshots = new Map<number, Snapshot>();
  private readers: Reader[] = [];
  /** What a group gets next. */
  private readonly nexts = new Map<string, number>();
  private nextId = 0;
  private readonly random: Random;
  private readonly limits: StreamLimits;
  private readonly pagesMax: number;

  constructor(random: Random) {
    this.random = random;
    const lengthMax = random.pick([Infinity, PAGE, 3 * PAGE + 17]);
    const maxAgeMs = random.pick([Infinity, Infinity, 2_000]);
    this.limits = { ...NO_LIMITS, lengthMax, maxAgeMs };
    this.model = this.newModel();
    this.startSnapshot = this.snapshot();
    this.pagesMax = random.pick([1, 4, 4_096]);
    this.opened();
    const exchange = { name: 'all', type: 'fanout', durable: true, autoDelete: false };
    const rest = { internal: false, arguments: new Map<string, Field>() };
    this.small.vhost.as(ALL_RIGHTS).declareExchange({ ...exchange, ...rest });
    this.bind(this.small.declare('q'));
    this.declare();
    this.seal();
    this.small.store.sync();
  }

  private newModel(): ModelStream<Message> {
    return new ModelStream(this.limits, ({ body }) => body.length);
  }

  private declare(): void {
    const { lengthMax, maxAgeMs } = this.limits;
    const args: Record<string, Field> = {};
    if (lengthMax !== Infinity) args['x-max-length'] = { type: 'l', value: lengthMax };
    if (maxAgeMs !== Infinity) args['x-max-age'] = { type: 'S', value: '2s' };
    this.bind(declareStream(this.small, 's', args));
  }

  private bind(queue: AnyQueue): void {
    const { vhost } = this.small;
    vhost.bindings.bind(vhost.exchange('all'), queue, '', new Map());
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
    for (let n = 0; n < count; n++) this.send(this.random.pick(VALUES), null, 'stored');
    expect(this.stream.entries.tail).toBe(this.model.tail);
  }

  /** Publishes a message with a claim, and says what becomes of it. */
  private send(value: string | null, claim: Claim | null, verdict: Verdict): void {
    const { random, small } = this;
    const body = `${this.nextId++} `.padEnd(8 + random.below(random.pick([8, 200, 20_000])), 'x');
    const exchange = random.pick(['', 'all']);
    const headers = new Map<string, Field>(claim === null ? [] : claimHeaders(claim));
    if (value !== null) headers.set('x-stream-filter-value', { type: 'S', value });
    const properties: Properties = headers.size === 0 ? {} : { headers };
    if (random.below(4) > 0) properties.deliveryMode = 2;
    const taken = small.publish({ exchange, routingKey: 's', properties }, Buffer.from(body));
    if (taken !== (verdict !== 'unexpected')) {
      throw new Error(
        `what is ${verdict} is ${taken ? 'taken' : 'refused'}: ${JSON.stringify(claim)}`,
      );
    }
    if (verdict === 'stored') this.model.push({ body, value }, small.broker.core.nowMs);
  }

  /** A publisher that numbers its messages: it sends one once more, or one that must come behind a certain one. */
  publishNumbered(): void {
    const { random, publishers } = this;
    const name = `publisher ${random.below(random.pick([3, 40]))}`;
    for (let n = random.below(random.pick([3, 3, 400])); n >= 0; n--) {
      const last = publishers.lastOf(name) ?? 0;
      const id = Math.max(0, last + random.pick([1, 1, 1, 2, 0, -1, -5]));
      const after = Math.max(0, last + random.pick([0, 0, 0, 1, -1]));
      const claim = { name, id, expected: id > after && random.bool() ? after : null };
      const verdict = publishers.take(claim);
      this.send(random.pick(VALUES), claim, verdict);
      expect(this.stream.entries.tail).toBe(this.model.tail);
      this.counts[verdict] += 1;
      const known = this.stream.publishers.lastId(name);
      if (known !== publishers.lastOf(name)) throw new Error(`the last id of ${name} is ${known}`);
    }
  }

  /** Another stream takes the name: nothing is left of the one before. */
  declareAnew(): void {
    for (const reader of [...this.readers]) this.end(reader);
    this.small.vhost.removeQueue(this.stream);
    this.declare();
    this.model = this.newModel();
    this.places = new Map();
    this.publishers = new ModelPublishers();
    this.nexts.clear();
    this.counts.declaredAnew += 1;
  }

  private snapshot(): Snapshot {
    return {
      kept: this.model.snapshot(),
      places: new Map(this.places),
      ids: this.publishers.snapshot(),
    };
  }

  seal(): void {
    if (this.stream.dirty) {
      const [tooMuch, tooOld] = this.model.retire(this.small.broker.core.nowMs);
      this.counts.retired += tooMuch;
      this.counts.aged += tooOld;
    }
    this.snapshots.set(this.small.store.batch, this.snapshot());
    this.small.broker.core.seal();
    const { entries } = this.stream;
    expect([entries.first, entries.tail]).toEqual([this.model.first, this.model.tail]);
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

  /** What a crash now would leave. */
  private get durable(): Snapshot {
    let found = this.startSnapshot;
    for (const [batch, snapshot] of this.snapshots) {
      if (batch <= this.small.broker.core.durableBatch) found = snapshot;
    }
    return found;
  }

  /** Below which all is durable. */
  private get durableTail(): number {
    const { kept } = this.durable;
    return kept.all === this.model.all ? kept.tail : 0;
  }

  /** The first offset from one on that a filter lets through; where there is none, `end`. */
  private matching(filter: StreamFilter | null, from: number, end: number): number {
    const { all } = this.model;
    let offset = Math.max(from, this.model.first);
    while (offset < end && !letsThrough(filter, all[offset]?.message.value ?? null)) offset += 1;
    return offset;
  }

  deliver(): void {
    this.small.broker.core.deliver();
    for (const reader of this.readers) this.check(reader);
    this.checkPlaces();
  }

  /** Each delivery is the next message that is kept and let through, with its body, and durable. */
  private check(reader: Reader): void {
    const { group, channel, filter } = reader;
    const { counts, model, durableTail } = this;
    for (; reader.seen < channel.given.length; reader.seen++) {
      const [offset, body] = channel.given[reader.seen] as [number, string];
      const next = group === null ? reader.next : (this.nexts.get(group) as number);
      if (next < model.first) counts.gaps += 1;
      const wanted = this.matching(filter, next, model.tail);
      if (offset !== wanted) throw new Error(`${offset} comes, and not ${wanted}`);
      if (offset >= durableTail) throw new Error(`${offset} comes, which is not durable`);
      if (body !== model.all[offset]?.message.body) throw new Error(`${offset} is another message`);
      counts.delivered += 1;
      if (filter !== null) counts.filtered += 1;
      counts.leftOut += offset - Math.max(next, model.first);
      if (group === null) reader.next = offset + 1;
      else this.nexts.set(group, offset + 1);
    }
  }

  /** A place is where all below is settled: never beyond what is out, and at it once the first is settled. */
  private checkPlaces(): void {
    for (const [group, { offset }] of this.stream.places.all) {
      const before = this.places.get(group) ?? 0;
      expect(offset).toBeGreaterThanOrEqual(before);
      const out = this.readers
        .filter((reader) => reader.group === group)
        .flatMap(({ channel }) => channel.out.map((each) => each.offset));
      expect(offset).toBeLessThanOrEqual(Math.min(...out, this.placeMax(group)));
      if (offset > before) this.counts.placesMoved += 1;
      this.places.set(group, offset);
    }
  }

  /** What retention took is passed by, and what the group's filter leaves out: a place is not beyond what comes next. */
  private placeMax(group: string): number {
    const next = this.nexts.get(group) ?? Infinity;
    if (next === Infinity) return next;
    const filter = group === FILTERED_GROUP ? FILTER : null;
    const end = Math.max(next, filter === null ? 0 : this.durableTail);
    return Math.max(this.matching(filter, next, end), this.model.first);
  }

  attach(): void {
    if (this.readers.length > 7) return;
    const { random, stream } = this;
    const { first, tail } = stream.entries;
    const group = random.pick([null, null, 'a', 'a', 'b', FILTERED_GROUP]);
    const filter = group === FILTERED_GROUP ? FILTER : group === null ? this.anyFilter() : null;
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
    const channel = new StreamReader(this.small, stream, { start, group, filter }, prefetch);
    this.readers.push({ channel, group, filter, next, seen: 0 });
    this.checkPlaces();
  }

  private anyFilter(): StreamFilter | null {
    const { random } = this;
    if (random.bool()) return null;
    const values = ['a', 'b', 'c', 'no such value'].filter(() => random.below(3) === 0);
    const matchUnfiltered = values.length === 0 || random.below(3) === 0;
    return { values: values.map((value) => Buffer.from(value)), matchUnfiltered };
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
    expect(place).toBeLessThanOrEqual(this.placeMax(group));
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
    const { durable } = this;
    this.counts.crashes += 1;
    if (durable.kept.tail < this.model.tail) this.counts.lost += 1;
    this.reopen(durable);
  }

  restart(): void {
    for (const reader of [...this.readers]) this.end(reader);
    this.small.broker.sealExactMarks();
    this.seal();
    this.sync();
    this.reopen(this.snapshot());
  }

  private startSnapshot: Snapshot;

  private reopen(durable: Snapshot): void {
    this.small = this.small.crashed();
    this.model = this.newModel();
    this.model.restore(durable.kept);
    this.places = new Map(durable.places);
    this.publishers = new ModelPublishers(durable.ids);
    this.startSnapshot = this.snapshot();
    this.nexts.clear();
    this.opened();
    const { first, tail } = this.model;
    const { entries, publishers } = this.stream;
    expect([entries.first, entries.tail, entries.durableTail]).toEqual([first, tail, tail]);
    const found = [...this.stream.places.all].map(([group, { offset }]) => [group, offset]);
    expect(new Map(found as [string, number][])).toEqual(this.places);
    const ids = [...publishers.after('')].map(({ publisher, id }) => [publisher, id]);
    expect(new Map(ids as [string, number][])).toEqual(durable.ids);
    this.checkContents();
  }

  checkContents(): void {
    const { small, stream } = this;
    const { done } = small.broker.core.compaction;
    this.counts.compacted += done.segments;
    done.segments = 0;
    const wrong = wrongReferences(small.broker, small.vhost.queues.values());
    if (wrong !== null) throw new Error(wrong);
    expect(stream.entries.bodyBytes).toBe(this.model.bodyBytes);
  }

  private rest(): void {
    for (let n = 0; n < 50; n++) {
      this.turn();
      this.sync();
    }
  }

  /** All that there is reaches readers from the first message on, with a filter and without. */
  quiesce(): void {
    this.rest();
    for (const { channel } of this.readers) channel.ack();
    const readers = [null, FILTER, { values: [], matchUnfiltered: true }].map((filter) => {
      const channel = new StreamReader(this.small, this.stream, { filter });
      return { channel, filter, group: null, next: this.model.first, seen: 0 };
    });
    this.readers.push(...readers);
    this.rest();
    for (const reader of readers) {
      const { tail } = this.model;
      expect(this.matching(reader.filter, reader.next, tail)).toBe(tail);
      this.end(reader);
    }
    this.checkContents();
  }
}

/** Whether a filter lets a message with that value through. */
function letsThrough(filter: StreamFilter | null, value: string | null): boolean {
  if (filter === null) return true;
  const { values, matchUnfiltered } = filter;
  return value === null ? matchUnfiltered : values.some((each) => each.toString() === value);
}
