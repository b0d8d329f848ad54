// Owns how long all answers of tools together keep other work waiting in one turn of the event loop, and which
// answer goes on next. Never knows what any of them does.

import type { Clock } from '../util/clock.ts';
import { setImmediate } from '../util/system/runtime.ts';

/** All answers together have so much of one turn. */
const SHARE_MS = 4;
/** Of that, so much goes first to those that are new: what is short need not wait for what is long. */
const FRESH_MS = 2;

/** Goes on with one answer, until that time. */
type Resume = (untilMs: number) => void;

/** The share of one turn after the other, by one clock. */
export class TurnShare {
  private readonly clock: Clock;
  /** Those that have not gone on after a rest yet, and those that have. */
  private readonly fresh: Resume[] = [];
  private readonly rested: Resume[] = [];
  /** How many of both this turn may go on with: those that rest again wait for the next one. */
  private freshLeft = 0;
  private restedLeft = 0;
  /** When the share of this turn is used up; -1: none has begun. */
  private endMs = -1;
  private freshEndMs = -1;
  private anyRested = false;
  private planned = false;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Until when one that begins now may go on; a time that is over where others had the share. */
  begin(): number {
    if (this.endMs < 0) {
      this.endMs = this.clock.monotonicMs() + SHARE_MS;
      this.plan();
    }
    return this.endMs;
  }

  /** Whether others have had this turn. */
  get spent(): boolean {
    return this.begin() <= this.clock.monotonicMs();
  }

  /** Calls `resume` in a later turn, when its time has come. */
  wait(fresh: boolean, resume: Resume): void {
    (fresh ? this.fresh : this.rested).push(resume);
    this.plan();
  }

  private plan(): void {
    if (this.planned) return;
    this.planned = true;
    setImmediate(this.turn);
  }

  private readonly turn = (): void => {
    this.planned = false;
    this.endMs = -1;
    this.freshLeft = this.fresh.length;
    this.restedLeft = this.rested.length;
    if (this.freshLeft + this.restedLeft === 0) return;
    const nowMs = this.clock.monotonicMs();
    this.freshEndMs = nowMs + FRESH_MS;
    this.endMs = nowMs + SHARE_MS;
    this.anyRested = false;
    this.next();
  };

  /** Goes on with one more, if there is time, and comes back when that rests again or is done. */
  private readonly next = (): void => {
    const nowMs = this.clock.monotonicMs();
    if (this.freshLeft > 0 && nowMs < this.freshEndMs) {
      this.freshLeft -= 1;
      this.resume(this.fresh, this.freshEndMs);
    } else if (this.restedLeft > 0 && (nowMs < this.endMs || !this.anyRested)) {
      // However many are new, one that is not goes on in each turn.
      this.restedLeft -= 1;
      this.anyRested = true;
      this.resume(this.rested, Math.max(this.endMs, nowMs + FRESH_MS));
    } else {
      // Those that are left, or the end of this share.
      this.plan();
    }
  };

  private resume(from: Resume[], untilMs: number): void {
    (from.shift() as Resume)(untilMs);
    // What it does it does in promises: the next tick comes when all of them stand still.
    queueMicrotask(() => process.nextTick(this.next));
  }
}

const shares = new WeakMap<Clock, TurnShare>();

/** What all share that go by this clock: a process has one event loop. */
export function turnShareOf(clock: Clock): TurnShare {
  let share = shares.get(clock);
  if (share === undefined) {
    share = new TurnShare(clock);
    shares.set(clock, share);
  }
  return share;
}
