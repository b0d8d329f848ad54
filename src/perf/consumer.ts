// Owns one consumer of the load tester: its acks, and how long messages took to reach it.

import { BASIC_ACK, FRAME_END, FRAME_METHOD } from '../amqp/constants.ts';
import { U32 } from '../util/bytes.ts';
import type { UserError } from '../util/user-error.ts';
import type { Address, PerfConnection } from './connection.ts';
import { declare } from './declare.ts';
import { Link, type LinkedEnd } from './link.ts';
import { type PerfPlan, RUN_OFFSET, STAMP_BYTES } from './plan.ts';
import type { Tally } from './tally.ts';

/** The size of a frame with basic.ack. */
const ACK_BYTES = 21;

/** One consumer on a connection of its own. */
export class Consumer implements LinkedEnd {
  private readonly plan: PerfPlan;
  private readonly queue: string;
  private readonly tally: Tally;
  private readonly link: Link;
  /** The one that it consumes on, from before its first delivery on. */
  private connection: PerfConnection | null = null;
  private lastTag = 0;
  private unacked = 0;
  private nowMs = 0;
  private readonly acks = Buffer.alloc(256 * ACK_BYTES);
  private ackEnd = 0;

  /** `first` is the number of the host to begin at. */
  constructor(
    plan: PerfPlan,
    queue: string,
    addresses: readonly Address[],
    first: number,
    tally: Tally,
  ) {
    this.link = new Link(addresses, first, this, tally);
    this.plan = plan;
    this.queue = queue;
    this.tally = tally;
  }

  start(): Promise<void> {
    return this.link.open();
  }

  /** Why it has no connection, or ''. */
  get trouble(): string {
    return this.link.trouble;
  }

  async prepare(connection: PerfConnection, again: boolean): Promise<void> {
    const { plan, queue } = this;
    if (again) await declare(plan, [queue], connection);
    this.connection = connection;
    if (plan.prefetch > 0) {
      const qos = { prefetchSize: 0, prefetchCount: plan.prefetch, global: false };
      await connection.ask('basic.qos', qos, 'basic.qos-ok');
    }
    const consume = {
      queue,
      consumerTag: '',
      noLocal: false,
      noAck: plan.autoAck,
      exclusive: false,
      noWait: false,
      arguments: new Map(),
    };
    await connection.ask('basic.consume', consume, 'basic.consume-ok');
  }

  async close(): Promise<void> {
    this.ack();
    this.flushAcks();
    await this.link.close();
  }

  disconnected(): void {
    this.connection = null;
    this.unacked = 0;
  }

  connected(): void {}

  delivered(
    tag: number,
    bytes: Buffer,
    start: number,
    bodyBytes: number,
    redelivered: boolean,
  ): void {
    const { tally, plan } = this;
    const isSecond = redelivered && tally.lost > 0;
    if (isSecond) tally.redelivered += 1;
    else tally.received += 1;
    if (this.nowMs === 0) this.nowMs = tally.now();
    const isOurs = bodyBytes >= STAMP_BYTES && bytes.readUInt32BE(start + RUN_OFFSET) === plan.run;
    // A second delivery says nothing of how fast messages are.
    if (isOurs && !isSecond) tally.consumerLatency.add(this.nowMs - bytes.readDoubleBE(start));
    this.lastTag = tag;
    this.unacked += 1;
    if (!plan.autoAck && this.unacked >= plan.ackEvery) this.ack();
  }

  /** All acks of a chunk leave in one write. */
  chunkEnded(): void {
    this.nowMs = 0;
    this.flushAcks();
  }

  private flushAcks(): void {
    if (this.ackEnd === 0) return;
    this.connection?.write(Buffer.from(this.acks.subarray(0, this.ackEnd)));
    this.ackEnd = 0;
  }

  private ack(): void {
    if (this.unacked === 0 || this.plan.autoAck) return;
    this.unacked = 0;
    if (this.ackEnd + ACK_BYTES > this.acks.length) this.flushAcks();
    const { acks, ackEnd: at } = this;
    acks[at] = FRAME_METHOD;
    acks.writeUInt16BE(1, at + 1);
    acks.writeUInt32BE(13, at + 3);
    acks.writeUInt32BE(BASIC_ACK, at + 7);
    acks.writeUInt32BE(Math.floor(this.lastTag / U32), at + 11);
    acks.writeUInt32BE(this.lastTag % U32, at + 15);
    acks[at + 19] = 1;
    acks[at + 20] = FRAME_END;
    this.ackEnd = at + ACK_BYTES;
  }

  confirmed(): void {}
  returned(): void {}
  drained(): void {}

  failed(error: UserError): void {
    this.link.failed(error);
  }
}
