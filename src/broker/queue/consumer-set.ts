// Owns the consumers of one queue and which of them has its turn. Never delivers: the queue does.

import { assert } from '../../util/assert.ts';
import type { Consumer } from './consumer.ts';
import { SingleActive, type SingleActiveQueue } from './single-active.ts';

/** A turn is searched for among so many at no further thought. */
const SEARCH_SHORT = 16;
/** So many consumers that leave together are taken off one by one; for more, the list is made anew. */
const LEAVE_SINGLY = 16;
/** When longer searches come to so many looks at consumers, other queues have their turn. */
const LOOKS_MAX = 65_536;

/**
 * The consumers of one queue, served in turns: those of the highest priority that can take
 * messages; or only the active one of a queue with a single active consumer.
 *
 * One from which a message was taken back is late. While others are not, it is given no more than it had then: a
 * consumer that hangs gets nothing, and so does not use up the attempts of any message.
 */
export class ConsumerSet {
  /** The highest priority first, and in order of registration among equals. */
  readonly list: Consumer[] = [];
  /** Which one is given messages, if the queue has a single active consumer; null: it serves all. */
  private readonly single: SingleActive | null;
  /** Whether consumers differ in priority. */
  private ranked = false;
  /** How many consumers have joined so far. */
  private joined = 0;
  private next = 0;
  /** What `next` is if the last pick was in vain; or `served` of the one that was picked, where they are ranked. */
  private before = 0;
  /** How many are late, and whether all are. */
  private lateCount = 0;
  private allLate = false;
  private servings = 0;
  /** Looks of long searches since it paused last. */
  private looks = 0;
  /** Whether `pick`, when it gave null, did so only to let other queues have their turn. */
  paused = false;

  /** `queue`: one with a single active consumer; null: it serves all. */
  constructor(queue: SingleActiveQueue | null) {
    this.single = queue === null ? null : new SingleActive(queue);
  }

  /** The single active consumer; null: there is none, or the queue serves all. */
  get active(): Consumer | null {
    return this.single?.active ?? null;
  }

  add(consumer: Consumer): void {
    this.joined += 1;
    consumer.joined = this.joined;
    this.list.splice(this.placeOf(consumer), 0, consumer);
    this.changed();
    this.single?.came(consumer);
  }

  /**
   * Takes off consumers that are there. A search through the list for each of tens of thousands would hold
   * up the broker for seconds.
   */
  remove(leaving: readonly Consumer[]): void {
    if (leaving.length <= LEAVE_SINGLY) for (const consumer of leaving) this.removeOne(consumer);
    else this.removeMany(new Set(leaving));
    this.left(leaving);
  }

  /** Told that a message was taken back from a consumer, which it counts still. */
  fellBehind(consumer: Consumer): void {
    if (consumer.heldLate === 0) this.lateCount += 1;
    consumer.heldLate = consumer.unacked;
    this.changed();
    this.limit(consumer);
  }

  /** Told that a consumer has settled all that was taken back from it. */
  caughtUp(consumer: Consumer): void {
    if (consumer.heldLate === 0) return;
    this.lateCount -= 1;
    this.forgive(consumer);
    this.changed();
  }

  /** The timeout of the queue has changed: their channels are told. */
  timeoutChanged(): void {
    for (const consumer of this.list) consumer.channel.timeoutChanged(consumer);
  }

  private forgive(consumer: Consumer): void {
    consumer.heldLate = 0;
    consumer.room = consumer.prefetch;
  }

  private limit(consumer: Consumer): void {
    consumer.room = this.allLate ? consumer.prefetch : consumer.heldLate;
  }

  private removeOne(consumer: Consumer): void {
    const index = this.placeOf(consumer);
    assert(this.list[index] === consumer, 'a consumer leaves the queue that it consumes from');
    this.list.splice(index, 1);
    if (this.next > index) this.next -= 1;
  }

  private removeMany(leaving: ReadonlySet<Consumer>): void {
    const { list, next } = this;
    const count = list.length;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const consumer = list[i] as Consumer;
      if (!leaving.has(consumer)) list[kept++] = consumer;
      else if (next > i) this.next -= 1;
    }
    list.length = kept;
    assert(kept === count - leaving.size, 'consumers leave the queue that they consume from');
  }

  /** Where a consumer stands, or would stand if it came. */
  private placeOf({ priority, joined }: Consumer): number {
    const { list } = this;
    let [from, to] = [0, list.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const other = list[middle] as Consumer;
      const first =
        other.priority > priority || (other.priority === priority && other.joined < joined);
      if (first) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Takes all consumers off, or the first of them, and returns them: their queue is gone, or going. */
  clear(countMax = this.list.length): Consumer[] {
    const gone = this.list.splice(0, countMax);
    this.next = Math.max(0, this.next - gone.length);
    this.left(gone);
    return gone;
  }

  /** The consumer that has the queue to itself, if any. */
  get exclusive(): Consumer | null {
    const only = this.list[0];
    return only?.exclusive ? only : null;
  }

  /**
   * The consumer whose turn it is among those that can take a message; null: none can, or the set
   * is paused: among tens of thousands that are busy, finding one for each message takes long.
   */
  pick(): Consumer | null {
    if (this.single !== null) return this.single.pick();
    if (this.ranked) return this.pickRanked();
    const { list } = this;
    const count = list.length;
    const from = this.next;
    let index = from;
    for (let tried = 0; tried < count; tried++) {
      if (index >= count) index = 0;
      const consumer = list[index] as Consumer;
      if (consumer.asks()) {
        // A long search would take long again.
        this.before = tried <= SEARCH_SHORT ? from : index;
        this.next = index + 1;
        if (tried <= SEARCH_SHORT || !this.pauses(tried)) return consumer;
        this.next = index;
        return null;
      }
      index += 1;
    }
    this.paused = false;
    return null;
  }

  /** Of those of the highest priority that are ready, the one that has waited longest. */
  private pickRanked(): Consumer | null {
    let best: Consumer | null = null;
    let i = 0;
    for (; i < this.list.length; i++) {
      const consumer = this.list[i] as Consumer;
      if (best !== null && consumer.priority < best.priority) break;
      if (!consumer.asks()) continue;
      if (best === null || consumer.served < best.served) best = consumer;
    }
    this.servings += 1;
    this.paused = false;
    if (best !== null && i > SEARCH_SHORT && this.pauses(i)) return null;
    if (best === null) return null;
    this.before = best.served;
    best.served = this.servings;
    return best;
  }

  /**
   * There was nothing to give to the consumer that was picked last: its turn is still to come, and before it that of
   * another which could take nothing just now.
   */
  pickedInVain(consumer: Consumer): void {
    if (this.ranked) consumer.served = this.before;
    else if (this.single === null) this.next = this.before;
  }

  /** Whether there were enough looks before this search. At least one search between two pauses finds a consumer. */
  private pauses(looks: number): boolean {
    this.paused = this.looks > LOOKS_MAX;
    this.looks = this.paused ? 0 : this.looks + looks;
    return this.paused;
  }

  private left(gone: readonly Consumer[]): void {
    for (const consumer of gone) {
      if (consumer.heldLate === 0) continue;
      this.lateCount -= 1;
      this.forgive(consumer);
    }
    this.single?.left(gone);
    this.changed();
  }

  private changed(): void {
    const { list } = this;
    this.ranked = list.length > 1 && list[0]?.priority !== list.at(-1)?.priority;
    this.single?.choose(list);
    const allLate = this.lateCount > 0 && this.lateCount === list.length;
    if (allLate === this.allLate) return;
    this.allLate = allLate;
    for (const consumer of list) if (consumer.heldLate > 0) this.limit(consumer);
  }
}
