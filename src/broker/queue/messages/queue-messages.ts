// Owns the messages of one queue: their lanes, one for each priority in use, and how many are ready
// or unacked. Never knows consumers or rules: queue.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import { assert } from '../../../util/assert.ts';
import type { MessagesHost } from './host.ts';
import {
  type HeldEntry,
  PUSH_EXPIRES,
  PUSH_PRIORITY,
  PUSH_PRIORITY_SHIFT,
  PUSH_STORED,
} from './host.ts';
import { Lane, type LaneOwner } from './lane.ts';
import { PAGE_ENTRIES } from './page.ts';
import type { PositionVisitor, TakenEntry } from './queue-entries.ts';
import { LANE_PAGES, type QueueRows } from './queue-rows.ts';
import type { Sweep } from './sweeps.ts';

/** A message that was looked at where it stands. */
export interface BrowsedEntry {
  readonly lane: Lane;
  /** Its seq within the lane, and within the queue. */
  readonly inner: number;
  readonly seq: number;
  readonly position: number;
  readonly bodyBytes: number;
  /** Whether it is ready, and not out for delivery. */
  readonly ready: boolean;
}

/** What these messages belong to. */
export interface MessagesOwner {
  readonly id: number;
  readonly durable: boolean;
  /** Something changed that belongs into the next batch. */
  entriesDirty(): void;
}

/**
 * Outside, a seq is a number that also says which lane it is of: that of lane n are counted from
 * n x LANE_SEQS on. Inside, each lane counts from 0: small integers, which V8 handles much faster
 * (0.1 instead of 0.4 us a message went into `take` when one kind of seq was used everywhere).
 */
const LANE_SEQS = 2 ** 44;

/**
 * Lane 0 is that of messages without a priority, which most queues have alone; priority p has lane
 * p + 1, made when its first message comes. So a queue that knows priorities costs no more than any
 * other until some message has one.
 */
export class QueueMessages implements LaneOwner {
  readyCount = 0;
  unackedCount = 0;
  /** Body bytes of all messages that came, and of those of them that went out for delivery. */
  private pushedBytes = 0;
  private takenBytes = 0;
  /** Where the seqs of all lanes together began. */
  private firstTail = 0;
  /** All lanes, the highest priority first. */
  readonly lanes: Lane[];
  /** The lane of messages that name no priority. */
  private readonly base: Lane;
  /** Whether there is no lane but the first. */
  private single = true;
  private readonly byNumber: (Lane | undefined)[];
  private readonly priorityMax: number;
  private readonly priorityDefault: number;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly host: MessagesHost;
  private readonly owner: MessagesOwner;
  private readonly stateMask: number;
  private readonly taken: TakenEntry = {
    seq: 0,
    position: 0,
    bodyBytes: 0,
    redelivered: false,
  };

  /** Messages of a higher priority than `priorityMax` count as that; 0: priorities mean nothing. */
  constructor(
    owner: MessagesOwner,
    priorityMax: number,
    priorityDefault: number,
    log: MessageLog,
    host: MessagesHost,
    rows: QueueRows,
  ) {
    this.owner = owner;
    this.priorityMax = priorityMax;
    this.priorityDefault = priorityDefault;
    this.log = log;
    this.host = host;
    this.rows = rows;
    this.stateMask = owner.durable ? PUSH_STORED | PUSH_EXPIRES : PUSH_EXPIRES;
    this.base = this.makeLane(0);
    this.lanes = [this.base];
    this.byNumber = [this.base];
  }

  /** Adds a message; `traits` as for Queue.push. */
  push(position: number, bodyBytes: number, traits: number): void {
    const named = (traits & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    const lane = named ? this.laneOfPriority(traits >>> PUSH_PRIORITY_SHIFT) : this.base;
    // PUSH_STORED and PUSH_EXPIRES are states of an entry, shifted by one.
    lane.push(position, bodyBytes, (traits & this.stateMask) << 1);
    this.readyCount += 1;
    this.pushedBytes += bodyBytes;
  }

  /** What of `traits` holds for a message of this queue. */
  maskTraits(traits: number): number {
    return traits & (this.stateMask | ~(PUSH_STORED | PUSH_EXPIRES));
  }

  /** How many messages came since the start: there is no counter, their seqs give the number. */
  get pushedCount(): number {
    return this.lanes.reduce((sum, { entries }) => sum + entries.tail, -this.firstTail);
  }

  /** Body bytes of the ready messages. */
  get readyBytes(): number {
    return this.pushedBytes - this.takenBytes;
  }

  /** Body bytes of all messages, the unacked ones included. */
  get bytes(): number {
    return this.lanes.reduce((sum, { entries }) => sum - entries.removedBytes, this.pushedBytes);
  }

  /** How many belong on disk. After a purge amid deliveries it may be too high. */
  get storedCount(): number {
    return Math.min(this.storedSum, this.readyCount + this.unackedCount);
  }

  private get storedSum(): number {
    return this.lanes.reduce((sum, { entries }) => sum + entries.storedCount, 0);
  }

  /**
   * Takes the next ready message out for one delivery. Null when there is none, or when its
   * delivery has to wait for a batch that says on disk that it may have been delivered. The object
   * returned is reused by the next call.
   */
  take(): TakenEntry | null {
    if (this.readyCount === 0) return null;
    const { taken } = this;
    const lane = this.single ? this.base : this.topLane();
    const seq = lane.take(taken);
    if (seq < 0) return null;
    this.readyCount -= 1;
    this.takenBytes += taken.bodyBytes;
    this.unackedCount += 1;
    taken.seq = this.single ? seq : this.outer(lane, seq);
    return taken;
  }

  /** Takes the head of a lane out without giving it to a client; `end` it. Returns its seq. */
  skipHead(lane: Lane): number {
    const seq = lane.skipHead();
    this.readyCount -= 1;
    this.takenBytes += lane.entries.bodyBytesOf(seq);
    this.unackedCount += 1;
    return this.outer(lane, seq);
  }

  /** The lane whose message goes first: the highest that has one ready, or the last of all. */
  topLane(): Lane {
    const { lanes } = this;
    let at = 0;
    while (at < lanes.length - 1 && (lanes[at] as Lane).readyCount === 0) at += 1;
    return lanes[at] as Lane;
  }

  /** Whether messages are ready, but the next may go out only once a batch is durable. */
  get waitsForMark(): boolean {
    return this.readyCount > 0 && this.topLane().waitsForMark;
  }

  /** Ends the life of an unacked message. */
  end(seq: number): void {
    const { line } = this.host;
    line.begin();
    this.unackedCount -= 1;
    if (this.single) this.base.remove(seq);
    else this.laneOf(seq).remove(seq % LANE_SEQS);
    line.end();
  }

  /** Puts an unacked message back to its place. */
  requeue(seq: number): void {
    const lane = this.laneOf(seq);
    const inner = seq % LANE_SEQS;
    this.unackedCount -= 1;
    this.readyCount += 1;
    this.takenBytes -= lane.entries.bodyBytesOf(inner);
    lane.requeue(inner);
  }

  /** The log position of an unacked message. */
  positionOf(seq: number): number {
    return this.laneOf(seq).entries.positionOf(seq % LANE_SEQS);
  }

  /** All that is known of an unacked message. */
  entryOf(seq: number): HeldEntry {
    const lane = this.laneOf(seq);
    const inner = seq % LANE_SEQS;
    const { entries } = lane;
    let traits = entries.isStored(inner) ? PUSH_STORED : 0;
    if (entries.expires(inner)) traits |= PUSH_EXPIRES;
    if (lane.number > 0) traits |= PUSH_PRIORITY | ((lane.number - 1) << PUSH_PRIORITY_SHIFT);
    const bodyBytes = entries.bodyBytesOf(inner);
    return { seq, position: entries.positionOf(inner), bodyBytes, traits };
  }

  /** How often an unacked message came back before. */
  returnsOf(seq: number): number {
    return this.laneOf(seq).entries.returnsOf(seq % LANE_SEQS);
  }

  /** Counts that an unacked message comes back; returns how often it has by now. */
  countReturn(seq: number): number {
    return this.laneOf(seq).entries.countReturn(seq % LANE_SEQS);
  }

  /** Removes all ready messages; returns how many. */
  purge(): number {
    const count = this.readyCount;
    const bytes = this.bytes - this.readyBytes;
    const stored = Math.min(this.storedCount, this.unackedCount);
    for (const lane of this.lanes) lane.purge(this.unackedCount > 0);
    // Most of what a purge takes out it does not look at one by one.
    this.pushedBytes += bytes - this.bytes;
    this.takenBytes = this.pushedBytes;
    this.base.entries.storedCount += stored - this.storedSum;
    this.readyCount = 0;
    return count;
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    for (const lane of this.lanes) lane.discard();
    this.readyCount = 0;
    this.takenBytes = this.pushedBytes;
    this.unackedCount = 0;
  }

  /** Writes into the current batch what changed since the last one. */
  sealInto(batch: number): void {
    for (const lane of this.lanes) lane.sealInto(batch, this.unackedCount > 0);
  }

  /** Told that all batches up to `batch` are durable; returns whether deliveries may go on. */
  durableUpTo(batch: number): boolean {
    let free = false;
    for (const lane of this.lanes) if (lane.durableUpTo(batch)) free = true;
    return free;
  }

  /** At a clean stop: notes just which messages have been delivered, no more. */
  sealExactMarks(): void {
    for (const lane of this.lanes) lane.sealExactMark();
  }

  /** Reads the messages and marks back from the store. */
  recover(): void {
    if (this.priorityMax > 0) {
      for (const number of this.rows.lanes(this.owner.id)) this.addLane(number);
    }
    for (const lane of this.lanes) {
      this.pushedBytes += lane.recover();
      this.readyCount += lane.readyCount;
      this.firstTail += lane.entries.tail;
      lane.entries.storedCount = lane.readyCount;
    }
  }

  /**
   * Visits the messages of one page, ready ones and unacked ones, from a cursor on: where each lies
   * in the log, and how large its body is. Returns the cursor to go on with, in this turn or a later
   * one, or -1 at the end; the first is 0. A message that is there from before the first call until
   * after the last is visited, whatever else happens to the queue in between; what was purged is not.
   */
  visitPage(cursor: number, visit: PositionVisitor): number {
    const from = Math.floor(cursor / LANE_PAGES);
    const lanes = this.lanes.filter(({ number }) => number >= from);
    lanes.sort((a, b) => a.number - b.number);
    for (const { number, entries } of lanes) {
      const next = entries.visitPage(number === from ? cursor % LANE_PAGES : 0, visit);
      if (next >= 0) return number * LANE_PAGES + next;
    }
    return -1;
  }

  /** Visits what is there from a cursor of `visitPage` on, and also says of each what it is. */
  browsePage(cursor: number, visit: (browsed: BrowsedEntry) => void): number {
    const found: { position: number; bodyBytes: number; slot: number }[] = [];
    const next = this.visitPage(cursor, (position, bodyBytes, slot) =>
      found.push({ position, bodyBytes, slot }),
    );
    if (next < 0) return -1;
    // What `next` goes on with is the page behind the one that was visited.
    const page = next - 1;
    const lane = this.byNumber[Math.floor(page / LANE_PAGES)] as Lane;
    for (const { slot, ...entry } of found) {
      const inner = (page % LANE_PAGES) * PAGE_ENTRIES + slot;
      visit({ ...entry, lane, inner, seq: this.outer(lane, inner), ready: lane.isReady(inner) });
    }
    return next;
  }

  /** The messages that recovery found, and that the log lacks; asked for once. */
  takeLost(): BrowsedEntry[] {
    return this.lanes.flatMap((lane) => {
      const lost = lane.entries.lost.map((inner): BrowsedEntry => {
        const { entries } = lane;
        const [position, bodyBytes] = [entries.positionOf(inner), entries.bodyBytesOf(inner)];
        return { lane, inner, seq: this.outer(lane, inner), position, bodyBytes, ready: true };
      });
      lane.entries.lost = [];
      return lost;
    });
  }

  /** Ends the life of a ready message, wherever it stands, without a delivery. */
  removeReady({ lane, inner, bodyBytes }: BrowsedEntry): void {
    lane.removeReady(inner);
    this.readyCount -= 1;
    this.takenBytes += bodyBytes;
  }

  entriesDirty(): void {
    this.owner.entriesDirty();
  }

  leftBehind(sweep: Sweep): void {
    this.host.sweep(sweep);
  }

  markWanted(): void {
    this.owner.entriesDirty();
    this.host.awaitBatch();
  }

  unsealedPushed(): void {
    this.host.unsealedPushed += 1;
    this.host.unsealedLive += 1;
  }

  unsealedGone(): void {
    this.host.unsealedLive -= 1;
  }

  private laneOf(seq: number): Lane {
    if (this.single) return this.base;
    const lane = this.byNumber[Math.floor(seq / LANE_SEQS)];
    assert(lane !== undefined, 'a seq that was given out belongs to a lane');
    return lane;
  }

  private outer(lane: Lane, seq: number): number {
    return this.single ? seq : lane.number * LANE_SEQS + seq;
  }

  private laneOfPriority(priority: number): Lane {
    const known = Math.min(priority, this.priorityMax);
    if (known === this.priorityDefault) return this.base;
    return this.byNumber[known + 1] ?? this.addLane(known + 1);
  }

  private addLane(number: number): Lane {
    const lane = this.makeLane(number);
    this.byNumber[number] = lane;
    this.lanes.push(lane);
    this.lanes.sort((a, b) => this.priorityOf(b) - this.priorityOf(a));
    this.single = false;
    return lane;
  }

  private makeLane(number: number): Lane {
    const { id, durable } = this.owner;
    return new Lane(number, id, durable, this.log, this.rows, this);
  }

  private priorityOf(lane: Lane): number {
    return lane.number === 0 ? this.priorityDefault : lane.number - 1;
  }
}
