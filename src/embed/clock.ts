// Owns moving a broker's clock on: what falls due on the way does so in its turn. Never sets a timer.

import type { Server } from '../server/server.ts';
import { type MovableClock, systemClock } from '../util/clock.ts';
import { TICK_MS } from '../util/timers.ts';
import { checkIdleNames, isEmpty, TIMEOUT_MS, untilQuiet } from './idle.ts';
import type { BrokerClock, IdleOptions } from './options.ts';
import { turnsOver } from './turns.ts';

/** The last moment that a broker can be at, the end of the year 9999: later ones few programs can read. */
const LAST_MS = 253_402_300_799_999;
/** So many things fall due at most where no time was given: a message may go round for ever. */
const DUE_MAX = 10_000;
/** A long time goes by in at most so many steps, beside those to what expires. */
const STEPS_MAX = 1000;

/** The clock of one broker. */
export class EmbeddedClock implements BrokerClock {
  private readonly clock: MovableClock;
  private readonly server: Server;
  private readonly isClosed: () => boolean;
  /** What moves the clock waits for those calls that do so already. */
  private moving: Promise<unknown> = Promise.resolve();

  constructor(clock: MovableClock, server: Server, isClosed: () => boolean) {
    this.clock = clock;
    this.server = server;
    this.isClosed = isClosed;
  }

  now(): Date {
    return new Date(this.clock.wallMs());
  }

  advance(ms: number): Promise<void> {
    if (!Number.isFinite(ms) || ms < 0) {
      const text = `clock.advance(${ms}): time goes by in milliseconds, from 0 on; it never goes back`;
      return Promise.reject(new RangeError(text));
    }
    const moved = this.moving.then(() => this.move(ms));
    // One that fails is its caller's to hear of; those behind it move on.
    this.moving = moved.catch(() => undefined);
    return moved;
  }

  advanceUntilIdle(ms?: number, options: IdleOptions = {}): Promise<void> {
    const call = 'clock.advanceUntilIdle';
    if (ms !== undefined && (!Number.isFinite(ms) || ms < 0)) {
      const text = `${call}(${ms}): time goes by in milliseconds, from 0 on; it never goes back`;
      return Promise.reject(new RangeError(text));
    }
    const moved = this.moving.then(async () => {
      checkIdleNames(this.server, call, options);
      const { timeoutMs = TIMEOUT_MS } = options;
      const endMs = systemClock.monotonicMs() + timeoutMs;
      const settle = (): Promise<void> => {
        const left = Math.max(0, endMs - systemClock.monotonicMs());
        return untilQuiet(this.server, this.isClosed, call, { ...options, timeoutMs: left });
      };
      if (ms === undefined) await this.moveOn(call, options, settle);
      else await this.move(ms, settle, call);
      await settle();
    });
    this.moving = moved.catch(() => undefined);
    return moved;
  }

  /**
   * Goes from one thing that falls due to the next, until the queues are empty or nothing falls due any more but ticks
   * of schedules, which have no end. Those on the way are published.
   */
  private async moveOn(
    call: string,
    options: IdleOptions,
    settle: () => Promise<void>,
  ): Promise<void> {
    const { core, scheduleWatch } = this.server.broker;
    for (let steps = 0; ; steps++) {
      await settle();
      const untilDue = core.nextDeadlineMsWithout(scheduleWatch) - core.time.now();
      if (isEmpty(this.server, options) || untilDue === Number.POSITIVE_INFINITY) return;
      if (steps === DUE_MAX) {
        const wayOut = 'give a time to advance by';
        const why = 'messages go round in a circle, or a schedule brings more and more';
        throw new Error(`${call}: after ${DUE_MAX} steps more falls due: ${why}; ${wayOut}`);
      }
      await this.move(Math.max(1, Math.ceil(untilDue)), settle, call);
    }
  }

  /**
   * Goes from one thing that falls due to the next. A message that is dead-lettered to a queue with a
   * TTL of its own would otherwise begin to wait there only when all the time has gone by.
   */
  private async move(
    ms: number,
    settle: () => Promise<void> = turnsOver,
    call = 'clock.advance',
  ): Promise<void> {
    const { broker } = this.server;
    const lastMs = LAST_MS - this.clock.wallMs();
    if (ms > lastMs) throw new RangeError(`${call}(${ms}): that is beyond the year 9999`);
    const stepMs = Math.max(TICK_MS, ms / STEPS_MAX);
    // What was published just now is to wait all that time.
    await settle();
    let left = ms;
    while (left > 0) {
      if (this.isClosed()) throw new Error(`${call}: the broker is closed`);
      const untilDue = Math.max(1, Math.ceil(broker.core.nextDeadlineMs - broker.core.time.now()));
      const step = Math.min(left, stepMs, untilDue);
      this.clock.skip(step);
      left -= step;
      this.server.wheel.advance();
      this.server.turn.expiry.passed();
      await turnsOver();
      if (step === untilDue) await settle();
    }
  }
}
