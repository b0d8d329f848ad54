// Owns waiting on the floor of the cluster. Never says what is waited for.

import type { Clock } from '../util/clock.ts';
import { TimerWheel, WheelTimer } from '../util/timers.ts';

/** Finer than a broker's wheel: a takeover waits for several of these in turn. */
const TICK_MS = 20;

/** Waiting, on a wheel of its own, until it is stopped. */
export class Timing {
  readonly clock: Clock;
  private readonly wheel: TimerWheel;
  private readonly failed: (error: unknown) => void;

  /** `failed` takes what is thrown by what is called here. */
  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.clock = clock;
    this.failed = failed;
    this.wheel = new TimerWheel(clock, TICK_MS, failed);
    this.wheel.start();
  }

  /** Resolves after so many ms, up to a tick late; never once it was stopped. */
  readonly pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      this.wheel.schedule(new WheelTimer(resolve), ms);
    });

  /** Calls `run` each so many ms, one call at a time, until the returned function is called. */
  every(ms: number, run: () => Promise<void>): () => void {
    let stopped = false;
    const timer = new WheelTimer(() => {
      void run()
        .catch(this.failed)
        .finally(() => {
          if (!stopped) this.wheel.schedule(timer, ms);
        });
    });
    this.wheel.schedule(timer, ms);
    return () => {
      stopped = true;
      this.wheel.cancel(timer);
    };
  }

  stop(): void {
    this.wheel.stop();
  }
}
