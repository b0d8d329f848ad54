// Owns which messages of one queue are duplicates of earlier ones, by its rule. Never takes a message into the queue, and
// never keeps the keys itself: seen-keys.ts does.

import { integerOf } from '../../../amqp/field-integers.ts';
import { headerAt, headerField, PROPERTY_FLAGS_OFFSET } from '../../../amqp/property-walk.ts';
import type { MessageLog } from '../../../message/log/log.ts';
import { positionOf } from '../../../message/log/segment.ts';
import { headerFrameStart } from '../../../message/record.ts';
import { EXPIRY_MAX_MS } from '../arguments/argument-values.ts';
import type { PositionVisitor } from '../messages/pages/lane-pages.ts';
import { PUSH_CAME_BEFORE, PUSH_STORED } from '../push-flags.ts';
import { cameBefore, DEATHS_HEADER } from './came-before.ts';
import { type DuplicateRule, TTL_HEADER } from './duplicate-rule.ts';
import type { KeyLasting } from './key-page.ts';
import type { KeyRows } from './key-rows.ts';
import type { KeySweep } from './key-sweep.ts';
import { type KeysOwner, SeenKeys } from './seen-keys.ts';

const TTL_NAME = Buffer.from(TTL_HEADER);
const DEATHS_NAME = Buffer.from(DEATHS_HEADER);
const NO_BYTES = Buffer.alloc(0);
/** The lane of all keys that last until a time. */
const TIMED = 0;
/** Seqs of a lane, see messages/lane.ts. */
const LANE_SEQS = 2 ** 44;

/** A queue that may look for duplicates. */
export interface KeyedQueue {
  readonly id: number;
  readonly name: string;
  readonly durable: boolean;
  readonly counts: { duplicates: number };
  readonly messages: {
    readonly laneSet: {
      /** The seq that the next message of these flags gets. */
      nextSeq(flags: number): number;
      isThere(lane: number, inner: number, exact: boolean): boolean;
    };
  };
  readonly delays: {
    readonly count: number;
    visitWaiting(visit: PositionVisitor): void;
  };
  entriesDirty(): void;
}

/** What it needs of the broker. */
export interface KeyedHost {
  readonly nowMs: number;
  readonly keyRows: KeyRows;
  sweep(sweep: KeySweep): void;
}

/*
 * A key that is forgotten with its message says where that is, and lasts while it is there: what ends a message needs
 * to know nothing of keys.
 *
 *   ready or unacked   lane and seq
 *   waiting            a lane below 0, and the position in the log; another lane once all that waited was dropped
 */
export class QueueDuplicates implements KeysOwner {
  readonly keysId: number;
  readonly keys: SeenKeys;
  private rule: DuplicateRule;
  /** Whether what the store has is known. */
  private read = false;
  /** The message whose key `keys` has at hand: its place in the log, and its properties. */
  private position = -1;
  private bytes: Buffer = NO_BYTES;
  private flagsAt = 0;
  /** Whether it has a key, and one that is not known. */
  private fresh = false;
  private waitingLane = -1;
  /** While keys are read back: where messages wait, in order; null: not asked for. */
  private waiting: Float64Array | null = null;
  private recovering = false;
  private readonly queue: KeyedQueue;
  private readonly host: KeyedHost;
  private readonly log: MessageLog;

  constructor(queue: KeyedQueue, host: KeyedHost, log: MessageLog, rule: DuplicateRule) {
    this.keysId = queue.id;
    this.queue = queue;
    this.host = host;
    this.log = log;
    this.rule = rule;
    this.keys = new SeenKeys(this, host.keyRows);
  }

  get keysLast(): KeyLasting {
    return this.rule.release === 'ack' ? 'place' : 'time';
  }

  get keysMax(): number {
    return this.rule.keysMax;
  }

  get nowMs(): number {
    return this.host.nowMs;
  }

  /** Goes by another rule from now on. What was known until a time says nothing of messages, and the other way round. */
  goBy(rule: DuplicateRule): void {
    const before = this.rule;
    this.rule = rule;
    if (this.read && before.release !== rule.release) this.keys.clear();
  }

  /** Whether a message that comes in is a duplicate: then it is counted, and the log lets go of it. */
  drops(position: number, bodyBytes: number, flags: number): boolean {
    if (!this.read) this.forgetStored();
    this.look(position);
    if (this.position !== position || this.fresh) return false;
    if ((flags & PUSH_CAME_BEFORE) !== 0 || this.cameBefore()) return false;
    this.queue.counts.duplicates += 1;
    this.log.unref(this.log.segmentOf(position), bodyBytes);
    return true;
  }

  /** A message is taken in, and the next to be ready. */
  takes(position: number, flags: number): void {
    if (!this.mayAdd(position)) return;
    const stored = this.isStored(flags);
    if (this.keysLast === 'time') this.keys.add(TIMED, this.endOf(), stored);
    else this.addPlace(this.queue.messages.laneSet.nextSeq(flags), stored);
  }

  /** A message is taken in, and waits. */
  waits(position: number, flags: number): void {
    if (this.keysLast === 'time') return this.takes(position, flags);
    if (this.mayAdd(position)) this.keys.add(this.waitingLane, position, this.isStored(flags));
  }

  /** A message that waited is ready now, in a place. */
  becomesReady(position: number, seq: number, flags: number): void {
    if (!this.holds(position, this.waitingLane, position)) return;
    this.keys.forget(false);
    this.addPlace(seq, this.isStored(flags));
  }

  /** A message that came back to its place waits now. */
  waitsAgain(position: number, seq: number, flags: number): void {
    if (!this.holds(position, Math.floor(seq / LANE_SEQS), seq % LANE_SEQS)) return;
    this.keys.forget(false);
    this.keys.add(this.waitingLane, position, this.isStored(flags));
  }

  /** A message that waited is gone. */
  waitsNoMore(position: number): void {
    if (this.holds(position, this.waitingLane, position)) this.keys.forget(false);
  }

  /** All messages that waited are gone. */
  noneWaits(): void {
    this.waitingLane -= 1;
  }

  lasts(lane: number, value: number, exact: boolean): boolean {
    if (this.keysLast === 'time') return value > this.host.nowMs;
    if (lane >= 0) return this.queue.messages.laneSet.isThere(lane, value, exact);
    if (!this.recovering) return lane === this.waitingLane;
    if (!this.isWaiting(value)) return false;
    this.waitingLane = Math.min(this.waitingLane, lane);
    return true;
  }

  keysDirty(): void {
    this.queue.entriesDirty();
  }

  keysLeftBehind(sweep: KeySweep): void {
    this.host.sweep(sweep);
  }

  /** Reads the keys back from the store; the queue has its messages. */
  recover(): void {
    this.read = true;
    this.recovering = true;
    this.keys.recover();
    this.recovering = false;
    this.waiting = null;
  }

  /** Forgets all. */
  clear(): void {
    if (this.read) this.keys.clear();
  }

  /** Has a message at hand, if it has a key: then `fresh` says whether that is not known. */
  private look(position: number): void {
    this.fresh = this.reads(position) && !this.keys.has();
  }

  /** Has a message at hand that is taken in; returns whether its key is to be added, being known no more then. */
  private mayAdd(position: number): boolean {
    // Making room for it may have brought in others.
    if (this.position !== position) this.look(position);
    if (this.fresh) return true;
    if (this.position !== position || this.keysLast === 'time') return false;
    // It came back, maybe from this very queue: the key goes over to it, and does not end with the one before. That may stay
    // in the queue, so that the store does not find out by itself.
    this.keys.forget(true);
    return true;
  }

  private readKey(position: number): boolean {
    this.position = -1;
    const segment = this.log.readable(position);
    const bytes = segment.bytes as Buffer;
    const record = position - positionOf(segment.id, 0);
    const flagsAt = headerFrameStart(bytes, record) + 7 + PROPERTY_FLAGS_OFFSET;
    const at = headerAt(bytes, flagsAt, this.rule.header);
    if (at < 0) return false;
    this.keys.key.readAt(bytes, at);
    this.position = position;
    this.bytes = bytes;
    this.flagsAt = flagsAt;
    return true;
  }

  /** Until when the key at hand lasts, by the broker's time, ms. */
  private endOf(): number {
    const own = integerOf(headerField(this.bytes, this.flagsAt, TTL_NAME));
    const ttlMs = own === null || own < 0 ? this.rule.ttlMs : Number(own);
    return ttlMs > EXPIRY_MAX_MS ? Infinity : this.host.nowMs + ttlMs;
  }

  private cameBefore(): boolean {
    const deaths = headerField(this.bytes, this.flagsAt, DEATHS_NAME);
    return cameBefore(deaths, this.queue.name);
  }

  private addPlace(seq: number, stored: boolean): void {
    this.keys.add(Math.floor(seq / LANE_SEQS), seq % LANE_SEQS, stored);
  }

  private isStored(flags: number): boolean {
    return this.queue.durable && (flags & PUSH_STORED) !== 0;
  }

  /** Whether the key of a message is there, and lasts as long as just this message. */
  private holds(position: number, lane: number, value: number): boolean {
    if (this.keysLast === 'time' || !this.reads(position)) return false;
    const holder = this.keys.holder();
    return holder !== null && holder.lane === lane && holder.value === value;
  }

  /** As readKey, of a message that may be damaged: it has no key then, which is noticed when it goes out. */
  private reads(position: number): boolean {
    try {
      return this.readKey(position);
    } catch {
      return false;
    }
  }

  /** What the store has of a time before the queue looked for duplicates says nothing now. */
  private forgetStored(): void {
    this.recover();
    this.keys.clear();
  }

  private isWaiting(position: number): boolean {
    this.waiting ??= this.waitingPositions();
    const { waiting } = this;
    let [from, to] = [0, waiting.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((waiting[middle] as number) < position) from = middle + 1;
      else to = middle;
    }
    return waiting[from] === position;
  }

  private waitingPositions(): Float64Array {
    const { delays } = this.queue;
    const positions = new Float64Array(delays.count);
    let count = 0;
    delays.visitWaiting((position) => {
      if (count < positions.length) positions[count++] = position;
    });
    return positions.sort();
  }
}

/** What looks for duplicates in a queue by a rule, given what has so far; null: nothing does. */
export function duplicatesBy(
  rule: DuplicateRule | null,
  before: QueueDuplicates | null,
  queue: KeyedQueue,
  host: KeyedHost,
  log: MessageLog,
): QueueDuplicates | null {
  if (rule === null) {
    before?.clear();
    return null;
  }
  before?.goBy(rule);
  return before ?? new QueueDuplicates(queue, host, log, rule);
}
