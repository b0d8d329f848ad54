// Owns the messages of one queue: their lanes, one for each priority in use, and how many are ready
// or unacked. Never knows consumers or rules: queue.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import type { Steps } from '../../turn/slices.ts';
import { GroupedMessages } from '../groups/grouped-messages.ts';
import { PUSH_EXPIRES, PUSH_PRIORITY, PUSH_PRIORITY_SHIFT, PUSH_STORED } from '../push-flags.ts';
import type { QueueRules } from '../rules.ts';
import { LANE_SEQS, Lane, type LaneOwner, RETURNED_LANES, seqInQueue } from './lane.ts';
import { Lanes } from './lanes.ts';
import type { HeldEntry, MessagesHost, MessagesOwner } from './messages-host.ts';
import type { AwayPage } from './pages/away-page.ts';
import type { PositionVisitor } from './pages/lane-pages.ts';
import { purgeOthers, purgeWholePages } from './purging.ts';
import type { TakenEntry } from './queue-entries.ts';
import type { QueueRows } from './queue-rows.ts';
import { type BrowsedEntry, visitPage } from './visiting.ts';

/** What of the rules of a queue orders its messages, and stays as it is. */
type OrderRules = Pick<QueueRules, 'priorityMax' | 'priorityDefault' | 'groupHeader'>;

/** The messages of one queue, in lanes. */
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
  readonly laneSet: Lanes;
  private readonly priorityMax: number;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly host: MessagesHost;
  private readonly owner: MessagesOwner;
  private readonly stateMask: number;
  /** Null: messages go out in order. */
  readonly grouped: GroupedMessages | null;
  /** Whether others may go out as one ends. */
  private ending = false;
  private readonly taken: TakenEntry = { seq: 0, position: 0, bodyBytes: 0, redelivered: false };

  /**
   * Messages of a higher priority than `priorityMax` count as that; 0: priorities mean nothing. `groupHeader` names the
   * header that makes groups; null: there are none.
   */
  constructor(
    owner: MessagesOwner,
    { priorityMax, priorityDefault, groupHeader }: OrderRules,
    log: MessageLog,
    host: MessagesHost,
    rows: QueueRows,
  ) {
    this.owner = owner;
    this.priorityMax = priorityMax;
    this.log = log;
    this.host = host;
    this.rows = rows;
    this.stateMask = owner.durable ? PUSH_STORED | PUSH_EXPIRES : PUSH_EXPIRES;
    this.grouped = groupHeader === null ? null : new GroupedMessages(log, groupHeader, host, owner);
    this.single = groupHeader === null;
    this.laneSet = new Lanes(priorityMax, priorityDefault, (number) => this.makeLane(number));
    this.base = this.laneSet.base;
    this.lanes = this.laneSet.all;
  }

  /** Adds a message; `flags` as for Queue.push. */
  push(position: number, bodyBytes: number, flags: number): void {
    const named = (flags & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    const lane = named ? this.laneSet.ofPriority(flags >>> PUSH_PRIORITY_SHIFT) : this.base;
    // PUSH_STORED and PUSH_EXPIRES are states of an entry, shifted by one.
    lane.push(position, bodyBytes, (flags & this.stateMask) << 1);
    this.readyCount += 1;
    this.pushedBytes += bodyBytes;
  }

  /** The same as `push` in a queue with groups; false: there are none, and nothing is added. */
  pushGrouped(position: number, bodyBytes: number, flags: number): boolean {
    const { grouped, base } = this;
    if (grouped === null) return false;
    this.push(position, bodyBytes, flags);
    grouped.added(base, base.entries.tail - 1, position, false);
    return true;
  }

  /** So many of each group may be unacked at a time, and of the queue; the one without a meaning is Infinity. */
  setBounds(ofGroup: number, ofQueue: number): void {
    this.grouped?.setBound(ofGroup);
    this.ending = this.grouped !== null || ofQueue !== Infinity;
    if (this.ending) this.single = false;
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
    let lane = this.laneSet.forFlags(flags);
    if (returned) lane = this.laneSet.returnedOf(lane);
    lane.push(position, bodyBytes, (flags & this.stateMask) << 1);
    const seq = lane.entries.tail - 1;
    if (returns > 0 || startMs > 0) lane.entries.note(seq, returns, startMs);
    this.grouped?.added(lane, seq, position, returned);
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
    const { taken, readyCount } = this;
    if (readyCount === 0) return null;
    const seq = this.single ? this.base.take(taken) : this.takeAmong(taken);
    // A page that is lost may have had all that was ready in its lane.
    if (seq < 0) return this.readyCount < readyCount ? this.take() : null;
    this.readyCount -= 1;
    this.takenBytes += taken.bodyBytes;
    this.unackedCount += 1;
    taken.seq = seq;
    return taken;
  }

  private takeAmong(taken: TakenEntry): number {
    if (this.grouped === null) {
      const lane = this.laneSet.top;
      const inner = lane.take(taken);
      return inner < 0 ? -1 : seqInQueue(lane, inner);
    }
    const seq = this.nextInGroups();
    if (seq < 0 || !this.laneOf(seq).takeAt(seq % LANE_SEQS, taken)) return -1;
    this.grouped.groups.take();
    return seq;
  }

  /** The message that goes out next where groups say so; -1: none may. Those of lost pages are passed over. */
  nextInGroups(): number {
    const { grouped } = this;
    if (grouped === null) return -1;
    for (;;) {
      const seq = grouped.groups.next();
      if (seq < 0 || this.isThere(seq)) return seq;
      grouped.groups.passBy();
    }
  }

  /** Whether the message with that seq, which is ready or unacked, is not in a lost page. */
  isThere(seq: number): boolean {
    return this.laneOf(seq).entries.has(seq % LANE_SEQS, true);
  }

  /** Takes the head of a lane out without giving it to a client; `end` it. Returns its seq, or -1 as Lane.findHead. */
  skipHead(lane: Lane): number {
    const inner = lane.skipHead();
    return inner < 0 ? -1 : this.skipped(lane, inner);
  }

  private skipped(lane: Lane, inner: number): number {
    this.grouped?.removed(lane, inner, true);
    this.readyCount -= 1;
    this.takenBytes += lane.entries.bodyBytesOf(inner);
    this.unackedCount += 1;
    return seqInQueue(lane, inner);
  }

  /** The same with a message anywhere in a lane of a queue with groups. */
  skipAt(lane: Lane, inner: number): number {
    lane.skipAt(inner);
    return this.skipped(lane, inner);
  }

  /** Whether messages are ready, but the next may go out only once a batch is durable. */
  get waitsForMark(): boolean {
    if (this.grouped !== null) return this.lanes.some((lane) => lane.waitsForMark);
    return this.readyCount > 0 && this.laneSet.top.waitsForMark;
  }

  /** Ends the life of an unacked message. */
  end(seq: number): void {
    const { line } = this.host;
    line.begin();
    this.unackedCount -= 1;
    if (this.single) this.base.remove(seq);
    else this.endAmong(this.laneOf(seq), seq % LANE_SEQS);
    line.end();
  }

  private endAmong(lane: Lane, inner: number): void {
    this.grouped?.ends(lane, inner);
    if (this.grouped === null) lane.remove(inner);
    else lane.removeOut(inner);
    if (this.ending) this.owner.wake();
  }

  /** An unacked message is going to wait until it is tried again, and then ends. */
  waits(seq: number): void {
    this.grouped?.waits(this.laneOf(seq), seq % LANE_SEQS);
  }

  /** Puts an unacked message back to its place. */
  requeue(seq: number): void {
    const lane = this.laneOf(seq);
    const inner = seq % LANE_SEQS;
    this.unackedCount -= 1;
    this.readyCount += 1;
    this.takenBytes -= lane.entries.bodyBytesOf(inner);
    lane.requeue(inner);
    this.grouped?.requeued(lane, inner);
  }

  /** The log position of an unacked message. */
  positionOf(seq: number): number {
    return this.laneOf(seq).entries.positionOf(seq % LANE_SEQS);
  }

  /** Whether an unacked message must not be seen yet, in another queue either. */
  isHeld(seq: number): boolean {
    return this.laneOf(seq).isHeld(seq % LANE_SEQS);
  }

  /** All that is known of an unacked message. */
  entryOf(seq: number): HeldEntry {
    return this.laneOf(seq).heldEntry(seq, seq % LANE_SEQS);
  }

  /** How often an unacked message came back before. */
  returnsOf(seq: number): number {
    return this.laneOf(seq).entries.returnsOf(seq % LANE_SEQS);
  }

  /** Counts that an unacked message comes back; returns how often it has by now. */
  countReturn(seq: number): number {
    return this.laneOf(seq).entries.countReturn(seq % LANE_SEQS);
  }

  /** Removes all ready messages, in steps for one batch; `told` is at once how many. */
  *purging(told: (count: number) => void): Steps {
    const { line } = this.host;
    line.begin();
    const count = this.readyCount;
    const bytes = this.bytes - this.readyBytes;
    const stored = Math.min(this.storedCount, this.unackedCount);
    const purged = this.lanes.map((lane) => lane.purge(this.unackedCount > 0));
    for (const each of purged) purgeWholePages(each);
    this.grouped?.groups.noneReady();
    // Most of what a purge takes out it does not look at one by one; what it does keeps these sums as they are.
    this.pushedBytes += bytes - this.bytes;
    this.takenBytes = this.pushedBytes;
    this.base.entries.storedCount += stored - this.storedSum;
    this.readyCount = 0;
    line.end();
    told(count);
    const removed = (bodyBytes: number): void => {
      this.pushedBytes += bodyBytes;
      this.takenBytes += bodyBytes;
    };
    for (const each of purged) yield* purgeOthers(each, line, removed);
    if (this.grouped !== null) yield* this.grouped.renewing();
  }

  /** Lets go of every message and row, as part of deleting the queue. */
  discard(): void {
    for (const lane of this.lanes) lane.discard();
    this.grouped?.groups.clear();
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

  /** No consumer is there: notes just which messages have been delivered, no more. `stops`: none comes again. */
  sealExactMarks(stops = true): void {
    for (const lane of this.lanes) lane.sealExactMark(stops);
  }

  /** Reads the messages and marks back from the store. */
  recover(): void {
    for (const number of this.rows.lanes(this.owner.id)) {
      if (this.priorityMax > 0 || number >= RETURNED_LANES) this.laneSet.add(number);
    }
    const { grouped } = this;
    for (const lane of this.lanes) {
      const found = grouped === null ? null : grouped.found.bind(grouped, lane);
      this.pushedBytes += lane.recover(found);
      this.readyCount += lane.readyCount;
      if (!lane.returned) this.firstTail += lane.entries.tail;
      lane.entries.storedCount = lane.readyCount;
    }
  }

  /** As `visitPage` of visiting.ts. */
  visitPage(cursor: number, visit: PositionVisitor): number {
    return visitPage(this.lanes, cursor, visit);
  }

  /** Ends the life of a ready message, wherever it stands, without a delivery. */
  removeReady({ lane, inner, bodyBytes }: BrowsedEntry): void {
    if (!lane.entries.has(inner, true)) return;
    this.grouped?.removed(lane, inner, false);
    lane.removeReady(inner);
    this.readyCount -= 1;
    this.takenBytes += bodyBytes;
  }

  entriesDirty(): void {
    this.owner.entriesDirty();
  }

  pageLost(lane: Lane, page: AwayPage, skipped: number): void {
    // Of one that was away as its queue was purged, what was ready is counted no more.
    if (page.purges === lane.purges) this.readyCount -= page.ready;
    else this.pushedBytes += page.readyBytes;
    this.takenBytes += page.readyBytes;
    if (!lane.returned) this.firstTail += skipped;
  }

  private laneOf(seq: number): Lane {
    return this.single ? this.base : this.laneSet.of(seq);
  }

  private makeLane(number: number): Lane {
    const { id, durable } = this.owner;
    if (number > 0) this.single = false;
    return new Lane(
      number,
      id,
      durable,
      this.log,
      this.rows,
      this.host,
      this,
      this.grouped === null,
    );
  }
}
