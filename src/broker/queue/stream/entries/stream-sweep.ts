// Owns letting go of what a deleted stream had: pages, and its rows, some at a time. Never decides that it goes.

import type { MessageLog } from '../../../../message/log/log.ts';
import { isSettled, Page } from '../../messages/pages/page.ts';
import type { PurgedRange, QueueRows } from '../../messages/queue-rows.ts';
import type { Sweep } from '../../messages/sweeps.ts';
import type { StreamEntries } from './stream-entries.ts';
import type { StreamRows } from './stream-rows.ts';

/** Rows removed in one step. */
const STEP_ROWS = 256;

/** Where a page is read that the store alone has. */
const away = new Page(0);

/** The pages and rows of a stream of a broker that runs: what its messages need of the log is still counted. */
export class StreamSweep implements Sweep {
  readonly stored = true;
  done = false;
  private readonly range: PurgedRange;
  private readonly loaded: ReadonlyMap<number, Page>;
  private readonly log: MessageLog;
  private readonly rows: QueueRows;
  private readonly streamRows: StreamRows;
  private next: number;
  private from: Buffer | null;

  constructor(
    id: number,
    entries: StreamEntries,
    log: MessageLog,
    rows: QueueRows,
    streamRows: StreamRows,
  ) {
    const [from, to] = entries.pageRange;
    this.range = { queueId: id, lane: 0, from, to };
    this.loaded = entries.takeLoaded();
    this.next = from;
    this.log = log;
    this.rows = rows;
    this.streamRows = streamRows;
    this.from = streamRows.firstKey(id);
  }

  step(): void {
    const { queueId, to } = this.range;
    if (this.next < to) return this.dropPage(this.next++);
    this.from = this.streamRows.removeSome(queueId, this.from as Buffer, STEP_ROWS);
    this.done = this.from === null;
  }

  private dropPage(number: number): void {
    const { log, rows } = this;
    const { queueId, lane } = this.range;
    let page = this.loaded.get(number);
    if (page === undefined) {
      away.reset(number);
      // One that cannot be read goes all the same: the log keeps its messages until the next start.
      if (!rows.readIfSound(queueId, lane, away)) away.count = 0;
      page = away;
    }
    for (let slot = 0; slot < page.count; slot++) {
      if (isSettled(page, slot)) continue;
      log.unref(log.segmentOf(page.positions[slot] as number), page.bodyBytes[slot] as number);
    }
    rows.removePage(queueId, lane, number);
    if (page !== away) rows.loaded.recycle(page);
  }

  note(): void {
    this.rows.putPurge(this.range);
    this.streamRows.putGone(this.range.queueId);
  }

  forget(): void {
    this.rows.removePurge(this.range);
    this.streamRows.removeGone(this.range.queueId);
  }
}

/** Rows of a stream that a broker before this one had no time to remove; its pages are a sweep of their own. */
export class StreamRowSweep implements Sweep {
  readonly stored = true;
  private readonly id: number;
  private readonly rows: StreamRows;
  private from: Buffer | null;

  constructor(id: number, rows: StreamRows) {
    this.id = id;
    this.rows = rows;
    this.from = rows.firstKey(id);
  }

  get done(): boolean {
    return this.from === null;
  }

  step(): void {
    this.from = this.rows.removeSome(this.id, this.from as Buffer, STEP_ROWS);
  }

  note(): void {
    this.rows.putGone(this.id);
  }

  forget(): void {
    this.rows.removeGone(this.id);
  }
}
