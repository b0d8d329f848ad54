// Owns taking out of a store what is damaged, so that a broker can start on the rest. Never touches a row
// that is sound, but for a page that names messages which are not to be had.

import { isSegmentKey, segmentIdOfKey, segmentKeys } from '../../message/log/segment-rows.ts';
import type { Store } from '../../store/port.ts';
import { TABLE_DELAYS, TABLE_PAGES, TABLE_SEGMENTS } from '../../store/tables.ts';
import { readDelayRow } from '../queue/delay/delay-rows.ts';
import { ENTRY_SETTLED, isSettled, PAGE_ENTRIES, Page } from '../queue/messages/pages/page.ts';
import { encodePage } from '../queue/messages/pages/page-row.ts';
import { PAGE_KEY_BYTES, QueueRows } from '../queue/messages/queue-rows.ts';
import type { CheckReport, Damage } from './check-store.ts';
import { HeldRecords } from './held-records.ts';
import { canRead, livePositions } from './stored-page.ts';

/** So many times a store is repaired and looked at again before that is given up. */
export const REPAIR_ROUNDS_MAX = 16;

/** What is said when even that was not enough. */
export const UNFINISHED: Damage = {
  kind: 'repair',
  table: 0,
  key: '',
  what: `more is damaged after ${REPAIR_ROUNDS_MAX} rounds: repair again`,
  queue: null,
};

/** Whether a repair can do anything about some of it. */
export function isMendable(damage: readonly Damage[]): boolean {
  return damage.some(({ key }) => key !== '');
}

/** What of `found` is not known yet: a row that stays damaged is not mended by another round. */
export function notAmong(known: readonly Damage[], found: readonly Damage[]): Damage[] {
  const nameOf = ({ table, key, what }: Damage): string =>
    key === '' ? `${table} ${what}` : `${table} ${key}`;
  const names = new Set(known.map(nameOf));
  return found.filter((each) => !names.has(nameOf(each)));
}

/** Puts into the store's batch what makes it sound again; returns how many rows that changes. */
export function repairStore(store: Store, { damage, queues }: CheckReport): number {
  const streams = new Set(queues.filter(({ isStream }) => isStream).map(({ id }) => id));
  const segments = damage.filter(({ table, key }) => table === TABLE_SEGMENTS && key !== '');
  const keys = segments.map(({ key }) => bytesOf(key));
  const lost = new Set(keys.filter(isSegmentKey).map(segmentIdOfKey));
  let changed = 0;
  const records = new HeldRecords();
  for (const key of [...segmentKeys(store)]) {
    if (isSegmentKey(key) && !lost.has(segmentIdOfKey(key))) records.noteRow(key);
    else {
      store.remove(TABLE_SEGMENTS, key);
      changed += 1;
    }
  }
  for (const each of damage) {
    const page = pageOf(store, each);
    if (page === null) continue;
    for (const position of livePositions(page)) records.noteWanted(position);
  }
  records.readWanted(store);
  for (const each of damage) {
    if (each.table === TABLE_SEGMENTS || each.key === '') continue;
    // A start sets aside what of such a page is not there; the others wait on.
    if (each.table === TABLE_DELAYS && isSound(store, each)) continue;
    const page = pageOf(store, each);
    const key = bytesOf(each.key);
    const ofStream = each.table === TABLE_PAGES && streams.has(streamIdOf(key));
    const times = ofStream && page !== null ? [...(page.starts?.values() ?? [])] : [];
    const row = page === null ? null : mended(page, records, times);
    if (row === null) store.remove(each.table, key);
    else store.put(TABLE_PAGES, key, row);
    if (row === null && ofStream) keepOffsets(store, key);
    changed += 1;
  }
  return changed;
}

/** The queue that a page is of; -1: its key is none of a page. */
function streamIdOf(key: Buffer): number {
  return key.length === PAGE_KEY_BYTES ? key.readUInt32BE(0) : -1;
}

/** A page of a stream is taken out, the last one perhaps: no message to come gets an offset of it. */
function keepOffsets(store: Store, key: Buffer): void {
  const rows = new QueueRows(store);
  const id = key.readUInt32BE(0);
  let mark = 0;
  try {
    mark = rows.readMark(id, 0);
  } catch {
    // It is damaged, and goes as well.
  }
  const end = (key.readUIntBE(4, 6) + 1) * PAGE_ENTRIES;
  if (end > mark) rows.putMark(id, 0, end);
}

/** Whether a row of messages that wait can be read, and is of a queue that is there. */
function isSound(store: Store, { key: digits, queue }: Damage): boolean {
  const key = bytesOf(digits);
  const row = store.get(TABLE_DELAYS, key);
  if (row === null || queue === null) return false;
  try {
    readDelayRow(key, row);
    return true;
  } catch {
    return false;
  }
}

/** The page of a queue that a damaged row holds, as far as it can be read; null: it cannot. */
function pageOf(store: Store, { table, key: digits, queue }: Damage): Page | null {
  // A page of no queue is of no use, sound as its messages may be: the copy has them.
  if (table !== TABLE_PAGES || digits === '' || queue === null) return null;
  const key = bytesOf(digits);
  const row = store.get(TABLE_PAGES, key);
  const page = new Page(0);
  return row !== null && canRead(key, row, page) ? page : null;
}

/**
 * The row of a page without the messages that are not there; null when nothing of it is left. `times`: when the first and
 * the last message of it came, where it has to say so.
 */
function mended(page: Page, records: HeldRecords, times: number[]): Buffer | null {
  for (let slot = 0; slot < page.count; slot++) {
    if (isSettled(page, slot) || records.has(page.positions[slot] as number)) continue;
    page.states[slot] = ENTRY_SETTLED;
    page.storedLive -= 1;
  }
  if (page.storedLive === 0) return null;
  if (times.length > 0) {
    const live = [...page.states.subarray(0, page.count).keys()].filter(
      (slot) => !isSettled(page, slot),
    );
    page.starts = new Map([
      [live[0] as number, Math.min(...times)],
      [live.at(-1) as number, Math.max(...times)],
    ]);
  }
  return encodePage(page);
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
