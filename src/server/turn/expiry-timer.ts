// Owns waking the broker when something in it expires: to the millisecond, and not before. Never knows
// what it is.

import { PreciseTimer } from '../../util/timers.ts';

/** What expires, by the time of the broker. */
export interface Expiring {
  readonly time: { now(): number };
  /** When `tick` has to be called next, by `time`, ms; Infinity: not at all. */
  readonly nextDeadlineMs: number;
  tick(): void;
}

/** One timer for all that expires. */
export class ExpiryTimer {
  private readonly core: Expiring;
  private readonly turnWanted: () => void;
  private readonly timer = new PreciseTimer(() => this.passed());
  /** When it fires, by the time of the broker, ms. */
  private atMs = Infinity;

  constructor(core: Expiring, turnWanted: () => void) {
    this.core = core;
    this.turnWanted = turnWanted;
  }

  /** Told at the end of each turn: something may expire sooner than all before. */
  turnEnded(): void {
    if (this.core.nextDeadlineMs < this.atMs) this.set();
  }

  /** Time has gone by: called by the timer, and by the code that moves the clock, see embed/clock.ts. */
  passed(): void {
    this.atMs = Infinity;
    this.core.tick();
    // Also when nothing was due yet: timeouts may end early.
    this.turnWanted();
  }

  clear(): void {
    this.timer.clear();
  }

  private set(): void {
    this.atMs = this.core.nextDeadlineMs;
    this.timer.set(this.atMs - this.core.time.now());
  }
}
