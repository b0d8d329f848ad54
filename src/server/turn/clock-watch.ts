// Owns noticing that the machine's time of day was set, also while nothing happens. Never changes a
// time: broker/turn/broker-time.ts takes the jump out.

import type { Logger } from 'pino';
import type { BrokerTime } from '../../broker/turn/broker-time.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';

const LOOK_MS = 1000;

/** What is watched. */
export interface TimedCore {
  readonly time: BrokerTime;
  awaitBatch(): number;
}

/** Looks at the clock once a second. */
export class ClockWatch {
  private readonly core: TimedCore;
  private readonly wheel: TimerWheel;
  private readonly log: Logger;
  private readonly timer = new WheelTimer(() => this.look());

  constructor(core: TimedCore, wheel: TimerWheel, log: Logger) {
    this.core = core;
    this.wheel = wheel;
    this.log = log;
  }

  start(): void {
    this.wheel.schedule(this.timer, LOOK_MS);
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }

  private look(): void {
    const { time } = this.core;
    time.now();
    const jumpMs = time.unsavedJumpMs;
    if (jumpMs !== 0) {
      this.log.warn(
        { jumpMs },
        'the time of day was set: times to live go on as if it had not been',
      );
      time.save();
      this.core.awaitBatch();
    }
    this.wheel.schedule(this.timer, LOOK_MS);
  }
}
