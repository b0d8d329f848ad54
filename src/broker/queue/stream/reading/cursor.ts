// Owns where a reading stands in one stream, and finds what it gets next. Never delivers.

import type { Consumer } from '../../consumer.ts';
import { isSettled, PAGE_ENTRIES, type Page } from '../../messages/pages/page.ts';
import type { FilterWalk } from '../filter/filter-walk.ts';
import { InFlight } from './in-flight.ts';
import type { ReadStream } from './read-stream.ts';

/** So many pages that are damaged, or messages that a repair took out, are passed by at a time. */
const PASSED_MAX = 512;

/** A place in a stream that moves ahead. */
export class Cursor {
  readonly stream: ReadStream;
  /** Which partition of a super stream it is, as deliveries say it; -1: it is none. */
  readonly partition: number;
  /** Its place among those that its reading reads, which gives it. */
  index = 0;
  /** Finds what its filter lets through; null: it reads all. */
  readonly walk: FilterWalk | null;
  /** The offset to look at next. */
  next: number;
  /** What is here and behind it is not read. */
  until: number;
  /** When `until` will be known, by the broker's time, ms; Infinity: it is. */
  untilMs = Infinity;
  /** Where the message lies that `find` found. */
  position = 0;
  /** The consumer that it reads for; null: for none. */
  owner: Consumer | null = null;
  /** The one that goes on once all is settled that `owner` has; null: `owner` does. */
  heir: Consumer | null = null;
  /** Whether `find` stopped among much that is gone, so that others have their turn. */
  passing = false;
  /** What is out for delivery, where that is kept track of. */
  readonly inFlight = new InFlight();
  /** Whether `owner` has left, and some of what it was given is not settled. */
  gone = false;
  /** Whether the stream is no partition any more: nothing is read, and what is out is settled still. */
  dropped = false;
  /** How many deliveries are not settled. */
  unacked = 0;
  /** The first offset that such a consumer gave back; Infinity: none. */
  private again = Infinity;
  private page: Page | null = null;

  constructor(
    stream: ReadStream,
    partition: number,
    next: number,
    until: number,
    walk: FilterWalk | null,
  ) {
    this.stream = stream;
    this.partition = partition;
    this.next = next;
    this.until = until;
    this.walk = walk;
  }

  /** The offset of the next message to deliver, which `position` is of then; -1: there is none yet, or no more. */
  find(): number {
    const { walk } = this;
    let passed = 0;
    this.passing = false;
    const { entries } = this.stream;
    if (this.next < entries.first) this.next = entries.first;
    const end = Math.min(entries.durableTail, this.until);
    while (this.next < end) {
      if (passed === PASSED_MAX) {
        this.passing = true;
        return -1;
      }
      passed += 1;
      if (walk !== null) {
        const found = walk.find(this.next, end);
        this.next = walk.next;
        if (found < 0) return -1;
      }
      const offset = this.next;
      const number = Math.floor(offset * (1 / PAGE_ENTRIES));
      let { page } = this;
      if (page === null || !entries.holds(page, number)) {
        page = entries.page(number);
        this.page = page;
      }
      if (page === null) {
        this.next = (number + 1) * PAGE_ENTRIES;
        continue;
      }
      const slot = offset - number * PAGE_ENTRIES;
      if (page.settled === 0 || !isSettled(page, slot)) {
        this.position = page.positions[slot] as number;
        return offset;
      }
      // A repair took it out.
      this.next = offset + 1;
    }
    return -1;
  }

  /** Finds where the time stands at which it ends, if that has come. */
  timePassed(nowMs: number): void {
    if (this.untilMs > nowMs) return;
    this.until = this.stream.offsetAt(this.untilMs);
    this.untilMs = Infinity;
  }

  /** The body bytes of the message that `find` found. */
  get bodyBytes(): number {
    const page = this.page as Page;
    return page.bodyBytes[this.next - page.number * PAGE_ENTRIES] as number;
  }

  /** Whether there may be something to deliver. */
  get behind(): boolean {
    return this.next < Math.min(this.stream.entries.durableTail, this.until);
  }

  /** Whether all has been delivered that is to be read. */
  get ended(): boolean {
    return this.next >= this.until || this.stream.deleted;
  }

  /** Whether it gives messages to its owner. */
  get serves(): boolean {
    if (this.owner === null || this.heir !== null || this.gone) return false;
    return !this.stream.paused && !this.stream.deleted;
  }

  /** The offset below which all is settled. */
  get place(): number {
    const { first } = this.inFlight;
    return Math.min(first < 0 ? this.next : first, this.again);
  }

  /** A consumer that has left gives back what it has not settled: it is read anew. */
  giveBack(offset: number): void {
    if (offset < this.again) this.again = offset;
    this.inFlight.settle(offset);
  }

  /** Its owner leaves, or has a heir: the heir takes over once nothing is out. Returns whether it does. */
  handOver(): boolean {
    if (this.inFlight.length > 0) return false;
    this.next = Math.min(this.next, this.again);
    this.again = Infinity;
    this.gone = false;
    this.owner = this.heir;
    this.heir = null;
    return true;
  }
}
