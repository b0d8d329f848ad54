// Owns the messages of one queue that wait for their time: those due soon in memory, those far off in pages of the
// store alone. Never decides why one waits, or what becomes of it when it is due: queue.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import type { PositionVisitor } from '../messages/pages/lane-pages.ts';
import { type Bucket, DelayBuckets, FINEST_LEVEL, finerThan } from './delay-buckets.ts';
import { DELAYED_RETURNED, DELAYED_STORED, type DelayEntry, emptyEntry } from './delay-entry.ts';
import { DelayHeap } from './delay-heap.ts';
import { type DelayPlace, findInBuckets, type Soonest, soonest } from './delay-lookup.ts';
import { type DelayPage, readEntry } from './delay-page.ts';
import { DelayPages } from './delay-pages.ts';
import { type DelayOwner, DelayPlaces, type Release } from './delay-places.ts';
import type { DelayBounds, DelayRows } from './delay-rows.ts';
import { DelaySweep } from './delay-sweep.ts';
import { DelayWalks } from './delay-walks.ts';

/** So often pages of buckets are opened or divided in one turn: a bucket may have millions of messages. */
const OPENINGS_PER_TURN = 4;

/** A bucket is opened so long before its time, ms. */
const LEAD_MS = 500;

/*
 *   heap     every message in memory, the one due first on top; each lies in a page besides, from the next batch on
 *   buckets  those far off, by spans of time; the store alone has their pages
 *
 *   now ----- heap ------ horizon: the first message of all buckets
 *              ^             |
 *              '--- opened --'   when the horizon is near; large spans are divided into finer ones first
 *
 * On disk a page stays as it is until the last of its messages has gone: a mark says up to which time and id they
 * have, since they leave in that order.
 */
export class DelayedMessages {
  /** How many wait, and the bytes of their bodies. */
  count = 0;
  bytes = 0;
  /** Those of them that were never ready yet, and those that belong on disk. */
  fresh = 0;
  storedCount = 0;
  private readonly owner: DelayOwner;
  private readonly log: MessageLog;
  private readonly rows: DelayRows;
  heap = new DelayHeap();
  readonly buckets = new DelayBuckets();
  readonly pages: DelayPages;
  private readonly places: DelayPlaces;
  private nextId = 1;
  /** The time when something was last asked of it, ms. */
  private nowMs = 0;
  /** How often pages may be opened still, in this turn. */
  private openings = 0;
  /** Buckets whose messages are wanted at once, and since when, ms. */
  private readonly hastened: Bucket[] = [];
  private hastenedMs = 0;
  private readonly walks = new DelayWalks(this);
  private readonly entry = emptyEntry();

  constructor(owner: DelayOwner, log: MessageLog, rows: DelayRows) {
    this.owner = owner;
    this.log = log;
    this.rows = rows;
    this.pages = new DelayPages(owner.id, rows, () => owner.entriesDirty());
    this.places = new DelayPlaces(this, owner);
  }

  /** When `promote` has to be called next, by the broker's time, ms; Infinity: not at all. */
  get nextDueMs(): number {
    if (this.hastened.length > 0) return 0;
    const { heap, buckets } = this;
    const leadMs = heap.size < this.bounds.openMax ? LEAD_MS : 0;
    return Math.min(heap.firstDueMs, buckets.horizonMs - leadMs);
  }

  /** When the next message is due, by the broker's time, ms; Infinity: none waits. */
  get firstDueMs(): number {
    return Math.min(this.heap.firstDueMs, this.buckets.horizonMs);
  }

  /** Has a message wait that the log holds for the queue; its id is set here. */
  add(entry: DelayEntry, nowMs: number): void {
    // What is due before the mark would count as gone.
    entry.dueMs = Math.max(Math.ceil(entry.dueMs), this.pages.mark.dueMs);
    entry.id = this.nextId++;
    if ((entry.flags & DELAYED_STORED) !== 0) this.owner.unsealedPushed();
    this.counted(entry, 1);
    this.nowMs = nowMs;
    this.push(entry);
    if (this.heap.size > this.bounds.heapMax) this.places.spill(nowMs);
  }

  get bounds(): DelayBounds {
    return this.rows.bounds;
  }

  /** Releases what is due by `nowMs`, the earliest first, so many at most. Returns whether more is due. */
  promote(nowMs: number, most: number, release: Release): boolean {
    const { heap, buckets, bounds } = this;
    this.nowMs = nowMs;
    this.openings = OPENINGS_PER_TURN;
    this.hastenSome();
    for (let left = most; this.ready(nowMs); left--) {
      if (left <= 0) return true;
      this.releaseFirst(release);
    }
    const isNear = (): boolean =>
      buckets.horizonMs <= nowMs ||
      (heap.size < bounds.openMax && buckets.horizonMs - LEAD_MS <= nowMs);
    while (this.openings > 0 && isNear()) this.open();
    return this.hastened.length > 0 || isNear();
  }

  /** Releases the one that is due first, whenever that is; false: others have to be looked at before, in other turns. */
  promoteFirst(release: Release): boolean {
    const dueMs = this.firstDueMs;
    this.openings = OPENINGS_PER_TURN;
    if (!this.ready(dueMs)) return false;
    // Going out ahead of its time, it must not take the mark along.
    this.heap.first(this.entry);
    return this.take(this.entry.dueMs, this.entry.id, release);
  }

  /** Releases one message, whenever it is due; false: there is none with that time and id. */
  take(dueMs: number, id: number, release: Release): boolean {
    const { heap, pages, entry } = this;
    this.places.settle(this.nowMs);
    const place = heap.placeOf(id);
    if (place >= 0) {
      heap.at(place, entry);
      if (entry.dueMs !== dueMs) return false;
      pages.takeOut(heap.takeAt(place, entry), entry);
    } else if (!this.takeFromBuckets({ dueMs, id })) return false;
    this.counted(entry, -1);
    this.owner.entriesDirty();
    this.owner.moved(entry.position);
    release(entry);
    return true;
  }

  /** Up to `count` messages that are due soonest, of those behind `after`: see delay-lookup.ts. */
  soonest(count: number, after: DelayPlace | null): Soonest {
    this.places.settle(this.nowMs);
    return soonest(this, count, after);
  }

  /** Makes all that wait be due at once, little by little. */
  hasten(nowMs: number): void {
    this.nowMs = nowMs;
    this.hastenedMs = Math.ceil(nowMs);
    this.places.settle(nowMs);
    const all = this.heap;
    this.heap = new DelayHeap();
    // What is put back does not go into a page of those that leave.
    this.pages.close();
    for (const entry = emptyEntry(); all.size > 0; this.again(entry)) {
      this.pages.left(all.pop(entry));
      this.owner.moved(entry.position);
    }
    this.hastened.length = 0;
    for (const bucket of this.buckets.all()) this.hastened.push(bucket);
  }

  /** Lets go of all messages and rows; the log is told little by little. */
  discard(): void {
    const { heap, entry, log, rows, owner, pages } = this;
    for (let place = 0; place < heap.size; place++) {
      heap.at(place, entry);
      log.unref(log.segmentOf(entry.position), entry.bodyBytes);
    }
    heap.clear();
    const rest = [...this.buckets.all()].flatMap((bucket) => bucket.pages);
    pages.forget(new Set(rest));
    this.buckets.clear();
    this.hastened.length = 0;
    this.walks.clear();
    this.count = 0;
    this.bytes = 0;
    this.fresh = 0;
    this.storedCount = 0;
    if (rest.length === 0) return;
    owner.leftBehind(new DelaySweep(owner.id, pages.end, rest, { ...pages.mark }, log, rows));
  }

  /** Puts what changed into the batch being gathered. */
  sealInto(batch: number): void {
    this.places.settle(this.nowMs);
    this.pages.sealInto(batch);
  }

  /** Told that all batches up to `batch` are durable. */
  durableUpTo(batch: number): void {
    this.pages.durableUpTo(batch);
  }

  /**
   * Reads the messages back from the store, and keeps their places in the log. Each is `seen`; those that the log lacks are
   * released through `lost`.
   */
  recover(seen: Release, lost: Release): void {
    const { pages, log, entry, buckets } = this;
    const missing: { readonly dueMs: number; readonly id: number }[] = [];
    pages.recover((page, row) => {
      page.left = 0;
      const bucket = page.level === 0 ? null : buckets.at(page.level, page.spanMs);
      bucket?.pages.push(page);
      for (let n = 0; n < page.count; n++) {
        readEntry(row, n, entry);
        this.nextId = Math.max(this.nextId, entry.id + 1);
        if (pages.hasGone(entry)) continue;
        page.left += 1;
        page.notes(entry.id, entry.bodyBytes, entry.flags);
        this.counted(entry, 1);
        if (!log.recoverRef(entry.position, entry.bodyBytes)) {
          log.recoverHeld(entry.position, entry.bodyBytes);
          missing.push({ dueMs: entry.dueMs, id: entry.id });
        }
        seen(entry);
        if (bucket === null) this.heap.pushPlaced(entry, page);
        else buckets.added(bucket, entry.dueMs, entry.id);
      }
      if (page.left > 0) return;
      bucket?.pages.pop();
      pages.drop(page);
    });
    this.nextId = Math.max(this.nextId, pages.mark.id + 1);
    for (const { dueMs, id } of missing) this.take(dueMs, id, lost);
  }

  /** See DelayWalks. What goes from place to place meanwhile is told to the owner. */
  visitPage(cursor: number, visit: PositionVisitor): number {
    return this.walks.visitPage(cursor, visit);
  }

  /** Whether the top of the heap is due by `nowMs`, with all buckets opened that may come before it. */
  private ready(nowMs: number): boolean {
    const { heap, buckets, entry } = this;
    for (;;) {
      if (heap.unplacedDueMs <= nowMs) this.places.settle(this.nowMs);
      const dueMs = heap.firstDueMs;
      if (dueMs > nowMs && buckets.horizonMs > nowMs) return false;
      if (dueMs < buckets.horizonMs) return true;
      if (dueMs === buckets.horizonMs && buckets.horizonId > 0) {
        heap.first(entry);
        if (entry.id < buckets.horizonId) return true;
      }
      if (this.openings === 0) return false;
      this.open();
    }
  }

  private releaseFirst(release: Release): void {
    const { entry } = this;
    this.pages.released(this.heap.pop(entry), entry);
    this.counted(entry, -1);
    this.owner.moved(entry.position);
    release(entry);
  }

  private counted({ bodyBytes, flags }: DelayEntry, one: 1 | -1): void {
    this.count += one;
    this.bytes += one * bodyBytes;
    if ((flags & DELAYED_RETURNED) === 0) this.fresh += one;
    if ((flags & DELAYED_STORED) !== 0) this.storedCount += one;
  }

  /** Keeps an entry in memory; the batch that it belongs to gives it a place. */
  private push(entry: DelayEntry): void {
    this.heap.push(entry);
    if ((entry.flags & DELAYED_STORED) !== 0) this.owner.entriesDirty();
  }

  /** Has a message wait anew that is wanted at once. */
  private again(entry: DelayEntry): void {
    entry.dueMs = Math.max(this.hastenedMs, this.pages.mark.dueMs);
    entry.id = this.nextId++;
    this.push(entry);
  }

  private hastenSome(): void {
    const { hastened, buckets, heap, bounds } = this;
    while (hastened.length > 0 && heap.size < bounds.openMax) {
      const bucket = hastened.at(-1) as Bucket;
      const page = bucket.pages.shift();
      if (page !== undefined) this.hastenPage(bucket, page);
      if (bucket.pages.length > 0) continue;
      hastened.pop();
      buckets.remove(bucket);
    }
  }

  /** A page that its bucket has no more: its messages are wanted at once. */
  private hastenPage(bucket: Bucket, page: DelayPage): void {
    const entries: DelayEntry[] = [];
    this.readOrLose(bucket, page, (entry) => {
      this.owner.moved(entry.position);
      entries.push({ ...entry });
    });
    bucket.count -= entries.length;
    this.buckets.close(bucket, page);
    this.pages.drop(page);
    for (const entry of entries) this.again(entry);
  }

  /** Opens some pages of the first bucket, or divides them; there must be one. */
  private open(): void {
    const { buckets, hastened, bounds } = this;
    const bucket = buckets.first() as Bucket;
    this.openings -= 1;
    const finest = bucket.level === FINEST_LEVEL;
    if (bucket.count > bounds.openMax && !finest) return this.divide(bucket);
    const opened = bucket.pages.splice(0, bounds.openPages);
    const hastens = hastened.includes(bucket);
    for (const page of opened) {
      if (hastens) {
        this.hastenPage(bucket, page);
        continue;
      }
      buckets.close(bucket, page);
      this.readOrLose(bucket, page, (entry) => {
        bucket.count -= 1;
        this.heap.pushPlaced(entry, page);
      });
    }
    if (bucket.pages.length === 0) return buckets.remove(bucket);
    // Of a longer span none goes out before all of it is there.
    if (!finest) return;
    bucket.minId = bucket.pages.reduce((least, { minId }) => Math.min(least, minId), Infinity);
    buckets.renew();
  }

  /** Puts some pages of a bucket into finer ones. */
  private divide(bucket: Bucket): void {
    const { buckets, pages, places, hastened } = this;
    const level = finerThan(bucket.level);
    const finer = new Set<Bucket>();
    for (const page of bucket.pages.splice(0, this.bounds.openPages)) {
      buckets.close(bucket, page);
      this.readOrLose(bucket, page, (entry) => {
        bucket.count -= 1;
        this.owner.moved(entry.position);
        finer.add(places.putOneAway(level, entry));
      });
      pages.drop(page);
    }
    const rest = bucket.pages.length > 0 ? [bucket] : [];
    if (rest.length === 0) buckets.remove(bucket);
    const hastens = hastened.indexOf(bucket);
    for (const each of hastened) finer.delete(each);
    if (hastens >= 0) hastened.splice(hastens, 1, ...finer, ...rest);
  }

  /** Visits the messages of a page that its bucket has no more; one that cannot be read is set aside with them. */
  private readOrLose(bucket: Bucket, page: DelayPage, visit: Release): void {
    this.pages.eachReadable(page, visit, (error) => {
      const { left, bodyBytes, fresh } = page;
      bucket.count -= left;
      this.buckets.close(bucket, page);
      this.count -= left;
      this.bytes -= bodyBytes;
      this.fresh -= fresh;
      this.storedCount -= left;
      this.pages.abandon(page);
      this.owner.damaged(error, fresh);
    });
  }

  /** Takes a message out of the bucket that it waits in, into `entry`; false: none has it. */
  private takeFromBuckets(wanted: DelayPlace): boolean {
    const { buckets, pages } = this;
    const found = findInBuckets(this, wanted);
    if (found === null) return false;
    const { bucket, page, entry } = found;
    Object.assign(this.entry, entry);
    pages.takeOut(page, entry);
    bucket.count -= 1;
    if (page.left === 0) {
      bucket.pages.splice(bucket.pages.indexOf(page), 1);
      buckets.close(bucket, page);
    }
    if (bucket.pages.length === 0) buckets.remove(bucket);
    return true;
  }
}
