// Owns long timeouts by the thousand (heartbeats, handshakes, expiry), driven by one interval.
// Never exact: a timer fires never early and up to one tick late. Nothing here counts messages.
//
//   slots  [0]   [1]   [2]  ...  [511]     a timer due at tick t hangs in slot t mod 512;
//           |           |                  each slot is a ring through its own head, so a timer
//           a <-> b     c                  leaves without being looked for
//
// A timer that is due more than one round from now is passed over until its tick has come.

import { assert } from './assert.ts';
import type { Clock } from './clock.ts';
import { clearInterval, clearTimeout, setInterval, setTimeout } from './system/runtime.ts';

const SLOTS = 512;

/** The tick of a wheel unless told otherwise, in milliseconds. */
export const TICK_MS = 100;

/** A place in a ring of timers; alone, it is a ring of one. */
class Link {
  before: Link = this;
  after: Link = this;
}

/**
 * One timeout of one owner, made once and scheduled as often as need be, without allocation.
 *
 * An owner whose timeout moves with every message should not schedule it with every message: it notes
 * when it was last active, and `fire`, when it comes, schedules the timer again for what is left.
 */
export class WheelTimer extends Link {
  /** Called once each time the timer falls due; may schedule and cancel any timer. */
  readonly fire: () => void;
  /** The tick at which it falls due; -1 while it is not scheduled. The wheel's own. */
  dueTick = -1;

  constructor(fire: () => void) {
    super();
    this.fire = fire;
  }

  /** Whether it is scheduled and has not fired yet. */
  get armed(): boolean {
    return this.dueTick >= 0;
  }
}

/** The longest delay that the runtime's timers know. */
const DELAY_MAX_MS = 2 ** 31 - 1;

/**
 * One timeout to the millisecond, for what a tick of the wheel would be too coarse for; it does not
 * keep the process alive. Delays beyond 24 days end early: the code that is called then sets it again.
 */
export class PreciseTimer {
  private readonly fire: () => void;
  private timeout: NodeJS.Timeout | null = null;

  constructor(fire: () => void) {
    this.fire = fire;
  }

  /** Makes it fire `delayMs` from now, and not when it was to fire before. */
  set(delayMs: number): void {
    this.clear();
    // One more, since the runtime may fire up to a millisecond early.
    const delay = Math.min(Math.max(0, Math.ceil(delayMs)) + 1, DELAY_MAX_MS);
    this.timeout = setTimeout(this.fire, delay);
    this.timeout.unref();
  }

  clear(): void {
    if (this.timeout !== null) clearTimeout(this.timeout);
    this.timeout = null;
  }
}

/** Any number of timers behind one interval, which does not keep the process alive. */
export class TimerWheel {
  private readonly clock: Clock;
  private readonly tickMs: number;
  private readonly failed: ((error: unknown) => void) | null;
  private readonly startMs: number;
  private readonly slots: readonly Link[] = Array.from({ length: SLOTS }, () => new Link());
  /** Timers whose tick has come and that have not fired yet: empty outside `advance`. */
  private readonly due = new Link();
  /** The last tick that was looked at, counted from `startMs`. */
  private tick = 0;
  private armedCount = 0;
  private advancing = false;
  private interval: NodeJS.Timeout | null = null;

  /** `failed` takes what a timer throws, so that the others fire; null: it is thrown on. */
  constructor(clock: Clock, tickMs = TICK_MS, failed: ((error: unknown) => void) | null = null) {
    assert(tickMs > 0, 'a wheel has ticks longer than nothing');
    this.failed = failed;
    this.clock = clock;
    this.tickMs = tickMs;
    this.startMs = clock.monotonicMs();
  }

  /** The time of the last tick, in the clock's monotonic milliseconds: less exact than the clock, and free. */
  get tickedMs(): number {
    return this.startMs + this.tick * this.tickMs;
  }

  /** How many timers are scheduled. */
  get size(): number {
    return this.armedCount;
  }

  /** Makes the timer fire `delayMs` from now, and not when it was to fire before. */
  schedule(timer: WheelTimer, delayMs: number): void {
    assert(delayMs >= 0 && Number.isFinite(delayMs), 'a delay is a span of time');
    if (timer.armed) unlink(timer);
    else this.armedCount++;
    const due = Math.ceil((this.clock.monotonicMs() - this.startMs + delayMs) / this.tickMs);
    // The tick that was looked at last does not come again.
    timer.dueTick = Math.max(due, this.tick + 1);
    append(this.slots[timer.dueTick % SLOTS] as Link, timer);
  }

  /** Makes the timer not fire; does nothing to one that is not scheduled. */
  cancel(timer: WheelTimer): void {
    if (!timer.armed) return;
    unlink(timer);
    timer.dueTick = -1;
    this.armedCount--;
  }

  /** Fires all timers that are due: called by the interval, and by tests that move the clock. */
  advance(): void {
    assert(!this.advancing, 'a timer does not advance the wheel it is on');
    const now = Math.floor((this.clock.monotonicMs() - this.startMs) / this.tickMs);
    // After a long pause one round sees every slot; more would see them again.
    const first = Math.max(this.tick + 1, now - SLOTS + 1);
    this.tick = Math.max(this.tick, now);
    if (this.armedCount === 0) return;
    for (let tick = first; tick <= now; tick++) this.gather(tick % SLOTS);
    this.fireDue();
  }

  /** Starts to advance by itself, once a tick. */
  start(): void {
    if (this.interval !== null) return;
    this.interval = setInterval(() => this.advance(), this.tickMs);
    this.interval.unref();
  }

  /** Stops to advance; timers stay scheduled. */
  stop(): void {
    if (this.interval !== null) clearInterval(this.interval);
    this.interval = null;
  }

  /** Moves the timers of a slot whose tick has come to the due ones. */
  private gather(slot: number): void {
    const head = this.slots[slot] as Link;
    let link = head.after;
    while (link !== head) {
      const timer = link as WheelTimer;
      link = link.after;
      if (timer.dueTick > this.tick) continue;
      unlink(timer);
      append(this.due, timer);
    }
  }

  /** Fires one by one, for a timer that fires may cancel or move one that is due as well. */
  private fireDue(): void {
    this.advancing = true;
    try {
      while (this.due.after !== this.due) {
        const timer = this.due.after as WheelTimer;
        this.cancel(timer);
        this.fireOne(timer);
      }
    } finally {
      this.advancing = false;
    }
  }

  private fireOne(timer: WheelTimer): void {
    try {
      timer.fire();
    } catch (error) {
      if (this.failed === null) throw error;
      this.failed(error);
    }
  }
}

function append(head: Link, link: Link): void {
  link.before = head.before;
  link.after = head;
  head.before.after = link;
  head.before = link;
}

function unlink(link: Link): void {
  link.before.after = link.after;
  link.after.before = link.before;
  link.before = link;
  link.after = link;
}
