// Owns what becomes of an exception in a listener, a timer or a callback that a peer's bytes can reach:
// it is logged and counted, and ends that peer alone. Never decides which errors end the broker.

import type { Clock } from './clock.ts';

/** The log of a guard. */
export interface GuardLog {
  error(fields: object, text: string): void;
}

/** So many lines are written about exceptions in one span; the others are counted. */
const LINES_MAX = 10;
const SPAN_MS = 10_000;

const nothing = (): void => {};

/**
 * Wraps what is attached to sockets, timers and promises, once, where it is attached. A throw there would
 * end the process, which no peer may be able to cause.
 */
export class Guard {
  /** How many exceptions were caught, for the metrics. */
  caught = 0;
  private readonly log: GuardLog;
  private readonly clock: Clock;
  private readonly isFatal: (error: unknown) => boolean;
  private lines = 0;
  private unsaid = 0;
  private spanEndMs = Number.NEGATIVE_INFINITY;

  /**
   * `isFatal` says whether the broker cannot go on after an error, such as one of a broken store or in the
   * midst of a change, and sees to its end; all other errors end one peer.
   */
  constructor(log: GuardLog, clock: Clock, isFatal: (error: unknown) => boolean) {
    this.log = log;
    this.clock = clock;
    this.isFatal = isFatal;
  }

  /** A listener that never throws; `end` ends the peer whose bytes made it throw. */
  listener<A extends unknown[]>(
    where: string,
    act: (...given: A) => void,
    end: (...given: A) => void = nothing,
  ): (...given: A) => void {
    return (...given) => {
      try {
        act(...given);
      } catch (error) {
        this.failed(where, error, () => end(...given));
      }
    };
  }

  /** Runs what must not throw; for the few places where something else calls. */
  run(where: string, act: () => void, end: () => void = nothing): void {
    try {
      act();
    } catch (error) {
      this.failed(where, error, end);
    }
  }

  /** Waits for a promise that nothing else waits for; its rejection ends the peer. */
  promise(where: string, promise: Promise<unknown>, end: () => void = nothing): void {
    promise.then(nothing, (error: unknown) => this.failed(where, error, end));
  }

  /** Takes what was thrown at a place. Never throws. */
  failed(where: string, error: unknown, end: () => void = nothing): void {
    if (this.isFatal(error)) return;
    this.caught += 1;
    this.say(where, error);
    try {
      end();
    } catch (second) {
      this.say(where, second);
    }
  }

  private say(where: string, error: unknown): void {
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.spanEndMs) {
      this.spanEndMs = nowMs + SPAN_MS;
      this.lines = 0;
    }
    if (this.lines >= LINES_MAX) {
      this.unsaid += 1;
      return;
    }
    this.lines += 1;
    const unsaid = this.unsaid === 0 ? {} : { unsaid: this.unsaid };
    this.unsaid = 0;
    const text = 'internal error: the peer that caused it is cut off; that is a bug';
    this.log.error({ err: error, where, ...unsaid }, text);
  }
}
