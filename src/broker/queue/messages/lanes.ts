// Owns which lanes a queue has, and which of them goes first. Never takes a message out of one: queue-messages.ts does.

import { assert } from '../../../util/assert.ts';
import { PUSH_PRIORITY, PUSH_PRIORITY_SHIFT } from '../push-flags.ts';
import { LANE_SEQS, type Lane, RETURNED_LANES, returnedLaneOf, seqInQueue } from './lane.ts';

/**
 * Lane 0 is that of messages without a priority, which most queues have alone; priority p has lane
 * p + 1, made when its first message comes. So a queue that knows priorities costs no more than any
 * other until some message has one. What came back and has waited has a lane ahead of the one that it was in.
 */
export class Lanes {
  /** All of them, the highest priority first. */
  readonly all: Lane[];
  /** The lane of messages that name no priority. */
  readonly base: Lane;
  private readonly byNumber: (Lane | undefined)[];
  private readonly priorityMax: number;
  private readonly priorityDefault: number;
  private readonly make: (number: number) => Lane;

  /** Messages of a higher priority than `priorityMax` count as that; 0: priorities mean nothing. */
  constructor(priorityMax: number, priorityDefault: number, make: (number: number) => Lane) {
    this.priorityMax = priorityMax;
    this.priorityDefault = priorityDefault;
    this.make = make;
    this.base = make(0);
    this.all = [this.base];
    this.byNumber = [this.base];
  }

  /** The lane of a message with that seq outside. */
  of(seq: number): Lane {
    const lane = this.byNumber[Math.floor(seq / LANE_SEQS)];
    assert(lane !== undefined, 'a seq that was given out belongs to a lane');
    return lane;
  }

  /** The lane of what is pushed with these flags. */
  forFlags(flags: number): Lane {
    const named = (flags & PUSH_PRIORITY) !== 0 && this.priorityMax > 0;
    return named ? this.ofPriority(flags >>> PUSH_PRIORITY_SHIFT) : this.base;
  }

  /** The seq that the next message of these flags gets. */
  nextSeq(flags: number): number {
    const lane = this.forFlags(flags);
    lane.entries.openTail();
    return seqInQueue(lane, lane.entries.tail);
  }

  /** Whether the message with a seq inside a lane is there, ready or unacked; `exact` as for QueueEntries.has. */
  isThere(lane: number, inner: number, exact: boolean): boolean {
    return this.byNumber[lane]?.entries.has(inner, exact) ?? false;
  }

  ofPriority(priority: number): Lane {
    const known = Math.min(priority, this.priorityMax);
    if (known === this.priorityDefault) return this.base;
    return this.byNumber[known + 1] ?? this.add(known + 1);
  }

  /** The lane of what was in another and came back, and has waited. */
  returnedOf(lane: Lane): Lane {
    const number = returnedLaneOf(lane.number);
    return this.byNumber[number] ?? this.add(number);
  }

  /** The lane whose message goes first: the highest that has one ready, or the last of all. */
  get top(): Lane {
    const { all } = this;
    let at = 0;
    while (at < all.length - 1 && (all[at] as Lane).readyCount === 0) at += 1;
    return all[at] as Lane;
  }

  add(number: number): Lane {
    const lane = this.make(number);
    this.byNumber[number] = lane;
    this.all.push(lane);
    this.all.sort((a, b) => this.priorityOf(b) - this.priorityOf(a));
    return lane;
  }

  private priorityOf({ number, returned }: Lane): number {
    const beside = returned ? number - RETURNED_LANES : number;
    const priority = beside === 0 ? this.priorityDefault : beside - 1;
    return returned ? priority + 0.5 : priority;
  }
}
