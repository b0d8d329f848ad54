// Owns the reading of time. Never schedules anything: timers live in timers.ts.

/** Where the broker reads the time from; tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch: what is written into messages and headers. */
  wallMs(): number;
  /** Milliseconds since some fixed moment, never going back: for measuring how long something takes. */
  monotonicMs(): number;
}

/* As they were when this was loaded; see runtime.ts. */
const wallNow = Date.now;
const monotonicNow = performance.now.bind(performance);

/** The machine's clock. */
export const systemClock: Clock = {
  wallMs: () => wallNow(),
  monotonicMs: () => monotonicNow(),
};

/** A clock that runs as the machine's does, and can be moved on. */
export class MovableClock implements Clock {
  private aheadMs = 0;

  /** Lets `ms` go by at once. Code that waits for a time has to be told: this calls nothing. */
  skip(ms: number): void {
    this.aheadMs += ms;
  }

  wallMs(): number {
    return systemClock.wallMs() + this.aheadMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.aheadMs;
  }
}
