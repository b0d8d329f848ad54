// Owns the share of a turn that dead letters get, and the messages that full queues refused and that are on
// their way to a dead-letter exchange. Never makes a dead letter: the queue that refused it does.

import type { MessageLog } from '../../message/log/log.ts';
import type { Clock } from '../../util/clock.ts';
import type { RecordHolder } from '../queue/messages/messages-host.ts';
import type { PositionVisitor } from '../queue/messages/pages/lane-pages.ts';
import type { RefusalLine, Refusing } from '../queue/ports.ts';
import { finish, type Slices, type Steps } from '../turn/slices.ts';

/** What dead letters may take of one turn, the last one not counted. */
const SHARE_MS = 5;
/** When more wait, each that is added brings on one of them: they come no faster than they go. */
const WAITING_MAX = 1024;

/** At a clean stop, they have so long to come to their end; some never would. */
const STOP_MS = 1000;

/** A message that a queue refused. The log keeps it until it has been handed on. */
interface Refused {
  readonly refusing: Refusing;
  readonly position: number;
  readonly bodyBytes: number;
  readonly flags: number;
}

/**
 * A queue may refuse the dead letter of another, whose dead letter a third refuses, and so on: as many as there are
 * queues, or many times that where each goes to several. So refusals are handed on one after the other, never one
 * within the other, and over several turns where they are many. A queue's own stay in order, and the letters that
 * follow from one come before the next, so that those that wait are few.
 *
 * What waits from one turn to the next is in memory alone, as in RabbitMQ: after a crash it may be gone.
 */
export class OverflowDeadLetters implements RecordHolder, RefusalLine {
  readonly deleted = false;
  /** Whether the share of this turn was found to be used up. */
  over = false;
  private readonly log: MessageLog;
  private readonly slices: Slices;
  private readonly clock: Clock;
  /** When the share of this turn ends; -1: no dead letter came yet. */
  private endMs = -1;
  /** Those that nothing else led to, the oldest first, from `first` on. */
  private roots: Refused[] = [];
  private first = 0;
  /** Those that follow from the last root, the next one last. */
  private readonly following: Refused[] = [];
  /** Those that the letter led to that is being handed on; null: none is. */
  private led: Refused[] | null = null;
  private underWay = false;
  /** The letter under way that goes to very many queues; null: none does. */
  private wide: Steps | null = null;
  /** When to give up what waits; -1: not at all. */
  private lastMs = -1;

  constructor(log: MessageLog, slices: Slices, clock: Clock) {
    this.log = log;
    this.slices = slices;
    this.clock = clock;
  }

  /** How many wait. */
  get count(): number {
    return this.roots.length - this.first + this.following.length;
  }

  /** Asked after each dead letter: whether the next has to wait for another turn. */
  get spent(): boolean {
    const nowMs = this.clock.monotonicMs();
    if (this.endMs < 0) this.endMs = nowMs + SHARE_MS;
    this.over = nowMs >= this.endMs;
    return this.over;
  }

  /** A turn begins, with a share of its own. */
  renew(): void {
    this.endMs = -1;
    this.over = false;
  }

  /** Takes over a message that a queue refuses; it is handed on at once where there is time and none waits. */
  add(refusing: Refusing, position: number, bodyBytes: number, flags: number): void {
    const refused = { refusing, position, bodyBytes, flags };
    this.log.retain(position, bodyBytes);
    if (this.led !== null) {
      this.led.push(refused);
      return;
    }
    this.roots.push(refused);
    if (!this.underWay && this.wide === null) this.begin();
    else if (this.count > WAITING_MAX) this.handOnAtOnce();
  }

  /** Visits them all: they are few. */
  visitPage(_cursor: number, visit: PositionVisitor): number {
    const { roots, following } = this;
    for (let i = this.first; i < roots.length; i++) visitOne(roots[i] as Refused, visit);
    for (const each of following) visitOne(each, visit);
    return -1;
  }

  /** The broker stops: what has not been handed on after a while never will be. */
  stop(): void {
    this.lastMs = this.clock.monotonicMs() + STOP_MS;
  }

  private begin(): void {
    this.underWay = true;
    this.slices.begin(this.steps(), () => {
      this.underWay = false;
    });
  }

  private *steps(): Steps {
    while (this.count > 0 && (this.lastMs < 0 || this.clock.monotonicMs() < this.lastMs)) {
      const letter = this.handOnNext();
      if (letter !== null) this.beginWide(letter);
      // Its end goes on with the others.
      if (this.wide !== null) return;
      yield;
    }
  }

  private beginWide(letter: Steps): void {
    const steps = this.leading(letter);
    this.wide = steps;
    this.slices.whole(steps, () => {
      if (this.wide === steps) this.wide = null;
      if (this.count > 0 && !this.underWay && this.wide === null) this.begin();
    });
  }

  /** Too many wait for each to have its turn. */
  private handOnAtOnce(): void {
    if (this.wide !== null) finish(this.wide);
    this.wide = null;
    const letter = this.handOnNext();
    if (letter !== null) finish(this.leading(letter));
  }

  /** Returns what is to be done in steps. */
  private handOnNext(): Steps | null {
    const { refusing, position, bodyBytes, flags } = this.following.pop() ?? this.nextRoot();
    const led: Refused[] = [];
    this.led = led;
    // Without a finally: what throws here does so in the midst of a change, and ends the process.
    const letter = refusing.deleted ? null : refusing.handOnRefused(position, bodyBytes, flags);
    this.led = null;
    this.follow(led, this.following.length);
    this.log.unref(this.log.segmentOf(position), bodyBytes);
    return letter;
  }

  /** The steps of a letter, each with the refusals that it leads to. */
  private *leading(letter: Steps): Steps {
    // What earlier steps led to comes before what later ones do.
    const floor = this.following.length;
    for (let done = false; !done; ) {
      const led: Refused[] = [];
      this.led = led;
      done = letter.next().done === true;
      this.led = null;
      this.follow(led, floor);
      if (!done) yield;
    }
  }

  private follow(led: readonly Refused[], at: number): void {
    if (led.length > 0) this.following.splice(at, 0, ...led.toReversed());
  }

  private nextRoot(): Refused {
    const root = this.roots[this.first] as Refused;
    this.first += 1;
    if (this.first === this.roots.length) {
      this.roots = [];
      this.first = 0;
    } else if (this.first >= WAITING_MAX) {
      this.roots = this.roots.slice(this.first);
      this.first = 0;
    }
    return root;
  }
}

function visitOne({ position, bodyBytes }: Refused, visit: PositionVisitor): void {
  visit(position, bodyBytes, 0);
}
