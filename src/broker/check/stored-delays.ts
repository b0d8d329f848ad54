// Owns reading what waits for its time from the rows of a store, for an inspection. Never changes one.

import type { Store } from '../../store/port.ts';
import { type DelayEntry, emptyEntry } from '../queue/delay/delay-entry.ts';
import { entriesOf, readEntry } from '../queue/delay/delay-page.ts';
import { DelayRows, readDelayRow } from '../queue/delay/delay-rows.ts';

/** Rows of messages that wait, read in order of their keys. */
export class StoredDelays {
  private readonly gone = new Map<number, number>();
  private queueId = -1;
  private dueMs = 0;
  private id = 0;

  /** Throws where what has gone cannot be read. */
  constructor(store: Store) {
    for (const { queueId, end } of new DelayRows(store).recoverGone()) this.gone.set(queueId, end);
  }

  /** The messages of a row that wait still; throws a CorruptRecordError when the row cannot be trusted. */
  entries(key: Buffer, value: Buffer): DelayEntry[] {
    const row = readDelayRow(key, value);
    if (row.queueId !== this.queueId) {
      this.queueId = row.queueId;
      this.dueMs = 0;
      this.id = 0;
    }
    if (row.kind === 'mark') {
      this.dueMs = row.mark.dueMs;
      this.id = row.mark.id;
    }
    if (row.kind !== 'page' || row.page.number < (this.gone.get(row.queueId) ?? 0)) return [];
    const found: DelayEntry[] = [];
    for (let n = 0, count = entriesOf(row.row); n < count; n++) {
      const entry = emptyEntry();
      readEntry(row.row, n, entry);
      const waits = entry.dueMs > this.dueMs || (entry.dueMs === this.dueMs && entry.id > this.id);
      if (waits) found.push(entry);
    }
    return found;
  }
}
