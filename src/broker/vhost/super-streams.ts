// Owns who reads the super streams of one vhost: for each group one reading of all partitions, which it keeps to those that
// there are. Never routes, and never makes or deletes a partition.

import { AmqpError } from '../../amqp/errors.ts';
import type { Destination, Exchange } from '../exchange/exchange.ts';
import { type Partition, SuperStreamRouter } from '../exchange/types/super-stream.ts';
import type { QueueHost } from '../queue/ports.ts';
import type { Cursor } from '../queue/stream/reading/cursor.ts';
import { PARTITIONS_READ_MAX, StreamReading } from '../queue/stream/reading/reading.ts';
import type { ReadingSpec } from '../queue/stream/reading/reading-spec.ts';
import { Stream } from '../queue/stream/stream.ts';

/** What is read of a super stream by a group. */
export interface GroupSpec extends ReadingSpec {
  readonly group: string;
}

/** What it reads of the vhost. */
interface StreamsVhost {
  readonly name: string;
  readonly exchanges: ReadonlyMap<string, Exchange>;
  readonly queues: { has(name: string): boolean };
}

/** A partition that can be read. */
export interface StreamPartition extends Partition<Destination> {
  readonly stream: Stream;
}

const FIRST = { kind: 'first' } as const;

/** One exchange that is a super stream, as consumers see it. */
export class SuperStream {
  readonly name: string;
  private readonly vhost: string;
  private readonly exchange: Exchange;
  private readonly router: SuperStreamRouter<Destination>;
  private readonly host: QueueHost;
  private readonly read: Map<Exchange, SuperStream>;
  /** By group, each with what its first consumer asked for. */
  private readonly readings = new Map<string, { reading: StreamReading; spec: GroupSpec }>();

  /** It is in `read` while groups read it. */
  constructor(
    vhost: string,
    exchange: Exchange,
    router: SuperStreamRouter<Destination>,
    host: QueueHost,
    read: Map<Exchange, SuperStream>,
  ) {
    this.name = exchange.name;
    this.vhost = vhost;
    this.exchange = exchange;
    this.router = router;
    this.host = host;
    this.read = read;
  }

  /** The partitions that are streams, in their order. */
  get partitions(): readonly StreamPartition[] {
    return streamsOf(this.router);
  }

  /**
   * What a consumer subscribes to that is in a group: the reading of all of the group. Throws NOT_FOUND where there is no
   * partition, PRECONDITION_FAILED where there are too many, and what `Stream.admitGroup` throws.
   */
  reading(spec: GroupSpec): StreamReading {
    const { group } = spec;
    const known = this.readings.get(group)?.reading;
    if (known !== undefined) {
      // One that a partition was refused to may have it by now.
      this.look();
      if (!known.deleted) {
        known.checkJoining(spec);
        return known;
      }
    }
    const reading = this.begun(spec);
    this.readings.set(group, { reading, spec });
    this.router.changed = () => this.look();
    this.read.set(this.exchange, this);
    return reading;
  }

  private begun(spec: GroupSpec): StreamReading {
    const { group } = spec;
    const { name, host, partitions } = this;
    const where = `super stream '${name}' in vhost '${this.vhost}'`;
    if (partitions.length > PARTITIONS_READ_MAX) {
      const text = `${where} has more than ${PARTITIONS_READ_MAX} partitions`;
      throw new AmqpError('PRECONDITION_FAILED', text);
    }
    for (const { stream } of partitions) stream.admitGroup(group);
    // A group that has read some of it before misses nothing of a partition that came since.
    const again = partitions.some(({ stream }) => stream.places.of(group) !== undefined);
    const from = again ? { ...spec, start: FIRST } : spec;
    const [first, ...others] = partitions.map(({ stream, number }) => stream.cursor(from, number));
    if (first === undefined) throw new AmqpError('NOT_FOUND', `${where} has no partition`);
    return new StreamReading(name, group, [first, ...others], host, () => this.over(group));
  }

  /** Has each group read the partitions that there are now. */
  private look(): void {
    for (const { reading, spec } of [...this.readings.values()]) {
      const cursors: Cursor[] = [];
      let { room } = reading;
      for (const partition of this.partitions) {
        let cursor: Cursor | null = reading.cursorIn(partition.stream) ?? null;
        if (cursor === null && room > 0) {
          cursor = this.joined(partition, spec);
          room -= 1;
        }
        if (cursor !== null) cursors.push(cursor);
      }
      reading.readPartitions(cursors);
    }
  }

  /** Where a group begins that came before the partition; null: it cannot read it. */
  private joined({ stream, number }: StreamPartition, spec: GroupSpec): Cursor | null {
    if (stream.deleted) return null;
    try {
      stream.admitGroup(spec.group);
    } catch (error) {
      if (error instanceof AmqpError) return null;
      throw error;
    }
    return stream.cursor({ ...spec, start: FIRST }, number);
  }

  private over(group: string): void {
    this.readings.delete(group);
    if (this.readings.size > 0) return;
    this.router.changed = null;
    this.read.delete(this.exchange);
  }
}

function streamsOf(router: SuperStreamRouter<Destination>): readonly StreamPartition[] {
  return router.partitions.filter((each): each is StreamPartition => each.stream instanceof Stream);
}

/** The partitions of an exchange that are streams, in their order; null: it is no super stream. */
export function partitionsOf({ router }: Exchange): readonly StreamPartition[] | null {
  return router instanceof SuperStreamRouter ? streamsOf(router) : null;
}

/** The super streams of a vhost that are read. */
export class SuperStreams {
  private readonly vhost: StreamsVhost;
  private readonly host: QueueHost;
  private readonly read = new Map<Exchange, SuperStream>();

  constructor(vhost: StreamsVhost, host: QueueHost) {
    this.vhost = vhost;
    this.host = host;
  }

  /** What a consumer means that names it: an exchange that is a super stream, unless a queue has the name. Null: none. */
  named(name: string): SuperStream | null {
    const { exchanges, queues } = this.vhost;
    const exchange = exchanges.get(name);
    if (exchange === undefined || queues.has(name)) return null;
    const { router } = exchange;
    if (!(router instanceof SuperStreamRouter)) return null;
    return (
      this.read.get(exchange) ??
      new SuperStream(this.vhost.name, exchange, router, this.host, this.read)
    );
  }
}
