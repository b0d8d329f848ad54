// Owns which messages of one queue wait, and until when: what is published for later, and what came back and is tried
// again later. Never keeps them: delayed-messages.ts does, made when the first one comes.

import type { FieldTable } from '../../../amqp/field-table.ts';
import { PROPERTY_FLAGS_OFFSET } from '../../../amqp/property-walk.ts';
import type { MessageLog } from '../../../message/log/log.ts';
import { headersAt } from '../../../message/read-message.ts';
import { headerFrameStart } from '../../../message/record.ts';
import type { CorruptRecordError } from '../../../store/errors.ts';
import type { EndingQueue } from '../endings/death-line.ts';
import { type Lane, seqInQueue } from '../messages/lane.ts';
import type { PositionVisitor } from '../messages/pages/lane-pages.ts';
import type { Sweep } from '../messages/sweeps.ts';
import type { DeathReason, QueueHost } from '../ports.ts';
import {
  PUSH_DELAY_KNOWN,
  PUSH_DELAYED,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STEP,
  PUSH_STORED,
} from '../push-flags.ts';
import { isOver } from '../rules.ts';
import { DELAYED_RETURNED, type DelayEntry, emptyEntry } from './delay-entry.ts';
import { attemptsOf, DELAY_MAX_MS, delayAt } from './delay-headers.ts';
import type { DelayPlace, Soonest } from './delay-lookup.ts';
import type { DelayOwner } from './delay-places.ts';
import { DelayedMessages } from './delayed-messages.ts';
import { chanceOf, retryDelayMs, waits } from './retry.ts';

/** What of the flags of a push stays with a message that waits. */
const KEPT_FLAGS = PUSH_STORED | PUSH_EXPIRES | PUSH_PRIORITY;

/** A walk over all messages of a queue goes on from here behind the last page of the last lane. */
const WAITING_CURSOR = 2 ** 50;

/** What an operator may do with messages that wait: make them ready now, or drop them. */
export type DelayedAction = 'send' | 'drop';

/** What is told of messages that wait, and no more, so that a queue that looks for duplicates knows their keys. */
interface WaitingKeys {
  becomesReady(position: number, seq: number, flags: number): void;
  waitsAgain(position: number, seq: number, flags: number): void;
  waitsNoMore(position: number): void;
  noneWaits(): void;
}

/** A queue whose messages may wait. */
export interface DelayingQueue extends Omit<EndingQueue, 'delays'> {
  /** Null: it does not look for duplicates. */
  readonly duplicates: WaitingKeys | null;
  readonly endings: { die(seq: number, reason: DeathReason): void };
  entriesDirty(): void;
  /** Something waits that did not: `promote` has to be called in time. */
  waitsNow(): void;
}

/** The messages of one queue that wait. */
export class QueueDelays implements DelayOwner {
  readonly id: number;
  /** Null: none ever waited. */
  waiting: DelayedMessages | null = null;
  /** Messages dropped while they waited that never were ready. */
  private freshDropped = 0;
  private readonly queue: DelayingQueue;
  private readonly host: QueueHost;
  private readonly log: MessageLog;
  private readonly entry = emptyEntry();

  constructor(queue: DelayingQueue, host: QueueHost, log: MessageLog) {
    this.id = queue.id;
    this.queue = queue;
    this.host = host;
    this.log = log;
  }

  get count(): number {
    return this.waiting === null ? 0 : this.waiting.count;
  }

  /** Whether what is ready or waits, and so much more, is more than may be. */
  isOver(moreCount: number, moreBytes: number): boolean {
    const { waiting } = this;
    const { rules, messages } = this.queue;
    if (waiting === null) return isOver(rules, messages, moreCount, moreBytes);
    return isOver(rules, messages, moreCount + waiting.count, moreBytes + waiting.bytes);
  }

  /** The time of day at which the first one is due, ms since the Unix epoch; null: none waits. */
  get nextAt(): number | null {
    const { waiting, host } = this;
    return waiting === null || waiting.count === 0 ? null : host.time.wallOf(waiting.firstDueMs);
  }

  /** When `promote` has to be called next, by the broker's time, ms; Infinity: not at all. */
  get nextDueMs(): number {
    return this.waiting === null ? Infinity : this.waiting.nextDueMs;
  }

  /** Has a message wait that comes in, if it is to; returns whether it does. The log holds it for the queue. */
  hold(position: number, bodyBytes: number, flags: number): boolean {
    const { entry, queue, host } = this;
    const known = (flags & PUSH_DELAY_KNOWN) !== 0;
    const delayMs = known ? host.askedDelayMs : this.delayOf(position, flags);
    if (delayMs <= 0) return false;
    entry.dueMs = host.nowMs + Math.min(delayMs, DELAY_MAX_MS);
    entry.position = position;
    entry.bodyBytes = bodyBytes;
    entry.flags = queue.messages.maskFlags(flags) & KEPT_FLAGS;
    entry.priority = (flags & PUSH_PRIORITY) === 0 ? 0 : flags >>> PUSH_PRIORITY_SHIFT;
    entry.returns = 0;
    entry.startMs = entry.dueMs;
    this.add(entry);
    return true;
  }

  /**
   * Adds a message that waits for the disk alone: its publish settles deliveries, or all of this queue do. False: it does
   * not wait, and nothing is added. Like one that has waited for its time, a crash undoes it as long as no durable batch
   * has it.
   */
  awaitDisk(position: number, bodyBytes: number, flags: number): boolean {
    const { rules, messages } = this.queue;
    if ((flags & PUSH_STEP) === 0 && !rules.deliversAfterCommit) return false;
    messages.pushWaited(position, bodyBytes, flags, false, 0, 0);
    return true;
  }

  /**
   * Counts that an unacked message came back, and sees to it where it may not go out again at once, or no more; false:
   * it goes back to its place. `failed`: its consumer rejected it, or is gone.
   */
  returned(seq: number, failed: boolean): boolean {
    const { queue, host, entry, log } = this;
    const { rules, messages } = queue;
    host.line.begin();
    const returns = messages.countReturn(seq);
    host.line.end();
    if (!rules.limitsReturns) return false;
    const held = messages.entryOf(seq);
    const headers = this.headersOf(held.position);
    const own = headers === null ? null : attemptsOf(headers);
    const limit = Math.min(own?.limit ?? rules.deliveryLimit, rules.deliveryLimitMax);
    if (returns > limit) {
      queue.endings.die(seq, 'delivery_limit');
      return true;
    }
    const { retry } = rules;
    if (retry === null || !waits(retry, failed)) return false;
    const delayMs = retryDelayMs(retry, own, returns, chanceOf(held.position, returns));
    if (delayMs <= 0) return false;
    entry.dueMs = host.nowMs + delayMs;
    entry.position = held.position;
    entry.bodyBytes = held.bodyBytes;
    entry.flags = (held.flags & KEPT_FLAGS) | DELAYED_RETURNED;
    entry.priority = (held.flags & PUSH_PRIORITY) === 0 ? 0 : held.flags >>> PUSH_PRIORITY_SHIFT;
    entry.returns = returns;
    entry.startMs = held.startMs ?? 0;
    host.line.begin();
    log.retain(held.position, held.bodyBytes);
    this.add(entry);
    queue.duplicates?.waitsAgain(held.position, seq, held.flags);
    messages.waits(seq);
    messages.end(seq);
    host.line.end();
    return true;
  }

  /** Makes ready what is due by now, so many at most; returns whether more is due. */
  promote(most: number): boolean {
    const { waiting } = this;
    if (waiting === null || waiting.nextDueMs > this.host.nowMs) return false;
    this.host.line.begin();
    const more = waiting.promote(this.host.nowMs, most, this.release);
    this.host.line.end();
    return more;
  }

  /** Makes the message ready that is due first, whenever that is; false: none waits. */
  promoteFirst(): boolean {
    if (this.waiting === null || this.waiting.count === 0) return false;
    return this.waiting.promoteFirst(this.release);
  }

  /** Up to `count` of those that are due soonest, of those behind `after`. */
  soonest(count: number, after: DelayPlace | null): Soonest {
    return this.waiting?.soonest(count, after) ?? { entries: [], exact: true };
  }

  /** Makes one message ready now, or drops it; false: none waits under that time and id. */
  handle(action: DelayedAction, { dueMs, id }: DelayPlace): boolean {
    const { waiting, host } = this;
    if (waiting === null) return false;
    host.line.begin();
    const found = waiting.take(dueMs, id, action === 'send' ? this.release : this.letGo);
    host.line.end();
    if (found) this.fewerWait();
    return found;
  }

  /** Makes all that wait ready now, little by little; returns how many. */
  hasten(): number {
    const { waiting, host } = this;
    if (waiting === null || waiting.count === 0) return 0;
    host.line.begin();
    waiting.hasten(host.nowMs);
    host.line.end();
    this.fewerWait();
    return waiting.count;
  }

  /** Drops all that wait; returns how many. */
  drop(): number {
    const { waiting, host } = this;
    if (waiting === null) return 0;
    const { count } = waiting;
    host.line.begin();
    this.freshDropped += waiting.fresh;
    waiting.discard();
    this.queue.duplicates?.noneWaits();
    this.queue.messages.grouped?.noneWaits();
    host.line.end();
    return count;
  }

  /** Messages that came to the queue and never were ready: those that wait, and those dropped before their time. */
  get neverReady(): number {
    return this.freshDropped + (this.waiting?.fresh ?? 0);
  }

  private fewerWait(): void {
    this.queue.waitsNow();
    if (!this.queue.touched) this.host.touch(this.queue);
  }

  discard(): void {
    this.waiting?.discard();
  }

  sealInto(batch: number): void {
    this.waiting?.sealInto(batch);
  }

  durableUpTo(batch: number): void {
    this.waiting?.durableUpTo(batch);
  }

  /** Reads what waits back from the store. What the log lacks is among the ready ones then, noted as lost. */
  recover(): void {
    const waiting = this.made();
    const { grouped } = this.queue.messages;
    let lost = false;
    const seen = ({ flags, position }: DelayEntry): void => {
      if ((flags & DELAYED_RETURNED) !== 0) grouped?.foundWaiting(position);
    };
    waiting.recover(seen, (entry) => {
      lost = true;
      const { entries } = this.ready(entry);
      entries.lost.push(entries.tail - 1);
    });
    grouped?.recovered();
    // What was lost has rows to be removed.
    if (waiting.count === 0 && !lost) this.waiting = null;
    else this.queue.waitsNow();
  }

  /**
   * Visits all messages of the queue, from a cursor on: first those that are ready or unacked, then those that wait. So
   * one that comes back amid a walk, to wait, is found; one that becomes ready is told to the host.
   */
  visitPage(cursor: number, visit: PositionVisitor): number {
    const waits = cursor >= WAITING_CURSOR;
    if (!waits) {
      const next = this.queue.messages.visitPage(cursor, visit);
      if (next >= 0) return next;
    }
    if (this.waiting === null) return -1;
    const next = this.waiting.visitPage(waits ? cursor - WAITING_CURSOR : 0, visit);
    return next < 0 ? -1 : WAITING_CURSOR + next;
  }

  /** Visits those that wait. */
  visitWaiting(visit: PositionVisitor): void {
    const { waiting } = this;
    if (waiting === null) return;
    for (let cursor = 0; cursor >= 0; ) cursor = waiting.visitPage(cursor, visit);
  }

  entriesDirty(): void {
    this.queue.entriesDirty();
  }

  unsealedPushed(): void {
    this.host.unsealedPushed += 1;
    this.host.unsealedLive += 1;
  }

  moved(position: number): void {
    this.host.recordMoved(position);
  }

  damaged(error: CorruptRecordError, fresh: number): void {
    this.freshDropped += fresh;
    this.host.setAsideRows.add(error.table, error.key, error);
  }

  leftBehind(sweep: Sweep): void {
    this.host.sweep(sweep);
  }

  private readonly release = (entry: DelayEntry): void => {
    this.ready(entry);
  };

  private readonly letGo = ({ position, bodyBytes, flags }: DelayEntry): void => {
    this.queue.duplicates?.waitsNoMore(position);
    if ((flags & DELAYED_RETURNED) === 0) this.freshDropped += 1;
    else this.queue.messages.grouped?.gaveUp(position);
    this.log.unref(this.log.segmentOf(position), bodyBytes);
  };

  /** Puts a message among those that are ready; returns its lane. */
  private ready(entry: DelayEntry): Lane {
    const { position, bodyBytes, flags, priority, returns, startMs } = entry;
    const pushed = (flags & KEPT_FLAGS) | (priority << PUSH_PRIORITY_SHIFT);
    const returned = (flags & DELAYED_RETURNED) !== 0;
    const { messages, duplicates } = this.queue;
    const lane = messages.pushWaited(position, bodyBytes, pushed, returned, returns, startMs);
    duplicates?.becomesReady(position, seqInQueue(lane, lane.entries.tail - 1), pushed);
    return lane;
  }

  private add(entry: DelayEntry): void {
    this.made().add(entry, this.host.nowMs);
    this.queue.waitsNow();
  }

  private made(): DelayedMessages {
    this.waiting ??= new DelayedMessages(this, this.log, this.host.delayRows);
    return this.waiting;
  }

  private delayOf(position: number, flags: number): number {
    const { messageDelayMs } = this.queue.rules;
    const published = (flags & PUSH_DELAYED) !== 0;
    if (!published && messageDelayMs === 0) return 0;
    const { host } = this;
    const askedMs = this.askedOf(position, host.time.wallOf(host.nowMs), published);
    if (askedMs === null) return messageDelayMs;
    if (published) return askedMs;
    // Else it has waited already, somewhere else, or wants to wait nowhere.
    return askedMs === 0 ? 0 : messageDelayMs;
  }

  /** How long a message asks to wait, ms; null: it does not say, or cannot be read. */
  private askedOf(position: number, wallMs: number, published: boolean): number | null {
    try {
      const { bytes, offset } = this.log.read(position);
      const flagsAt = headerFrameStart(bytes, offset) + 7 + PROPERTY_FLAGS_OFFSET;
      return delayAt(bytes, flagsAt, wallMs, published);
    } catch {
      return null;
    }
  }

  /** The headers of a message; null: it has none, or cannot be read, which is noticed when it goes out. */
  private headersOf(position: number): FieldTable | null {
    try {
      return headersAt(this.log, position);
    } catch {
      return null;
    }
  }
}
