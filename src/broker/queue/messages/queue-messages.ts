// Owns the messages of one queue: their lanes, one for each priority in use, and how many are ready
// or unacked. Never knows consumers or rules: queue.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import { assert } from '../../../util/assert.ts';
import { PUSH_EXPIRES, PUSH_PRIORITY, PUSH_PRIORITY_SHIFT, PUSH_STORED } from '../push-flags.ts';
import {
  LANE_SEQS,
  Lane,
  type LaneOwner,
  RETURNED_LANES,
  returnedLaneOf,
  seqInQueue,
} from './lane.ts';
import type { HeldEntry, MessagesHost } from './messages-host.ts';
import type { PositionVisitor, TakenEntry } from './queue-entries.ts';
import type { QueueRows } from './queue-rows.ts';
import type { Sweep } from './sweeps.ts';
import { type BrowsedEntry, browsePage, takeLost, visitPage } from './visiting.ts';

/** What these messages belong to. */
export interface MessagesOwner {
  readonly id: number;
  readonly durable: boolean;
  /** Something changed that belongs into the next batch. */
  entriesDirty(): void;
}

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

  /** Adds a message; `flags` as for Queue.push. */
  push(position: number, bodyBytes: number, flags: number): void {
    const named = (flags & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    const lane = named ? this.laneOfPriority(flags >>> PUSH_PRIORITY_SHIFT) : this.base;
    // PUSH_STORED and PUSH_EXPIRES are states of an entry, shifted by one.
    lane.push(position, bodyBytes, (flags & this.stateMask) << 1);
    this.readyCount += 1;
    this.pushedBytes += bodyBytes;
  }

  /** The seq that the next message of these flags gets. */
  nextSeq(flags: number): number {
    const named = (flags & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    const lane = named ? this.laneOfPriority(flags >>> PUSH_PRIORITY_SHIFT) : this.base;
    return seqInQueue(lane, lane.entries.tail);
  }

  /** Whether the message with a seq inside a lane is there, ready or unacked; `exact` as for QueueEntries.has. */
  isThere(lane: number, inner: number, exact: boolean): boolean {
    return this.byNumber[lane]?.entries.has(inner, exact) ?? false;
  }

  /**
   * Adds a message that has waited for its time: `returned`, it came back so many times before, and goes ahead of
   * those that never were out. Its time to live began at `startMs`; 0: as it arrived. Returns the lane that has it now.
   */
  pushWaited(
    position: number,
    bodyBytes: number,
    flags: number,
    returned: boolean,
    returns: number,
    startMs: number,
  ): Lane {
    const named = (flags & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    let lane = named ? this.laneOfPriority(flags >>> PUSH_PRIORITY_SHIFT) : this.base;
    if (returned) {
      const number = returnedLaneOf(lane.number);
      lane = this.byNumber[number] ?? this.addLane(number);
    }
    const seq = lane.entries.tail;
    lane.push(position, bodyBytes, (flags & this.stateMask) << 1);
    if (returns > 0 || startMs > 0) lane.entries.note(seq, returns, startMs);
    // What came back goes out as redelivered in any case.
    if (!returned && (flags & PUSH_STORED) !== 0) lane.pushedWaited();
    this.readyCount += 1;
    this.pushedBytes += bodyBytes;
    return lane;
  }

  /** What of `flags` holds for a message of this queue. */
  maskFlags(flags: number): number {
    return flags & (this.stateMask | ~(PUSH_STORED | PUSH_EXPIRES));
  }

  /** How many messages came since the start: there is no counter, their seqs give the number. */
  get pushedCount(): number {
    // What came back was counted as it came first.
    return this.lanes.reduce(
      (sum, { returned, entries }) => (returned ? sum : sum + entries.tail),
      -this.firstTail,
    );
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
    let flags = entries.isStored(inner) ? PUSH_STORED : 0;
    if (entries.expires(inner)) flags |= PUSH_EXPIRES;
    const number = lane.returned ? lane.number - RETURNED_LANES : lane.number;
    if (number > 0) flags |= PUSH_PRIORITY | ((number - 1) << PUSH_PRIORITY_SHIFT);
    const bodyBytes = entries.bodyBytesOf(inner);
    const startMs = entries.startOf(inner);
    return { seq, position: entries.positionOf(inner), bodyBytes, flags, startMs };
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
    for (const number of this.rows.lanes(this.owner.id)) {
      if (this.priorityMax > 0 || number >= RETURNED_LANES) this.addLane(number);
    }
    for (const lane of this.lanes) {
      this.pushedBytes += lane.recover();
      this.readyCount += lane.readyCount;
      if (!lane.returned) this.firstTail += lane.entries.tail;
      lane.entries.storedCount = lane.readyCount;
    }
  }

  /** As `visitPage` of visiting.ts. */
  visitPage(cursor: number, visit: PositionVisitor): number {
    return visitPage(this.lanes, cursor, visit);
  }

  /** Visits what is there from a cursor of `visitPage` on, and also says of each what it is. */
  browsePage(cursor: number, visit: (browsed: BrowsedEntry) => void): number {
    return browsePage(this.lanes, cursor, visit);
  }

  /** The messages that recovery found, and that the log lacks; asked for once. */
  takeLost(): BrowsedEntry[] {
    return takeLost(this.lanes);
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
    return this.single ? seq : seqInQueue(lane, seq);
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

  private priorityOf({ number, returned }: Lane): number {
    const beside = returned ? number - RETURNED_LANES : number;
    const priority = beside === 0 ? this.priorityDefault : beside - 1;
    return returned ? priority + 0.5 : priority;
  }
}
