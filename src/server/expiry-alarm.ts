// Owns waking the broker when something in it expires: to the millisecond, and not before. Never knows
// what it is.

import type { Clock } from '../util/clock.ts';
import { Alarm } from '../util/timers.ts';

/** What expires, by the time of the clock. */
export interface Expiring {
  /** When `tick` has to be called next, ms since the Unix epoch; Infinity: not at all. */
  readonly nextDeadlineMs: number;
  tick(): void;
}

/** One alarm for all that expires. */
export class ExpiryAlarm {
  private readonly broker: Expiring;
  private readonly clock: Clock;
  private readonly turnWanted: () => void;
  private readonly alarm = new Alarm(() => this.passed());
  /** When it fires, ms since the Unix epoch. */
  private atMs = Infinity;

  constructor(broker: Expiring, clock: Clock, turnWanted: () => void) {
    this.broker = broker;
    this.clock = clock;
    this.turnWanted = turnWanted;
  }

  /** Told at the end of each turn: something may expire sooner than all before. */
  turnEnded(): void {
    if (this.broker.nextDeadlineMs < this.atMs) this.set();
  }

  /** Time has gone by: called by the alarm, and by whoever moves the clock. */
  passed(): void {
    this.atMs = Infinity;
    this.broker.tick();
    // Also when nothing was due yet: the clock may have been set back.
    this.turnWanted();
  }

  clear(): void {
    this.alarm.clear();
  }

  private set(): void {
    this.atMs = this.broker.nextDeadlineMs;
    this.alarm.set(this.atMs - this.clock.wallMs());
  }
}
