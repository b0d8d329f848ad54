// Owns long acts: work that grows with what users made is done in slices, so that a turn stays short. Never
// knows what an act does, nor what it holds up: its steps and its end are given.

import type { Clock } from '../../util/clock.ts';

/**
 * The work of an act: it stops at each `yield`, where others may have their turn, and everything has to be
 * in order for them. What comes between two stops should take less than half a millisecond.
 */
export type Steps = Generator<undefined, void, undefined>;

/** All acts together get so much of one turn. */
const SLICE_MS = 5;

interface Act {
  readonly steps: Steps;
  readonly done: () => void;
  readonly whole: boolean;
}

/** The acts under way, each in order, and all of them in turns. */
export class Slices {
  private readonly clock: Clock;
  private readonly turnWanted: () => void;
  private readonly batchAwaited: () => boolean;
  private acts: Act[] = [];
  /** How many have to be in one batch. */
  private wholeCount = 0;
  /** Those of them that have not begun, in order. */
  private line: Act[] = [];
  /** Whether the batch being gathered has one of them that took more than one slice. */
  private wholeUnsealed = false;
  /** When acts of this turn have had their share; -1: none has begun. */
  private endMs = -1;

  /** `batchAwaited`: whether anything waits for the batch being gathered. */
  constructor(clock: Clock, turnWanted: () => void, batchAwaited: () => boolean = () => false) {
    this.clock = clock;
    this.turnWanted = turnWanted;
    this.batchAwaited = batchAwaited;
  }

  /** Whether any act is under way. */
  get any(): boolean {
    return this.acts.length > 0 || this.line.length > 0;
  }

  /** Whether an act is half done that has to be in one batch: none may be sealed now. */
  get sealable(): boolean {
    return this.wholeCount === 0;
  }

  /** Whether acts have had their share of this turn. Asked by those that do many small ones at once. */
  get spent(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.endMs < 0) {
      this.endMs = nowMs + SLICE_MS;
      // The turn's end begins the next share.
      this.turnWanted();
    }
    return nowMs >= this.endMs;
  }

  /**
   * Begins an act and calls `done` at its end: before this returns, if it is short. Returns whether it was.
   * `whole`: the store must have all of it in one batch. Such acts go one after the other, and where
   * something waits for the batch, it is sealed in between: so nothing waits for all acts, however many they are.
   */
  begin(steps: Steps, done: () => void, whole = false): boolean {
    if (whole && (this.line.length > 0 || !this.wholeMayBegin)) {
      this.line.push({ steps, done, whole });
      this.turnWanted();
      return false;
    }
    if (this.advance(steps)) {
      done();
      return true;
    }
    if (whole) this.wholeCount += 1;
    this.acts.push({ steps, done, whole });
    this.turnWanted();
    return false;
  }

  /** Begins an act that the store must have in one batch, and that holds no connection. */
  readonly whole = (steps: Steps, done: () => void): void => {
    this.begin(steps, done, true);
  };

  /** Told that a batch was sealed. */
  sealed(): void {
    this.wholeUnsealed = false;
    if (this.line.length > 0) this.turnWanted();
  }

  private get wholeMayBegin(): boolean {
    return this.wholeCount === 0 && !(this.wholeUnsealed && this.batchAwaited());
  }

  /** Calls `act` in the next turn, behind what is under way. */
  later(act: () => void): void {
    this.acts.push({ steps: NO_STEPS(), done: act, whole: false });
    this.turnWanted();
  }

  /** Told once a turn: goes on with what is under way. Returns whether more is left. */
  run(): boolean {
    this.endMs = -1;
    if (this.line.length > 0 && this.wholeMayBegin) {
      this.wholeCount += 1;
      this.acts.push(this.line.shift() as Act);
    }
    if (this.acts.length === 0) return false;
    // Each begins where the last turn stopped, so that none is left behind by a longer one.
    const { acts } = this;
    this.acts = [];
    let at = 0;
    for (; at < acts.length; at++) {
      const act = acts[at] as Act;
      if (this.advance(act.steps)) this.end(act);
      else break;
    }
    const [current, ...others] = acts.slice(at);
    if (current !== undefined) this.acts = [...others, ...this.acts, current];
    return this.acts.length > 0 || (this.line.length > 0 && this.wholeMayBegin);
  }

  /** Brings all to their end: the broker stops. */
  finish(): void {
    while (this.any) {
      const acts = [...this.acts, ...this.line];
      this.acts = [];
      // Those that wait in line are counted as they begin.
      this.wholeCount += this.line.length;
      this.line = [];
      for (const act of acts) {
        finish(act.steps);
        this.end(act);
      }
    }
  }

  private end({ done, whole }: Act): void {
    if (whole) {
      this.wholeCount -= 1;
      this.wholeUnsealed = true;
    }
    done();
  }

  /** Takes steps while there is time in this turn; returns whether there are no more. */
  private advance(steps: Steps): boolean {
    while (!this.spent) if (steps.next().done === true) return true;
    return false;
  }
}

/** Takes all steps at once, for acts that are short or whose caller cannot wait. */
export function finish(steps: Steps): void {
  while (steps.next().done !== true) {}
}

function* NO_STEPS(): Steps {}
