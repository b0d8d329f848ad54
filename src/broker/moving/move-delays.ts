// Owns how messages that wait for their time go to another store: those that wait still, in pages of their spans there. Never
// decides which queues.

import { CorruptRecordError } from '../../store/errors.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_DELAYS } from '../../store/tables.ts';
import { isLevel, spanStart } from '../queue/delay/delay-buckets.ts';
import { type DelayEntry, emptyEntry } from '../queue/delay/delay-entry.ts';
import { DelayPage, entriesOf, readEntry } from '../queue/delay/delay-page.ts';
import {
  type DelayRow,
  delayKey,
  encodeMark,
  GONE,
  MARK,
  readDelayRow,
} from '../queue/delay/delay-rows.ts';
import type { Steps } from '../turn/slices.ts';
import { later, type Mover, type Owner, rangeOf } from './mover.ts';

/** Moves the messages of a queue that wait, and how far they have gone. Pages are numbered anew. */
export function* moveDelays(from: Store, { id }: Owner, to: Mover): Steps {
  const goneRow = rowAt(from, id, GONE);
  const markRow = rowAt(from, id, MARK);
  const goneEnd = goneRow?.kind === 'gone' ? goneRow.end : 0;
  const mark = markRow?.kind === 'mark' ? markRow.mark : { dueMs: 0, id: 0 };
  const newId = to.idOf(id);
  if (markRow !== null) {
    const moved = { dueMs: later(mark.dueMs, to.ms), id: mark.id };
    to.put(TABLE_DELAYS, delayKey(newId, MARK), encodeMark(moved));
  }
  const waits = ({ dueMs, id }: DelayEntry): boolean =>
    dueMs > mark.dueMs || (dueMs === mark.dueMs && id > mark.id);
  let number = 1;
  for (const { key, value } of from.range(TABLE_DELAYS, ...rangeOf(id))) {
    const row = readDelayRow(key, value);
    if (row.kind !== 'page' || row.page.number < goneEnd) continue;
    for (const page of movedPages(key, row, number, waits, to)) {
      to.put(TABLE_DELAYS, delayKey(newId, page.number), page.toRow(false));
      number = page.number + 1;
    }
    yield;
  }
}

function rowAt(from: Store, id: number, number: number): DelayRow | null {
  const key = delayKey(id, number);
  const value = from.get(TABLE_DELAYS, key);
  return value === null ? null : readDelayRow(key, value);
}

/** The pages for the messages of one that wait: two where the clocks are apart, as its span is none there. */
function movedPages(
  key: Buffer,
  { page: { level, spanMs }, row }: DelayRow & { kind: 'page' },
  number: number,
  waits: (entry: DelayEntry) => boolean,
  to: Mover,
): DelayPage[] {
  if (level !== 0 && !isLevel(level)) {
    throw new CorruptRecordError(TABLE_DELAYS, key, `its level ${level} is not known`);
  }
  const pages = new Map<number, DelayPage>();
  const entry = emptyEntry();
  for (let n = 0, count = entriesOf(row); n < count; n++) {
    readEntry(row, n, entry);
    if (!waits(entry)) continue;
    to.uses(entry.position, TABLE_DELAYS, key);
    if (to.ms !== 0) moveTimes(entry, to);
    entry.position += to.positions;
    const start = level === 0 ? spanMs : spanStart(level, entry.dueMs);
    let page = pages.get(start);
    if (page === undefined) {
      page = new DelayPage(number + pages.size, level, start, true);
      pages.set(start, page);
    }
    page.add(entry);
  }
  return [...pages.values()];
}

function moveTimes(entry: DelayEntry, to: Mover): void {
  entry.startMs = later(entry.startMs === 0 ? to.arrivedMs(entry.position) : entry.startMs, to.ms);
  entry.dueMs = later(entry.dueMs, to.ms);
}
