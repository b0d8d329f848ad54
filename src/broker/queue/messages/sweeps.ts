// Owns what purges and deletions leave behind: pages of messages that no client will see again, let go of
// a few with each batch. Never decides what is purged: lane.ts does.

import type { MessageLog } from '../../../message/log/log.ts';
import type { Store } from '../../../store/port.ts';
import { AwayPage } from './pages/away-page.ts';
import { ENTRY_EXPIRES, isSettled, Page } from './pages/page.ts';
import type { Places } from './pages/page-list.ts';
import type { PurgedRange, QueueRows } from './queue-rows.ts';

/** Pages let go of at once, within the call that purges or deletes. */
const FIRST_PAGES = 16;
/** Pages let go of with each batch. */
const BATCH_PAGES = 256;
/** About so many bytes of keys one batch may remove: a large message has many rows of its own. */
const BATCH_KEY_BYTES = 32 * 1024;

/** Rows of an earlier broker removed in one step. */
const STEP_ROWS = 16;

/** Where a page is read that the store alone has. */
const away = new Page(0);

/** Some pages to let go of. */
export interface Sweep {
  /** Whether the store has rows of them, and so must know that they are gone. */
  readonly stored: boolean;
  readonly done: boolean;
  /** Lets go of the next page. */
  step(): void;
  /** Puts into the batch being gathered that they are gone; or that all rows of them are removed. */
  note(): void;
  forget(): void;
}

/** Whose count of messages with a time to live goes down as pages are let go of. */
interface Expiring {
  expiring: number;
}

/**
 * Pages of a queue that runs: the references of their messages to the log are still counted. The
 * sweep alone has them; those in memory have left the ring of loaded pages.
 */
export class PageSweep implements Sweep {
  readonly stored: boolean;
  private readonly range: PurgedRange;
  private readonly places: Places;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly owner: Expiring;
  private next = 0;

  constructor(
    range: PurgedRange,
    stored: boolean,
    places: Places,
    log: MessageLog,
    rows: QueueRows,
    owner: Expiring,
  ) {
    this.range = range;
    this.stored = stored;
    this.places = places;
    this.log = log;
    this.rows = rows;
    this.owner = owner;
    this.skipGone();
  }

  get done(): boolean {
    return this.next === this.places.length;
  }

  step(): void {
    const { queueId, lane, from } = this.range;
    const { rows } = this;
    const number = from + this.next;
    const place = this.places[this.next];
    const page = place instanceof Page ? place : away;
    this.places[this.next] = undefined;
    this.next += 1;
    if (page === away) {
      page.reset(number);
      // One that cannot be read goes all the same: the log keeps its messages until the next start.
      if (!rows.readIfSound(queueId, lane, page)) {
        page.count = 0;
        if (place instanceof AwayPage) this.owner.expiring -= place.expiring;
      }
      page.onDisk = true;
    }
    this.unrefAll(page);
    if (page.onDisk) rows.removePage(queueId, lane, number);
    if (page !== away) rows.loaded.recycle(page);
    this.skipGone();
  }

  note(): void {
    this.rows.putPurge(this.range);
  }

  forget(): void {
    this.rows.removePurge(this.range);
  }

  private unrefAll(page: Page): void {
    const { log } = this;
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      const segment = log.segmentOf(page.positions[slot] as number);
      log.unref(segment, page.bodyBytes[slot] as number);
      if (((page.states[slot] as number) & ENTRY_EXPIRES) !== 0) this.owner.expiring -= 1;
    }
  }

  private skipGone(): void {
    const { places } = this;
    while (this.next < places.length && places[this.next] === undefined) this.next += 1;
  }
}

/** Rows that a broker before this one had no time to remove. Nothing counts what they refer to. */
class RowSweep implements Sweep {
  readonly stored = true;
  private readonly range: PurgedRange;
  private readonly rows: QueueRows;
  private next: number;

  constructor(range: PurgedRange, rows: QueueRows) {
    this.range = range;
    this.rows = rows;
    this.next = range.from;
  }

  get done(): boolean {
    return this.next === this.range.to;
  }

  step(): void {
    const { queueId, lane, to } = this.range;
    this.next = this.rows.removePages(queueId, lane, this.next, to, STEP_ROWS);
  }

  note(): void {
    this.rows.putPurge(this.range);
  }

  forget(): void {
    this.rows.removePurge(this.range);
  }
}

/**
 * All that is being swept. A sweep that is not over within the call that starts it is noted in the
 * store with the batch that makes the purge true, and the note goes with its last row: whenever the
 * broker ends in between, the next start takes the pages for gone and goes on.
 */
export class Sweeps {
  batchPages = BATCH_PAGES;
  firstPages = FIRST_PAGES;
  private readonly store: Store;
  private readonly rows: QueueRows;
  private readonly sweeps: Sweep[] = [];

  constructor(store: Store, rows: QueueRows) {
    this.store = store;
    this.rows = rows;
  }

  /** Whether anything is left for the batches to come. */
  get any(): boolean {
    return this.sweeps.length > 0;
  }

  /** Starts a sweep. */
  add(sweep: Sweep): void {
    this.some(sweep, this.firstPages, this.store.gatheredBytes + BATCH_KEY_BYTES);
    if (sweep.done) return;
    if (sweep.stored) sweep.note();
    this.sweeps.push(sweep);
  }

  /** Goes on with what was begun before this broker started; returns the ids of queues there were. */
  recover(): number[] {
    const ranges = this.rows.recoverPurges();
    for (const range of ranges) this.sweeps.push(new RowSweep(range, this.rows));
    return ranges.map(({ queueId }) => queueId);
  }

  /** Goes on with a sweep that the store knows of since before this broker started. */
  goOn(sweep: Sweep): void {
    this.sweeps.push(sweep);
  }

  /** Lets go of some pages; their rows are removed in the batch being gathered. */
  run(): void {
    const { sweeps } = this;
    const bytesMax = this.store.gatheredBytes + BATCH_KEY_BYTES;
    let left = this.batchPages;
    while (sweeps[0] !== undefined && left > 0 && this.store.gatheredBytes < bytesMax) {
      const sweep = sweeps[0];
      left -= this.some(sweep, left, bytesMax);
      if (!sweep.done) continue;
      if (sweep.stored) sweep.forget();
      sweeps.shift();
    }
  }

  /** Leaves the rest to the next start. */
  stop(): void {
    this.sweeps.length = 0;
  }

  private some(sweep: Sweep, stepsMax: number, bytesMax: number): number {
    let steps = 0;
    while (!sweep.done && steps < stepsMax && this.store.gatheredBytes < bytesMax) {
      sweep.step();
      steps += 1;
    }
    return Math.max(1, steps);
  }
}
