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
import type { Address, PerfConnection } from './connection.ts';
import { declare } from './declare.ts';
import { Link, type LinkedEnd } from './link.ts';
import { type PerfPlan, RUN_OFFSET, STAMP_BYTES } from './plan.ts';
import type { Tally } from './tally.ts';

/** About so many bytes are written at a time. */
const BATCH_BYTES = 64 * 1024;
/** A producer with a rate looks so often whether it is time. */
const TICK_MS = 1;

/** One producer on a connection of its own. */
export class Producer implements LinkedEnd {
  /** All that it was to publish is published, and confirmed where that was asked for. */
  done = false;
  private readonly plan: PerfPlan;
  private readonly tally: Tally;
  private readonly queue: string;
  private readonly link: Link;
  /** All frames of a publish, as this connection takes them, and where in them the time stands. */
  private message: Buffer = Buffer.alloc(0);
  private timeAt = -1;
  private perBatch = 1;
  private sent = 0;
  /** How many were sent on connections that are lost: publish numbers begin anew with each. */
  private sentBefore = 0;
  /** The lowest number of a publish that waits for its confirm. */
  private lowest = 1;
  private beganMs = 0;
  private stopped = false;
  /** When each publish that waits for a confirm was to be sent, by its number. */
  private readonly times: Float64Array;
  /** Whether a turn is asked for already. */
  private scheduled = false;
  private readonly onTurn = (): void => this.turn();

  /** `first` is the number of the host to begin at. */
  constructor(
    plan: PerfPlan,
    queue: string,
    addresses: readonly Address[],
    first: number,
    tally: Tally,
  ) {
    this.plan = plan;
    this.queue = queue;
    this.tally = tally;
    this.link = new Link(addresses, first, this, tally);
    this.times = new Float64Array(Math.max(1, plan.confirmWindow));
  }

  start(): Promise<void> {
    return this.link.open();
  }

  async prepare(connection: PerfConnection, again: boolean): Promise<void> {
    const { plan, queue } = this;
    if (again) await declare(plan, [queue], connection);
    const key = plan.routingKey ?? queue;
    const { message, timeAt } = encodeMessage(plan, key, connection.bodyMax);
    this.message = message;
    this.timeAt = timeAt;
    this.perBatch = Math.max(1, Math.floor(BATCH_BYTES / message.length));
    if (plan.confirmWindow > 0) {
      await connection.ask('confirm.select', { noWait: false }, 'confirm.select-ok');
    }
  }

  disconnected(): void {
    if (this.plan.confirmWindow > 0) {
      for (; this.lowest <= this.sent; this.lowest++) {
        const slot = (this.lowest - 1) % this.times.length;
        if (!Number.isNaN(this.times[slot])) this.tally.unconfirmed += 1;
        this.times[slot] = Number.NaN;
      }
    }
    this.sentBefore = this.sent;
    if (this.sent >= this.plan.messages) this.checkDone();
  }

  connected(): void {
    this.schedule();
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
    await this.link.close();
  }

  get blocked(): string {
    return this.link.connection?.blocked ?? '';
  }

  /** Why it has no connection, or ''. */
  get trouble(): string {
    return this.link.trouble;
  }

  private schedule(): void {
    // What came in before `go` asks for nothing.
    if (this.scheduled || this.stopped || this.beganMs === 0) return;
    this.scheduled = true;
    if (this.plan.rate === 0) setImmediate(this.onTurn);
    else setTimeout(this.onTurn, TICK_MS);
  }

  private turn(): void {
    this.scheduled = false;
    const { plan } = this;
    const { connection } = this.link;
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
    const last = tag + this.sentBefore;
    let count = 0;
    for (let number = multiple ? this.lowest : last; number <= last; number++) {
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
    this.link.failed(error);
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
