// Owns a super stream with its workers in a random world, and what must hold of every delivery. Never chooses what happens.

import { expect } from 'vitest';
import { type Field, textField } from '../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../src/broker/access/grants.ts';
import type { Stream } from '../../../src/broker/queue/stream/stream.ts';
import type { GroupSpec } from '../../../src/broker/vhost/super-streams.ts';
import { streamsAmong } from '../plain-queue.ts';
import { SmallBroker } from '../small-broker.ts';
import { type Entry, StreamWorker } from '../stream-worker.ts';

export const SUPER = 'orders';

/** A group that begins at the first message. */
export function groupOf(group: string, more: Partial<GroupSpec> = {}): GroupSpec {
  return { start: { kind: 'first' }, until: null, group, filter: null, ...more };
}

/** Makes a super stream without partitions. */
export function declareSuper(small: SmallBroker, name = SUPER): void {
  small.vhost.as(ALL_RIGHTS, small).declareExchange({
    name,
    type: 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: new Map<string, Field>([['x-super-stream', { type: 't', value: true }]]),
  });
}

/** Adds partitions of these numbers, each with a stream of its own. */
export function addPartitions(small: SmallBroker, ...numbers: number[]): void {
  for (const number of numbers) addPartition(small, number);
}

/** Adds one whose stream keeps so many messages at most, and those of their page. */
export function addPartition(small: SmallBroker, number: number, lengthMax = Infinity): void {
  const stream = `${SUPER}-${number}`;
  declareStream(small, stream, lengthMax);
  bindPartition(small, SUPER, stream, number);
}

export function declareStream(small: SmallBroker, name: string, lengthMax = Infinity): void {
  const args = new Map<string, Field>([['x-queue-type', textField('stream')]]);
  if (lengthMax !== Infinity) args.set('x-max-length', { type: 'l', value: lengthMax });
  const declaration = { name, durable: true, autoDelete: false, owner: null, arguments: args };
  small.vhost.as(ALL_RIGHTS, small).declareQueue(declaration);
}

export function bindPartition(
  small: SmallBroker,
  exchange: string,
  name: string,
  number: number,
): void {
  const args = new Map<string, Field>([['x-stream-partition-order', { type: 'l', value: number }]]);
  small.vhost.as(ALL_RIGHTS, small).bind(exchange, { kind: 'queue', name }, String(number), args);
}

export function streamNamed(small: SmallBroker, name: string): Stream {
  const [stream] = streamsAmong([small.vhost.queue(name, small)]);
  if (stream === undefined) throw new Error(`${name} is no stream`);
  return stream;
}

/** Publishes a message with a key and a body to the super stream. */
export function send(small: SmallBroker, routingKey: string, body: string, exchange = SUPER): void {
  small.publish({ exchange, routingKey, properties: { deliveryMode: 2 } }, Buffer.from(body));
}

/** What a consumer of a super stream subscribes to. */
export function readingOf(small: SmallBroker, spec: GroupSpec, name = SUPER) {
  const superStream = small.vhost.superStreams.named(name);
  if (superStream === null) throw new Error(`${name} is no super stream`);
  return superStream.reading(spec);
}

/** What a batch has to bring back of each stream: its first offset, its tail, the place of the group; -1: it has none. */
type Standing = ReadonlyMap<string, readonly [first: number, tail: number, place: number]>;

/** One group that reads the super stream, and what it has read. */
export class GroupWorld {
  small = new SmallBroker();
  workers: StreamWorker[] = [];
  readonly spec: GroupSpec;
  /** Offsets that were settled in each stream. */
  private readonly settled = new Map<string, Set<number>>();
  /** The last number of each key that its stream has. */
  private readonly sent = new Map<string, number>();
  /** By key, the numbers that came for the first time, in order. */
  readonly firsts = new Map<string, number[]>();
  deliveries = 0;
  private snapshots = new Map<number, Standing>();

  constructor(group: string) {
    this.spec = groupOf(group);
    declareSuper(this.small);
  }

  get reading() {
    return readingOf(this.small, this.spec);
  }

  get streams(): Stream[] {
    return streamsAmong(this.small.vhost.queues.values());
  }

  publish(key: string): void {
    const number = (this.sent.get(key) ?? 0) + 1;
    this.sent.set(key, number);
    send(this.small, key, `${key} ${number}`);
  }

  join(prefetch: number): void {
    const worker = new StreamWorker(this.small, (entry) => this.came(entry));
    this.workers.push(worker);
    worker.consume(this.reading, prefetch);
  }

  /** A worker settles one of its deliveries. */
  settle(worker: StreamWorker, at: number, how: 'settle' | 'reject'): void {
    const entry = worker.unacked[at] as Entry;
    this.settledIn(nameOf(entry)).add(entry.offset);
    worker.settle(how, entry);
    this.checkPlaces();
  }

  /** A worker that has left gives one back unread. */
  giveBack(worker: StreamWorker, at: number): void {
    worker.settle('requeue', worker.unacked[at]);
    this.checkPlaces();
  }

  leave(worker: StreamWorker): void {
    for (const consumer of worker.consumers) worker.cancel(consumer);
  }

  crash(worker: StreamWorker): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
    worker.close();
    this.checkPlaces();
  }

  turn(): void {
    this.small.broker.core.deliver();
    this.seal();
    this.small.store.sync();
  }

  /** A batch is under way. */
  seal(): void {
    const { batch } = this.small.store;
    this.small.broker.core.seal();
    this.snapshots.set(batch, this.standing);
  }

  private get standing(): Standing {
    const { group } = this.spec;
    return new Map(
      this.streams.map(({ name, entries, places }) => [
        name,
        [entries.first, entries.tail, places.of(group)?.offset ?? -1],
      ]),
    );
  }

  /** What a loss of power now would leave. */
  private get durable(): Standing {
    let found: Standing = new Map();
    for (const [batch, standing] of this.snapshots) {
      if (batch <= this.small.broker.core.durableBatch) found = standing;
    }
    return found;
  }

  /** The broker loses its power: all connections with it. */
  powerLoss(): void {
    this.reopen(this.durable);
  }

  /** The broker stops, and starts again. */
  restart(): void {
    for (const worker of [...this.workers]) this.crash(worker);
    this.small.broker.sealExactMarks();
    this.seal();
    this.small.store.sync();
    this.reopen(this.standing);
  }

  private reopen(durable: Standing): void {
    this.workers = [];
    this.small = this.small.crashed();
    expect(this.standing).toEqual(durable);
    this.snapshots = new Map([[0, durable]]);
    this.checkPlaces();
  }

  settledIn(stream: string): Set<number> {
    const known = this.settled.get(stream);
    if (known !== undefined) return known;
    const made = new Set<number>();
    this.settled.set(stream, made);
    return made;
  }

  private came(entry: Entry): void {
    this.deliveries += 1;
    const stream = nameOf(entry);
    const settled = this.settledIn(stream);
    const out = new Set<number>();
    for (const worker of this.workers) {
      for (const other of worker.unacked) {
        if (nameOf(other) !== stream || other === entry) continue;
        // One consumer at a time has what is out of a partition.
        if (other.consumer !== entry.consumer) throw new Error(`two consumers have ${stream}`);
        out.add(other.offset);
      }
    }
    const [, durableTail] = this.durable.get(stream) as [number, number, number];
    if (entry.offset >= durableTail) throw new Error(`${stream} ${entry.offset} is not durable`);
    // All that came before it is settled, or in the same hands.
    const { first } = streamNamed(this.small, stream).entries;
    for (let offset = first; offset < entry.offset; offset++) {
      if (!settled.has(offset) && !out.has(offset)) {
        throw new Error(`${stream} ${entry.offset} came before ${offset}`);
      }
    }
    expect(out.has(entry.offset)).toBe(false);
    const [key = '', number = ''] = entry.body.split(' ');
    const firsts = this.firsts.get(key) ?? [];
    this.firsts.set(key, firsts);
    if (!firsts.includes(Number(number))) firsts.push(Number(number));
  }

  /** No place is beyond what is settled. */
  private checkPlaces(): void {
    for (const stream of this.streams) {
      const place = stream.places.of(this.spec.group)?.offset ?? 0;
      const settled = this.settledIn(stream.name);
      for (let offset = stream.entries.first; offset < place; offset++) {
        if (!settled.has(offset)) throw new Error(`${stream.name}: ${place} is beyond ${offset}`);
      }
    }
  }

  /** Settles all until nothing comes any more. */
  drain(): void {
    this.join(7);
    for (let idle = 0; idle < 3; ) {
      this.turn();
      idle += 1;
      for (const worker of this.workers) {
        while (worker.unacked.length > 0) {
          idle = 0;
          this.settle(worker, 0, 'settle');
        }
      }
    }
  }
}

function nameOf({ partition }: Entry): string {
  return `${SUPER}-${partition}`;
}
