// Owns one consumer of the load tester: its acks, and how long messages took to reach it.

import { BASIC_ACK, FRAME_END, FRAME_METHOD } from '../amqp/constants.ts';
import { U32 } from '../util/bytes.ts';
import type { UserError } from '../util/user-error.ts';
import { type Address, PerfConnection, type Receiver } from './connection.ts';
import { type PerfPlan, RUN_OFFSET, STAMP_BYTES } from './plan.ts';
import type { Tally } from './producer.ts';

/** The size of a frame with basic.ack. */
const ACK_BYTES = 21;

/** One consumer on a connection of its own. */
export class Consumer implements Receiver {
  private readonly plan: PerfPlan;
  private readonly queue: string;
  private readonly tally: Tally;
  private connection: PerfConnection | null = null;
  private lastTag = 0;
  private unacked = 0;
  private nowMs = 0;
  private readonly acks = Buffer.alloc(256 * ACK_BYTES);
  private ackEnd = 0;

  constructor(plan: PerfPlan, queue: string, tally: Tally) {
    this.plan = plan;
    this.queue = queue;
    this.tally = tally;
  }

  async start(address: Address): Promise<void> {
    const { plan, queue } = this;
    this.connection = await PerfConnection.open(address, this);
    const { connection } = this;
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
    await this.connection?.close();
  }

  delivered(tag: number, bytes: Buffer, start: number, bodyBytes: number): void {
    const { tally, plan } = this;
    tally.received += 1;
    if (this.nowMs === 0) this.nowMs = tally.now();
    if (bodyBytes >= STAMP_BYTES && bytes.readUInt32BE(start + RUN_OFFSET) === plan.run) {
      tally.consumerLatency.add(this.nowMs - bytes.readDoubleBE(start));
    }
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
    this.tally.failed(error);
  }
}
