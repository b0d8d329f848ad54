// Owns the turn of the broker: what its end has to do, and in which order. Never knows what is delivered,
// confirmed or written: the core, channels and outboxes do.

import type { BrokerCore } from '../../broker/core/core.ts';
import type { Clock } from '../../util/clock.ts';
import { setImmediate } from '../../util/system/runtime.ts';
import type { TimerWheel } from '../../util/timers.ts';
import type { FlowControl, HeldConnection } from '../backpressure/flow-control.ts';
import type { BrakedConnection, StoreBackpressure } from '../backpressure/store-backpressure.ts';
import type { ConfirmingChannel } from '../channel/channel-connection.ts';
import type { Outbox } from '../wire/outbox.ts';
import { CommitScheduler } from './commit-scheduler.ts';
import { DurableWaiters } from './durable-waiters.ts';
import { ExpiryTimer } from './expiry-timer.ts';

/** So much input ends a turn early: what was just read is sent on while the cache still has it. */
const TURN_BYTES = 256 * 1024;

/** What a turn stands on. */
export interface TurnParts {
  readonly core: BrokerCore;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly flow: FlowControl;
  readonly storeBackpressure: StoreBackpressure;
  /** Whether what is safe may be confirmed now. */
  readonly mayConfirm: () => boolean;
  /** Told at each end of a turn how many bytes were read in it. */
  readonly resources: { bytesRead(bytes: number): void };
  /** Takes what must never be thrown at the end of a turn: the broker has to stop. */
  readonly onFatal: (error: Error) => void;
}

/**
 * A turn is what is read of all sockets between two ends. The end does for all of it together what
 * would cost much for each message:
 *
 *   deliver    what is ready, from the queues that were touched
 *   seal       the batch, after delivering: it then holds a message and the note that it was delivered
 *   confirm    what is durable or needs no disk
 *   write      to the sockets, last: deliveries, confirms and answers leave in one write
 */
export class Turn {
  readonly expiry: ExpiryTimer;
  private readonly core: BrokerCore;
  private readonly parts: TurnParts;
  private readonly committer: CommitScheduler;
  private readonly waiters = new DurableWaiters();
  private outboxes: Outbox[] = [];
  private confirming: ConfirmingChannel[] = [];
  private scheduled = false;
  private bytes = 0;
  private readonly endSoon = (): void => this.end();

  constructor(parts: TurnParts) {
    const { core, clock, wheel } = parts;
    this.parts = parts;
    this.core = core;
    this.expiry = new ExpiryTimer(core, () => this.want());
    this.committer = new CommitScheduler(core, clock, wheel, () => this.want());
  }

  /** Asks for an end of the turn as soon as what has come in is read. */
  want(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.endSoon);
  }

  /** A batch has become durable. */
  durable(): void {
    this.parts.storeBackpressure.durable();
    this.want();
  }

  /** Runs `resume` once `batch` is durable. */
  holdUntil(batch: number, resume: () => void): void {
    this.waiters.add(batch, resume);
    this.core.awaitBatch();
  }

  /** Resolves once `batch` is durable. */
  untilDurable(batch: number): Promise<void> {
    return new Promise((resolve) => this.holdUntil(batch, resolve));
  }

  /** Keeps what an outbox is given from now on until `batch` is durable. */
  holdOutput(outbox: Outbox, batch: number): void {
    outbox.holdUntil(batch);
    this.waiters.addOutput(outbox);
  }

  /** Has an outbox flushed at the end of the turn. */
  outboxFilled(outbox: Outbox): void {
    this.outboxes.push(outbox);
    this.want();
  }

  /** Has the confirms of a channel sent at the end of the turn. */
  listConfirms(channel: ConfirmingChannel): void {
    channel.confirmsListed = true;
    this.confirming.push(channel);
    this.want();
  }

  /** So many bytes were just read of a connection. */
  chunkRead(connection: HeldConnection & BrakedConnection, bytes: number): void {
    if (this.core.flowQuotas.exceeded !== null) this.parts.flow.exceeded(connection);
    this.parts.storeBackpressure.chunkRead(connection);
    this.bytes += bytes;
    if (this.bytes >= TURN_BYTES) this.end();
  }

  /** Ends the turn. */
  end(): void {
    const { core, waiters } = this;
    const { bytes } = this;
    this.scheduled = false;
    this.bytes = 0;
    // A refusal that came out of a section has left nothing behind.
    core.line.refused();
    try {
      const due = waiters.any && waiters.resume(core.durableBatch);
      const more = core.deliver() || due;
      this.committer.sealIfDue();
      this.confirm();
      this.write();
      this.parts.resources.bytesRead(bytes);
      this.parts.flow.turnEnded();
      this.expiry.turnEnded();
      if (core.maintain() || more) this.want();
    } catch (error) {
      this.parts.onFatal(error as Error);
    }
  }

  private confirm(): void {
    const channels = this.confirming;
    if (channels.length === 0 || !this.parts.mayConfirm()) return;
    this.confirming = [];
    for (const channel of channels) {
      if (channel.flushConfirms(this.core.durableBatch)) this.confirming.push(channel);
      else channel.confirmsListed = false;
    }
  }

  private write(): void {
    const outboxes = this.outboxes;
    this.outboxes = [];
    for (const outbox of outboxes) outbox.flush();
  }
}
