// Owns the work that nobody waits for, done a little at the end of each turn: cleaning up, making
// room. Never knows what a chore is about.

import type { Clock } from '../util/clock.ts';

/** How long all chores together may take in one turn; a step may take as long again. */
const TURN_MS = 0.5;

/** Does a small step, well below a millisecond; returns whether there is more to do at once. */
export type Chore = () => boolean;

/** The chores of one broker, in turns. */
export class Chores {
  private readonly clock: Clock;
  private readonly waiting: Chore[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether there is anything to do. */
  get pending(): boolean {
    return this.waiting.length > 0;
  }

  /** Has a chore done until it says that there is no more to do. */
  add(chore: Chore): void {
    if (!this.waiting.includes(chore)) this.waiting.push(chore);
  }

  /** Does some of the work. Called between two operations, never within one. */
  run(): void {
    const { clock, waiting } = this;
    const endMs = clock.monotonicMs() + TURN_MS;
    while (waiting.length > 0) {
      const chore = waiting.shift() as Chore;
      if (chore()) waiting.push(chore);
      if (clock.monotonicMs() >= endMs) return;
    }
  }
}
