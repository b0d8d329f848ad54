// Owns one client of the simulation of long acts: a real channel without a socket, which does nothing while an
// act of its own goes on. Never compares queues: mirror.ts does.

import { BASIC_PUBLISH, TX_COMMIT } from '../../../src/amqp/constants.ts';
import { encodeMethodFrame } from '../../../src/amqp/method-codec.ts';
import { encodeContentHeaderPayload } from '../../../src/amqp/properties.ts';
import { WIRE_LIMITS } from '../../../src/amqp/table-limits.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { Consumer } from '../../../src/broker/queue/consumer.ts';
import type { Queue } from '../../../src/broker/queue/queue.ts';
import type { Vhost } from '../../../src/broker/vhost/vhost.ts';
import { ActGate } from '../../../src/server/backpressure/act-gate.ts';
import { ReadGate } from '../../../src/server/backpressure/read-gate.ts';
import {
  AllUnfinishedBytes,
  UnfinishedBytes,
} from '../../../src/server/backpressure/unfinished-bytes.ts';
import { Channel } from '../../../src/server/channel/channel.ts';
import type { ChannelConnection } from '../../../src/server/channel/channel-connection.ts';
import {
  type CommitOutcome,
  SETTLE_REJECT,
  SETTLE_REQUEUE,
  Transaction,
} from '../../../src/server/channel/publish/transaction.ts';
import { SimLink } from '../peers.ts';
import type { Mirror } from './mirror.ts';

const SETTINGS = { ...WIRE_LIMITS, maxMessageBytes: 1_000_000, unackedMaxPerChannel: 0 };
const NONE = new Map();
const NOTHING = (): void => {};

/** Where a client finds the mirror of a queue. */
export type FindMirror = (queue: Queue) => Mirror;

/** What a transaction publishes and acks, by its number. */
export interface Committed {
  readonly number: number;
  readonly published: number[];
  readonly acked: { readonly queue: string; readonly id: number }[];
}

export class Actor extends Channel {
  /** Numbers of what it published in confirm mode, in order. */
  readonly published: number[] = [];
  /** Its transaction to come. */
  committed: Committed | null = null;
  readonly gate: ReadGate;
  private readonly acts: ActGate;
  private readonly findMirror: FindMirror;
  private lastSettled = 0;
  private nextTagNumber = 1;
  /** The number of the message of each delivery, by its tag. */
  private readonly delivered = new Map<number, { readonly queue: Queue; readonly id: number }>();

  constructor(broker: Broker, vhost: Vhost, findMirror: FindMirror, idOf: (at: number) => number) {
    const gate = new ReadGate({ pause: NOTHING, resume: NOTHING }, { paused: false });
    const acting = {
      goOn: (_number: number, _key: number, act: () => void): void => act(),
      readOn: (reason: number): void => {
        gate.release(reason);
        gate.open();
      },
    };
    const acts = new ActGate(acting, gate, broker.core.slices);
    const timeoutRules = { action: 'close', defaultMs: Infinity, wheel: { cancel: NOTHING } };
    const outbox = new SimLink(broker.core.lines);
    const rest = { settings: SETTINGS, outbox, grants: null, timeoutRules, acts };
    const connection = {
      core: broker.core,
      vhost,
      ...rest,
      listConfirms: NOTHING,
      name: 'simulated',
    };
    const holdings = new UnfinishedBytes(new AllUnfinishedBytes(broker.core));
    super(1, connection as unknown as ChannelConnection, holdings);
    this.gate = gate;
    this.acts = acts;
    this.findMirror = findMirror;
    this.idOf = idOf;
  }

  private readonly idOf: (at: number) => number;

  /** Whether an act of it goes on: it sends nothing. */
  get busy(): boolean {
    return !this.gate.open();
  }

  override deliver(consumer: Consumer, queue: Queue, seq: number, position: number): void {
    const tag = this.deliveries.unacked.add(queue, consumer, seq);
    this.credit.unacked += 1;
    this.findMirror(queue).give(position, this, tag);
    this.delivered.set(tag, { queue, id: this.idOf(position) });
  }

  /** Told that a delivery is settled; each act settles in order. */
  settles(tag: number): void {
    if (tag <= this.lastSettled)
      throw new Error(`tag ${tag} is settled behind ${this.lastSettled}`);
    this.lastSettled = tag;
  }

  subscribe(queue: Queue): void {
    this.addConsumer(queue, `tag-${this.nextTagNumber++}`, false, false, NONE);
  }

  /** Tags that are not settled, up to one. */
  tags(upTo = Infinity): number[] {
    return this.deliveries.unacked.tagsBetween(0, Math.min(upTo, this.lastTag), 1_000_000);
  }

  private get lastTag(): number {
    return this.deliveries.unacked.next - 1;
  }

  /** Settles all up to a tag, and sees that these and no others are settled in the end. */
  settleUpTo(tag: number, way: 'ack' | 'requeue' | 'reject'): void {
    const others = this.tags().filter((each) => each > tag);
    this.lastSettled = 0;
    if (way === 'ack') this.deliveries.ack(tag, true);
    else this.deliveries.reject(tag, true, way === 'requeue' ? SETTLE_REQUEUE : SETTLE_REJECT);
    // What it sends next comes when that is over.
    this.whenFree(() => {
      if (this.tags(tag).length > 0) throw new Error(`not all up to ${tag} is settled: ${way}`);
      const settled = others.filter((each) => !this.deliveries.owes(each));
      if (settled.length > 0) throw new Error(`${settled} beyond ${tag} are settled: ${way}`);
    });
  }

  private readonly waiting: (() => void)[] = [];

  private whenFree(then: () => void): void {
    this.waiting.push(then);
    this.look();
  }

  /** Looks at what was to be once it is free. */
  look(): void {
    if (!this.busy) for (const then of this.waiting.splice(0)) then();
  }

  /** As a client sends it, in frames. */
  publish(exchange: string, routingKey: string, id: number, transaction: number): void {
    const fields = { exchange, routingKey, mandatory: false, immediate: false };
    const method = encodeMethodFrame(1, 'basic.publish', fields).subarray(7, -1);
    const body = Buffer.alloc(20, id & 0xff);
    body.writeUInt32BE(id, 0);
    body.writeUInt32BE(transaction, 4);
    const { assembly } = this.publisher;
    const header = encodeContentHeaderPayload(body.length, { deliveryMode: 2 });
    assembly.begin(method, 0, method.length);
    assembly.header(header, 0, header.length);
    if (!assembly.body(body, 0, body.length)) throw new Error('it is whole');
    if (this.confirms !== null) this.published.push(id);
    this.publisher.publishAssembled();
  }

  /** Keeps acks of the oldest deliveries for its commit. */
  ackLater(count: number): void {
    for (const tag of this.tags().slice(0, count)) {
      if (!this.deliveries.owes(tag)) continue;
      this.deliveries.ack(tag, false);
      const { queue, id } = this.delivered.get(tag) as { queue: Queue; id: number };
      if (!queue.deleted) this.committed?.acked.push({ queue: queue.name, id });
    }
  }

  commit(then: (committed: Committed) => void): void {
    const { committed } = this;
    if (committed === null || !(this.transaction instanceof Transaction)) return;
    this.committed = null;
    this.lastSettled = 0;
    const outcome: CommitOutcome = { stored: false, refused: false };
    const steps = this.committing(this.transaction, outcome);
    this.acts.act(steps, 1, TX_COMMIT, () => then(committed), true);
  }

  /** As channel.close, or as the socket ends amid an act: gives everything back. */
  close(then: () => void): void {
    this.waiting.length = 0;
    this.lastSettled = 0;
    this.acts.act(this.closing(), 1, BASIC_PUBLISH, () => {
      if (this.deliveries.unacked.count > 0) throw new Error('a closed channel keeps deliveries');
      then();
    });
  }
}
