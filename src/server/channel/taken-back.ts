// Owns which deliveries of one channel were taken back from it after their time, and the places that they keep in the
// prefetch of their consumers. Never takes anything back: deliveries.ts does.

import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';

/** How many are remembered; the oldest are forgotten first. */
const TAKEN_BACK_MAX = 10_000;

/** A delivery that was taken back. */
interface LostLease {
  readonly queue: ConsumerSource;
  /** Whose prefetch it counts in still; null: nothing does. */
  readonly consumer: Consumer | null;
}

/** The deliveries that were taken back, and not settled late. */
export class TakenBack {
  private readonly leases = new Map<number, LostLease>();
  private readonly giveBack: (consumer: Consumer) => void;

  /** `giveBack` is told of each place in the prefetch of a consumer that is free again. */
  constructor(giveBack: (consumer: Consumer) => void) {
    this.giveBack = giveBack;
  }

  get count(): number {
    return this.leases.size;
  }

  /** How many of them keep a place in the prefetch of a consumer. */
  get places(): number {
    let places = 0;
    for (const { consumer } of this.leases.values()) if (consumer !== null) places += 1;
    return places;
  }

  /** Notes a delivery whose message goes back to its queue now; with a consumer, it keeps its place there. */
  add(tag: number, queue: ConsumerSource, consumer: Consumer | null): void {
    queue.counts.leasesExpired += 1;
    this.leases.set(tag, { queue, consumer });
    if (consumer !== null) {
      consumer.late += 1;
      queue.subscribed.fellBehind(consumer);
    }
    if (this.leases.size <= TAKEN_BACK_MAX) return;
    // Its place stays taken: a client that settles so late is told that the tag is unknown, and its channel ends.
    for (const oldest of this.leases.keys()) {
      this.leases.delete(oldest);
      return;
    }
  }

  /** Whether a delivery was taken back, and settling it would be late and no mistake. */
  has(tag: number): boolean {
    return this.leases.has(tag);
  }

  /** A client settles one late: that means nothing to its message. False: this one was not taken back. */
  settled(tag: number): boolean {
    const lease = this.leases.get(tag);
    if (lease === undefined) return false;
    lease.queue.counts.lateAcks += 1;
    this.free(tag, lease);
    return true;
  }

  /** The same for all up to a tag; 0: all. */
  settledUpTo(last: number): void {
    for (const tag of this.leases.keys()) if (last === 0 || tag <= last) this.settled(tag);
  }

  /** Frees all places: the client has given up all that it had. */
  freeAll(): void {
    for (const [tag, lease] of this.leases) this.free(tag, lease);
  }

  private free(tag: number, { queue, consumer }: LostLease): void {
    this.leases.delete(tag);
    if (consumer === null) return;
    consumer.late -= 1;
    if (consumer.late === 0) queue.subscribed.caughtUp(consumer);
    this.giveBack(consumer);
  }
}
