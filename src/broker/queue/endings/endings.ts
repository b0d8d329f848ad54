// Owns how messages of one queue end that no consumer acked: expired, too many, rejected, returned too
// often; and what becomes of one that cannot be looked at. Never decides that a message is dead: queue.ts does.

import { countDeath } from '../../stats/counts.ts';
import type { Steps } from '../../turn/slices.ts';
import type { Lane } from '../messages/lane.ts';
import type { TakenEntry } from '../messages/queue-entries.ts';
import { type BrowsedEntry, takeLost } from '../messages/visiting.ts';
import type { DeathReason, QueueHome, QueueHost, Refusing } from '../ports.ts';
import { PUSH_STEP } from '../push-flags.ts';
import { DeathLine, type EndingQueue } from './death-line.ts';
import { type ExpiredPlace, expiredLane, expiredNext, HEAD, nextExpiryMs } from './expiry.ts';

/** How many messages one queue delivers, or drops, before the others have their turn. */
export const DELIVERIES_PER_TURN = 4096;
/** Dropping one that is dead-lettered takes much longer: it is read, changed, and published anew. */
const DEAD_LETTERS_PER_TURN = 256;
/** So does one that waits for its time: the page that it lies in is made anew, for all of a batch at once. */
const WAITING_PER_TURN = 1_024;

/** What became of a message that was handed on. */
interface HandedOn {
  /** Its dead letter, not begun, where that takes many steps. */
  readonly letter: Steps | null;
  readonly failed: { readonly error: unknown } | null;
}

const AT_ONCE: HandedOn = { letter: null, failed: null };

/** The endings of one queue. */
export class Endings implements Refusing {
  private readonly queue: EndingQueue;
  private readonly host: QueueHost;
  private readonly home: QueueHome;
  private readonly line: DeathLine;
  private readonly headFailed = (lane: Lane, error: unknown): void => {
    const seq = this.queue.messages.skipHead(lane);
    if (seq >= 0) this.setAside(seq, 'expiry', error);
  };
  private readonly nextFailed = ({ lane, inner }: ExpiredPlace, error: unknown): void => {
    this.setAside(this.queue.messages.skipAt(lane, inner), 'expiry', error);
  };

  constructor(queue: EndingQueue, host: QueueHost, home: QueueHome) {
    this.queue = queue;
    this.host = host;
    this.home = home;
    this.line = new DeathLine(queue, host, ({ seq, reason }) => this.endNow(seq, reason));
  }

  get deleted(): boolean {
    return this.queue.deleted;
  }

  /** A message that had to be delivered by `nowMs`: the head of a lane, or what would go out next; null: none. */
  private expired(nowMs: number): ExpiredPlace | null {
    const { messages, rules } = this.queue;
    const lane = expiredLane(messages.lanes, rules.messageTtlMs, nowMs, this.headFailed);
    if (lane !== null) return { lane, inner: HEAD };
    return messages.grouped === null
      ? null
      : expiredNext(messages, rules.messageTtlMs, nowMs, this.nextFailed);
  }

  /** When the next message may expire, ms since the Unix epoch; Infinity: none will. */
  nextExpiryMs(): number {
    const { messages, rules } = this.queue;
    return nextExpiryMs(messages.lanes, rules.messageTtlMs, this.headFailed);
  }

  /** How many heads are dropped before other queues have their turn. */
  private get perTurn(): number {
    const { deadLetterExchange } = this.queue.rules;
    return deadLetterExchange === null ? DELIVERIES_PER_TURN : DEAD_LETTERS_PER_TURN;
  }

  /** Whether dead letters have had their share of the turn. At least one is always made. */
  private get spent(): boolean {
    return this.queue.rules.deadLetterExchange !== null && this.host.overflowDeadLetters.spent;
  }

  /** Ends the life of the head of a lane. */
  private dropHead(lane: Lane, reason: DeathReason): void {
    const seq = this.queue.messages.skipHead(lane);
    if (seq >= 0) this.die(seq, reason);
  }

  /** Runs what looks at a message where it stands; one that is ready and cannot be read is set aside. */
  lookAt(entry: BrowsedEntry, doing: string, look: () => boolean): boolean {
    const { line } = this.host;
    const { begun } = line;
    try {
      return look();
    } catch (error) {
      if (line.begun !== begun) throw error;
      if (entry.ready) this.setReadyAside(entry, doing, error);
      return true;
    }
  }

  /** Drops from the head what is over the limit of length, so many at most; returns whether some is left. */
  dropExcess(): boolean {
    const { messages, rules } = this.queue;
    if (rules.overflow !== 'drop-head') return false;
    let waiting = WAITING_PER_TURN;
    for (let left = this.perTurn; left > 0; left--) {
      if (this.line.busy || !this.queue.delays.isOver(0, 0)) return false;
      // Where all that there is waits for its time, the first of that goes.
      if (messages.readyCount === 0) {
        if (waiting === 0) return true;
        waiting -= 1;
        if (!this.queue.delays.promoteFirst()) return this.queue.delays.count > 0;
      }
      this.dropHead(messages.laneSet.top, 'maxlen');
      if (this.spent) return true;
    }
    return true;
  }

  /**
   * Drops the heads of lanes that had to be delivered by `nowMs`; returns whether it got to
   * the end, with something left that is ready.
   */
  dropExpired(nowMs: number): boolean {
    for (let left = this.perTurn; ; left--) {
      const place = this.expired(nowMs);
      if (place === null) break;
      if (this.line.busy || left === 0 || (left < this.perTurn && this.spent)) return false;
      const { lane, inner } = place;
      if (inner === HEAD) this.dropHead(lane, 'expired');
      else this.die(this.queue.messages.skipAt(lane, inner), 'expired');
    }
    return this.queue.messages.readyCount > 0;
  }

  /** Whether a message that would go out has expired and is still there: it must not be given out. */
  get overdue(): boolean {
    return this.expired(this.host.nowMs) !== null;
  }

  /** Drops all that has expired, in as many turns as that takes. */
  *droppingExpired(): Steps {
    while (!this.queue.deleted && this.overdue) {
      this.dropExpired(this.host.nowMs);
      yield;
    }
  }

  /** Whether a message that was just taken can be read by `look`; else it is set aside. */
  seen(entry: TakenEntry, look: (entry: TakenEntry) => void): boolean {
    const { line } = this.host;
    const { begun } = line;
    try {
      look(entry);
      return true;
    } catch (error) {
      if (line.begun !== begun) throw error;
      this.setAside(entry.seq, 'basic.get', error);
      return false;
    }
  }

  /** Ends the life of a message that is not ready, and hands it on; at once, if that is short. */
  die(seq: number, reason: DeathReason): void {
    if (this.line.busy) {
      this.line.add(seq, reason);
      return;
    }
    const letter = this.endNow(seq, reason);
    if (letter !== null) this.line.begin(seq, letter);
  }

  /** The same; what is long is returned instead, and the message has not ended then. */
  private endNow(seq: number, reason: DeathReason): Steps | null {
    const { messages } = this.queue;
    if (this.endLost(seq)) return null;
    const returns = reason === 'delivery_limit' ? messages.returnsOf(seq) : 0;
    const { letter, failed } = this.handOn(
      messages.positionOf(seq),
      reason,
      returns,
      messages.isHeld(seq),
    );
    if (failed !== null) this.setAside(seq, reason, failed.error);
    else if (letter === null) messages.end(seq);
    return letter;
  }

  /** Ends a message that is not ready and in a lost page: nothing else is known of it. False: it is in none. */
  endLost(seq: number): boolean {
    const { messages } = this.queue;
    if (messages.isThere(seq)) return false;
    messages.end(seq);
    return true;
  }

  /** A message that a full queue refuses goes where its dead letters go, as soon as it is its turn. */
  refuse(position: number, bodyBytes: number, flags: number): void {
    if (this.queue.rules.deadLetterExchange === null) return;
    this.host.overflowDeadLetters.add(this, position, bodyBytes, flags);
  }

  /** It is the turn of one that was refused. Returns what is to be done in steps, one batch for all. */
  handOnRefused(position: number, bodyBytes: number, flags: number): Steps | null {
    const { messages, rules } = this.queue;
    const held = rules.deliversAfterCommit || (flags & PUSH_STEP) !== 0;
    const { letter, failed } = this.handOn(position, 'maxlen', 0, held);
    if (failed === null) return letter;
    // To be set aside it has to be a message of this queue.
    this.home.setAside(
      this.queue,
      { seq: messages.pushedCount, position, bodyBytes, flags: messages.maskFlags(flags) },
      'maxlen',
      failed.error,
    );
    return null;
  }

  /** Takes a message out that is not ready and cannot be looked at. */
  setAside(seq: number, doing: string, error: unknown): void {
    const { messages } = this.queue;
    const entry = messages.entryOf(seq);
    this.host.line.begin();
    this.home.setAside(this.queue, entry, doing, error);
    messages.end(seq);
    this.host.line.end();
  }

  /** Takes a message out that is ready, wherever it stands, and cannot be looked at. */
  setReadyAside(entry: BrowsedEntry, doing: string, error: unknown): void {
    const { messages } = this.queue;
    if (!messages.isThere(entry.seq)) return;
    const held = messages.entryOf(entry.seq);
    this.host.line.begin();
    this.home.setAside(this.queue, held, doing, error);
    messages.removeReady(entry);
    this.host.line.end();
  }

  /** After recovery: takes those messages out that the log lacks. */
  setLostAside(): void {
    for (const entry of takeLost(this.queue.messages.lanes)) {
      this.setReadyAside(entry, 'recovery', new Error('the log does not have this message'));
    }
  }

  /** What is thrown before anything changed is noted as failed; what is thrown after that goes on its way. */
  private handOn(position: number, reason: DeathReason, returns: number, held: boolean): HandedOn {
    if (this.queue.rules.deadLetterExchange === null) {
      countDeath(this.queue, reason, 'disabled', false);
      return AT_ONCE;
    }
    const { line } = this.host;
    const { begun } = line;
    try {
      const letter = this.home.deadLetter(this.queue, position, reason, returns, held);
      return letter === null ? AT_ONCE : { letter, failed: null };
    } catch (error) {
      if (line.begun !== begun) throw error;
      return { letter: null, failed: { error } };
    }
  }
}
