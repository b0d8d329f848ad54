// Owns how many lines of one kind the log gets in a span of time, for lines that peers cause as they
// like; the others are counted and told in one line. Never writes a line but that one.

import type { Logger } from 'pino';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';

/** The span in which lines of a kind are counted. */
const SPAN_MS = 10_000;
/** So many lines of a kind in a span, where the peer has not logged in, or something was refused. */
export const REFUSALS_MAX = 25;
/** The kind of the line about a closed connection, and how many there may be. */
export function closedLine(wasOpen: boolean): readonly [kind: string, max: number] {
  // Those that never opened share a quota of their own: they cannot hide the others.
  return wasOpen
    ? ['connection closed', ORDINARY_MAX]
    : ['connection closed before it was open', REFUSALS_MAX];
}

/** The same for what users do after their login. */
export const ORDINARY_MAX = 250;

/** Lines of one kind. */
interface Kind {
  written: number;
  unsaid: number;
}

/** Counts lines by kind. The kinds are texts of the source, so that there are only a few. */
export class LineQuota {
  private readonly log: Logger;
  private readonly wheel: TimerWheel;
  private readonly kinds = new Map<string, Kind>();
  private readonly timer = new WheelTimer(() => this.spanEnded());

  constructor(log: Logger, wheel: TimerWheel) {
    this.log = log;
    this.wheel = wheel;
  }

  /** Whether another line of this kind may be written; if not, it is counted. */
  admits(kind: string, max = REFUSALS_MAX): boolean {
    let counts = this.kinds.get(kind);
    if (counts === undefined) {
      counts = { written: 0, unsaid: 0 };
      this.kinds.set(kind, counts);
    }
    if (!this.timer.armed) this.wheel.schedule(this.timer, SPAN_MS);
    if (counts.written < max) {
      counts.written += 1;
      return true;
    }
    counts.unsaid += 1;
    return false;
  }

  /** Says what was left out, and stops. */
  stop(): void {
    this.wheel.cancel(this.timer);
    this.spanEnded();
  }

  private spanEnded(): void {
    for (const [kind, { unsaid }] of this.kinds) {
      if (unsaid > 0) this.log.warn({ line: kind, more: unsaid }, 'more lines of one kind');
    }
    this.kinds.clear();
  }
}
