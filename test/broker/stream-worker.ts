// Owns a channel that reads streams in tests, and settles as a channel of the server does. Never asserts.

import type { Field } from '../../src/amqp/field-table.ts';
import {
  Consumer,
  type ConsumerSource,
  type DeliveryChannel,
} from '../../src/broker/queue/consumer.ts';
import { SharedCredit } from '../../src/broker/queue/waiting-line.ts';
import { SimLink } from './peers.ts';
import type { SmallBroker } from './small-broker.ts';

/** A message of a stream that a worker was given. */
export interface Entry {
  readonly consumer: Consumer;
  readonly source: ConsumerSource;
  readonly seq: number;
  readonly offset: number;
  readonly partition: number;
  readonly body: string;
}

/** A channel with a consumer or several. */
export class StreamWorker implements DeliveryChannel {
  readonly link: SimLink;
  readonly credit: SharedCredit;
  /** All that came, in order. */
  readonly given: Entry[] = [];
  /** What is not settled. */
  unacked: Entry[] = [];
  readonly consumers = new Set<Consumer>();
  /** Consumers that the broker ended. */
  readonly ended: Consumer[] = [];
  /** What its user may not read. */
  readonly forbidden = new Set<string>();
  readonly grants = { reads: (queue: string) => !this.forbidden.has(queue) };
  private readonly small: SmallBroker;
  private readonly onEntry: (entry: Entry) => void;

  constructor(small: SmallBroker, onEntry: (entry: Entry) => void = () => {}) {
    this.small = small;
    const { lines } = small.broker.core;
    this.link = new SimLink(lines);
    this.credit = new SharedCredit(lines);
    this.onEntry = onEntry;
  }

  consume(source: ConsumerSource, prefetch = 10): Consumer {
    const none = new Map<string, Field>();
    const consumer = new Consumer(source, this, 'tag', false, false, prefetch, none);
    this.consumers.add(consumer);
    source.addConsumer(consumer);
    return consumer;
  }

  details(): never {
    throw new Error('no test asks for it');
  }

  deliver(): never {
    throw new Error('only streams are read here');
  }

  deliverEntry(
    consumer: Consumer,
    source: ConsumerSource,
    seq: number,
    position: number,
    offset: number,
    partition: number,
  ): void {
    const body = this.small.bodyAt(position);
    const entry = { consumer, source, seq, offset, partition, body };
    this.given.push(entry);
    this.unacked.push(entry);
    this.credit.unacked += 1;
    this.onEntry(entry);
  }

  timeoutChanged(): void {}

  consumerGone(consumer: Consumer): void {
    this.leave(consumer);
    this.ended.push(consumer);
  }

  /** Settles one delivery, the first if none is said. */
  settle(how: 'settle' | 'reject' | 'requeue' = 'settle', entry = this.unacked[0]): void {
    if (entry === undefined) throw new Error('nothing is unacked');
    const { consumer, source, seq } = entry;
    this.unacked = this.unacked.filter((each) => each !== entry);
    if (!source.deleted) source[how](seq);
    consumer.unacked -= 1;
    this.credit.giveBack();
    source.wake();
  }

  settleAll(how: 'settle' | 'reject' | 'requeue' = 'settle'): void {
    for (const entry of [...this.unacked]) this.settle(how, entry);
  }

  /** Ends a subscription; what it has stays. */
  cancel(consumer: Consumer): void {
    this.leave(consumer);
    if (!consumer.queue.deleted) consumer.queue.removeConsumers([consumer]);
  }

  /** The channel closes: consumers end, and all goes back. */
  close(): void {
    this.credit.limit = -1;
    for (const consumer of [...this.consumers]) this.cancel(consumer);
    this.settleAll('requeue');
  }

  /** The bodies that came since it was asked last. */
  taken(): string[] {
    return this.given.splice(0).map(({ body }) => body);
  }

  private leave(consumer: Consumer): void {
    this.credit.leave(consumer.queue);
    this.link.line.leave(consumer.queue);
    this.consumers.delete(consumer);
  }
}
