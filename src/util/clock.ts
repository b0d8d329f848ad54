// Owns the reading of time. Never schedules anything: timers live in timers.ts.

/** Where the broker reads the time from; tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds since the Unix epoch: what is written into messages and headers. */
  wallMs(): number;
  /** Milliseconds since some fixed moment, never going back: for measuring how long something takes. */
  monotonicMs(): number;
}

/** The machine's clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
