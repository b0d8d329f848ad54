// Owns letting go of pages of waiting messages whose queue was deleted, or that were all dropped: a page at a time.
// Never decides that they go.

import type { MessageLog } from '../../../message/log/log.ts';
import { CorruptRecordError } from '../../../store/errors.ts';
import type { Sweep } from '../messages/sweeps.ts';
import { emptyEntry } from './delay-entry.ts';
import { type DelayPage, entriesOf, readEntry } from './delay-page.ts';
import type { DelayMark, DelayRows, GoneDelays } from './delay-rows.ts';

/** Rows of an earlier broker removed in one step. */
const STEP_ROWS = 16;

/** Pages of a broker that runs: the references of their messages to the log are still counted. */
export class DelaySweep implements Sweep {
  readonly stored: boolean;
  private readonly gone: GoneDelays;
  private readonly pages: readonly DelayPage[];
  private readonly mark: DelayMark;
  private readonly log: MessageLog;
  private readonly rows: DelayRows;
  private next = 0;
  private readonly entry = emptyEntry();

  constructor(
    queueId: number,
    end: number,
    pages: readonly DelayPage[],
    mark: DelayMark,
    log: MessageLog,
    rows: DelayRows,
  ) {
    this.gone = { queueId, end };
    this.pages = pages;
    this.mark = mark;
    this.log = log;
    this.rows = rows;
    this.stored = pages.some((page) => page.stored);
  }

  get done(): boolean {
    return this.next === this.pages.length;
  }

  step(): void {
    const { log, entry, mark, rows } = this;
    const { queueId } = this.gone;
    const page = this.pages[this.next++] as DelayPage;
    const bytes = page.bytes ?? readPage(rows, queueId, page.number);
    if (bytes === null) {
      // It goes all the same. The log keeps what it had until the next start, which finds that nothing holds it.
      rows.removePage(queueId, page.number);
      return;
    }
    for (let n = 0, count = entriesOf(bytes); n < count; n++) {
      readEntry(bytes, n, entry);
      const { dueMs, id } = entry;
      if (dueMs < mark.dueMs || (dueMs === mark.dueMs && id <= mark.id)) continue;
      if (page.out?.has(id) === true) continue;
      log.unref(log.segmentOf(entry.position), entry.bodyBytes);
    }
    if (page.onDisk) rows.removePage(queueId, page.number);
    page.bytes = null;
  }

  note(): void {
    this.rows.putGone(this.gone);
  }

  forget(): void {
    this.rows.removeGone(this.gone);
  }
}

/** The content of a page's row; null: it cannot be read. */
function readPage(rows: DelayRows, queueId: number, number: number): Buffer | null {
  try {
    return rows.readPage(queueId, number);
  } catch (error) {
    if (error instanceof CorruptRecordError) return null;
    throw error;
  }
}

/** Rows that a broker before this one had no time to remove. Nothing counts what they refer to. */
export class DelayRowSweep implements Sweep {
  readonly stored = true;
  private readonly gone: GoneDelays;
  private readonly rows: DelayRows;
  private next = 1;

  constructor(gone: GoneDelays, rows: DelayRows) {
    this.gone = gone;
    this.rows = rows;
  }

  get done(): boolean {
    return this.next >= this.gone.end;
  }

  step(): void {
    const { queueId, end } = this.gone;
    this.next = this.rows.removePages(queueId, this.next, end, STEP_ROWS);
  }

  note(): void {
    this.rows.putGone(this.gone);
  }

  forget(): void {
    this.rows.removeGone(this.gone);
  }
}
