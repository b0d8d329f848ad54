// Owns one first-in-first-out line of messages in a queue: which are ready, in which order, and
// which may go out. Never knows consumers or why a message leaves: queue.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import { positionOf } from '../../../message/log/segment.ts';
import { recordArrivedMs, recordExpiryMs } from '../../../message/record.ts';
import { OrderedSet } from '../../../util/numbers/ordered-set.ts';
import { PUSH_EXPIRES, PUSH_PRIORITY, PUSH_PRIORITY_SHIFT, PUSH_STORED } from '../push-flags.ts';
import { DeliveredMark } from './delivered-mark.ts';
import type { HeldEntry, MessagesHost } from './messages-host.ts';
import type { AwayPage } from './pages/away-page.ts';
import { ENTRY_STORED, PAGE_ENTRIES } from './pages/page.ts';
import type { Purged } from './purging.ts';
import { type EntriesOwner, QueueEntries, type TakenEntry } from './queue-entries.ts';
import type { QueueRows } from './queue-rows.ts';
import type { Sweep } from './sweeps.ts';

/**
 * Outside, a seq is a number that also says which lane it is of: that of lane n are counted from
 * n x LANE_SEQS on. Inside, each lane counts from 0: small integers, which V8 handles much faster
 * (0.1 instead of 0.4 us a message went into `take` when one kind of seq was used everywhere).
 */
export const LANE_SEQS = 2 ** 44;

/** Lanes from this number on have messages that came back and have waited. */
export const RETURNED_LANES = 257;

/** Of all numbers of lanes so many fit into seqs. */
export const LANES_MAX = 512;

/** Added to a mark below which no message is in doubt: their returns say which were out. */
const KNOWN = 0.5;

/**
 * The lane for what came back to another lane and has waited: it goes ahead of that. The three highest priorities
 * share one.
 */
export function returnedLaneOf(number: number): number {
  return Math.min(RETURNED_LANES + number, LANES_MAX - 1);
}

/** The seq outside of a message with this seq inside a lane. */
export function seqInQueue(lane: Lane, inner: number): number {
  return lane.number * LANE_SEQS + inner;
}

/** What a lane tells its queue. */
export interface LaneOwner {
  entriesDirty(): void;
  /** A page was lost, see EntriesOwner; the lane has counted that. */
  pageLost(lane: Lane, page: AwayPage, skipped: number): void;
}

/*
 *   seq      0 ............ first live ........ cursor ........ tail
 *            settled        unacked, requeued,  ready           (next to be given out)
 *                           settled in between
 *
 * A message's place is its seq. Those from the cursor on are ready, and so are the requeued ones
 * before it, which are few and go first, lowest seq first: so each returns to its place.
 *
 * In a queue with groups, messages are taken from anywhere behind the cursor; a set has those that are out. The cursor
 * only moves over them as the head is looked for.
 */
export class Lane implements EntriesOwner {
  readonly number: number;
  /** Whether all its messages were out before: they came back, and have waited. */
  readonly returned: boolean;
  /** Messages ready in this lane. */
  readyCount = 0;
  /** How often all that was ready was purged. */
  purges = 0;
  readonly entries: QueueEntries;
  /** The seq of the next message that has not been given out yet. */
  private cursor = 0;
  private requeued = new OrderedSet();
  /** Those from the cursor on that are out all the same; null: messages go out in order. */
  private out: Set<number> | null;
  /** The seq that the mark has to be ahead of, where messages go out in any order. */
  private high = 0;
  private readonly mark: DeliveredMark;
  private readonly queueId: number;
  private readonly durable: boolean;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly host: MessagesHost;
  private readonly owner: LaneOwner;

  /** `ordered`: its messages go out by `take`, else by `takeAt`. */
  constructor(
    number: number,
    queueId: number,
    durable: boolean,
    log: MessageLog,
    rows: QueueRows,
    host: MessagesHost,
    owner: LaneOwner,
    ordered: boolean,
  ) {
    this.number = number;
    this.out = ordered ? null : new Set();
    this.returned = number >= RETURNED_LANES;
    this.queueId = queueId;
    this.durable = durable;
    this.log = log;
    this.rows = rows;
    this.host = host;
    this.owner = owner;
    this.mark = new DeliveredMark(durable);
    if (this.returned) this.mark.redeliveredBelow = Infinity;
    this.entries = new QueueEntries(queueId, number, log, rows, this);
  }

  /** Adds a message at the tail; `state` as for QueueEntries.push. */
  push(position: number, bodyBytes: number, state: number): void {
    this.entries.push(position, bodyBytes, state);
    this.readyCount += 1;
    if ((state & ENTRY_STORED) === 0) return;
    this.host.unsealedPushed += 1;
    this.host.unsealedLive += 1;
  }

  /** The message that was added last had waited; it goes out once a durable batch has that it is ready. */
  pushedWaited(): void {
    this.mark.waitUntilDurable(this.entries.tail - 1);
  }

  /**
   * Takes the next ready message out for a delivery, fills in `taken` but for its seq, and returns
   * that. -1 when the delivery has to wait for a batch that says on disk that it may have been, or when
   * what was ready turns out to be lost.
   */
  take(taken: TakenEntry): number {
    const { entries } = this;
    let seq = this.requeued.size === 0 ? -1 : this.firstReturned();
    if (seq >= 0) {
      this.requeued.takeFirst();
      taken.redelivered = true;
    } else {
      seq = entries.firstFrom(this.cursor);
      // A page that is lost takes what was ready in it along.
      if (this.readyCount === 0) return -1;
      if (!this.mark.mayDeliver(seq) && entries.isStored(seq)) {
        this.cursor = seq;
        this.markWanted();
        return -1;
      }
      this.cursor = seq + 1;
      taken.redelivered = seq < this.mark.redeliveredBelow;
    }
    entries.read(seq, taken);
    this.readyCount -= 1;
    return seq;
  }

  /** Takes a ready message out, wherever it stands, and fills in `taken` but for its seq; false: as -1 of `take`. */
  takeAt(seq: number, taken: TakenEntry): boolean {
    const { entries, mark } = this;
    if (!mark.mayDeliver(seq) && entries.isStored(seq)) {
      this.high = Math.max(this.high, seq);
      this.markWanted();
      return false;
    }
    this.high = Math.max(this.high, seq + 1);
    this.skipAt(seq);
    // The mark says it of many that were never out; of those before a clean stop their returns do.
    taken.redelivered = seq < mark.redeliveredBelow || entries.returnsOf(seq) > 0;
    entries.read(seq, taken);
    return true;
  }

  /** Takes a ready message out, wherever it stands, without giving it to a client. */
  skipAt(seq: number): void {
    if (seq < this.cursor) this.requeued.delete(seq);
    else this.out?.add(seq);
    this.readyCount -= 1;
  }

  /** The seq of the next ready message; there must be one. -1: it turns out to be lost, and so are all behind it. */
  findHead(): number {
    const returned = this.firstReturned();
    if (returned >= 0) return returned;
    const { out, entries } = this;
    let seq = entries.firstFrom(this.cursor);
    while (out?.delete(seq)) seq = entries.firstFrom(seq + 1);
    this.cursor = seq;
    return seq === entries.tail ? -1 : seq;
  }

  /** The first of those that came back; -1: none is there. A page that turns out to be lost takes its own along. */
  private firstReturned(): number {
    const { requeued, entries } = this;
    while (requeued.size > 0) {
      const { first } = requeued;
      if (entries.has(first, true)) return first;
      requeued.delete(first);
    }
    return -1;
  }

  /** Takes the head out without giving it to a client; the caller removes it. Returns its seq, or -1 as `findHead`. */
  skipHead(): number {
    const seq = this.findHead();
    if (seq < 0) return -1;
    if (this.requeued.size > 0) this.requeued.takeFirst();
    else this.cursor = seq + 1;
    this.readyCount -= 1;
    return seq;
  }

  /**
   * When a message that is there expires, ms since the Unix epoch; Infinity: never. The smaller of
   * its own time to live and the queue's counts, from its arrival on.
   */
  expiryOf(seq: number, queueTtlMs: number): number {
    const own = this.entries.expires(seq);
    if (!own && queueTtlMs === Infinity) return Infinity;
    const position = this.entries.positionOf(seq);
    const segment = this.log.readable(position);
    const view = segment.view as DataView;
    const record = position - positionOf(segment.id, 0);
    const ttlMs = own ? Math.min(recordExpiryMs(view, record), queueTtlMs) : queueTtlMs;
    return (this.entries.startOf(seq) || recordArrivedMs(view, record)) + ttlMs;
  }

  /** As DeliveredMark.isHeld. */
  isHeld(seq: number): boolean {
    return this.mark.isHeld(seq);
  }

  /** Whether a delivery waits for a batch. */
  get waitsForMark(): boolean {
    return this.mark.wanted;
  }

  /** Ends the life of an entry that is not ready. */
  remove(seq: number): void {
    const stored = this.entries.remove(seq);
    if (stored && seq >= this.mark.sealedTail) this.host.unsealedLive -= 1;
  }

  /** The same where messages go out in any order. */
  removeOut(seq: number): void {
    this.out?.delete(seq);
    this.remove(seq);
  }

  /** Whether an entry that is there is ready, and not out for delivery. */
  isReady(seq: number): boolean {
    return seq >= this.cursor ? this.out?.has(seq) !== true : this.requeued.has(seq);
  }

  entriesDirty(): void {
    this.owner.entriesDirty();
  }

  leftBehind(sweep: Sweep): void {
    this.host.sweep(sweep);
  }

  pageLost(number: number, page: AwayPage, skipped: number): void {
    const start = number * PAGE_ENTRIES;
    if (this.requeued.size > 0) {
      for (let seq = start; seq < start + PAGE_ENTRIES; seq++) this.requeued.delete(seq);
    }
    if (page.purges === this.purges) this.readyCount -= page.ready;
    this.owner.pageLost(this, page, skipped);
  }

  /** All that is known of an entry that is there; `seq` names it outside. */
  heldEntry(seq: number, inner: number): HeldEntry {
    const { entries } = this;
    let flags = entries.isStored(inner) ? PUSH_STORED : 0;
    if (entries.expires(inner)) flags |= PUSH_EXPIRES;
    const number = this.returned ? this.number - RETURNED_LANES : this.number;
    if (number > 0) flags |= PUSH_PRIORITY | ((number - 1) << PUSH_PRIORITY_SHIFT);
    const bodyBytes = entries.bodyBytesOf(inner);
    const startMs = entries.startOf(inner);
    return { seq, position: entries.positionOf(inner), bodyBytes, flags, startMs };
  }

  /** Ends the life of a ready entry, wherever it stands. */
  removeReady(seq: number): void {
    if (seq < this.cursor) this.requeued.delete(seq);
    this.readyCount -= 1;
    this.remove(seq);
  }

  /** Puts an entry that was taken out back to its place. */
  requeue(seq: number): void {
    this.readyCount += 1;
    if (this.out === null || !this.out.delete(seq)) this.requeued.add(seq);
  }

  /** From now on nothing is ready; returns what was. `unacked`: the queue has deliveries outstanding. */
  purge(unacked: boolean): Purged {
    const { requeued, out, cursor } = this;
    const to = this.entries.tail;
    this.requeued = new OrderedSet();
    if (out !== null) this.out = new Set();
    this.cursor = to;
    this.readyCount = 0;
    this.purges += 1;
    return { lane: this, from: unacked ? cursor : 0, to, out, back: unacked ? requeued : null };
  }

  /** Lets go of every message in memory, as part of deleting the queue. */
  discard(): void {
    this.entries.discard();
    if (this.durable) this.rows.removeMark(this.queueId, this.number);
    this.requeued.clear();
    this.out?.clear();
    this.readyCount = 0;
  }

  /** Writes what changed into the current batch. `unacked`: the queue has deliveries outstanding. */
  sealInto(batch: number, unacked: boolean): void {
    this.entries.seal(batch);
    const delivered = unacked || this.requeued.size > 0;
    const given = Math.max(this.cursor, this.high);
    if (this.mark.seal(batch, given, this.entries.tail, delivered)) this.putMark();
  }

  /** Told that all batches up to `batch` are durable; returns whether deliveries may go on. */
  durableUpTo(batch: number): boolean {
    return this.mark.durableUpTo(batch);
  }

  /** At a clean stop: notes just which messages have been delivered, no more. */
  sealExactMark(stops: boolean): void {
    if (this.out !== null) {
      if (stops) this.sealTail();
      return;
    }
    if (this.mark.sealExact(this.cursor)) this.putMark();
  }

  /** Where messages go out in any order, their returns say which were out, unless a crash left that in doubt. */
  private sealTail(): void {
    const { mark, entries } = this;
    mark.sealExact(entries.tail);
    const known = entries.firstFrom(0) >= mark.redeliveredBelow;
    if (this.durable)
      this.rows.putMark(this.queueId, this.number, entries.tail + (known ? KNOWN : 0));
  }

  /** Reads the messages and the mark back from the store; returns the bytes of their bodies. Each may be `found`. */
  recover(found: ((seq: number, groupKey: number) => void) | null): number {
    const stored = this.rows.readMark(this.queueId, this.number);
    const tail = Math.floor(stored);
    this.mark.recover(stored === tail ? stored : 0);
    if (this.out !== null) this.high = tail;
    if (this.returned) this.mark.redeliveredBelow = Infinity;
    let bytes = 0;
    this.cursor = -1;
    // New messages lie above the mark, or they would come as redelivered at their first delivery.
    this.entries.recover(tail, (seq, bodyBytes, groupKey) => {
      if (this.cursor < 0) this.cursor = seq;
      this.readyCount += 1;
      bytes += bodyBytes;
      if (found !== null) found(seq, groupKey);
    });
    if (this.cursor < 0) this.cursor = this.entries.tail;
    this.mark.sealedTail = this.entries.tail;
    return bytes;
  }

  /** Whether some message in it may expire, given the queue's own time to live. */
  mayExpire(queueTtlMs: number): boolean {
    return this.readyCount > 0 && (queueTtlMs !== Infinity || this.entries.expiring > 0);
  }

  /** A delivery waits for a batch that says on disk that the message may have been delivered. */
  private markWanted(): void {
    this.mark.wanted = true;
    this.owner.entriesDirty();
    this.host.awaitBatch();
  }

  private putMark(): void {
    if (this.durable) this.rows.putMark(this.queueId, this.number, this.mark.sealed);
  }
}
