// Owns which of many objects have a past: the busiest ones, so many at most. Never looks for objects: each is shown to
// it once in a round.

import { type FieldSpec, Series } from './series.ts';

/** How much of an object's busyness is that of the last round; about 3 minutes count. */
const NEW_SHARE = 0.02;
/** An object has to be so much busier than the quietest that is kept, so that they do not change places all the time. */
const MARGIN = 1.5;
/** What does less in a round than this does nothing. */
const STILL = 1e-6;
/** So many are exchanged in one round at most. */
const EXCHANGES_MAX = 32;

/** How busy an object is, and its past. */
export class Activity {
  /** What it had done by the last round. */
  done: number;
  /** How much it does in a round. */
  pace = 0;
  round = 0;
  /** Null where none is kept. */
  series: Series | null = null;

  constructor(done: number) {
    this.done = done;
  }

  /** Takes in what it has done by now. */
  note(done: number): void {
    if (done === this.done && this.pace < STILL) return;
    this.pace += (done - this.done - this.pace) * NEW_SHARE;
    this.done = done;
  }
}

/** What may have a past. */
export interface Active {
  /** Null until it is shown first. */
  activity: Activity | null;
}

/** The past of the busiest objects of one kind. */
export class Busiest {
  private readonly fields: readonly FieldSpec[];
  private readonly max: number;
  private readonly kept = new Set<Activity>();
  private readonly nothing: readonly number[];
  private round = 0;
  private ms = 0;
  /** The pace of the quietest that is kept, or less: what left or grew busier meanwhile may have been that. */
  private lowest = 0;
  private exchanges = 0;
  /** What all that is kept takes in memory. */
  bytes = 0;

  constructor(fields: readonly FieldSpec[], max: number) {
    this.fields = fields;
    this.max = max;
    this.nothing = fields.map(() => 0);
  }

  /** How many have a past. */
  get count(): number {
    return this.kept.size;
  }

  /** Begins a round at a moment of history time. */
  begin(ms: number): void {
    this.round += 1;
    this.ms = ms;
    this.exchanges = 0;
  }

  /** Shows an object: what it has done in all, and its values. */
  take(object: Active, done: number, values: readonly number[]): void {
    // What is there at the first round may be old; what comes later began with nothing.
    const isNew = object.activity === null && this.round > 1;
    const activity = object.activity ?? new Activity(isNew ? 0 : done);
    object.activity = activity;
    activity.note(done);
    activity.round = this.round;
    if (activity.series === null) {
      if (this.kept.size >= this.max && !this.makesRoom(activity)) return;
      activity.series = new Series(this.fields, isNew ? this.nothing : values, false);
      this.kept.add(activity);
    }
    const { series } = activity;
    const hadBytes = series.bytes;
    series.take(this.ms, values);
    this.bytes += series.bytes - hadBytes;
  }

  /** Ends a round: what was not shown is gone. */
  end(): void {
    this.lowest = Infinity;
    for (const activity of this.kept) {
      if (activity.round !== this.round) this.drop(activity);
      else if (activity.pace < this.lowest) this.lowest = activity.pace;
    }
  }

  /** Whether the quietest object had to go for a busier one. */
  private makesRoom({ pace }: Activity): boolean {
    if (pace <= this.lowest * MARGIN || pace < STILL || this.exchanges >= EXCHANGES_MAX) {
      return false;
    }
    let quietest: Activity | null = null;
    for (const each of this.kept) {
      if (quietest === null || each.pace < quietest.pace) quietest = each;
    }
    // From now on it is known again: the others of this round are not looked through for each.
    this.lowest = quietest?.pace ?? Infinity;
    if (quietest === null || pace <= quietest.pace * MARGIN) return false;
    this.exchanges += 1;
    this.drop(quietest);
    return true;
  }

  private drop(activity: Activity): void {
    this.bytes -= activity.series?.bytes ?? 0;
    activity.series = null;
    this.kept.delete(activity);
  }
}
