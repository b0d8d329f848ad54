// Owns noticing deliveries that stay unacked for too long. Costs nothing per delivery: it notes at each tick
// how far the delivery tags have come. Never settles anything: leases.ts does.

import type { TimeoutAction } from '../../broker/queue/arguments/queue-arguments.ts';
import type { Consumer, ConsumerSource } from '../../broker/queue/consumer.ts';
import type { Clock } from '../../util/clock.ts';
import { type TimerWheel, WheelTimer } from '../../util/timers.ts';
import type { Unacked } from './unacked.ts';

/** Stands for the timeout of the settings among those that are waited for. */
const DEFAULT_SPAN = -1;
/** The timeout of the settings is noticed late by at most twice this part of it, and a tick. */
const DEFAULT_PARTS = 300;
const INTERVAL_MAX_MS = 60_000;
/** With more samples than that, those go that no delivery needs. */
const SAMPLES_MAX = 512;
/** A look hands over so many late deliveries at most; the next tick those behind them. */
const LATE_MAX = 4096;
/** How often the timeouts are gathered anew from those that may still have them. */
const RENEWAL_MS = 60_000;

/** What to do about timeouts; one object for all channels. */
export interface TimeoutRules {
  readonly wheel: TimerWheel;
  readonly clock: Clock;
  /** How long a delivery may stay unacked if neither consumer nor queue says, ms. */
  defaultMs: number;
  /** What becomes of a late one if neither says. */
  action: TimeoutAction;
}

/** It has been dealt with; it may not be taken yet; or look at no others. */
export const LATE_DONE = 0;
export const LATE_KEPT = 1;
export const LATE_STOP = 2;

/** The channel, as it is looked at. */
export interface TimeoutOwner {
  readonly consumers: ReadonlyMap<string, Consumer>;
  /** A delivery has been unacked for longer than `timeoutMs`; returns one of LATE_. */
  deliveryTimedOut(tag: number, timeoutMs: number): number;
}

/** The time of one delivery that has one of its own. */
interface OwnTime {
  readonly dueMs: number;
  readonly timeoutMs: number;
}

/*
 *   samples   (10:00.0, next tag 1) (10:00.1, next tag 40) (10:00.3, next tag 95)
 *
 * A delivery with tag 39 was made before 10:00.1, one with tag 40 before 10:00.3: at 10:00.1 and a timeout, all
 * that is outstanding below tag 40 is late for it. Each timeout has a cursor, so that no tag is looked at twice for
 * it. A sample is needed only while a delivery is outstanding that no earlier one covers, so there are never more than
 * those.
 */
export class DeliveryTimeouts {
  private readonly owner: TimeoutOwner;
  private readonly unacked: Unacked;
  private readonly rules: TimeoutRules;
  private readonly timer = new WheelTimer(() => this.look());
  private times: number[] = [];
  private tags: number[] = [];
  private samplesMax = SAMPLES_MAX;
  /** The timeouts that deliveries may have, each with the tag from which on none has been looked at for it. */
  private readonly spans = new Map<number, number>();
  /** Deliveries with a time of their own, settled ones among them. */
  private readonly own = new Map<number, OwnTime>();
  private ownDueMs = Infinity;
  /** How long until the look that is scheduled; Infinity: none is. */
  private intervalMs = Infinity;
  private renewedMs = -Infinity;

  constructor(owner: TimeoutOwner, unacked: Unacked, rules: TimeoutRules) {
    this.owner = owner;
    this.unacked = unacked;
    this.rules = rules;
  }

  /** Told that deliveries to come may have this timeout. */
  expect(consumer: Consumer | null, queue: ConsumerSource): void {
    const span = spanOf(consumer, queue);
    if (!this.spans.has(span)) this.await(span);
  }

  /** Told that the timeout of a consumer is another now, also for what it has. */
  changed(consumer: Consumer): void {
    this.await(spanOf(consumer, consumer.queue));
  }

  /** Told that the timeout which holds where neither consumer nor queue says one is another now. */
  defaultChanged(): void {
    this.spans.delete(DEFAULT_SPAN);
    for (const consumer of this.owner.consumers.values()) {
      if (!consumer.noAck) this.expect(consumer, consumer.queue);
    }
    // Which timeouts other deliveries have is not known: their queues may say one, or go by this.
    if (this.unacked.count > 0) this.await(DEFAULT_SPAN);
  }

  /** From now on an outstanding delivery is late after so many ms, whatever held for it before. */
  prolong(tag: number, timeoutMs: number): void {
    const { own, rules, unacked } = this;
    const dueMs = rules.clock.monotonicMs() + timeoutMs;
    own.set(tag, { dueMs, timeoutMs });
    this.ownDueMs = Math.min(this.ownDueMs, dueMs);
    if (own.size > 2 * unacked.count + 64) {
      for (const each of own.keys()) if (unacked.queueOf(each) === null) own.delete(each);
    }
    this.wait(0);
  }

  /** Ends it: the channel is closed. */
  stop(): void {
    this.rules.wheel.cancel(this.timer);
  }

  /** Waits for a timeout, and looks at all that is outstanding for it. */
  private await(span: number): void {
    if (this.timeoutMs(span) === Infinity) return;
    this.spans.set(span, 0);
    this.wait(this.intervalOf(span));
  }

  private timeoutMs(span: number): number {
    return span === DEFAULT_SPAN ? this.rules.defaultMs : span;
  }

  /** What is asked for is kept to the tick; the settings hold for all channels, and are looked after less often. */
  private intervalOf(span: number): number {
    if (span !== DEFAULT_SPAN) return 0;
    return Math.min(INTERVAL_MAX_MS, this.rules.defaultMs / DEFAULT_PARTS);
  }

  private wait(intervalMs: number): void {
    if (intervalMs >= this.intervalMs) return;
    this.intervalMs = intervalMs;
    this.rules.wheel.schedule(this.timer, intervalMs);
  }

  /** Takes a sample, and finds the deliveries that are too late. Goes on while there is something to wait for. */
  private look(): void {
    const { unacked, spans, own } = this;
    const nowMs = this.rules.clock.monotonicMs();
    this.intervalMs = Infinity;
    if (unacked.count === 0) {
      if (this.times.length > 0) [this.times, this.tags] = [[], []];
      own.clear();
    } else {
      if (this.tags.at(-1) !== unacked.next) {
        this.times.push(nowMs);
        this.tags.push(unacked.next);
      }
      if (!this.handOver(this.findLate(nowMs), nowMs)) return;
      if (this.times.length > this.samplesMax) this.thinOut();
    }
    if (nowMs - this.renewedMs >= RENEWAL_MS || this.owner.consumers.size === 0) this.renew(nowMs);
    if (own.size > 0) this.wait(0);
    for (const span of spans.keys()) this.wait(this.intervalOf(span));
  }

  /** The late deliveries, each tag followed by its timeout. */
  private findLate(nowMs: number): number[] {
    const { unacked, spans, own } = this;
    const late: number[] = [];
    if (this.ownDueMs <= nowMs) this.findLateOwn(nowMs, late);
    for (const [span, from] of spans) {
      const timeoutMs = this.timeoutMs(span);
      const end = this.nextTagAt(nowMs - timeoutMs);
      if (end <= from) continue;
      const tags = unacked.tagsBetween(from - 1, end - 1, LATE_MAX);
      spans.set(span, tags.length < LATE_MAX ? end : (tags.at(-1) as number) + 1);
      for (const tag of tags) {
        if (own.has(tag)) continue;
        const its = spanOf(unacked.consumerOf(tag), unacked.queueOf(tag) as ConsumerSource);
        if (its === span) late.push(tag, timeoutMs);
        // A policy gave its queue another one, and no consumer here was told.
        else if (!spans.has(its)) this.await(its);
      }
    }
    return late;
  }

  private findLateOwn(nowMs: number, late: number[]): void {
    const { unacked, own } = this;
    this.ownDueMs = Infinity;
    for (const [tag, { dueMs, timeoutMs }] of own) {
      const over = dueMs <= nowMs;
      if (over && unacked.queueOf(tag) !== null) late.push(tag, timeoutMs);
      if (over) own.delete(tag);
      else this.ownDueMs = Math.min(this.ownDueMs, dueMs);
    }
  }

  /** Hands over what is late; returns false when the channel is no more. */
  private handOver(late: readonly number[], nowMs: number): boolean {
    for (let i = 0; i < late.length; i += 2) {
      const tag = late[i] as number;
      const timeoutMs = late[i + 1] as number;
      const outcome = this.owner.deliveryTimedOut(tag, timeoutMs);
      if (outcome === LATE_STOP) return false;
      if (outcome !== LATE_KEPT) continue;
      const dueMs = nowMs + timeoutMs;
      this.own.set(tag, { dueMs, timeoutMs });
      this.ownDueMs = Math.min(this.ownDueMs, dueMs);
    }
    return true;
  }

  /** How far the tags had come at a time at the latest: the next tag of the last sample by then, 0 without one. */
  private nextTagAt(thenMs: number): number {
    const { times } = this;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] as number) <= thenMs) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.tags[low - 1] as number);
  }

  /** Drops the samples that are not the first one above any outstanding delivery; the last one stays. */
  private thinOut(): void {
    const { times, tags } = this;
    const last = tags.length - 1;
    const kept: number[] = [];
    let at = 0;
    this.unacked.forEachUpTo(Infinity, (tag) => {
      while (at < last && (tags[at] as number) <= tag) at += 1;
      if (kept.at(-1) !== at) kept.push(at);
    });
    if (kept.at(-1) !== last) kept.push(last);
    this.times = kept.map((i) => times[i] as number);
    this.tags = kept.map((i) => tags[i] as number);
    this.samplesMax = Math.max(SAMPLES_MAX, 2 * kept.length);
  }

  /** Forgets timeouts that no consumer and no outstanding delivery has any more. */
  private renew(nowMs: number): void {
    const { spans, unacked } = this;
    this.renewedMs = nowMs;
    if (spans.size <= 1 && unacked.count > 0) return;
    const used = new Set<number>();
    for (const consumer of this.owner.consumers.values()) {
      if (!consumer.noAck) used.add(spanOf(consumer, consumer.queue));
    }
    unacked.forEachUpTo(Infinity, (tag) => {
      used.add(spanOf(unacked.consumerOf(tag), unacked.queueOf(tag) as ConsumerSource));
    });
    for (const span of spans.keys()) if (!used.has(span)) spans.delete(span);
  }
}

/** The timeout that a delivery is under, ms, or DEFAULT_SPAN. */
function spanOf(consumer: Consumer | null, queue: ConsumerSource): number {
  return consumer?.timeoutMs ?? queue.rules.consumerTimeoutMs ?? DEFAULT_SPAN;
}
