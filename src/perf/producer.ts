// Owns one producer of the load tester: how fast it publishes, and when its publishes are confirmed.
// Never waits for more than it must.

import {
  BASIC_PUBLISH,
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_METHOD,
} from '../amqp/constants.ts';
import { encodeContentHeaderPayload } from '../amqp/properties.ts';
import type { UserError } from '../util/user-error.ts';
import { type Address, PerfConnection, type Receiver } from './connection.ts';
import type { Latencies } from './latencies.ts';
import { type PerfPlan, RUN_OFFSET, STAMP_BYTES } from './plan.ts';

/** About so many bytes are written at a time. */
const BATCH_BYTES = 64 * 1024;
/** A producer with a rate looks so often whether it is time. */
const TICK_MS = 1;

/** Told of what producers and consumers do. */
export interface Tally {
  sent: number;
  received: number;
  confirmed: number;
  nacked: number;
  returned: number;
  readonly confirmLatency: Latencies;
  readonly consumerLatency: Latencies;
  now(): number;
  failed(error: UserError): void;
}

/** One producer on a connection of its own. */
export class Producer implements Receiver {
  /** All that it was to publish is published, and confirmed where that was asked for. */
  done = false;
  private readonly plan: PerfPlan;
  private readonly tally: Tally;
  private readonly message: Buffer;
  private readonly timeAt: number;
  private readonly perBatch: number;
  private connection: PerfConnection | null = null;
  private sent = 0;
  /** The lowest number of a publish that waits for its confirm. */
  private lowest = 1;
  private beganMs = 0;
  private stopped = false;
  /** When each publish that waits for a confirm was to be sent, by its number. */
  private readonly times: Float64Array;
  /** Whether a turn is asked for already. */
  private scheduled = false;
  private readonly onTurn = (): void => this.turn();

  constructor(plan: PerfPlan, queue: string, bodyMax: number, tally: Tally) {
    this.plan = plan;
    this.tally = tally;
    const { message, timeAt } = encodeMessage(plan, plan.routingKey ?? queue, bodyMax);
    this.message = message;
    this.timeAt = timeAt;
    this.perBatch = Math.max(1, Math.floor(BATCH_BYTES / message.length));
    this.times = new Float64Array(Math.max(1, plan.confirmWindow));
  }

  async start(address: Address): Promise<void> {
    this.connection = await PerfConnection.open(address, this);
    if (this.plan.confirmWindow > 0) {
      await this.connection.ask('confirm.select', { noWait: false }, 'confirm.select-ok');
    }
  }

  /** Begins to publish. */
  go(): void {
    this.beganMs = this.tally.now();
    this.schedule();
  }

  stop(): void {
    this.stopped = true;
  }

  async close(): Promise<void> {
    this.stopped = true;
    await this.connection?.close();
  }

  get blocked(): string {
    return this.connection?.blocked ?? '';
  }

  private schedule(): void {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    if (this.plan.rate === 0) setImmediate(this.onTurn);
    else setTimeout(this.onTurn, TICK_MS);
  }

  private turn(): void {
    this.scheduled = false;
    const { connection, plan } = this;
    if (this.stopped || connection === null || connection.blocked !== '') return;
    for (let count = this.allowed(); count > 0; count = this.allowed()) {
      this.publish(connection, Math.min(count, this.perBatch));
      // What the socket cannot take now goes out after 'drain'.
      if (connection.full) return;
      if (plan.rate === 0) break;
    }
    if (this.sent >= plan.messages) this.checkDone();
    else if (plan.rate > 0 || this.allowed() > 0) this.schedule();
  }

  /** How many may be published now. */
  private allowed(): number {
    const { messages, confirmWindow, rate } = this.plan;
    let count = messages - this.sent;
    if (confirmWindow > 0) count = Math.min(count, confirmWindow - (this.sent + 1 - this.lowest));
    if (rate > 0) count = Math.min(count, this.dueBy(this.tally.now()) - this.sent);
    return count;
  }

  private dueBy(nowMs: number): number {
    return Math.floor(((nowMs - this.beganMs) / 1000) * this.plan.rate) + 1;
  }

  private publish(connection: PerfConnection, count: number): void {
    const { message, timeAt, plan, tally } = this;
    const batch = Buffer.allocUnsafe(count * message.length);
    const nowMs = tally.now();
    for (let i = 0; i < count; i++) {
      const at = i * message.length;
      message.copy(batch, at);
      // With a rate, what counts is when the message was to be sent: a late one has waited.
      const timeMs = plan.rate > 0 ? this.beganMs + (this.sent / plan.rate) * 1000 : nowMs;
      if (timeAt >= 0) batch.writeDoubleBE(timeMs, at + timeAt);
      if (plan.confirmWindow > 0) this.times[this.sent % plan.confirmWindow] = timeMs;
      this.sent += 1;
    }
    tally.sent += count;
    connection.write(batch);
  }

  private checkDone(): void {
    if (this.plan.confirmWindow === 0 || this.lowest > this.sent) this.done = true;
  }

  // --- what comes back ---

  confirmed(tag: number, multiple: boolean, nack: boolean): void {
    const { tally, times } = this;
    const nowMs = tally.now();
    let count = 0;
    for (let number = multiple ? this.lowest : tag; number <= tag; number++) {
      const slot = (number - 1) % times.length;
      const timeMs = times[slot] as number;
      // Confirms need not come in order: those that came before are passed over.
      if (Number.isNaN(timeMs)) continue;
      times[slot] = Number.NaN;
      tally.confirmLatency.add(nowMs - timeMs);
      count += 1;
    }
    while (this.lowest <= this.sent && Number.isNaN(times[(this.lowest - 1) % times.length])) {
      this.lowest += 1;
    }
    if (nack) tally.nacked += count;
    else tally.confirmed += count;
  }

  chunkEnded(): void {
    if (this.sent >= this.plan.messages) this.checkDone();
    else this.schedule();
  }

  returned(): void {
    this.tally.returned += 1;
  }

  drained(): void {
    this.schedule();
  }

  delivered(): void {}

  failed(error: UserError): void {
    this.tally.failed(error);
  }
}

/** All frames of one publish, and where in them the time stands; -1: the body has no place for it. */
function encodeMessage(
  plan: PerfPlan,
  key: string,
  bodyMax: number,
): { readonly message: Buffer; readonly timeAt: number } {
  const exchange = Buffer.from(plan.exchange);
  const routingKey = Buffer.from(key);
  const method = Buffer.alloc(4 + 2 + 1 + exchange.length + 1 + routingKey.length + 1);
  method.writeUInt32BE(BASIC_PUBLISH, 0);
  let at = method.writeUInt8(exchange.length, 6);
  at += exchange.copy(method, at);
  at = method.writeUInt8(routingKey.length, at);
  at += routingKey.copy(method, at);
  method[at] = plan.mandatory ? 1 : 0;
  const properties = plan.persistent ? { deliveryMode: 2 } : {};
  const header = encodeContentHeaderPayload(plan.bodyBytes, properties);
  const frames = [frame(FRAME_METHOD, method), frame(FRAME_HEADER, header)];
  const bodyAt = (frames[0] as Buffer).length + (frames[1] as Buffer).length + 7;
  for (let left = plan.bodyBytes; left > 0; left -= bodyMax) {
    frames.push(frame(FRAME_BODY, Buffer.alloc(Math.min(left, bodyMax), 'x')));
  }
  const message = Buffer.concat(frames);
  if (plan.bodyBytes < STAMP_BYTES) return { message, timeAt: -1 };
  message.writeUInt32BE(plan.run, bodyAt + RUN_OFFSET);
  return { message, timeAt: bodyAt };
}

function frame(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(payload.length + 8);
  bytes[0] = type;
  bytes.writeUInt16BE(1, 1);
  bytes.writeUInt32BE(payload.length, 3);
  payload.copy(bytes, 7);
  bytes[bytes.length - 1] = FRAME_END;
  return bytes;
}
