// Owns holding back the connections that flood a queue, from one sample to the next. Never decides how
// much a queue may be given: broker/queue/flow-quota.ts does.

import type { FlowQuotas } from '../../broker/queue/flow-quota.ts';
import type { Clock } from '../../util/clock.ts';
import { TICK_MS, type TimerWheel, WheelTimer } from '../../util/timers.ts';
import { RUNNING } from '../states.ts';
import { PAUSED_BY_FLOW, type ReadGate } from './read-gate.ts';

/** What is held back. */
export interface HeldConnection {
  /** By this the queues know their consumers on the connection. */
  readonly outbox: object;
  readonly gate: ReadGate;
  readonly state: number;
  /** Reads on, unless there are more reasons not to than this one. */
  readOn(reason: number): void;
}

/** Lets publishers of flooded queues send about as much as consumers settle. */
export class FlowControl {
  private readonly flowQuotas: FlowQuotas;
  private readonly wheel: TimerWheel;
  private readonly clock: Clock;
  private readonly timer = new WheelTimer(() => this.sample());
  private held: HeldConnection[] = [];
  private sampledMs = 0;

  constructor(flowQuotas: FlowQuotas, wheel: TimerWheel, clock: Clock) {
    this.flowQuotas = flowQuotas;
    this.wheel = wheel;
    this.clock = clock;
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }

  /** Told at the end of each turn: what is flooded now is sampled. */
  turnEnded(): void {
    const { flowQuotas } = this;
    flowQuotas.exceeded = null;
    if (!flowQuotas.any) return;
    // Consumers that have caught up do not wait for the next sample.
    if (flowQuotas.endWhatIsOver()) this.release();
    if (this.timer.armed || !flowQuotas.any) return;
    this.sampledMs = this.clock.monotonicMs();
    this.wheel.schedule(this.timer, TICK_MS);
  }

  /** What was just read of a connection is more than a queue should be given. */
  exceeded(connection: HeldConnection): void {
    const quota = this.flowQuotas.exceeded;
    this.flowQuotas.exceeded = null;
    if (quota === null || connection.state !== RUNNING) return;
    // The queue may wait for the acks of consumers on this same connection.
    if (quota.queue.consumers.some(({ channel }) => channel.link === connection.outbox)) return;
    connection.gate.pause(PAUSED_BY_FLOW);
    this.held.push(connection);
  }

  private sample(): void {
    const nowMs = this.clock.monotonicMs();
    this.flowQuotas.sample(nowMs - this.sampledMs);
    this.sampledMs = nowMs;
    if (this.flowQuotas.any) this.wheel.schedule(this.timer, TICK_MS);
    this.release();
  }

  private release(): void {
    const { held } = this;
    this.held = [];
    for (const connection of held) connection.readOn(PAUSED_BY_FLOW);
  }
}
