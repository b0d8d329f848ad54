// Owns the streams of the simulation beside those of its model: what may be done to both at once, and all that is compared.
// Never chooses what happens.

import { AmqpError } from '../../src/amqp/errors.ts';
import type { Field } from '../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../src/broker/access/grants.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { readPolicy } from '../../src/broker/policy/policy.ts';
import type { StreamStart } from '../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../src/broker/queue/stream/stream.ts';
import type { Vhost } from '../../src/broker/vhost/vhost.ts';
import { TABLE_PAGES, TABLE_STREAMS } from '../../src/store/tables.ts';
import type { JsonObject } from '../../src/util/json/json.ts';
import type { Disk } from './controlled-store.ts';
import { keptIn, readRecord } from './inspect.ts';
import type { Message, Model, Snapshot, VhostStream } from './model.ts';
import { PAGE, type StreamLimits } from './model-stream.ts';
import { streamsAmong } from './plain-queue.ts';
import { StreamReader } from './queue/stream/stream-reader.ts';
import { same } from './same.ts';
import { STREAMS } from './topology.ts';

const SECOND_MS = 1_000;
const READERS_MAX = 6;
const PASSES_MAX = 20_000;

/** The run of the simulation that these are the streams of. */
export interface StreamHost {
  readonly broker: Broker;
  readonly vhost: Vhost;
  readonly model: Model;
  readonly nowMs: number;
  readonly disk: Disk;
  readonly foreignPages: number;
  /** What a crash now would leave. */
  readonly onDisk: Snapshot;
}

/** One that reads, and what it gets next at the earliest. */
interface WorldReader {
  readonly channel: StreamReader;
  readonly name: string;
  next: number;
  seen: number;
}

/** What happened to streams. */
class StreamCounts {
  appended = 0;
  read = 0;
  gaps = 0;
  tooMuch = 0;
  tooOld = 0;
  lostByCrash = 0;
  readWhole = 0;
  streamsDeleted = 0;
  purgesRefused = 0;
  policies = 0;
  places = 0;
  sentAgain = 0;
  unexpected = 0;
}

/** The streams of a run. */
export class WorldStreams {
  readonly counts = new StreamCounts();
  readonly readers: WorldReader[] = [];
  private readonly host: StreamHost;
  private readonly watched = new WeakSet<Stream>();

  constructor(host: StreamHost) {
    this.host = host;
  }

  /** All of the broker. */
  get all(): Stream[] {
    return streamsAmong(this.host.vhost.queues.values());
  }

  private modelOf({ name }: Stream): VhostStream {
    const stream = this.host.model.streams.get(name);
    if (stream === undefined) throw new Error(`the model has no stream ${name}`);
    return stream;
  }

  // --- what happens ---

  /** The broker has started: what is there is what the disk has. */
  opened(): void {
    this.readers.length = 0;
    this.check();
    for (const stream of this.all) {
      this.watch(stream);
      const { tail, places } = this.modelOf(stream);
      same(`the durable tail of ${stream.name}`, stream.entries.durableTail, tail);
      this.counts.places += places.size;
      same(`places in ${stream.name}`, [...placesOf(stream)], [...places]);
    }
  }

  /** Power fails: what is not durable is gone. */
  crashes(): void {
    const { onDisk, model } = this.host;
    for (const { spec, kept } of onDisk.streams) {
      this.counts.lostByCrash += (model.streams.get(spec.name)?.tail ?? 0) > kept.tail ? 1 : 0;
    }
  }

  declareMissing(): void {
    const { vhost, model } = this.host;
    for (const spec of STREAMS) {
      const { name } = spec;
      const args = argumentsOf(spec.limits);
      const declaration = { name, durable: true, autoDelete: false, owner: null, arguments: args };
      vhost.as(ALL_RIGHTS).declareQueue(declaration);
      if (!model.streams.has(name)) model.declareStream(spec);
    }
    for (const stream of this.all) this.watch(stream);
  }

  delete(stream: Stream): void {
    const { tail, first } = this.modelOf(stream);
    same('messages deleted with a stream', this.host.vhost.removeQueue(stream), tail - first);
    this.host.model.deleteQueue(stream.name);
    for (const reader of [...this.readers]) {
      if (reader.name !== stream.name) continue;
      if (!reader.channel.ended) throw new Error(`a reader of ${stream.name} is not told its end`);
      this.leave(reader);
    }
  }

  /** A stream is not purged. */
  purge(stream: Stream): void {
    try {
      this.host.vhost.as(ALL_RIGHTS).purgeQueue(stream.name);
    } catch (error) {
      if (!(error instanceof AmqpError)) throw error;
      this.counts.purgesRefused += 1;
      return;
    }
    throw new Error(`${stream.name} is purged`);
  }

  /** Sets the policy that limits a stream of this name, or takes it away. */
  setPolicy(name: string, limits: Partial<StreamLimits> | null): void {
    const { vhost, model } = this.host;
    const before = model.policies.has(name);
    model.setPolicy(name, limits);
    this.counts.policies += 1;
    if (limits !== null) {
      const definition = Object.fromEntries(
        [...argumentsOf(limits)]
          .filter(([key]) => key !== 'x-queue-type')
          .map(([key, { value }]) => [key.slice('x-'.length), value]),
      ) as JsonObject;
      vhost.policies.set(
        'policy',
        readPolicy('policy', name, { pattern: `^${name}$`, definition }),
      );
    } else if (before) vhost.policies.clear('policy', name);
  }

  /** Attaches one that reads by itself or, if nothing else does, for a group, which goes on at its place. */
  attach(
    stream: Stream,
    start: StreamStart,
    next: number,
    prefetch: number,
    group: string | null = null,
  ): WorldReader | null {
    if (this.readers.length >= READERS_MAX) return null;
    if (group !== null && stream.isRead(group)) return null;
    const place = group === null ? undefined : stream.places.of(group);
    return this.read(stream, start, place?.offset ?? next, prefetch, group);
  }

  private read(
    stream: Stream,
    start: StreamStart,
    next: number,
    prefetch: number,
    group: string | null = null,
  ): WorldReader {
    const source = { broker: this.host.broker, bodyAt: (at: number) => this.markAt(at) };
    const channel = new StreamReader(source, stream, { start, group }, prefetch);
    const reader = { channel, name: stream.name, next, seen: 0 };
    this.readers.push(reader);
    return reader;
  }

  leave(reader: WorldReader): void {
    this.readers.splice(this.readers.indexOf(reader), 1);
    reader.channel.leave();
  }

  leaveAll(): void {
    for (const reader of [...this.readers]) this.leave(reader);
  }

  /** Reads all of a stream that is durable, in as many turns as that takes. */
  readWhole(stream: Stream, turn: () => void): void {
    const { first } = this.modelOf(stream);
    const reader = this.read(stream, { kind: 'first' }, first, 0);
    for (let passes = 0; !this.isDone(reader); passes++) {
      if (passes > PASSES_MAX) throw new Error(`${stream.name} is not read to its end`);
      turn();
    }
    this.leave(reader);
    this.counts.readWhole += 1;
  }

  private isDone({ name, next }: WorldReader): boolean {
    const { first } = this.host.model.streams.get(name) as VhostStream;
    return Math.max(next, first) >= this.durableTail(name);
  }

  /** All below is durable. */
  private durableTail(name: string): number {
    const now = this.host.model.streams.get(name);
    const was = this.host.onDisk.streams.find(({ spec }) => spec.name === name);
    // One that was declared anew may have the name of one that is on the disk still.
    return was?.kept.all === now?.all ? (was?.kept.tail ?? 0) : 0;
  }

  /** Lets the model follow when a stream goes by another policy, and lets go of something: as a batch takes what is new of it. */
  private watch(stream: Stream): void {
    if (this.watched.has(stream)) return;
    this.watched.add(stream);
    const sealInto = stream.sealInto.bind(stream);
    stream.sealInto = (batch) => {
      const [tooMuch, tooOld] = this.modelOf(stream).retire(this.host.broker.core.nowMs);
      this.counts.tooMuch += tooMuch;
      this.counts.tooOld += tooOld;
      sealInto(batch);
      this.modelOf(stream).places = placesOf(stream);
    };
    const applyPolicy = stream.applyPolicy.bind(stream);
    stream.applyPolicy = (...policies) => {
      this.host.model.applyPolicy(this.modelOf(stream));
      applyPolicy(...policies);
    };
  }

  /** A round of deliveries is over: each is the next message that is kept, and durable. */
  delivered(): void {
    for (const reader of this.readers) {
      const { channel, name } = reader;
      const { first, all } = this.host.model.streams.get(name) as VhostStream;
      const end = this.durableTail(name);
      for (; reader.seen < channel.given.length; reader.seen++) {
        const [offset, mark] = channel.given[reader.seen] as [number, string];
        same(`the next offset of a reader of ${name}`, offset, Math.max(reader.next, first));
        if (offset > reader.next) this.counts.gaps += 1;
        if (offset >= end) throw new Error(`${name} gives out ${offset}, which is not durable`);
        const { message } = all[offset] as { message: Message };
        if (mark !== markOf(message)) {
          throw new Error(`${name} has another message at ${offset} than ${message.id}`);
        }
        reader.next = offset + 1;
        this.counts.read += 1;
      }
    }
  }

  // --- comparing ---

  /** What is cheap to compare. */
  check(): void {
    for (const stream of this.all) {
      const { name, entries } = stream;
      const { first, tail, bodyBytes } = this.modelOf(stream);
      same(
        `the first offset and the tail of ${name}`,
        [entries.first, entries.tail],
        [first, tail],
      );
      same(`bytes of ${name}`, entries.bodyBytes, bodyBytes);
    }
  }

  /** Those that read and have credit have all that is durable, and streams go by their policies. */
  checkIdle(): void {
    for (const stream of this.all) {
      const { lengthMax, lengthBytesMax, maxAgeMs } = stream.limits;
      const { limits, spec } = this.modelOf(stream);
      const policy = this.host.model.policies.get(spec.name);
      same(`limits of ${spec.name}`, { lengthMax, lengthBytesMax, maxAgeMs }, limits);
      same(`limits of ${spec.name} by its policy`, limits, { ...spec.limits, ...policy });
    }
    for (const reader of this.readers) {
      const { channel, name, next } = reader;
      if (channel.ready && !this.isDone(reader)) {
        throw new Error(`${name} keeps ${next} from a reader that has credit`);
      }
    }
  }

  /** Looks at every message of every stream, those included that are not durable. */
  checkContents(): void {
    for (const stream of this.all) {
      const { name } = stream;
      const { first, all } = this.modelOf(stream);
      const kept = keptIn(stream);
      same(`messages in ${name}`, kept.length, all.length - first);
      for (const [n, { position }] of kept.entries()) {
        const { message } = all[first + n] as { message: Message };
        if (this.markAt(position) !== markOf(message)) {
          throw new Error(`${name} has another message at ${first + n} than ${message.id}`);
        }
      }
      this.checkPublishers(stream);
      this.counts.appended += all.length - first;
    }
  }

  private checkPublishers(stream: Stream): void {
    const { name } = stream;
    const { publishers, duplicates, refused } = this.modelOf(stream);
    for (const publisher of ['publisher 0', 'publisher 1', 'publisher 2']) {
      const last = publishers.lastOf(publisher);
      same(`the last id of ${publisher} in ${name}`, stream.publishers.lastId(publisher), last);
    }
    same(`duplicates of ${name}`, stream.counts.duplicates, duplicates);
    same(`messages that ${name} refused`, stream.counts.refused, refused);
    this.counts.sentAgain += duplicates;
    this.counts.unexpected += refused;
  }

  /** Rows of pages that streams have, once all is at rest. */
  checkRows(): void {
    const { disk, foreignPages } = this.host;
    const rows = disk.keys(TABLE_PAGES).length - foreignPages;
    let pages = 0;
    for (const { first, tail } of this.host.model.streams.values()) {
      if (first < tail) pages += Math.ceil(tail / PAGE) - Math.floor(first / PAGE);
    }
    same('rows of pages, those of streams alone', rows, pages);
    if (this.host.model.streams.size === 0) {
      same('rows of streams that were deleted', disk.keys(TABLE_STREAMS).length, 0);
    }
  }

  private markAt(position: number): string {
    return markOf(readRecord(this.host.broker.core.log, position));
  }
}

function placesOf({ places }: Stream): ReadonlyMap<string, number> {
  const all = [...places.all].map(([group, { offset }]) => [group, offset] as const);
  return new Map(all.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** All that a message is known by. */
function markOf({ exchange, routingKey, body }: Pick<Message, 'exchange' | 'routingKey' | 'body'>) {
  return `${exchange} ${routingKey} ${body.toString('latin1')}`;
}

function argumentsOf(limits: Partial<StreamLimits>): Map<string, Field> {
  const { lengthMax = Infinity, lengthBytesMax = Infinity, maxAgeMs = Infinity } = limits;
  const args = new Map<string, Field>([['x-queue-type', { type: 'S', value: 'stream' }]]);
  const limit = (name: string, value: number): void => {
    if (value !== Infinity) args.set(name, { type: 'I', value });
  };
  limit('x-max-length', lengthMax);
  limit('x-max-length-bytes', lengthBytesMax);
  if (maxAgeMs !== Infinity) {
    args.set('x-max-age', { type: 'S', value: `${maxAgeMs / SECOND_MS}s` });
  }
  return args;
}
