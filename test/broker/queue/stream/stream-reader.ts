// Owns a reader of streams in tests, as far as a broker sees one: a channel with one consumer that keeps what it is given.
// Never asserts.

import type { Field } from '../../../../src/amqp/field-table.ts';
import { ALL_RIGHTS } from '../../../../src/broker/access/grants.ts';
import type { Broker } from '../../../../src/broker/broker.ts';
import { Consumer, type DeliveryChannel } from '../../../../src/broker/queue/consumer.ts';
import type { StreamReading } from '../../../../src/broker/queue/stream/reading/reading.ts';
import type { ReadingSpec } from '../../../../src/broker/queue/stream/reading/reading-spec.ts';
import type { Stream } from '../../../../src/broker/queue/stream/stream.ts';
import { LinkLine, SharedCredit } from '../../../../src/broker/queue/waiting-line.ts';
import { streamsAmong } from '../../plain-queue.ts';
import type { SmallBroker } from '../../small-broker.ts';

const FROM_FIRST: ReadingSpec = {
  start: { kind: 'first' },
  until: null,
  group: null,
  filter: null,
};

/** A delivery that was not settled. */
interface Out {
  readonly seq: number;
  readonly offset: number;
}

/** A broker, and what a message at a position is to be known by: its body, commonly. */
export interface ReadBroker {
  readonly broker: Broker;
  bodyAt(position: number): string;
}

/** One consumer on a channel of its own. */
export class StreamReader implements DeliveryChannel {
  readonly link: DeliveryChannel['link'];
  readonly credit: SharedCredit;
  readonly grants = { reads: () => true };
  /** Offset and body of each message, as they came. */
  readonly given: [offset: number, body: string][] = [];
  readonly out: Out[] = [];
  /** Whether the broker has ended it. */
  ended = false;
  private readonly small: ReadBroker;
  private readonly reading: StreamReading;
  private readonly consumer: Consumer;

  constructor(small: ReadBroker, stream: Stream, spec: Partial<ReadingSpec> = {}, prefetch = 0) {
    this.small = small;
    const { lines } = small.broker.core;
    const line = new LinkLine(lines, this as never);
    this.link = { full: false, line, activeQueues: 0, reopen: () => {} } as never;
    this.credit = new SharedCredit(lines);
    this.reading = stream.reading({ ...FROM_FIRST, ...spec });
    const none = new Map<string, Field>();
    this.consumer = new Consumer(this.reading, this, 'tag', false, false, prefetch, none);
    this.reading.addConsumer(this.consumer);
  }

  /** Whether it could be given more. */
  get ready(): boolean {
    return !this.ended && this.consumer.ready;
  }

  get offsets(): number[] {
    return this.given.map(([offset]) => offset);
  }

  deliver(): never {
    throw new Error('a stream delivers entries');
  }

  deliverEntry(...[, , seq, position, offset]: Parameters<DeliveryChannel['deliverEntry']>): void {
    const { log, line } = this.small.broker.core;
    log.readable(position);
    line.begin();
    this.given.push([offset, this.small.bodyAt(position)]);
    this.out.push({ seq, offset });
    line.end();
  }

  /** Acks so many of the first that are out. */
  ack(count = this.out.length): void {
    for (const { seq } of this.out.splice(0, count)) this.settle(seq);
  }

  /** Acks one by its offset. */
  ackOffset(offset: number): void {
    const at = this.out.findIndex((each) => each.offset === offset);
    for (const { seq } of this.out.splice(at, 1)) this.settle(seq);
  }

  private settle(seq: number): void {
    if (!this.reading.deleted) this.reading.settle(seq);
    this.consumer.unacked -= 1;
    this.reading.wake();
  }

  /** Stops consuming; what is out can be acked still. */
  cancel(): void {
    if (!this.reading.deleted) this.reading.removeConsumers([this.consumer]);
  }

  /** Its connection ends. */
  leave(): void {
    this.cancel();
    for (const { seq } of this.out.splice(0)) {
      if (!this.reading.deleted) this.reading.requeue(seq);
    }
  }

  details(): never {
    throw new Error('nothing asks for it');
  }

  timeoutChanged(): void {}

  consumerGone(): void {
    this.ended = true;
  }
}

/** Declares a stream, and returns it. */
export function declareStream(
  small: SmallBroker,
  name = 's',
  args: Record<string, Field> = {},
): Stream {
  const declaration = { name, durable: true, autoDelete: false, owner: null };
  const type: Field = { type: 'S', value: 'stream' };
  const all = new Map(Object.entries({ 'x-queue-type': type, ...args }));
  small.vhost.as(ALL_RIGHTS, small).declareQueue({ ...declaration, arguments: all });
  return streamOf(small, name);
}

/** The stream of that name. */
export function streamOf(small: SmallBroker, name = 's'): Stream {
  const [stream] = streamsAmong(small.vhost.queues.values()).filter((each) => each.name === name);
  if (stream === undefined) throw new Error(`there is no stream ${name}`);
  return stream;
}

/** Publishes messages whose bodies are the numbers from `from` on. */
export function append(small: SmallBroker, from: number, count: number, name = 's'): void {
  for (let n = from; n < from + count; n++) {
    small.publish({ routingKey: name, properties: { deliveryMode: 2 } }, Buffer.from(String(n)));
  }
}

/** All that a new reader gets of a stream: offsets and bodies. */
export function readAll(small: SmallBroker, name = 's'): [offset: number, body: string][] {
  const reader = new StreamReader(small, streamOf(small, name));
  for (let turns = 0; turns < 10_000 && small.broker.core.deliver(); turns++);
  reader.leave();
  return reader.given;
}

/** Offsets with the bodies that `append` gave them, where it began with 0. */
export function numbered(from: number, to: number): [offset: number, body: string][] {
  return Array.from({ length: to - from }, (_, n) => [from + n, String(from + n)]);
}
