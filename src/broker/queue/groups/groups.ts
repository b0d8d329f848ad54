// Owns the order in which a queue with groups gives out its messages: in order within each group, so many of one at a
// time, the groups in turns. Never knows where a message lies, or what it is: queue-messages.ts does.

import { NumberHeap } from '../../../util/numbers/heap.ts';
import { LANE_SEQS, LANES_MAX, RETURNED_LANES } from '../messages/lane.ts';
import { NO_GROUP } from './group-key.ts';
import { GroupLines } from './group-lines.ts';
import { GroupTable, slotOf } from './group-table.ts';

/** So many messages of a group are passed by in the search for a place. */
const STEPS_MAX = 64;
/** So many groups are renewed at a time: some tenths of a millisecond. */
const RENEWED_AT_ONCE = 1_024;

/*
 *   group A   m1 m4 m5         turns   A -> C -> ...     those with something to give out, and place for it
 *   group B   m2 (m7 unacked)
 *   group C   m3 m6
 *
 * A group with as many unacked as may be leaves the turns as it comes up, and joins them again, behind all others, as
 * one of these ends. What waits to be tried again counts as unacked. Messages without a group have one turn in common,
 * as a group whose messages need not wait for each other.
 */
export class Groups {
  private readonly table: GroupTable;
  private readonly lines = new GroupLines();
  private bound: number;
  /** The groups in turns, the next one first; 0: none. */
  private firstTurn = 0;
  private lastTurn = 0;
  /**
   * Lines are not searched to their ends. What comes back and belongs far behind the first of its group stands aside, by
   * its rank, and what leaves from there is noted as gone; the first of a line is neither.
   */
  private readonly aside = new Map<number, NumberHeap>();
  private readonly gone = new Set<number>();
  /** How many messages are unacked, and wait to be tried again. */
  private unackedCount = 0;
  private waitingCount = 0;
  /**
   * What changed for all groups at once, by epochs: since when none had a ready message, and since when none waited. A group
   * that is not up to the newest is renewed as it is looked at, or in its turn: the next one's number, or 0, all are.
   */
  private readyAnewFrom = 0;
  private waitsAnewFrom = 0;
  private renewed = 0;
  /** The place that was put in last, where those that come back in order go on; 0: none. */
  private hint = 0;
  private hintGroup = 0;

  /** `bound`: so many of a group may be unacked at a time. `seed`: any number that publishers do not know. */
  constructor(bound: number, seed: number) {
    this.bound = bound;
    this.table = new GroupTable(seed);
  }

  /** How many groups have messages that are ready, unacked, or wait to be tried again. */
  get count(): number {
    return this.table.count;
  }

  /** From now on so many of a group may be unacked at a time; returns whether `renewSome` has to follow. */
  setBound(bound: number): boolean {
    const raised = bound > this.bound;
    this.bound = bound;
    if (!raised || this.table.count === 0) return false;
    this.begin();
    return true;
  }

  /** Adds a ready message behind all others of its group. */
  add(key: number, seq: number): void {
    const group = this.findOrMake(key);
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    const place = this.lines.add(seq);
    const last = chunk.last[slot] as number;
    chunk.last[slot] = place;
    if (last !== 0) this.lines.link(last, place);
    else chunk.first[slot] = place;
    this.join(group);
  }

  /** Adds a ready message at its place in its group: most often the first. */
  put(key: number, seq: number): void {
    const { lines } = this;
    const group = this.findOrMake(key);
    // It was taken out, and stands in its place still.
    if (this.gone.size > 0 && this.gone.delete(seq)) return this.join(group);
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    const rank = rankOf(seq);
    let before = 0;
    if (this.hintGroup === group && this.hint !== 0 && rankOf(lines.seq(this.hint)) < rank)
      before = this.hint;
    let behind = before === 0 ? (chunk.first[slot] as number) : lines.next(before);
    for (let steps = 0; behind !== 0 && rankOf(lines.seq(behind)) < rank; steps++) {
      if (steps === STEPS_MAX) return this.putAside(group, rank);
      before = behind;
      behind = lines.next(behind);
    }
    const place = lines.add(seq);
    lines.link(place, behind);
    if (before === 0) chunk.first[slot] = place;
    else lines.link(before, place);
    if (behind === 0) chunk.last[slot] = place;
    this.hint = place;
    this.hintGroup = group;
    this.join(group);
  }

  /** The message that goes out next; -1: none may. */
  next(): number {
    for (;;) {
      const group = this.firstTurn;
      if (group === 0) return -1;
      const chunk = this.table.chunk(group);
      const slot = slotOf(group);
      const first = chunk.first[slot] as number;
      if (first !== 0 && this.hasPlace(group)) return this.lines.seq(first);
      this.leave(group);
      this.forget(group);
    }
  }

  /** The message that `next` gave goes out: it is unacked now, and the turn passes. */
  take(): void {
    const group = this.firstTurn;
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    const first = chunk.first[slot] as number;
    const next = this.lines.next(first);
    this.freePlace(first);
    chunk.first[slot] = next;
    if (next === 0) chunk.last[slot] = 0;
    if (this.aside.size + this.gone.size > 0) this.settleFirst(group);
    this.unackedCount += 1;
    chunk.unacked[slot] = (chunk.unacked[slot] as number) + 1;
    this.leave(group);
    if (chunk.first[slot] !== 0) this.join(group);
  }

  /** The message that `next` gave is not there any more: its group waits for another turn. */
  passBy(): void {
    const group = this.firstTurn;
    const key = this.table.chunk(group).keys[slotOf(group)] as number;
    this.take();
    this.ended(key);
  }

  /** Takes a ready message out, wherever it stands; `unacked`: it counts as that from now on. */
  remove(key: number, seq: number, unacked: boolean): void {
    const { lines } = this;
    const group = this.find(key);
    if (group === 0) return;
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    let before = 0;
    let place = chunk.first[slot] as number;
    let steps = 0;
    for (; place !== 0 && steps < STEPS_MAX && lines.seq(place) !== seq; steps++) {
      before = place;
      place = lines.next(place);
    }
    if (place === 0 && !this.aside.has(group)) return;
    if (place === 0 || lines.seq(place) !== seq) this.gone.add(seq);
    else {
      const next = lines.next(place);
      if (before === 0) chunk.first[slot] = next;
      else lines.link(before, next);
      if (next === 0) chunk.last[slot] = before;
      this.freePlace(place);
      if (this.aside.size + this.gone.size > 0) this.settleFirst(group);
    }
    if (unacked) {
      this.unackedCount += 1;
      chunk.unacked[slot] = (chunk.unacked[slot] as number) + 1;
    }
    this.forget(group);
  }

  /** An unacked message of that group has ended, or comes back: then it is put in again. */
  ended(key: number): void {
    const group = this.find(key);
    if (group === 0) return;
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    if ((chunk.unacked[slot] as number) > 0) {
      this.unackedCount -= 1;
      chunk.unacked[slot] = (chunk.unacked[slot] as number) - 1;
    }
    if (chunk.first[slot] !== 0) this.join(group);
    else this.forget(group);
  }

  /** A message of that group waits to be tried again. */
  waits(key: number): void {
    const group = this.findOrMake(key);
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    this.waitingCount += 1;
    chunk.waiting[slot] = (chunk.waiting[slot] as number) + 1;
  }

  /** It does so no more. */
  waited(key: number): void {
    const group = this.find(key);
    if (group === 0) return;
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    if ((chunk.waiting[slot] as number) > 0) {
      this.waitingCount -= 1;
      chunk.waiting[slot] = (chunk.waiting[slot] as number) - 1;
    }
    if (chunk.first[slot] !== 0) this.join(group);
    else this.forget(group);
  }

  /** No message waits any more to be tried again: `renew` has to follow. */
  noneWaits(): void {
    if (this.waitingCount === 0) return;
    this.waitingCount = 0;
    this.waitsAnewFrom = this.begin();
  }

  /** Forgets all. */
  clear(): void {
    this.forgetReady();
    this.table.clear();
    this.unackedCount = 0;
    this.waitingCount = 0;
    this.renewed = 0;
  }

  /** No message is ready any more: `renew` has to follow. */
  noneReady(): void {
    if (this.unackedCount + this.waitingCount === 0) return this.clear();
    this.forgetReady();
    this.readyAnewFrom = this.begin();
  }

  private forgetReady(): void {
    this.firstTurn = 0;
    this.lastTurn = 0;
    this.hint = 0;
    this.aside.clear();
    this.gone.clear();
    this.lines.clear();
  }

  /** Something changes for all groups at once: each is renewed as it is looked at, and the others one by one. */
  private begin(): number {
    this.table.epoch += 1;
    this.renewed = 1;
    return this.table.epoch;
  }

  /**
   * Brings some groups up to what changed for all at once: they have turns, or are forgotten. Those that are looked at are so
   * before that. Returns whether more are left.
   */
  renewSome(): boolean {
    const { table } = this;
    if (this.renewed === 0) return false;
    const end = Math.min(table.end, this.renewed + RENEWED_AT_ONCE);
    for (let group = this.renewed; group < end; group++) {
      if (!this.renew(group)) continue;
      this.forget(group);
      if (table.count === 0) break;
    }
    this.renewed = end < table.end ? end : 0;
    return this.renewed > 0;
  }

  /** Brings a group up to what changed for all at once; returns whether it was not. */
  private renew(group: number): boolean {
    const { table } = this;
    const chunk = table.chunk(group);
    const slot = slotOf(group);
    const epoch = chunk.epochs[slot] as number;
    if (epoch >= table.epoch) return false;
    chunk.epochs[slot] = table.epoch;
    if (epoch < this.waitsAnewFrom) chunk.waiting[slot] = 0;
    if (epoch < this.readyAnewFrom) {
      chunk.first[slot] = 0;
      chunk.last[slot] = 0;
      chunk.turning[slot] = 0;
    }
    if (chunk.first[slot] !== 0) this.join(group);
    return true;
  }

  /** The group of a key; 0: there is none. */
  private find(key: number): number {
    const group = this.table.find(key);
    if (this.renewed > 0 && group !== 0) this.renew(group);
    return group;
  }

  private findOrMake(key: number): number {
    return this.find(key) || this.table.findOrMake(key);
  }

  /** Keeps a message of a group that has others before it. */
  private putAside(group: number, rank: number): void {
    let heap = this.aside.get(group);
    if (heap === undefined) {
      heap = new NumberHeap();
      this.aside.set(group, heap);
    }
    heap.push(rank);
    this.join(group);
  }

  /** Has the first of a group at the head of its line, now that another one is not there any more. */
  private settleFirst(group: number): void {
    const { lines, gone, aside } = this;
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    for (;;) {
      const first = chunk.first[slot] as number;
      const heap = aside.get(group);
      if (heap !== undefined && (first === 0 || heap.first < rankOf(lines.seq(first)))) {
        const seq = seqOf(heap.pop());
        if (heap.size === 0) aside.delete(group);
        if (gone.delete(seq)) continue;
        const place = lines.add(seq);
        lines.link(place, first);
        chunk.first[slot] = place;
        if (first === 0) chunk.last[slot] = place;
        return;
      }
      if (first === 0 || !gone.delete(lines.seq(first))) return;
      const next = lines.next(first);
      chunk.first[slot] = next;
      if (next === 0) chunk.last[slot] = 0;
      this.freePlace(first);
    }
  }

  private hasPlace(group: number): boolean {
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    if (chunk.keys[slot] === NO_GROUP) return true;
    return (chunk.unacked[slot] as number) + (chunk.waiting[slot] as number) < this.bound;
  }

  /** Puts a group behind all others that have a turn, if it has none and could use one. */
  private join(group: number): void {
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    if (chunk.turning[slot] === 1 || !this.hasPlace(group)) return;
    chunk.turning[slot] = 1;
    chunk.next[slot] = 0;
    chunk.before[slot] = this.lastTurn;
    if (this.firstTurn === 0) this.firstTurn = group;
    else this.table.chunk(this.lastTurn).next[slotOf(this.lastTurn)] = group;
    this.lastTurn = group;
  }

  /** Takes a group out of the turns. */
  private leave(group: number): void {
    const { table } = this;
    const chunk = table.chunk(group);
    const slot = slotOf(group);
    const next = chunk.next[slot] as number;
    const before = chunk.before[slot] as number;
    chunk.turning[slot] = 0;
    if (before === 0) this.firstTurn = next;
    else table.chunk(before).next[slotOf(before)] = next;
    if (next === 0) this.lastTurn = before;
    else table.chunk(next).before[slotOf(next)] = before;
  }

  /** Lets go of a group that has nothing any more, and of the turn of one that has nothing ready. */
  private forget(group: number): void {
    const chunk = this.table.chunk(group);
    const slot = slotOf(group);
    if (chunk.first[slot] !== 0) return;
    if (chunk.turning[slot] === 1) this.leave(group);
    if (chunk.unacked[slot] !== 0 || chunk.waiting[slot] !== 0) return;
    if (this.hintGroup === group) this.hint = 0;
    this.table.remove(group);
  }

  private freePlace(place: number): void {
    if (this.hint === place) this.hint = 0;
    this.lines.remove(place);
  }
}

/** What came back and has waited is of another lane, and goes ahead. */
function rankOf(seq: number): number {
  return seq >= RETURNED_LANES * LANE_SEQS ? seq - LANES_MAX * LANE_SEQS : seq;
}

function seqOf(rank: number): number {
  return rank < 0 ? rank + LANES_MAX * LANE_SEQS : rank;
}
