// Owns how often connections are looked at for a timeout: a few times in it, all in one round. Never
// knows what is looked for.

import { type TimerWheel, WheelTimer } from '../../util/timers.ts';

/** So many times in the timeout each connection is looked at: it is closed late by one part. */
export const ROUNDS_PER_TIMEOUT = 4;

/** Calls `look` in rounds, between `start` and `stop`. */
export class WatchRounds {
  private readonly everyMs: number;
  private readonly wheel: TimerWheel;
  private readonly timer: WheelTimer;

  /** For a timeout of `timeoutMs`; with `Infinity` there are no rounds. */
  constructor(timeoutMs: number, wheel: TimerWheel, look: () => void) {
    this.everyMs = timeoutMs / ROUNDS_PER_TIMEOUT;
    this.wheel = wheel;
    this.timer = new WheelTimer(() => {
      look();
      this.start();
    });
  }

  start(): void {
    if (this.everyMs !== Number.POSITIVE_INFINITY) this.wheel.schedule(this.timer, this.everyMs);
  }

  stop(): void {
    this.wheel.cancel(this.timer);
  }
}
