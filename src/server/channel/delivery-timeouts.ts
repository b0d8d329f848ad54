// Owns noticing deliveries that stay unacked for too long. Costs nothing per delivery: now and then it
// notes how far the delivery tags have come. Never settles anything: the channel does.

import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';
import type { Clock } from '../../util/clock.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { Unacked } from './unacked.ts';

/** How often a channel is looked at when the shortest timeout is long. */
const INTERVAL_MAX_MS = 60_000;
/** A timeout is noticed late by at most twice this part of it. */
const INTERVALS_PER_TIMEOUT = 10;
/** With more samples than that, those go that lie closer together than their age asks for. */
const SAMPLES_MAX = 512;
/** How close: samples around a time are no further apart than this part of its age. */
const SAMPLE_GAP = 1 / 24;
/** Looks at a channel are so far apart that no more deliveries are looked at, ms on average. */
const LOOKED_AT_PER_MS = 20;

/** What to do about timeouts; one object for all channels. */
export interface TimeoutRules {
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** How long a delivery may stay unacked if neither consumer nor queue says, ms. */
  readonly defaultMs: number;
  /** Whether the message alone goes back to its queue, instead of closing the channel. */
  readonly requeues: boolean;
}

/** The channel, as it is looked at. */
export interface TimeoutOwner {
  readonly consumers: ReadonlyMap<string, Consumer>;
  /** A delivery has been unacked for longer than `timeoutMs`. False: look at no others. */
  deliveryTimedOut(tag: number, timeoutMs: number): boolean;
}

/*
 *   samples   (10:00, next tag 1) (10:01, next tag 40) (10:02, next tag 40) (10:03, next tag 95)
 *
 * A delivery with tag 39 that is still outstanding was made before 10:01, one with tag 40 before
 * 10:03: the first sample with a higher next tag says since when at least it has been unacked.
 */
export class DeliveryTimeouts {
  private readonly owner: TimeoutOwner;
  private readonly unacked: Unacked;
  private readonly rules: TimeoutRules;
  private readonly timer = new WheelTimer(() => this.look());
  private times: number[] = [];
  private tags: number[] = [];
  /** The shortest timeout that any delivery may have. */
  private shortestMs = Infinity;
  /** How many deliveries the last look went through. */
  private lookedAt = 0;

  constructor(owner: TimeoutOwner, unacked: Unacked, rules: TimeoutRules) {
    this.owner = owner;
    this.unacked = unacked;
    this.rules = rules;
  }

  /** Told that there may be a delivery with this timeout from now on. */
  expect(consumer: Consumer | null, queue: ConsumerSource): void {
    this.wait(this.timeoutOf(consumer, queue));
  }

  /** Ends it: the channel is closed. */
  stop(): void {
    this.rules.wheel.cancel(this.timer);
  }

  private timeoutOf(consumer: Consumer | null, queue: ConsumerSource): number {
    return consumer?.timeoutMs ?? queue.rules.consumerTimeoutMs ?? this.rules.defaultMs;
  }

  /** Takes a sample, and finds the deliveries that are too late. Goes on while there is something to wait for. */
  private look(): void {
    const nowMs = this.rules.clock.monotonicMs();
    const { shortestMs } = this;
    this.shortestMs = Infinity;
    this.lookedAt = 0;
    if (this.unacked.count === 0) {
      this.times = [];
      this.tags = [];
    } else {
      this.times.push(nowMs);
      this.tags.push(this.unacked.next);
      if (!this.findLate(nowMs, shortestMs)) return;
      this.thinOut(nowMs);
    }
    for (const consumer of this.owner.consumers.values()) {
      if (!consumer.noAck) this.expect(consumer, consumer.queue);
    }
    // What is left are deliveries of basic.get, or of consumers that are gone: no consumer tells their timeouts.
    if (this.unacked.count > 0) this.wait(shortestMs);
  }

  private wait(timeoutMs: number): void {
    if (timeoutMs >= this.shortestMs) return;
    this.shortestMs = timeoutMs;
    const intervalMs = Math.min(INTERVAL_MAX_MS, timeoutMs / INTERVALS_PER_TIMEOUT);
    this.rules.wheel.schedule(this.timer, Math.max(intervalMs, this.lookedAt / LOOKED_AT_PER_MS));
  }

  /** Hands over what is late; returns false when the channel is no more. */
  private findLate(nowMs: number, shortestMs: number): boolean {
    let old = this.times.length - 1;
    while (old >= 0 && nowMs - (this.times[old] as number) < shortestMs) old -= 1;
    if (old < 0) return true;
    const late: [tag: number, timeoutMs: number][] = [];
    this.unacked.forEachUpTo((this.tags[old] as number) - 1, (tag) => {
      this.lookedAt += 1;
      const queue = this.unacked.queueOf(tag) as ConsumerSource;
      const timeoutMs = this.timeoutOf(this.unacked.consumerOf(tag), queue);
      if (nowMs - this.deliveredBefore(tag, nowMs) >= timeoutMs) late.push([tag, timeoutMs]);
    });
    for (const [tag, timeoutMs] of late) {
      if (!this.owner.deliveryTimedOut(tag, timeoutMs)) return false;
    }
    return true;
  }

  /** The time of the first sample that the delivery of `tag` had gone before. */
  private deliveredBefore(tag: number, nowMs: number): number {
    const { tags } = this;
    let low = 0;
    let high = tags.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tags[middle] as number) > tag) high = middle;
      else low = middle + 1;
    }
    return this.times[low] ?? nowMs;
  }

  /** Drops samples: what is old need not be known as exactly, as only long timeouts ask for it. */
  private thinOut(nowMs: number): void {
    const { times, tags } = this;
    if (times.length <= SAMPLES_MAX) return;
    let newerMs = times.at(-1) as number;
    const kept = [times.length - 1];
    for (let i = times.length - 2; i >= 0; i--) {
      const gapMs = newerMs - (times[i - 1] ?? -Infinity);
      if (gapMs <= (nowMs - newerMs) * SAMPLE_GAP) continue;
      kept.push(i);
      newerMs = times[i] as number;
    }
    kept.reverse();
    this.times = kept.map((i) => times[i] as number);
    this.tags = kept.map((i) => tags[i] as number);
  }
}
